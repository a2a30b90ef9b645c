//! A connection that finds no free worker is not refused: its first packet is lost, its own TCP sends it again a moment
//! later (RFC 6298), and finds one.
//!
//! Browsers open six connections at once, and a lamp has not so many places. Its network stack would refuse what comes
//! too early, and a browser that is refused leaves a part of the page away.

use core::task::Context;

use embassy_net::driver::{Capabilities, Driver, HardwareAddress, LinkState, TxToken};
use k1_wire::ethernet;

/// Port of the page.
const PAGE: u16 = 80;

/// A network card that sends no refusals (TCP resets) from the page's port.
pub struct ResetFilter<D>(pub D);

/// A frame that is to leave.
pub struct Leaving<T>(T);

impl<T: TxToken> TxToken for Leaving<T> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        self.0.consume(len, |frame| {
            let result = f(frame);
            if ethernet::refuses_connection(frame, PAGE) {
                ethernet::address_to_nobody(frame);
            }
            result
        })
    }
}

impl<D: Driver> Driver for ResetFilter<D> {
    type RxToken<'a>
        = D::RxToken<'a>
    where
        Self: 'a;
    type TxToken<'a>
        = Leaving<D::TxToken<'a>>
    where
        Self: 'a;

    fn receive(&mut self, cx: &mut Context) -> Option<(Self::RxToken<'_>, Self::TxToken<'_>)> {
        self.0.receive(cx).map(|(come, leaving)| (come, Leaving(leaving)))
    }

    fn transmit(&mut self, cx: &mut Context) -> Option<Self::TxToken<'_>> {
        self.0.transmit(cx).map(Leaving)
    }

    fn link_state(&mut self, cx: &mut Context) -> LinkState {
        self.0.link_state(cx)
    }

    fn capabilities(&self) -> Capabilities {
        self.0.capabilities()
    }

    fn hardware_address(&self) -> HardwareAddress {
        self.0.hardware_address()
    }
}
