//! Proofs with two cores: the halves each on its own, and the hand-off between them at full speed.
//!
//! | Question | Answer |
//! |---|---|
//! | 1 | the frames of the music, hop by hop through both cores: the same bytes as `k1 render`? |
//! | 2 | 500 reads of the snapshot, then a million, while the other core writes at full speed |

use core::cell::RefCell;
use core::sync::atomic::AtomicU32;
use core::sync::atomic::Ordering::{Acquire, Release};

use critical_section::Mutex;
use k1_device::exchange::{Crossing, Outcome, SOUND_WORDS, SoundRing};
use k1_engine::HOP_US;
use k1_engine::audio::Ear;
use k1_engine::params::Param;
use k1_handoff::Read;

use k1_emulated::proof::{Board, LEDS, Show, hop, hops, question};

/// What these proofs need of an emulated machine with two cores.
pub trait TwoCores: Board {
    /// Lets the second core run, which then calls [`second`].
    fn start_second();
}

static CROSSING: Crossing = Crossing::new();
static RING: SoundRing = SoundRing::new();
/// Number of hops that the second core has heard, and that the first has shown.
static HEARD: AtomicU32 = AtomicU32::new(0);
static SHOWN: AtomicU32 = AtomicU32::new(0);
/// 1 when the second core must stop writing.
static ENOUGH: AtomicU32 = AtomicU32::new(0);
/// The ear of the second core. The first creates it, because its creation needs more stack than the second has.
static EAR: Mutex<RefCell<Option<&'static mut Ear>>> = Mutex::new(RefCell::new(None));

/// The second core's part: it hears, or writes at full speed.
///
/// # Panics
/// If the first core gave it nothing to do, or at a second call.
pub fn second<B: TwoCores>() -> ! {
    match question::<B>(0) {
        1 => {
            let Some(mut writer) = CROSSING.take_sound() else { panic!("two ears") };
            let Some(ear) = critical_section::with(|cs| EAR.take(cs)) else { panic!("no ear was made") };
            for k in 0..hops::<B>() {
                if let Some(snapshot) = ear.push(&hop::<B>(k)) {
                    writer.publish(snapshot);
                }
                HEARD.store(k + 1, Release);
                while SHOWN.load(Acquire) <= k {
                    core::hint::spin_loop();
                }
            }
        }
        _ => {
            let Some(mut writer) = RING.take_writer() else { panic!("two writers") };
            let mut k = 0_u32;
            while ENOUGH.load(Acquire) == 0 {
                k = k.wrapping_add(1);
                writer.publish(&core::array::from_fn(|i| word(k, i)));
                HEARD.store(k, Release);
            }
        }
    }
    loop {
        core::hint::spin_loop();
    }
}

/// Renders as `k1 render` does, but with each half on its own core and the snapshots through the hand-off. `put` takes
/// the number of each frame and its bytes, three for each LED.
///
/// # Panics
/// If a snapshot is torn.
pub fn frames<B: TwoCores>(ear: &'static mut Ear, show: &mut Show, mut put: impl FnMut(usize, &[u8])) {
    let (fps, leds) = (u64::from(question::<B>(2)), question::<B>(4) as usize);
    show.cut_to(question::<B>(3) as usize);
    let mut sound = CROSSING.sound();
    critical_section::with(|cs| EAR.replace(cs, Some(ear)));
    B::start_second();
    let mut frame = 0_u64;
    let mut wire = [[0; 3]; LEDS];
    let wire = &mut wire[..leds];
    for k in 0..hops::<B>() {
        while HEARD.load(Acquire) <= k {
            core::hint::spin_loop();
        }
        if sound.read() == Outcome::Torn {
            panic!("a torn snapshot");
        }
        let snapshot = *sound.snapshot();
        loop {
            let at = frame * 1_000_000 / fps;
            if at >= snapshot.captured_us + HOP_US {
                break;
            }
            show.render(at, &snapshot);
            show.output.wire(show.params().get(Param::Dithering) >= 0.5, wire);
            put(frame as usize, wire.as_flattened());
            frame += 1;
        }
        SHOWN.store(k + 1, Release);
    }
    B::print(format_args!("{{\"frames\": {frame}, \"hops\": {}, \"leds\": {leds}}}", hops::<B>()));
}

/// Reads 500 times, then a million times, while the second core writes.
pub fn reads<B: TwoCores>() {
    B::start_second();
    while HEARD.load(Acquire) == 0 {
        core::hint::spin_loop();
    }
    count::<B>(500);
    count::<B>(1_000_000);
    ENOUGH.store(1, Release);
}

/// Word `i` of payload `k`. Its value depends on both.
fn word(k: u32, i: usize) -> u32 {
    k.wrapping_mul(0x9e37_79b9) ^ (i as u32).wrapping_mul(0x85eb_ca6b)
}

fn count<B: TwoCores>(n: u32) {
    let reader = RING.reader();
    let mut words = [0; SOUND_WORDS];
    let (mut torn, mut retries, mut worst, mut contended, mut new, mut backwards) = (0, 0_u32, 0, 0, 0, 0);
    let mut last = 0;
    let before = HEARD.load(Acquire);
    for _ in 0..n {
        match reader.read(&mut words) {
            Read::Empty => {}
            Read::Contended => contended += 1,
            Read::Fresh { sequence, retries: r } => {
                retries += u32::from(r);
                worst = worst.max(r);
                new += u32::from(sequence != last);
                backwards += u32::from(sequence < last);
                last = sequence;
                let k = sequence;
                torn += u32::from(words.iter().enumerate().any(|(i, w)| *w != word(k, i)));
            }
        }
    }
    B::print(format_args!(
        "{{\"reads\": {n}, \"words\": {SOUND_WORDS}, \"torn\": {torn}, \"backwards\": {backwards}, \"retries\": {retries}, \
         \"worst_retries\": {worst}, \"kept_previous\": {contended}, \"new\": {new}, \"writes\": {}}}",
        HEARD.load(Acquire) - before
    ));
}
