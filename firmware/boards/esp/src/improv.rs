//! Improv over USB: lets a browser or an app choose the lamp's network over a cable.

use embassy_time::{Duration, Timer, with_timeout};
use embedded_io_async::Read;
use esp_hal::peripherals::USB_DEVICE;
use esp_hal::usb::usb_serial_jtag::UsbSerialJtag;
use k1_device::backend::VERSION;
use k1_lamp::{Lamp, home};
use k1_wire::improv::{Command, Decoder, Error, Packet, State};

use crate::{chip, serial};

/// Longest time until the lamp has joined a network: an association, and an address.
const PATIENCE: Duration = Duration::from_secs(30);
/// Longest time for a scan.
const SCAN: Duration = Duration::from_secs(10);
/// Time for the lamp to leave the old network, so that its address is not mistaken for an address on the new one.
const LEAVING: Duration = Duration::from_secs(3);

/// Answers Improv commands. Never returns.
pub async fn listen(lamp: &'static Lamp, usb: USB_DEVICE<'static>) -> ! {
    let (mut receiver, _sender) = UsbSerialJtag::new(usb).into_async().split();
    let mut decoder = Decoder::new();
    let mut bytes = [0; 64];
    loop {
        let n = receiver.read(&mut bytes).await.unwrap_or_default();
        for byte in &bytes[..n] {
            match decoder.hear(*byte) {
                Ok(None) => {}
                Ok(Some(command)) => answer(lamp, command).await,
                Err(error) => say(&Packet::error(error)),
            }
        }
    }
}

fn say(packet: &Packet) {
    serial::send(packet.bytes());
}

/// URL of the lamp's page; `None` if the lamp is not on a network.
fn place(lamp: &Lamp) -> Option<heapless::String<32>> {
    lamp.look(|s| {
        if s.ip.is_empty() {
            return None;
        }
        let mut place = heapless::String::new();
        place.push_str("http://").ok()?;
        place.push_str(&s.ip).ok()?;
        Some(place)
    })
}

async fn answer(lamp: &'static Lamp, command: Command<'_>) {
    let number = command.number();
    match command {
        Command::State => match place(lamp) {
            Some(place) => {
                say(&Packet::state(State::Provisioned));
                say(&Packet::result(number, &[&place]));
            }
            None => say(&Packet::state(State::Ready)),
        },
        Command::Info => {
            let name = lamp.look(|s| home::name(&s.memory, s.facts.mac));
            say(&Packet::result(number, &["K1", VERSION, chip::BOARD, &name]));
        }
        Command::Join { ssid, password } => match (ssid.try_into(), password.try_into()) {
            (Ok(ssid), Ok(password)) => {
                say(&Packet::error(Error::None));
                say(&Packet::state(State::Provisioning));
                lamp.note(|s| (s.memory.wifi.ssid, s.memory.wifi.password) = (ssid, password));
                lamp.changed.signal(());
                Timer::after(LEAVING).await;
                let mut waited = LEAVING;
                while place(lamp).is_none() && waited < PATIENCE {
                    Timer::after_millis(250).await;
                    waited += Duration::from_millis(250);
                }
                match place(lamp) {
                    Some(place) => {
                        say(&Packet::state(State::Provisioned));
                        say(&Packet::result(number, &[&place]));
                    }
                    None => {
                        say(&Packet::error(Error::CannotConnect));
                        say(&Packet::state(State::Ready));
                    }
                }
            }
            _ => say(&Packet::error(Error::Malformed)),
        },
        Command::Scan => {
            lamp.scanned.reset();
            lamp.scan.signal(());
            // A radio that is joining a network does not scan; the answer then has the networks from the last scan.
            let _ = with_timeout(SCAN, lamp.scanned.wait()).await;
            let networks = lamp.look(|s| s.networks.clone());
            for seen in &networks {
                say(&Packet::network(&seen.ssid, seen.rssi_dbm, seen.locked));
            }
            say(&Packet::no_more_networks());
        }
        Command::Unknown(_) => say(&Packet::error(Error::UnknownCommand)),
    }
}
