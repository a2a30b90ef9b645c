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

/// What Ethernet is made of.
pub struct Parts {
    /// The controller.
    pub controller: ETH<'static>,
    /// Holds the PHY in reset while low.
    pub reset: AnyPin<'static>,
    /// The PHY's clock.
    pub clock: GPIO50<'static>,
    /// Two bits and their validity.
    pub receive: (GPIO29<'static>, GPIO30<'static>, GPIO28<'static>),
    /// Two bits and their validity.
    pub transmit: (GPIO34<'static>, GPIO35<'static>, GPIO49<'static>),
    /// Clock and data of the PHY's registers.
    pub management: (GPIO31<'static>, GPIO52<'static>),
}

/// Starts the controller. The HAL waits for the PHY's clock without a bound: on a board that has none this does not
/// return, so nothing may depend on it but the network.
///
/// # Errors
///
/// If the PHY does not answer.
pub fn card(parts: Parts, mac: [u8; 6]) -> Result<Card, Error> {
    static STORAGE: StaticCell<EthernetDmaStorage<6, 6>> = StaticCell::new();
    let mut reset = Output::new(parts.reset, Level::Low, OutputConfig::default());
    Delay::new().delay_millis(10);
    // The pin keeps its level when its driver has gone.
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
