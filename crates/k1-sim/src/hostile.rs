//! Bytes from outside, one body per interface. A body takes any bytes, feeds them to the interface as the program and
//! the lamp do, and panics if a promise is broken.

mod api;
mod audio;
mod ddp;
mod host;
mod lights;
mod request;
mod update;

pub use api::api_body;
pub use audio::raw_audio;
pub use ddp::ddp;
pub use host::host_header;
pub use lights::lights;
pub use request::request;
pub use update::update;

/// A fuzz target: its name and its body.
pub type Target = (&'static str, fn(&[u8]));

/// Every body, under the name of its fuzz target and corpus.
pub const TARGETS: [Target; 7] = [
    ("ddp", ddp),
    ("api_body", api_body),
    ("raw_audio", raw_audio),
    ("host_header", host_header),
    ("lights", lights),
    ("request", request),
    ("update", update),
];
