//! The page and the description of the API, packed by the build.

use k1_http::etag::Tag;
use k1_http::route::File;

include!(concat!(env!("OUT_DIR"), "/pages.rs"));
