//! What the renderer shows: zones, and lights that take their pixels from them.

use k1_device::frame::Zones;
use k1_engine::audio::Snapshot;
use k1_engine::light::{OutputSettings, Palette, Rgb, Shape};
use k1_show::map::Cell;

use super::Owner;
use super::outlet::Outlet;
use super::zone::{Renderer, Zone};

/// Zones, lights and the page. A stage may [take over](Stage::take_over) parts of the one that it replaces.
pub struct Stage {
    parts: Vec<Part>,
    lights: Vec<Lit>,
    page: Option<Outlet>,
}

/// A zone and its finished pixels.
pub struct Part {
    zone: Place<Zone>,
    /// A renderer that the zone needs, or one that it does not need any longer.
    renderer: Option<Renderer>,
    leds: usize,
    shape: Shape<'static>,
    output: OutputSettings,
    palettes: &'static [Palette],
    light: Vec<Rgb>,
    is_dithered: bool,
}

/// A light and what each of its LEDs shows.
pub struct Lit {
    outlet: Place<Outlet>,
    cells: Vec<Cell>,
}

/// Where a stage has a part from.
enum Place<T> {
    Here(T),
    /// It comes from this index of the stage that is replaced.
    Before(usize),
    /// It went to the next stage.
    Gone,
}

impl<T> Place<T> {
    fn here(&mut self) -> Option<&mut T> {
        match self {
            Self::Here(part) => Some(part),
            Self::Before(_) | Self::Gone => None,
        }
    }
}

impl Part {
    /// A new zone.
    pub fn new(leds: usize, shape: Shape<'static>, output: OutputSettings, owner: Owner) -> Self {
        let zone = Place::Here(Zone::new(leds, shape, output, owner));
        Self { zone, ..Self::kept(0, leds, leds, shape, output) }
    }

    /// The zone with an index in the stage that is replaced, where it has `before_leds` pixels. It begins again if its size,
    /// shape or limit has changed.
    pub fn kept(
        before: usize,
        before_leds: usize,
        leds: usize,
        shape: Shape<'static>,
        output: OutputSettings,
    ) -> Self {
        let (zone, light) = (Place::Before(before), vec![Rgb::BLACK; leds]);
        let renderer = Renderer::resized(before_leds, leds);
        Self { zone, renderer, leds, shape, output, palettes: &[], light, is_dithered: false }
    }

    /// The same with the user's own palettes.
    pub fn with_own_palettes(mut self, own: &'static [Palette]) -> Self {
        self.palettes = own;
        if let Some(zone) = self.zone.here() {
            zone.set_own_palettes(own);
        }
        self
    }
}

impl Lit {
    /// A light that was opened.
    pub fn new(outlet: Outlet, cells: Vec<Cell>) -> Self {
        Self { outlet: Place::Here(outlet), cells }
    }

    /// The light with an index in the stage that is replaced. It has the same number of LEDs.
    pub fn kept(before: usize, cells: Vec<Cell>) -> Self {
        Self { outlet: Place::Before(before), cells }
    }
}

impl Stage {
    /// A stage; the page gets the pixels of every zone.
    pub fn new(parts: Vec<Part>, lights: Vec<Lit>, page: Option<Outlet>) -> Self {
        Self { parts, lights, page }
    }

    /// Takes the parts over that this stage keeps. Nothing is allocated.
    pub fn take_over(&mut self, before: &mut Self) {
        for part in &mut self.parts {
            if let Place::Before(index) = part.zone
                && let Some(old) = before.parts.get_mut(index)
            {
                part.zone = match (std::mem::replace(&mut old.zone, Place::Gone), part.renderer.take()) {
                    (Place::Here(zone), Some(renderer)) => {
                        let (zone, unneeded) = zone.with_renderer(renderer);
                        old.renderer = Some(unneeded);
                        Place::Here(zone)
                    }
                    (zone, _) => zone,
                };
                if (part.leds, part.shape, part.output) != (old.leds, old.shape, old.output)
                    && let Some(zone) = part.zone.here()
                {
                    zone.restart(part.leds, part.shape, part.output);
                }
                if let Some(zone) = part.zone.here() {
                    zone.set_own_palettes(part.palettes);
                }
            }
        }
        for light in &mut self.lights {
            if let Place::Before(index) = light.outlet
                && let Some(old) = before.lights.get_mut(index)
            {
                light.outlet = std::mem::replace(&mut old.outlet, Place::Gone);
            }
        }
        self.page = before.page.take();
    }

    /// Hands the finished frame, times `dim`, to the lights and the page. Returns the number of lights that had not taken
    /// the previous one.
    pub fn deliver(&mut self, at_us: u64, dim: f32) -> u32 {
        let Self { parts, lights, page } = self;
        for part in parts.iter_mut() {
            let Some(zone) = part.zone.here() else { continue };
            zone.dim(dim);
            part.is_dithered = zone.light(&mut part.light);
        }
        if let Some(page) = page {
            page.offer(at_us, |frame| {
                frame.light.clear();
                frame.zones.clear();
                // Its frames have room for the largest zone, and for as many others as fit without an allocation.
                for part in parts.iter() {
                    let room = frame.light.capacity() - frame.light.len();
                    if part.light.len() > room || frame.zones.len() == frame.zones.capacity() {
                        break;
                    }
                    frame.light.extend_from_slice(&part.light);
                    frame.zones.push(part.light.len());
                }
            });
        }
        let mut late = 0;
        for light in lights {
            let Some(outlet) = light.outlet.here() else { continue };
            let probe = outlet.light.as_ref().and_then(|light| light.probe(at_us));
            late += u32::from(outlet.offer(at_us, |frame| {
                if let Some(probe) = probe {
                    let leds = frame.light.iter_mut().enumerate();
                    leds.for_each(|(led, pixel)| *pixel = probe.colour(led, at_us));
                    frame.is_dithered = false;
                    return;
                }
                // A light has one kind of wire, so its zones share the choice of dither.
                frame.is_dithered = parts.iter().any(|part| part.is_dithered);
                fill(&mut frame.light, &light.cells, parts);
            }));
        }
        late
    }
}

/// Fills a light's pixels from those of its zones.
fn fill(leds: &mut [Rgb], cells: &[Cell], parts: &[Part]) {
    for (led, cell) in leds.iter_mut().zip(cells) {
        *led = cell.get().map_or(Rgb::BLACK, |(zone, pixel)| parts[zone].light[pixel]);
    }
}

impl Zones for Stage {
    fn update(&mut self) -> bool {
        let mut has_changed = false;
        for zone in self.parts.iter_mut().filter_map(|part| part.zone.here()) {
            has_changed |= zone.update();
        }
        has_changed
    }

    fn render(&mut self, began_us: u64, sound: &Snapshot) {
        for zone in self.parts.iter_mut().filter_map(|part| part.zone.here()) {
            zone.render(began_us, sound);
        }
    }
}
