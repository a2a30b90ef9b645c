//! The page and the description of the API, compressed by the build script.

use k1_device::packed::Packed;
use k1_http::etag::Tag;
use k1_http::route::File;

include!(concat!(env!("OUT_DIR"), "/pages.rs"));
