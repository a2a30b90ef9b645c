//! Guards the ear: compares the synthetic pieces with the recorded figures.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::Deserialize;

use super::score::Score;

/// The section `[ear]` of `budgets.toml`.
#[derive(Debug, Deserialize)]
pub struct Recorded {
    /// Largest allowed fall of a share.
    fall_max: f64,
    /// Largest allowed rise of false beats per minute.
    rise_max: f64,
    pieces: BTreeMap<String, Figures>,
    beatless: BTreeMap<String, f64>,
}

/// The guarded figures of a piece, each 0 … 1 with three digits.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
pub struct Figures {
    /// The fields of [`Score`] with the same names.
    f: f64,
    announced: f64,
    cmlt: f64,
    amlt: f64,
    tempo: f64,
    tempo_any: f64,
}

impl From<&Score> for Figures {
    fn from(s: &Score) -> Self {
        let round = |x: f64| (1e3 * x).round() / 1e3;
        Self {
            f: round(s.f),
            announced: round(s.announced),
            cmlt: round(s.cmlt),
            amlt: round(s.amlt),
            tempo: round(s.tempo),
            tempo_any: round(s.tempo_any),
        }
    }
}

impl Figures {
    fn named(&self) -> [(&'static str, f64); 6] {
        [
            ("F", self.f),
            ("F as announced", self.announced),
            ("CMLt", self.cmlt),
            ("AMLt", self.amlt),
            ("the time with the tempo right", self.tempo),
            ("the time with the tempo right at any level", self.tempo_any),
        ]
    }
}

/// The present figures.
#[derive(Debug, Default)]
pub struct Measured {
    /// Pieces by name.
    pub pieces: Vec<(&'static str, Figures)>,
    /// Sounds without a beat by name, with the beats per minute that were announced.
    pub beatless: Vec<(&'static str, f64)>,
}

/// Whether a loss exceeds its limit; NaN does. The figures have three digits, so binary fractions must not matter.
fn is_more(lost: f64, may_be_lost: f64) -> bool {
    lost.is_nan() || lost > may_be_lost + 1e-6
}

/// Every way in which the ear is worse than recorded, as sentences.
pub fn worse(recorded: &Recorded, measured: &Measured) -> Vec<String> {
    let mut worse = Vec::new();
    for (piece, now) in &measured.pieces {
        let Some(then) = recorded.pieces.get(*piece) else {
            worse.push(format!("\"{piece}\" is not recorded"));
            continue;
        };
        for ((figure, now), (_, then)) in now.named().into_iter().zip(then.named()) {
            if is_more(then - now, recorded.fall_max) {
                worse.push(format!("\"{piece}\": {figure} fell from {then:.3} to {now:.3}"));
            }
        }
    }
    for (piece, now) in &measured.beatless {
        let Some(then) = recorded.beatless.get(*piece) else {
            worse.push(format!("\"{piece}\" is not recorded"));
            continue;
        };
        if is_more(now - then, recorded.rise_max) {
            worse.push(format!(
                "\"{piece}\" has no beat, but {now:.1} beats a minute were announced; {then:.1} are recorded"
            ));
        }
    }
    let played = |name: &str| {
        measured.pieces.iter().any(|(n, _)| *n == name) || measured.beatless.iter().any(|(n, _)| *n == name)
    };
    let gone = recorded.pieces.keys().chain(recorded.beatless.keys()).filter(|name| !played(name));
    worse.extend(gone.map(|name| format!("\"{name}\" is recorded but was not played")));
    worse
}

/// `budgets.toml` with the present figures as the recorded ones; everything else is unchanged.
pub fn recorded_anew(text: &str, measured: &Measured) -> Result<String, String> {
    let pieces = measured.pieces.iter().fold(String::new(), |mut lines, (piece, x)| {
        let _ = writeln!(
            lines,
            "\"{piece}\" = {{ f = {:.3}, announced = {:.3}, cmlt = {:.3}, amlt = {:.3}, tempo = {:.3}, tempo_any = {:.3} }}",
            x.f, x.announced, x.cmlt, x.amlt, x.tempo, x.tempo_any
        );
        lines
    });
    let beatless = measured.beatless.iter().fold(String::new(), |mut lines, (piece, x)| {
        let _ = writeln!(lines, "\"{piece}\" = {x:.1}");
        lines
    });
    let text = with_section(text, "[ear.pieces]", &pieces)?;
    with_section(&text, "[ear.beatless]", &beatless)
}

/// `text` with the lines under a heading replaced, up to the next heading or the end.
fn with_section(text: &str, heading: &str, lines: &str) -> Result<String, String> {
    let (before, after) = text
        .split_once(&format!("{heading}\n"))
        .ok_or_else(|| format!("budgets.toml has no section {heading}; write the empty section first"))?;
    let rest = after.find("\n[").map_or("", |at| &after[at..]);
    Ok(format!("{before}{heading}\n{lines}{rest}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# Kept.\n[page]\nmax_bytes = 1\n\n[ear]\n# Why.\nfall_max = 0.01\nrise_max = 1.0\n\n\
                        [ear.pieces]\n\"old\" = 1\n\n[ear.beatless]\n\"noise\" = 9.0\n\n[last]\nx = 1\n";

    #[derive(Deserialize)]
    struct File {
        ear: Recorded,
    }

    fn measured() -> Measured {
        let figures = Figures { f: 0.9, announced: 0.8, cmlt: 0.7, amlt: 0.95, tempo: 0.6, tempo_any: 1.0 };
        Measured { pieces: vec![("rock", figures)], beatless: vec![("noise", 2.0)] }
    }

    fn recorded() -> Recorded {
        let text = recorded_anew(TEXT, &measured()).unwrap();
        toml::from_str::<File>(&text).unwrap().ear
    }

    #[test]
    fn recorded_figures_are_replaced_and_the_rest_is_kept() {
        let text = recorded_anew(TEXT, &measured()).unwrap();
        assert!(text.starts_with("# Kept.\n[page]\nmax_bytes = 1\n\n[ear]\n# Why.\n"), "{text}");
        assert!(text.ends_with("\"noise\" = 2.0\n\n[last]\nx = 1\n") && !text.contains("old"), "{text}");
        assert_eq!(recorded_anew(&text, &measured()).unwrap(), text);
        assert_eq!(worse(&recorded(), &measured()), Vec::<String>::new());
        assert!(recorded_anew("[ear]\n", &measured()).unwrap_err().contains("[ear.pieces]"));
    }

    #[test]
    fn a_hundredth_may_be_lost_and_more_is_named() {
        let mut now = measured();
        now.pieces[0].1.f = 0.89;
        now.pieces[0].1.amlt = 1.0;
        now.beatless[0].1 = 3.0;
        assert!(worse(&recorded(), &now).is_empty());
        now.pieces[0].1.cmlt = 0.689;
        now.beatless[0].1 = 3.1;
        let worse = worse(&recorded(), &now);
        assert_eq!(worse.len(), 2, "{worse:?}");
        assert_eq!(worse[0], "\"rock\": CMLt fell from 0.700 to 0.689");
        assert!(worse[1].contains("\"noise\"") && worse[1].contains("3.1 beats a minute"), "{worse:?}");
    }

    #[test]
    fn every_figure_of_a_piece_is_guarded() {
        for k in 0..6 {
            let mut now = measured();
            let x = &mut now.pieces[0].1;
            let figure =
                [&mut x.f, &mut x.announced, &mut x.cmlt, &mut x.amlt, &mut x.tempo, &mut x.tempo_any];
            *figure.into_iter().nth(k).unwrap() = f64::NAN;
            assert_eq!(worse(&recorded(), &now).len(), 1, "{k}");
        }
    }

    #[test]
    fn pieces_that_come_or_go_are_told() {
        let mut now = measured();
        now.pieces[0].0 = "roll";
        now.beatless.clear();
        let worse = worse(&recorded(), &now);
        assert_eq!(worse.len(), 3, "{worse:?}");
        assert!(worse[0].contains("\"roll\" is not recorded"));
        assert!(worse[1..].iter().all(|w| w.contains("was not played")), "{worse:?}");
    }
}
