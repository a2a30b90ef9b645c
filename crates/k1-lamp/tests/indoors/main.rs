//! The lamp indoors: its own tasks on this machine, with a clock that the tests move, flash that tears and a cable in
//! memory. Minutes of a lamp's life take less than a second, and each run is the same.

mod api;
mod client;
mod drivers;
mod espota;
mod faults;
mod machine;
mod network;
mod portal;
mod settings;
mod socket;
mod update;
