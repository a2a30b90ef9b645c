//! A zone and its pieces.

use k1_engine::light::{Point, Shape};

use super::fields::Fields;
use super::{Fault, Reader};
use crate::MOST_LEDS;
use crate::model::{Layout, Piece, Place, Run, Show, Zone};
use crate::points;

/// The zone that each LED of each light belongs to, and the line that says so.
pub(super) type Taken = Vec<Vec<Option<usize>>>;

/// Most names in one sentence.
const MOST_NAMES: usize = 12;

impl Reader<'_> {
    /// A zone with its valid pieces. One whose LEDs are taken becomes a gap, so that the others stay where they are.
    pub(super) fn zone(&mut self, fields: Fields, show: &Show, taken: &mut Taken) -> Option<Zone> {
        let name = self.required(fields.name());
        let name_line = fields.line("name");
        let shape_line = fields.line(if fields.item("map").is_some() { "map" } else { "shape" });
        let shape = self.required(shape(&fields)).unwrap_or_default();
        let mut points = self.points(&fields);
        let layout = self.required(layout(&fields)).unwrap_or_default();
        let tables = self.required(fields.tables("pieces", "a piece"));
        let mut pieces = Vec::new();
        for piece in tables.iter().flatten() {
            pieces.extend(self.piece(piece, layout, show, taken));
        }
        let is_complete = tables.as_ref().is_some_and(|tables| tables.len() == pieces.len());
        if is_complete && tables.iter().flatten().all(|piece| piece.item("light").is_none()) {
            let sentence = "a zone needs a piece of a light, as in pieces = [{ light = \"Shelf\" }]";
            self.fault(fields.line("pieces"), sentence);
        }
        let look = match fields.item("look") {
            None => Default::default(),
            Some(item) => match item.as_table_like() {
                Some(table) => {
                    let look = Fields::new(table, self.text(), fields.line("look"), "a look");
                    self.look(&look)
                }
                None => {
                    self.fault(
                        fields.line("look"),
                        "a look is a table, as in look = { pattern = \"bloom\" }",
                    );
                    Default::default()
                }
            },
        };
        let place = self.place(&fields);
        let mut zone = Zone { name: name?, shape, points: None, layout, pieces, look, place };
        self.rest(fields);
        if show.zones.iter().any(|other| other.name == zone.name) {
            self.fault(name_line, format!("two zones have the name “{}”; give each its own", zone.name));
            return None;
        }
        if zone.pixels() > MOST_LEDS {
            self.fault(
                name_line,
                format!(
                    "the zone “{}” has {} pixels; at most {MOST_LEDS} fit, so make two zones of it",
                    zone.name,
                    zone.pixels()
                ),
            );
            return None;
        }
        let has = points.as_ref().map(Vec::len).or(shape.leds());
        if let Some(has) = has.filter(|has| *has != zone.pixels()) {
            // A piece with a fault is the reason, and it is told already.
            if !is_complete {
                zone.shape = Shape::default();
                return Some(zone);
            }
            let what = if points.is_some() { "the map".to_owned() } else { format!("the shape {shape}") };
            self.fault(
                shape_line,
                format!(
                    "{what} has {has} pixels, and the pieces of the zone “{}” have {}; change one of them",
                    zone.name,
                    zone.pixels()
                ),
            );
            (zone.shape, points) = (Shape::default(), None);
        }
        zone.points = points;
        Some(zone)
    }

    /// Where a zone hangs on the plan.
    fn place(&mut self, fields: &Fields) -> Option<Place> {
        let line = fields.line("place");
        let table = fields.item("place")?.as_table_like();
        let numbers = table.and_then(|table| {
            let place = Fields::new(table, self.text(), line, "a place");
            let [x, y, angle] = ["x", "y", "angle"].map(|key| self.optional(place.number(key)));
            self.rest(place);
            Place::new(x?, y?, angle.unwrap_or(0.0))
        });
        if numbers.is_none() {
            let expected = "a place is x and y from 0 to 1 and an angle from 0 to below 360 degrees, as in \
                            place = { x = 0.5, y = 0.2, angle = 90 }";
            self.fault(line, expected);
        }
        numbers
    }

    /// The points of a zone with a map file.
    fn points(&mut self, fields: &Fields) -> Option<Vec<Point>> {
        let file = self.optional(fields.text("map"))?;
        if fields.item("shape").is_some() {
            self.fault(fields.line("map"), "a zone has a shape or a map; delete one of them");
            return None;
        }
        let read = self.forms.map(&file).and_then(|text| points::parse(&text));
        self.maps.push(file.clone());
        match read {
            Ok(points) => Some(points),
            Err(why) => {
                self.fault(fields.line("map"), format!("{file}: {why}"));
                None
            }
        }
    }

    fn piece(&mut self, fields: &Fields, layout: Layout, show: &Show, taken: &mut Taken) -> Option<Piece> {
        if fields.item("gap").is_some() {
            let gap = self.optional(fields.count("gap", 1..=MOST_LEDS))?;
            if fields.item("light").is_some() {
                self.fault(
                    fields.line("light"),
                    "a piece is a gap or a part of a light; make two pieces of it",
                );
            }
            if layout == Layout::Stretch {
                self.fault(
                    fields.line("gap"),
                    "a gap has no place in a zone that is stretched; delete it, or write layout = \"span\"",
                );
                return None;
            }
            return Some(Piece::Gap(gap));
        }
        let name =
            self.required(fields.required_text("light", "the name of a light, as in light = \"Shelf\""))?;
        let Some(light) = show.lights.iter().position(|light| light.name == name) else {
            // The fault of the light itself is told already.
            if self.faulty.contains(&name) {
                return None;
            }
            let mut names: Vec<_> = show.lights.iter().map(|light| format!("“{}”", light.name)).collect();
            if names.len() > MOST_NAMES {
                names.truncate(MOST_NAMES);
                names.push("…".to_owned());
            }
            let there = match names.is_empty() {
                true => "the file has no light without a fault".to_owned(),
                false => format!("use one of {}", names.join(", ")),
            };
            self.fault(fields.line("light"), format!("there is no light “{name}”; {there}"));
            return None;
        };
        let leds = show.lights[light].leds;
        let from = self.optional(fields.count("from", 0..=MOST_LEDS));
        let to = self.optional(fields.count("to", 0..=MOST_LEDS));
        let (from, to) = (from.unwrap_or(0), to.unwrap_or(leds - 1));
        let group = self.optional(fields.count("group", 1..=MOST_LEDS)).unwrap_or(1);
        let repeat = self.optional(fields.count("repeat", 1..=MOST_LEDS)).unwrap_or(1);
        let reversed = self.required(fields.flag("reversed")).unwrap_or(false);
        self.faults.extend(fields.unknown());
        if to >= leds || from >= leds {
            let key = if to >= leds { "to" } else { "from" };
            self.fault(
                fields.line(key),
                format!("the light “{name}” has {leds} LEDs, which are numbered 0 to {}", leds - 1),
            );
            return None;
        }
        if from > to {
            self.fault(
                fields.line("from"),
                format!(
                    "a piece from {from} to {to} is empty; write from = {to}, to = {from}, reversed = true"
                ),
            );
            return None;
        }
        let run = Run { light, from, to, reversed, group, repeat };
        if repeat > run.leds() {
            self.fault(
                fields.line("repeat"),
                format!(
                    "a piece of {} LEDs cannot repeat {repeat} times; write a smaller number",
                    run.leds()
                ),
            );
            return None;
        }
        let places = &mut taken[light][from..=to];
        if let Some((i, line)) = places.iter().enumerate().find_map(|(i, place)| Some((i, (*place)?))) {
            self.faults.push(Fault {
                line: fields.own_line,
                sentence: format!(
                    "LED {} of “{name}” belongs to the piece of line {line} already; choose others with from and to",
                    from + i
                ),
            });
            return Some(Piece::Gap(run.pixels())).filter(|_| layout == Layout::Span);
        }
        places.fill(Some(fields.own_line));
        Some(Piece::Run(run))
    }
}

fn shape(fields: &Fields) -> Result<Shape<'static>, Fault> {
    let Some(text) = fields.text("shape")? else { return Ok(Shape::default()) };
    text.parse().map_err(|e| Fault { line: fields.line("shape"), sentence: format!("{e}") })
}

fn layout(fields: &Fields) -> Result<Layout, Fault> {
    match fields.text("layout")?.as_deref() {
        None | Some("span") => Ok(Layout::Span),
        Some("stretch") => Ok(Layout::Stretch),
        Some(other) => Err(Fault {
            line: fields.line("layout"),
            sentence: format!("there is no layout “{other}”; use \"span\" or \"stretch\""),
        }),
    }
}
