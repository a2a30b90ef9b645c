//! Wi-Fi: as a station, and as an access point while no network is set or the network cannot be joined.

use alloc::boxed::Box;

use embassy_futures::select::{Either, Either3, select, select3};
use embassy_net::Stack;
use embassy_time::{Duration, Instant, Timer, with_timeout};
use esp_hal::peripherals::WIFI;
use esp_hal::rng::Rng;
use esp_radio::wifi::ap::AccessPointConfig;
use esp_radio::wifi::scan::ScanConfig;
use esp_radio::wifi::sta::StationConfig;
use esp_radio::wifi::{
    AuthenticationMethod, AuthenticationMethodConfig, Bandwidth, Config, ConnectionError, ControllerConfig,
    DisconnectReason, Interface, PowerSaveMode, Protocol, Protocols, WifiController, WifiError,
};
use k1_device::portal::{MOST_SEEN, Scan, Seen, take_in};
use k1_device::settings::Wifi;
use k1_lamp::{Lamp, portal};

use crate::serial::print;

/// A network card of the radio: the station's or the access point's.
pub type Card = Interface;

/// Number of buffers of 1.6 KB that the radio always has; at least its window of unacknowledged packets.
const RECEIVE_BUFFERS: u8 = 6;
/// Number of further buffers that it may allocate in each direction, so that a flood loses packets but does not exhaust
/// the lamp's memory.
const MORE_BUFFERS: u16 = 12;
/// Longest time for an association.
const ASSOCIATION: Duration = Duration::from_secs(20);
/// First pause after a failure, in ms; it doubles …
const PAUSE_MS: u64 = 5_000;
/// … up to this.
const LONGEST_PAUSE_MS: u64 = 60_000;

/// Number of failures in a row that open the access point, for a network that was joined before.
const FAILURES_KNOWN: u32 = 5;
/// The same for a network that was not joined before.
const FAILURES_NEW: u32 = 2;
/// Time for which the access point is open before the lamp tries its network again.
const OPEN: Duration = Duration::from_secs(120);
/// Longest time for a scan.
const LOOK: Duration = Duration::from_secs(8);
/// Most devices on the access point.
const GUESTS: u16 = 4;

/// The station's network card.
pub fn card() -> Card {
    Interface::station()
}

/// The access point's network card.
pub fn access_point_card() -> Card {
    Interface::access_point()
}

/// Configures the radio for a network.
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
    // Sound and light over the network need every packet without delay.
    controller.set_power_saving(PowerSaveMode::None)
}

/// The pause after a number of failures in a row. It doubles with each failure up to the longest pause, and varies by a
/// quarter in both directions, so that the lamps in a house do not all try at the same time after a power cut.
fn pause(failures: u32, random: u32) -> Duration {
    let pause = (PAUSE_MS << failures.min(8)).min(LONGEST_PAUSE_MS);
    Duration::from_millis(pause - pause / 4 + u64::from(random) * (pause / 2) / u64::from(u32::MAX))
}

/// Keeps the lamp on its network. If no network is set, or it cannot be joined, opens the lamp's own access point,
/// whose stack is `portal`. Never returns.
pub async fn keep_connected(lamp: &'static Lamp, radio: WIFI<'static>, portal: Stack<'static>) -> ! {
    let buffers = ControllerConfig::default()
        .with_static_rx_buf_num(RECEIVE_BUFFERS)
        .with_dynamic_rx_buf_num(MORE_BUFFERS)
        .with_dynamic_tx_buf_num(MORE_BUFFERS);
    let mut controller = match WifiController::new(radio, buffers) {
        Ok(controller) => controller,
        Err(error) => {
            print(format_args!("[WIFI] the radio does not start: {error}; the light goes on"));
            core::future::pending().await
        }
    };
    let mut failures = 0;
    let mut joined = None;
    loop {
        let wifi = lamp.look(|s| s.memory.wifi.clone());
        let enough = if joined.as_ref() == Some(&wifi) { FAILURES_KNOWN } else { FAILURES_NEW };
        if wifi.ssid.is_empty() || failures >= enough {
            open(lamp, &mut controller, portal, &wifi).await;
            failures = 0;
            continue;
        }
        if join(&mut controller, &wifi).await {
            print(format_args!("[WIFI] connected to {}", wifi.ssid));
            failures = 0;
            joined = Some(wifi.clone());
            lamp.note(|s| s.not_joined.clear());
            stay(lamp, &mut controller, &wifi).await;
            lamp.note(|s| s.rssi_dbm = None);
            continue;
        }
        let pause = pause(failures, Rng::new().random());
        failures += 1;
        let until = Instant::now() + pause;
        // A corrected password is used at once and does not wait for the end of the pause.
        while Instant::now() < until && lamp.look(|s| s.memory.wifi == wifi) {
            if let Either::Second(()) = select(Timer::after_millis(500), lamp.scan.wait()).await {
                look_round(lamp, &mut controller).await;
            }
        }
    }
}

/// Joins a network as a station; true if that worked.
async fn join(controller: &mut WifiController<'_>, wifi: &Wifi) -> bool {
    if let Err(error) = set_up(controller, wifi) {
        print(format_args!("[WIFI] {}: {error}", wifi.ssid));
        return false;
    }
    match with_timeout(ASSOCIATION, controller.connect_async()).await {
        Ok(Ok(_)) => true,
        Ok(Err(ConnectionError::Failed(end))) => {
            print(format_args!("[WIFI] {}: {}", wifi.ssid, words(end.reason)));
            false
        }
        Ok(Err(error)) => {
            print(format_args!("[WIFI] {}: {error}", wifi.ssid));
            false
        }
        Err(_) => {
            print(format_args!("[WIFI] {}: no answer", wifi.ssid));
            let _ = with_timeout(ASSOCIATION, controller.disconnect_async()).await;
            false
        }
    }
}

/// Why a connection ended or did not begin, in words.
fn words(reason: DisconnectReason) -> &'static str {
    use DisconnectReason::*;
    match reason {
        FourWayHandshakeTimeout
        | HandshakeTimeout
        | AuthenticationFailed
        | AuthenticationExpired
        | MicFailure => "the handshake failed; is its password right?",
        NoAccessPointFound | BeaconTimeout | NoAccessPointFoundInRssiThreshold => "it is out of reach",
        NoAccessPointFoundWithCompatibleSecurity | NoAccessPointFoundInAuthmodeThreshold => {
            "it has another kind of security than WPA2 or WPA3"
        }
        AssociationTooMany => "its access point has no room for another device",
        _ => "its access point ended the connection",
    }
}

/// Returns when the network is lost or the owner has chosen another one.
async fn stay(lamp: &'static Lamp, controller: &mut WifiController<'_>, wifi: &Wifi) {
    loop {
        match select3(controller.wait_for_disconnect_async(), Timer::after_secs(1), lamp.scan.wait()).await {
            Either3::First(end) => {
                let reason = end.map_or("it was not connected", |end| words(end.reason));
                print(format_args!("[WIFI] lost {}: {reason}", wifi.ssid));
                return;
            }
            Either3::Second(()) => {
                let rssi = controller.rssi().ok().and_then(|dbm| i8::try_from(dbm).ok());
                lamp.note(|s| s.rssi_dbm = rssi);
                if lamp.look(|s| s.memory.wifi != *wifi) {
                    let _ = with_timeout(ASSOCIATION, controller.disconnect_async()).await;
                    return;
                }
            }
            Either3::Third(()) => look_round(lamp, controller).await,
        }
    }
}

/// Opens the access point until a network is chosen. If a network is already set, closes it after [`OPEN`] at the
/// latest, because the network may only have been switched off.
async fn open(lamp: &'static Lamp, controller: &mut WifiController<'_>, portal: Stack<'static>, wifi: &Wifi) {
    let (name, token) = lamp.look(|s| (portal::access_point(s.facts.mac), s.memory.hardware.token.clone()));
    lamp.note(|s| s.not_joined = wifi.ssid.clone());
    if let Err(error) = set_up_access_point(controller, &name, &token) {
        print(format_args!("[WIFI] the access point does not open: {error}; the light goes on"));
        Timer::after_secs(30).await;
        return;
    }
    print(format_args!(
        "[WIFI] join {name} with the password {token} and open http://192.168.4.1 to choose a network"
    ));
    // The text of a QR code with which phones join.
    print(format_args!("[WIFI] WIFI:S:{name};T:WPA;P:{token};;"));
    let scans = async {
        loop {
            lamp.scan.wait().await;
            look_round(lamp, controller).await;
        }
    };
    let named = async {
        let since = Instant::now();
        while lamp.look(|s| s.memory.wifi == *wifi) && (wifi.ssid.is_empty() || since.elapsed() < OPEN) {
            Timer::after_millis(500).await;
        }
    };
    // On the heap, and only while it is needed.
    select3(Box::pin(portal::serve(lamp, portal)), scans, named).await;
}

/// Configures the radio as an access point that can scan as a station. WPA2 with the lamp's token.
fn set_up_access_point(
    controller: &mut WifiController<'_>,
    name: &str,
    token: &str,
) -> Result<(), WifiError> {
    let point = AccessPointConfig::default()
        .with_ssid(name.try_into()?)
        .with_authentication(AuthenticationMethodConfig::Wpa2Personal(token.try_into()?))
        .with_max_connections(GUESTS);
    controller.set_config(&Config::AccessPointStation(StationConfig::default(), point))
}

/// Scans for networks and stores the result in the lamp's state.
async fn look_round(lamp: &'static Lamp, controller: &mut WifiController<'_>) {
    let most = ScanConfig::default().with_max(2 * MOST_SEEN);
    match with_timeout(LOOK, controller.scan_async(&most)).await {
        Ok(Ok(found)) => {
            let mut scan = Scan::new();
            for network in &found {
                // A name that is not text cannot be typed either.
                let Ok(ssid) = network.ssid.as_str().try_into() else { continue };
                let locked = network.auth_method != Some(AuthenticationMethod::None);
                take_in(&mut scan, Seen { ssid, rssi_dbm: network.signal_strength, locked });
            }
            lamp.note(|s| s.networks = scan);
        }
        Ok(Err(error)) => print(format_args!("[WIFI] the radio cannot scan for networks: {error}")),
        Err(_) => print(format_args!("[WIFI] the scan for networks took too long")),
    }
    lamp.scanned.signal(());
}
