//! The contract of a K1's network interface, tested from outside.
//!
//! By default these tests start the program, playing its own music. With `K1_API_BASE` set to an address, for example
//! `http://k1-a3f0.local/#token=…`, they test the K1 at that address. They change its settings, and reset them to
//! defaults.

#[path = "api/access.rs"]
mod access;
#[path = "api/description.rs"]
mod description;
#[path = "api/floods.rs"]
mod floods;
#[path = "api/garbage.rs"]
mod garbage;
#[allow(dead_code, reason = "used in part")]
#[path = "support/host.rs"]
mod host;
#[path = "api/k1.rs"]
mod k1;
#[path = "api/limits.rs"]
mod limits;
#[path = "api/live.rs"]
mod live;
#[path = "api/operator.rs"]
mod operator;
#[path = "api/paths.rs"]
mod paths;
#[path = "api/raw.rs"]
mod raw;
#[path = "api/refused.rs"]
mod refused;
