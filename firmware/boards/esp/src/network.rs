//! The connection to the network: Wi-Fi or Ethernet.

#[cfg(wifi_driver_supported)]
mod wifi;
#[cfg(not(wifi_driver_supported))]
mod wire;

#[cfg(wifi_driver_supported)]
pub use wifi::{Card, access_point_card, card, keep_connected};
#[cfg(not(wifi_driver_supported))]
pub use wire::{Card, Parts, card};
