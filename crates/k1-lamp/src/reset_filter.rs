//! Lets a connection wait when every worker is busy: its first packet is dropped instead of refused, and the client's
//! TCP sends it again a moment later (RFC 6298), when a worker is free.
//!
//! Browsers open six connections at once, which is more than a lamp can serve. Its network stack would refuse the
//! connections that come too early, and a browser that is refused does not load a part of the page.

use core::task::Context;

use embassy_net::driver::{Capabilities, Driver, HardwareAddress, LinkState, TxToken};
use k1_wire::ethernet;

/// Port of the page.
const PAGE: u16 = 80;

/// A network card that does not send refusals (TCP resets) from the page's port.
pub struct ResetFilter<D>(pub D);

/// A frame that is being sent.
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
