//! The way to the network: Wi-Fi as a station, or Ethernet.

#[cfg(wifi_driver_supported)]
pub use wifi::{Card, card, keep_connected};
#[cfg(not(wifi_driver_supported))]
pub use wire::{Card, Parts, card};

#[cfg(wifi_driver_supported)]
mod wifi {
    use embassy_futures::select::{Either, select};
    use embassy_time::{Duration, Timer, with_timeout};
    use esp_hal::peripherals::WIFI;
    use esp_hal::rng::Rng;
    use esp_radio::wifi::sta::StationConfig;
    use esp_radio::wifi::{
        AuthenticationMethodConfig, Bandwidth, Config, ControllerConfig, Interface, PowerSaveMode, Protocol,
        Protocols, WifiController, WifiError,
    };
    use k1_device::settings::Wifi;
    use k1_lamp::Lamp;

    use crate::serial::print;

    /// The station's end of the radio.
    pub type Card = Interface;

    /// Buffers of 1.6 KB that the radio keeps; no fewer than its window of unacknowledged packets.
    const RECEIVE_BUFFERS: u8 = 6;
    /// Buffers that it may take besides, each way: a flood costs packets, not the lamp's memory.
    const MORE_BUFFERS: u16 = 12;
    /// An association takes no longer.
    const ASSOCIATION: Duration = Duration::from_secs(20);
    /// First pause after a failure, in ms; it doubles …
    const PAUSE_MS: u64 = 5_000;
    /// … up to this.
    const LONGEST_PAUSE_MS: u64 = 60_000;

    /// The station's end of the radio.
    pub fn card() -> Card {
        Interface::station()
    }

    /// Sets the radio up for a network.
    fn set_up(controller: &mut WifiController<'_>, wifi: &Wifi) -> Result<(), WifiError> {
        let authentication = match wifi.password.is_empty() {
            true => AuthenticationMethodConfig::Open,
            false => AuthenticationMethodConfig::WpaWpa2Personal(wifi.password.as_str().try_into()?),
        };
        let protocols = match wifi.bg_only {
            true => Protocols::default().with_2_4(Protocol::B | Protocol::G),
            false => Protocols::default(),
        };
        let station = StationConfig::default()
            .with_ssid(wifi.ssid.as_str().try_into()?)
            .with_authentication(authentication)
            .with_protocols(protocols);
        controller.set_config(&Config::Station(station))?;
        if wifi.ht20 {
            let bandwidths = controller.bandwidths()?.with_2_4(Bandwidth::_20MHz);
            controller.set_bandwidths(bandwidths)?;
        }
        // Sound and light from the network want every packet at once.
        controller.set_power_saving(PowerSaveMode::None)
    }

    /// The pause after so many failures in a row: doubled each time, up to the longest, and a quarter either way, so
    /// that the lamps of a house do not all knock at once after a power cut.
    fn pause(failures: u32, random: u32) -> Duration {
        let pause = (PAUSE_MS << failures.min(8)).min(LONGEST_PAUSE_MS);
        Duration::from_millis(pause - pause / 4 + u64::from(random) * (pause / 2) / u64::from(u32::MAX))
    }

    /// Keeps the lamp on its network, for ever. Without one it waits until its owner names one.
    pub async fn keep_connected(lamp: &'static Lamp, radio: WIFI<'static>) -> ! {
        let buffers = ControllerConfig::default()
            .with_static_rx_buf_num(RECEIVE_BUFFERS)
            .with_dynamic_rx_buf_num(MORE_BUFFERS)
            .with_dynamic_tx_buf_num(MORE_BUFFERS);
        let mut controller = match WifiController::new(radio, buffers) {
            Ok(controller) => controller,
            Err(error) => {
                print(format_args!("[WIFI] the radio does not start: {error:?}; the light goes on"));
                core::future::pending().await
            }
        };
        let mut failures = 0;
        loop {
            let wifi = lamp.look(|s| s.memory.wifi.clone());
            if wifi.ssid.is_empty() {
                Timer::after_secs(1).await;
                continue;
            }
            let connected = match set_up(&mut controller, &wifi) {
                Ok(()) => match with_timeout(ASSOCIATION, controller.connect_async()).await {
                    Ok(Ok(_)) => true,
                    Ok(Err(error)) => {
                        print(format_args!("[WIFI] {}: {error:?}", wifi.ssid));
                        false
                    }
                    Err(_) => {
                        print(format_args!("[WIFI] {}: no answer", wifi.ssid));
                        let _ = with_timeout(ASSOCIATION, controller.disconnect_async()).await;
                        false
                    }
                },
                Err(error) => {
                    print(format_args!("[WIFI] {}: {error:?}", wifi.ssid));
                    false
                }
            };
            if connected {
                print(format_args!("[WIFI] connected to {}", wifi.ssid));
                failures = 0;
                stay(lamp, &mut controller, &wifi).await;
                lamp.note(|s| s.rssi_dbm = None);
                continue;
            }
            let pause = pause(failures, Rng::new().random());
            failures += 1;
            let until = embassy_time::Instant::now() + pause;
            // Whoever corrects a password need not wait for the pause to end.
            while embassy_time::Instant::now() < until && lamp.look(|s| s.memory.wifi == wifi) {
                Timer::after_millis(500).await;
            }
        }
    }

    /// Returns when the network has gone or its owner names another.
    async fn stay(lamp: &'static Lamp, controller: &mut WifiController<'_>, wifi: &Wifi) {
        loop {
            match select(controller.wait_for_disconnect_async(), Timer::after_secs(1)).await {
                Either::First(end) => {
                    print(format_args!("[WIFI] lost {}: {end:?}", wifi.ssid));
                    return;
                }
                Either::Second(()) => {
                    let rssi = controller.rssi().ok().and_then(|dbm| i8::try_from(dbm).ok());
                    lamp.note(|s| s.rssi_dbm = rssi);
                    if lamp.look(|s| s.memory.wifi != *wifi) {
                        let _ = with_timeout(ASSOCIATION, controller.disconnect_async()).await;
                        return;
                    }
                }
            }
        }
    }
}

#[cfg(not(wifi_driver_supported))]
mod wire {
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
}
