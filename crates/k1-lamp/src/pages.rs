//! The page and the description of the API, packed by the build.

use k1_device::http::respond::Asset;

include!(concat!(env!("OUT_DIR"), "/pages.rs"));
