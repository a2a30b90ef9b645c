//! Bundles as files: what a maker makes, and what an owner does with it. Their content is the matter of [`k1_bundle`].
//!
//! | Room | What it does |
//! |---|---|
//! | [`make`] | makes a bundle from an image and a bootloader |
//! | [`open`] | reads a bundle from a disk |
//! | [`adopt`] | replaces the maker's signature by the user's own |

pub use k1_bundle::archive;
pub use k1_bundle::statement::*;

pub mod adopt;
pub mod make;
pub mod open;
