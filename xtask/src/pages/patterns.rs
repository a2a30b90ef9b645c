//! `docs/patterns.md` and `docs/palettes.svg`, written from the engine's tables.

use k1_engine::light::{PALETTES, srgb_byte};
use k1_engine::params::PARAMS;
use k1_engine::patterns::PATTERNS;

/// The page and the picture of the palettes, by where they are in the checkout.
fn files() -> [(&'static str, String); 2] {
    [("docs/patterns.md", page()), ("docs/palettes.svg", swatches())]
}

/// Writes both files.
///
/// # Errors
/// A sentence, if a file cannot be written.
pub fn record() -> Result<(), String> {
    for (file, text) in files() {
        std::fs::write(crate::root().join(file), text).map_err(|e| format!("{file}: {e}"))?;
    }
    Ok(())
}

/// Every pattern with its picture and its knobs, the parameters, and the palettes.
fn page() -> String {
    let mut page = format!(
        "# Patterns and palettes\n\n\
         A pattern draws, a palette colours, and parameters shape both. These are all {} patterns, with the same six seconds of\n\
         music: `k1 render demo --start 8 --duration 6 --pattern bloom -o bloom.png`. In a picture, time runs down. On a strip,\n\
         patterns start at its centre and are mirrored; on [a line from one end, a ring or a\n\
         matrix](lights.md#how-the-leds-are-arranged), most of them use both directions.\n\n\
         ```sh\n\
         k1 patterns                                        # this list, in the terminal\n\
         k1 run demo --pattern bloom --palette lagoon\n\
         k1 run mic --pattern pulse --set custom_param_1=0.8 --set softness=0.4\n\
         ```\n\n\
         While K1 runs, the page has a control for each of them. Knobs 1 to 3 are the parameters `custom_param_1` to\n\
         `custom_param_3`, each from 0 to 1 and in the middle at first.\n",
        PATTERNS.len()
    );
    for pattern in &PATTERNS {
        let palette = match pattern.own_palette {
            Some(own) => format!(" It brings its own palette, {}.", PALETTES[own].name),
            None => String::new(),
        };
        let music =
            if pattern.is_audio_reactive { "" } else { " It moves by itself; music only colours it." };
        page += &format!(
            "\n## {name}\n\n![{name}](patterns/{id}.png)\n\n{description}.{music}{palette}\n\n\
             - `--pattern {id}` listens to {listens}\n",
            name = pattern.name,
            id = pattern.id,
            description = pattern.description,
            listens = pattern.listens,
        );
        for (number, knob) in pattern.knobs.iter().enumerate() {
            page += &format!("- Knob {}: {knob}\n", number + 1);
        }
    }
    page += "\n## Parameters\n\nEvery zone has these. `--set PARAM=VALUE` sets one, and `k1 params` lists them.\n\n\
             | Parameter | Range | Default | Meaning |\n|---|---|---|---|\n";
    for param in &PARAMS {
        page += &format!(
            "| `{}` | {} … {} | {} | {} |\n",
            param.id, param.min, param.max, param.default, param.help
        );
    }
    page += "\n## Palettes\n\nColours are mixed in OKLCH, where equal steps look equal.\n\n\
             ![All palettes](palettes.svg)\n\n| Palette | Colours |\n|---|---|\n";
    for palette in &PALETTES {
        page += &format!("| `{}` | {} |\n", palette.name, palette.about);
    }
    page
}

/// Each palette as a bar with its name, for a dark page.
fn swatches() -> String {
    const ROW: usize = 34;
    const STEPS: usize = 12;
    let height = PALETTES.len() * ROW;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"360\" height=\"{height}\" viewBox=\"0 0 360 {height}\" \
         font-family=\"system-ui, sans-serif\" font-size=\"15\">\n<path fill=\"#08070b\" d=\"M0 0h360v{height}H0z\"/>\n"
    );
    for (row, palette) in PALETTES.iter().enumerate() {
        let stops: String = (0..=STEPS)
            .map(|step| {
                let place = step as f32 / STEPS as f32;
                let light = palette.at(place).to_rgb();
                let [r, g, b] = [light.r, light.g, light.b].map(srgb_byte);
                format!("<stop offset=\"{place:.3}\" stop-color=\"#{r:02x}{g:02x}{b:02x}\"/>")
            })
            .collect();
        let y = row * ROW;
        svg += &format!(
            "<linearGradient id=\"p{row}\">{stops}</linearGradient>\
             <rect x=\"132\" y=\"{}\" width=\"228\" height=\"26\" rx=\"6\" fill=\"url(#p{row})\"/>\
             <text y=\"{}\" fill=\"#f1eef7\">{}</text>\n",
            y + 4,
            y + 22,
            palette.name
        );
    }
    svg + "</svg>\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_are_those_of_the_tables() {
        for (file, text) in files() {
            let written = crate::files::text(std::path::Path::new(file)).unwrap();
            assert!(written == text, "{file} is old; cargo xtask pictures writes it");
        }
    }
}
