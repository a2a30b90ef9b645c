//! Ethernet.

use esp_hal::Async;
use esp_hal::delay::Delay;
use esp_hal::ethernet::clock::ExternalRefClock;
use esp_hal::ethernet::phy::generic::GenericPhy;
use esp_hal::ethernet::{Error, Ethernet, EthernetDmaStorage, RmiiPinBundle};
use esp_hal::gpio::{AnyPin, Level, Output, OutputConfig};
use esp_hal::peripherals::{ETH, GPIO28, GPIO29, GPIO30, GPIO31, GPIO34, GPIO35, GPIO49, GPIO50, GPIO52};
use static_cell::StaticCell;

/// The Ethernet controller.
pub type Card = Ethernet<'static, Async, GenericPhy>;

/// The hardware that Ethernet uses.
pub struct Parts {
    /// Ethernet controller.
    pub controller: ETH<'static>,
    /// Pin that holds the PHY in reset while it is low.
    pub reset: AnyPin<'static>,
    /// Clock from the PHY.
    pub clock: GPIO50<'static>,
    /// Two received bits, and the pin that marks them as valid.
    pub receive: (GPIO29<'static>, GPIO30<'static>, GPIO28<'static>),
    /// Two transmitted bits, and the pin that marks them as valid.
    pub transmit: (GPIO34<'static>, GPIO35<'static>, GPIO49<'static>),
    /// Clock and data of the PHY's registers.
    pub management: (GPIO31<'static>, GPIO52<'static>),
}

/// Starts the controller. The HAL waits for the PHY's clock without a time limit: on a board without a PHY this
/// function does not return, so only the network may depend on it.
///
/// # Errors
///
/// If the PHY does not answer.
pub fn card(parts: Parts, mac: [u8; 6]) -> Result<Card, Error> {
    static STORAGE: StaticCell<EthernetDmaStorage<6, 6>> = StaticCell::new();
    let mut reset = Output::new(parts.reset, Level::Low, OutputConfig::default());
    Delay::new().delay_millis(10);
    // The pin keeps its level after its driver is dropped.
    reset.set_high();
    Delay::new().delay_millis(100);
    let pins = RmiiPinBundle {
        clock: ExternalRefClock::new(parts.clock),
        rxd0: parts.receive.0,
        rxd1: parts.receive.1,
        rx_dv: parts.receive.2,
        txd0: parts.transmit.0,
        txd1: parts.transmit.1,
        tx_en: parts.transmit.2,
        mdc: parts.management.0,
        mdio: parts.management.1,
    };
    let storage = STORAGE.init_with(EthernetDmaStorage::new);
    Ok(Ethernet::new(parts.controller, storage, mac, GenericPhy::new_auto(), pins)?.into_async())
}
