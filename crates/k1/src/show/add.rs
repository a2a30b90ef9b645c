//! Writes a light into a show file, and changes one.

use k1_device::requests::LightChange;
use k1_engine::params::Param;
use k1_show::{Light, Look, Piece, Run};

use super::{Forms, Stored};

/// A light that is to be added, and its zone.
pub struct Addition {
    /// The light.
    pub light: Light,
    /// Zone that it continues, or a new one.
    pub zone: String,
    /// True if the zone begins at the light's last LED.
    pub reversed: bool,
    /// Columns and rows, if the light is a matrix. A new zone gets this shape.
    pub matrix: Option<(usize, usize)>,
    /// Index of the zone's pattern.
    pub pattern: Option<usize>,
    /// Number of the zone's palette.
    pub palette: Option<usize>,
}

/// Writes a light and its zone.
///
/// # Errors
///
/// A sentence if the light is not valid, if its name is taken, or if the file has a fault or cannot be written.
pub fn add(stored: &mut Stored, new: &Addition) -> Result<(), String> {
    let (name, leds, file) = (&new.light.name, new.light.leds, stored.path().display().to_string());
    let path = stored.path().to_owned();
    if !(1..=k1_show::MOST_LEDS).contains(&leds) {
        return Err(format!("a light has 1 to {} LEDs, not {leds}", k1_show::MOST_LEDS));
    }
    stored.change(|text| {
        let there = text.read(&Forms { file: &path }).show;
        if there.lights.iter().any(|other| other.name == *name) {
            return Err(format!("{file} has a light “{name}” already; choose another name"));
        }
        let zone = there.zones.iter().find(|zone| zone.name == new.zone);
        let matrix = new.matrix.filter(|_| zone.is_none());
        // LEDs behind a matrix are not a part of it.
        let shown = matrix.map_or(leds, |(columns, rows)| columns.saturating_mul(rows));
        if !(1..=leds).contains(&shown) {
            return Err(format!("a matrix of {shown} LEDs does not fit a light of {leds}"));
        }
        text.add_light(&new.light);
        let run = Run { light: 0, from: 0, to: shown - 1, reversed: new.reversed, group: 1, repeat: 1 };
        text.add_pieces(&new.zone, &[Piece::Run(run)], &[name]);
        if let Some((columns, rows)) = matrix {
            text.set_shape(&new.zone, &format!("matrix:{columns}x{rows}"));
        }
        let mut look = zone.map_or_else(Look::default, |zone| zone.look);
        look.pattern = new.pattern.unwrap_or(look.pattern);
        if let Some(palette) = new.palette {
            look.params.set(Param::PaletteId, palette as f32);
        }
        text.set_look(&new.zone, &look);
        Ok(())
    })
}

/// Changes a light, or removes it.
///
/// # Errors
///
/// A sentence if there is no such light, if its new name is taken, or if the file has a fault, would get one, or cannot
/// be written.
pub fn change(stored: &mut Stored, wanted: &LightChange) -> Result<(), String> {
    let shown = stored.path().display().to_string();
    let mut light = wanted.light.as_str();
    stored.change(|text| {
        let unknown = || format!("{shown} has no light “{light}”");
        if wanted.remove {
            return text.remove_light(light).then_some(()).ok_or_else(unknown);
        }
        if let Some(order) = &wanted.order
            && !text.set_light(light, "order", order)
        {
            return Err(unknown());
        }
        if let Some(name) = wanted.name.as_deref().filter(|name| *name != light) {
            if !text.rename_light(light, name) {
                return Err(unknown());
            }
            light = name;
        }
        if wanted.turn {
            text.turn_light(light);
        }
        Ok(())
    })
}
