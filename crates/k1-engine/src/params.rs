//! The table of everything a user can set.
//!
//! Identifiers, ranges and defaults are those of the lamps in the field, so that existing scripts and presets keep
//! working. Interfaces, documentation and checks are generated from [`PARAMS`].

/// Highest palette number that `palette_id` takes.
pub const LAST_PALETTE: usize = 32;
/// Largest number of palettes of a user's own. Their numbers follow [`LAST_PALETTE`].
pub const MOST_OWN_PALETTES: usize = 16;

/// The description of one parameter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ParamSpec {
    /// Identifier in interfaces and presets.
    pub id: &'static str,
    /// Name for people.
    pub name: &'static str,
    /// Unit of the value; empty for a share.
    pub unit: &'static str,
    /// Least value.
    pub min: f32,
    /// Greatest value.
    pub max: f32,
    /// Value after a reset.
    pub default: f32,
    /// Smallest useful change.
    pub step: f32,
    /// Its effect, in one sentence.
    pub help: &'static str,
}

/// Declares the parameters once, as enumeration and as table.
macro_rules! params {
    ($($(#[$doc:meta])* $variant:ident = $id:literal, $name:literal, $unit:literal, $min:literal .. $max:expr, $default:literal, $step:literal, $help:literal;)*) => {
        /// A parameter. Its number is its index in [`PARAMS`] and in every stored or sent set.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum Param { $(#[doc = $help] $variant),* }

        /// Every parameter, in order.
        pub static PARAMS: [ParamSpec; Param::ALL.len()] = [
            $(ParamSpec { id: $id, name: $name, unit: $unit, min: $min, max: $max, default: $default, step: $step, help: $help }),*
        ];

        impl Param {
            /// Every parameter, in order.
            pub const ALL: &'static [Param] = &[$(Param::$variant),*];
        }
    };
}

params! {
    Brightness = "brightness", "Brightness", "", 0.0..1.0, 1.0, 0.01, "How bright the strip is; the scale follows the eye, so that half looks half as bright.";
    Softness = "softness", "Softness", "", 0.0..1.0, 0.25, 0.01, "How gently the light moves: 0 is crisp, 1 melts every change into the next.";
    Color = "color", "Colour", "turn", 0.0..1.0, 0.33, 0.01, "Turns every hue of the palette around the colour circle; 0.33 shows the palette as it was painted.";
    ColorRange = "color_range", "Colour range", "turn", 0.0..1.0, 0.0, 0.01, "Spreads the hues along the palette; 0 keeps it as painted, 1 adds a whole colour circle.";
    Saturation = "saturation", "Saturation", "", 0.0..1.0, 0.75, 0.01, "Strength of the colours: 0 is grey, 0.75 the palette as painted, 1 as vivid as the light can be.";
    Warmth = "warmth", "Warmth", "", 0.0..1.0, 0.0, 0.01, "Tints everything towards the light of a bulb.";
    Background = "background", "Background", "", 0.0..1.0, 0.25, 0.01, "Ambient light under the pattern, and how strongly it glows when there is no music.";
    Dithering = "dithering", "Dithering", "", 0.0..1.0, 1.0, 1.0, "From 0.5 up, spreads the steps of 8-bit light over time and neighbours so that slow fades look smooth.";
    Speed = "speed", "Speed", "", 0.0..1.0, 0.5, 0.01, "Rate of all motion: 0 is a quarter, 0.5 normal, 1 four times as fast. Beats stay on the beat.";
    PaletteId = "palette_id", "Palette", "", 0.0..(LAST_PALETTE as f32), 0.0, 1.0, "Number of the palette; departure, lava and twilight bring their own.";
    Custom1 = "custom_param_1", "Custom 1", "", 0.0..1.0, 0.5, 0.01, "First knob of the pattern; each pattern says what it does.";
    Custom2 = "custom_param_2", "Custom 2", "", 0.0..1.0, 0.5, 0.01, "Second knob of the pattern; each pattern says what it does.";
    Custom3 = "custom_param_3", "Custom 3", "", 0.0..1.0, 0.5, 0.01, "Third knob of the pattern; each pattern says what it does.";
}

impl Param {
    /// Its entry in [`PARAMS`].
    pub fn spec(self) -> &'static ParamSpec {
        &PARAMS[self as usize]
    }

    /// The parameter with this identifier.
    pub fn from_id(id: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|p| p.spec().id == id)
    }

    /// The nearest valid value: clamped to the range, the default for NaN, and a whole number for the palette, whose range
    /// includes the user's own palettes.
    pub fn nearest(self, value: f32) -> f32 {
        let spec = self.spec();
        if value.is_nan() {
            return spec.default;
        }
        if matches!(self, Self::PaletteId) {
            return libm::floorf(value.clamp(spec.min, (LAST_PALETTE + MOST_OWN_PALETTES) as f32));
        }
        value.clamp(spec.min, spec.max)
    }
}

/// A complete set of parameters; every value is within its range.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Params([f32; Param::ALL.len()]);

impl Default for Params {
    fn default() -> Self {
        Self::new()
    }
}

impl Params {
    /// All zeros.
    pub(crate) const BLANK: Self = Self([0.0; Param::ALL.len()]);

    /// The defaults of the table.
    pub const fn new() -> Self {
        let mut values = [0.0; Param::ALL.len()];
        let mut i = 0;
        while i < values.len() {
            values[i] = PARAMS[i].default;
            i += 1;
        }
        Self(values)
    }

    /// A set from values in table order. Each becomes the [nearest](Param::nearest) valid value.
    pub fn from_values(values: [f32; Param::ALL.len()]) -> Self {
        Self(core::array::from_fn(|i| Param::ALL[i].nearest(values[i])))
    }

    /// The values in table order.
    pub fn values(&self) -> &[f32; Param::ALL.len()] {
        &self.0
    }

    /// Value of one parameter.
    pub fn get(&self, param: Param) -> f32 {
        self.0[param as usize]
    }

    /// Sets one parameter to the nearest valid value and returns that value.
    pub fn set(&mut self, param: Param, value: f32) -> f32 {
        let value = param.nearest(value);
        self.0[param as usize] = value;
        value
    }

    /// Number of the palette.
    pub fn palette_id(&self) -> usize {
        self.get(Param::PaletteId) as usize
    }

    /// Speed of motion as a factor: ¼ at 0, 1 at ½, 4 at 1.
    #[inline(never)]
    pub fn speed_factor(&self) -> f32 {
        crate::math::exp2(4.0 * self.get(Param::Speed) - 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_thirteen_keep_their_identifiers_and_defaults() {
        let expected = [
            ("brightness", 1.0),
            ("softness", 0.25),
            ("color", 0.33),
            ("color_range", 0.0),
            ("saturation", 0.75),
            ("warmth", 0.0),
            ("background", 0.25),
            ("dithering", 1.0),
            ("speed", 0.5),
            ("palette_id", 0.0),
            ("custom_param_1", 0.5),
            ("custom_param_2", 0.5),
            ("custom_param_3", 0.5),
        ];
        assert_eq!(PARAMS.len(), expected.len());
        for (spec, (id, default)) in PARAMS.iter().zip(expected) {
            assert_eq!((spec.id, spec.default), (id, default));
            assert_eq!((spec.min, spec.max), (0.0, if id == "palette_id" { 32.0 } else { 1.0 }));
        }
    }

    #[test]
    fn nonsense_becomes_the_nearest_sense() {
        let mut p = Params::default();
        assert_eq!(p.set(Param::Softness, f32::NAN), 0.25);
        assert_eq!(p.set(Param::Softness, f32::INFINITY), 1.0);
        assert_eq!(p.set(Param::Softness, f32::NEG_INFINITY), 0.0);
        assert_eq!(p.set(Param::PaletteId, 255.0), 48.0);
        assert_eq!(p.set(Param::PaletteId, 31.9), 31.0);
        assert_eq!(p.set(Param::PaletteId, -1.0), 0.0);
        assert_eq!(Param::from_id("warmth"), Some(Param::Warmth));
        assert_eq!(Param::from_id("Warmth"), None);
        assert_eq!(p.speed_factor(), 1.0);
    }
}
