//! A cable between two network stacks: frames take their time, and by a seed some are lost or come out of order.

use std::cell::RefCell;
use std::rc::Rc;
use std::task::{Context, Waker};

use embassy_net_driver::{Capabilities, Driver, HardwareAddress, LinkState, RxToken, TxToken};

use crate::clock;
use k1_engine::random::SplitMix64;

/// Frames that wait at one end at most; more are lost, as in a card without room.
const ROOM: usize = 64;

/// What the cable does to frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weather {
    /// False while the cable is pulled.
    pub is_up: bool,
    /// Microseconds that a frame takes.
    pub delay_us: u64,
    /// Frames of a thousand that are lost.
    pub lost: u64,
    /// Frames of a thousand that take up to 5 ms longer, and may be overtaken.
    pub late: u64,
}

impl Weather {
    /// A cable that is in order.
    pub const FINE: Self = Self { is_up: true, delay_us: 100, lost: 0, late: 0 };
}

struct Frame {
    due_us: u64,
    bytes: Vec<u8>,
}

#[derive(Default)]
struct Side {
    frames: Vec<Frame>,
    waker: Option<Waker>,
}

struct Inner {
    weather: Weather,
    random: SplitMix64,
    sides: [Side; 2],
    seen: Vec<Vec<u8>>,
}

/// The cable.
#[derive(Clone)]
pub struct Link(Rc<RefCell<Inner>>);

impl Link {
    /// A cable in order.
    pub fn new(seed: u64) -> Self {
        let sides = Default::default();
        Self(Rc::new(RefCell::new(Inner {
            weather: Weather::FINE,
            random: SplitMix64::new(seed),
            sides,
            seen: Vec::new(),
        })))
    }

    /// The two ends, of cards with these hardware addresses. Frames on their way to earlier ends are gone.
    pub fn ends(&self, addresses: [[u8; 6]; 2]) -> [Card; 2] {
        self.0.borrow_mut().sides = Default::default();
        [0, 1].map(|side| Card { link: self.clone(), side, address: addresses[side] })
    }

    /// Changes the weather.
    pub fn set(&self, weather: Weather) {
        let wakers = {
            let mut inner = self.0.borrow_mut();
            inner.weather = weather;
            if !weather.is_up {
                inner.sides.iter_mut().for_each(|side| side.frames.clear());
            }
            inner.sides.each_mut().map(|side| side.waker.take())
        };
        wakers.into_iter().flatten().for_each(Waker::wake);
    }

    /// Frames that were sent by the first end since the last call, lost ones too.
    pub fn take_sent(&self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.0.borrow_mut().seen)
    }

    fn send(&self, from: usize, bytes: Vec<u8>) {
        let waker = {
            let mut inner = self.0.borrow_mut();
            if from == 0 {
                inner.seen.push(bytes.clone());
            }
            let weather = inner.weather;
            let is_lost = inner.random.next_u64() % 1_000 < weather.lost;
            let is_late = inner.random.next_u64() % 1_000 < weather.late;
            let extra = if is_late { inner.random.next_u64() % 5_000 } else { 0 };
            let side = &mut inner.sides[1 - from];
            if is_lost || !weather.is_up || side.frames.len() >= ROOM {
                return;
            }
            side.frames.push(Frame { due_us: clock::now_us() + weather.delay_us + extra, bytes });
            side.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// One end of the cable.
pub struct Card {
    link: Link,
    side: usize,
    address: [u8; 6],
}

/// A frame that has come.
pub struct Received(Vec<u8>);

impl RxToken for Received {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(mut self, take: F) -> R {
        take(&mut self.0)
    }
}

/// Room for a frame.
pub struct Sent(Link, usize);

impl TxToken for Sent {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, fill: F) -> R {
        let mut bytes = vec![0; length];
        let result = fill(&mut bytes);
        self.0.send(self.1, bytes);
        result
    }
}

impl Driver for Card {
    type RxToken<'a> = Received;
    type TxToken<'a> = Sent;

    fn receive(&mut self, cx: &mut Context) -> Option<(Received, Sent)> {
        let now = clock::now_us();
        let mut inner = self.link.0.borrow_mut();
        let side = &mut inner.sides[self.side];
        side.waker = Some(cx.waker().clone());
        // The first of those that are due soonest.
        let (place, due_us) =
            side.frames.iter().map(|f| f.due_us).enumerate().min_by_key(|(i, due)| (*due, *i))?;
        if due_us > now {
            embassy_time_driver::schedule_wake(due_us, cx.waker());
            return None;
        }
        let frame = side.frames.remove(place);
        Some((Received(frame.bytes), Sent(self.link.clone(), self.side)))
    }

    fn transmit(&mut self, _: &mut Context) -> Option<Sent> {
        Some(Sent(self.link.clone(), self.side))
    }

    fn link_state(&mut self, cx: &mut Context) -> LinkState {
        let mut inner = self.link.0.borrow_mut();
        inner.sides[self.side].waker = Some(cx.waker().clone());
        if inner.weather.is_up { LinkState::Up } else { LinkState::Down }
    }

    fn capabilities(&self) -> Capabilities {
        let mut capabilities = Capabilities::default();
        capabilities.max_transmission_unit = 1_514;
        capabilities
    }

    fn hardware_address(&self) -> HardwareAddress {
        HardwareAddress::Ethernet(self.address)
    }
}
