//! How a frame's channels are spread over DMX universes, the same for Art-Net and sACN.

/// Most channels of a universe.
pub const MAX_CHANNELS: usize = 512;

/// A row of universes, all of the same size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Universes {
    first: u16,
    channels: u16,
}

/// Why a frame does not fit into universes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// A universe has 1 … 512 channels.
    Channels(u16),
    /// The last universe would be beyond the protocol's last one.
    Beyond {
        /// The universe that the last channel would need.
        last: usize,
        /// The protocol's last universe.
        limit: u16,
    },
}

impl core::fmt::Display for Error {
    fn fmt(&self, f: &mut core::fmt::Formatter) -> core::fmt::Result {
        match self {
            Self::Channels(n) => write!(f, "a universe has 1 … 512 channels, not {n}"),
            Self::Beyond { last, limit } => {
                write!(f, "the last channel would be in universe {last}, and the protocol ends at {limit}")
            }
        }
    }
}

impl core::error::Error for Error {}

impl Universes {
    /// Universes from `first` on, each with `channels` channels (1 … 512).
    ///
    /// # Errors
    ///
    /// If there are no such universes.
    pub const fn new(first: u16, channels: u16) -> Result<Self, Error> {
        if channels == 0 || channels as usize > MAX_CHANNELS {
            return Err(Error::Channels(channels));
        }
        Ok(Self { first, channels })
    }

    /// The first universe.
    pub const fn first(self) -> u16 {
        self.first
    }

    /// Channels of each universe.
    pub const fn channels(self) -> u16 {
        self.channels
    }

    /// Number of universes for a frame of `bytes` channels; an empty frame needs one.
    pub const fn count(self, bytes: usize) -> usize {
        if bytes == 0 { 1 } else { bytes.div_ceil(self.channels as usize) }
    }

    /// Checks that a frame of `bytes` channels ends at the universe `limit` or before it.
    ///
    /// # Errors
    ///
    /// If it needs more universes.
    pub const fn check(self, bytes: usize, limit: u16) -> Result<(), Error> {
        let last = self.first as usize + self.count(bytes) - 1;
        if last > limit as usize { Err(Error::Beyond { last, limit }) } else { Ok(()) }
    }

    /// The universes of a frame and their channels. Universes beyond 65,535 are left out.
    pub fn split(self, frame: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
        let size = usize::from(self.channels);
        (0..self.count(frame.len())).map_while(move |i| {
            let universe = u16::try_from(usize::from(self.first) + i).ok()?;
            Some((universe, &frame[i * size..frame.len().min((i + 1) * size)]))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn impossible_universes_are_refused() {
        assert_eq!(Universes::new(0, 0), Err(Error::Channels(0)));
        assert_eq!(Universes::new(0, 513), Err(Error::Channels(513)));
        let last = Universes::new(32_767, 510).unwrap();
        assert_eq!(last.check(510, 32_767), Ok(()));
        assert_eq!(last.check(511, 32_767), Err(Error::Beyond { last: 32_768, limit: 32_767 }));
        assert_eq!(Universes::new(u16::MAX, 1).unwrap().split(&[1, 2]).count(), 1);
    }

    #[test]
    fn an_empty_frame_is_one_empty_universe() {
        let all: Vec<_> = Universes::new(7, 510).unwrap().split(&[]).collect();
        assert_eq!(all, [(7, &[][..])]);
    }

    proptest! {
        #[test]
        fn every_channel_is_in_one_universe_and_in_order(
            leds in 1_usize..=10_000, bytes in 3_usize..=4, first in 0_u16..1_000, channels in 1_u16..=512,
        ) {
            let frame: Vec<u8> = (0..leds * bytes).map(|i| (i % 251) as u8).collect();
            let universes = Universes::new(first, channels).unwrap();
            let mut whole = Vec::new();
            for (i, (universe, data)) in universes.split(&frame).enumerate() {
                prop_assert_eq!(usize::from(universe), usize::from(first) + i);
                prop_assert!(data.len() == usize::from(channels) || whole.len() + data.len() == frame.len());
                whole.extend_from_slice(data);
            }
            prop_assert_eq!(universes.split(&frame).count(), universes.count(frame.len()));
            prop_assert_eq!(whole, frame);
        }
    }
}
