//! The lamp indoors: its own tasks on this machine, with a clock that the tests move, flash that tears writes, and a
//! network cable in memory. Minutes on a lamp's clock take less than a second, and each run is the same.

mod api;
mod client;
mod drivers;
mod espota;
mod faults;
mod machine;
mod network;
mod portal;
mod scenes;
mod settings;
mod socket;
mod update;
