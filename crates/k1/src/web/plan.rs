//! What the zones are made of and where they hang, as the API asks for it.

use k1_device::answers::{Piece as PieceAnswer, Plan, PlanLight, PlanPlace, PlanZone};
use k1_device::error::Refusal;
use k1_device::requests::{NewPiece, ZoneChange};
use k1_show::{Layout, Light, Piece, Place, Run, Zone};

use super::app::App;
use crate::show::Stored;

impl App {
    pub(super) fn plan_now(&self) -> Result<Plan, Refusal> {
        let show = self.stored()?.reading().show;
        let lights = show.lights.iter().map(|light| PlanLight { name: light.name.clone(), leds: light.leds });
        let zones = show.zones.iter().map(|zone| PlanZone {
            name: zone.name.clone(),
            pixels: zone.pixels(),
            fixed: is_fixed(zone),
            pieces: zone.pieces.iter().map(|piece| answer_of(piece, &show.lights)).collect(),
            place: zone.place.map(|Place { x, y, angle }| PlanPlace { x, y, angle }),
        });
        Ok(Plan { lights: lights.collect(), zones: zones.collect() })
    }
}

/// True if the number of pixels cannot change without the shape or the map.
fn is_fixed(zone: &Zone) -> bool {
    zone.points.is_some() || zone.shape.leds().is_some() || zone.layout == Layout::Stretch
}

fn answer_of(piece: &Piece, lights: &[Light]) -> PieceAnswer {
    let whole = PieceAnswer { light: None, from: 0, to: 0, reversed: false, group: 1, repeat: 1, gap: None };
    match *piece {
        Piece::Gap(pixels) => PieceAnswer { gap: Some(pixels), ..whole },
        Piece::Run(Run { light, from, to, reversed, group, repeat }) => {
            let light = lights.get(light).map(|light| light.name.clone());
            PieceAnswer { light, from, to, reversed, group, repeat, ..whole }
        }
    }
}

/// A piece as the model has it.
fn piece_of(new: &NewPiece, lights: &[Light]) -> Result<Piece, Refusal> {
    let expected = "pieces of lights, with LEDs that they have, or gaps";
    let wrong = Refusal::InvalidValue { field: "pieces", expected };
    match (&new.light, new.gap) {
        (None, Some(pixels @ 1..)) => Ok(Piece::Gap(pixels)),
        (Some(name), None) => {
            let light = lights.iter().position(|light| light.name == *name).ok_or(Refusal::LightNotFound)?;
            let (from, to) = (new.from.unwrap_or(0), new.to.unwrap_or(lights[light].leds - 1));
            let (group, repeat) = (new.group.unwrap_or(1), new.repeat.unwrap_or(1));
            if from > to || to >= lights[light].leds || group == 0 || repeat == 0 {
                return Err(wrong);
            }
            Ok(Piece::Run(Run { light, from, to, reversed: new.reversed, group, repeat }))
        }
        _ => Err(wrong),
    }
}

/// Writes a change of a zone into the show file; returns the faults for which nothing was written.
///
/// # Errors
///
/// The [`Refusal`] of the first wrong value.
pub fn change(stored: &mut Stored, name: &str, wanted: &ZoneChange) -> Result<Vec<String>, Refusal> {
    let show = stored.reading().show;
    let is_there = show.zones.iter().any(|zone| zone.name == name);
    if !is_there && (wanted.pieces.is_none() || wanted.remove) {
        return Err(Refusal::ZoneNotFound);
    }
    let pieces = wanted.pieces.as_ref().map(|pieces| {
        pieces.iter().map(|piece| piece_of(piece, &show.lights)).collect::<Result<Vec<_>, _>>()
    });
    let pieces = pieces.transpose()?;
    let place = wanted.place.map(|place| {
        let expected = "x and y from 0 to 1, and an angle from 0 to below 360";
        let wrong = Refusal::InvalidValue { field: "place", expected };
        Place::new(place.x, place.y, place.angle).ok_or(wrong)
    });
    let place = place.transpose()?;
    let lights: Vec<&str> = show.lights.iter().map(|light| light.name.as_str()).collect();
    let written = stored.change(|text| {
        if wanted.remove {
            text.remove_zone(name);
            return Ok(());
        }
        if let Some(pieces) = &pieces {
            text.set_pieces(name, pieces, &lights);
        }
        if let Some(place) = &place {
            text.set_place(name, place);
        }
        Ok(())
    });
    Ok(written.err().into_iter().collect())
}
