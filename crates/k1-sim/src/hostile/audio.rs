//! The interface for sound: raw samples from a pipe, a driver or a decoder.

use k1_engine::audio::{BPM_RANGE, Ear, GAIN_RANGE, LONGEST_BAR, Snapshot};
use k1_engine::light::OutputSettings;
use k1_engine::params::{Param, Params};
use k1_engine::patterns::PATTERNS;
use k1_engine::show::Show;
use k1_engine::{HOP, HOP_US};

use crate::choices::Choices;

/// LEDs of the strip.
const LEDS: usize = 64;
/// Current limit of the strip in mA, low enough to take effect.
const LIMIT_MA: f32 = 1_500.0;
/// Most samples of one run: two seconds, enough to find a beat.
const MOST: usize = 32_000;
/// Runs up to this length are repeated in one piece; longer ones would only take longer.
const TWICE: usize = 4_000;

/// The first bytes are settings, the rest samples of any kind (NaN, infinite, denormal, huge), played one or more
/// times, in calls of random length.
pub fn raw_audio(bytes: &[u8]) {
    let mut choices = Choices::new(bytes);
    let mut ear = Box::new(Ear::new());
    ear.set_gain(
        GAIN_RANGE.start() + f32::from(choices.byte()) / 255.0 * (GAIN_RANGE.end() - GAIN_RANGE.start()),
    );
    let mut show =
        Box::new(Show::<LEDS>::new(choices.below(LEDS + 1), OutputSettings { limit_ma: Some(LIMIT_MA) }));
    show.set_params(params(&mut choices));
    show.cut_to(choices.below(PATTERNS.len()));
    let repeats = 1 + choices.below(32);
    // A clock that starts anywhere, also just before it wraps.
    let origin = choices.word();
    let mut cuts = choices;
    let samples = samples(choices.rest(), repeats);

    ear.set_clock(origin);
    let whole = (samples.len() <= TWICE).then(|| ear.clone());
    let mut last = Snapshot::EMPTY;
    let mut before = 0;
    let mut left = &samples[..];
    while !left.is_empty() {
        let cut = if cuts.is_empty() { HOP } else { 1 + usize::from(cuts.byte()) * 3 };
        let (now, rest) = left.split_at(cut.min(left.len()));
        left = rest;
        ear.feed(now, |snapshot, heard| {
            check_snapshot(snapshot);
            assert_eq!(snapshot.sequence, before + 1, "every hop is seen once");
            before = snapshot.sequence;
            last = *snapshot;
            assert!(heard.beat_in.is_none_or(|(s, c)| s.is_finite() && (0.0..=1.0).contains(&c)));
            assert!(heard.onset_ago.is_none_or(|s| s.is_finite() && s >= 0.0));
        });
        if cuts.byte() & 7 == 0 {
            show.select(usize::from(cuts.byte()) % PATTERNS.len());
        }
        // A frame soon after the hop, sometimes with a clock that jumps or runs backwards.
        let jump = match cuts.byte() {
            0 if cuts.is_empty() => HOP_US,
            0 => cuts.word(),
            n => u64::from(n) * HOP_US / 64,
        };
        show.render(last.captured_us.wrapping_add(jump), &last);
        check_light(&show);
    }
    if let Some(mut whole) = whole {
        whole.push(&samples);
        assert_eq!(
            next_words(&mut ear),
            next_words(&mut whole),
            "how a signal is cut into calls changes nothing"
        );
    }
}

/// The words of the snapshot after one more hop, to which the whole state of the ear contributes.
fn next_words(ear: &mut Ear) -> Vec<u32> {
    let mut words = Vec::new();
    ear.feed(&[0.0; HOP], |snapshot, _| words = snapshot.to_words().to_vec());
    words
}

fn params(choices: &mut Choices) -> Params {
    let mut params = Params::default();
    for param in Param::ALL {
        let spec = param.spec();
        params.set(*param, spec.min + f32::from(choices.byte()) / 255.0 * (spec.max - spec.min));
    }
    params
}

fn samples(bytes: &[u8], repeats: usize) -> Vec<f32> {
    let once: Vec<f32> =
        bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
    once.iter().copied().cycle().take((once.len() * repeats).min(MOST)).collect()
}

fn check_snapshot(s: &Snapshot) {
    let share = |x: f32| (0.0..=1.0).contains(&x);
    assert!(s.spectrum.iter().chain(&s.smooth).all(|x| share(*x)), "spectrum");
    assert!(s.chroma.iter().all(|x| x.is_finite() && *x >= 0.0), "chroma");
    assert!(s.tempi.iter().all(|x| share(*x)), "tempi");
    assert!(s.tempo_phases.iter().all(|x| share(*x)), "tempo phases");
    assert!(s.onset_bands.iter().all(|x| share(*x)) && share(s.onset), "onsets");
    assert!(share(s.level) && share(s.confidence) && share(s.beat_phase), "shares");
    assert!(share(s.bar_confidence) && share(s.build), "bar and section");
    assert!(
        s.beats_per_bar <= LONGEST_BAR && (0.0..=s.beats_per_bar as f32).contains(&s.bar_position),
        "bar"
    );
    assert!(s.beats_per_bar > 0 || s.bar_confidence == 0.0, "no bar has no confidence");
    assert!(s.bpm == 0.0 || BPM_RANGE.contains(&s.bpm), "tempo {}", s.bpm);
    assert!([s.rms_db, s.peak_db, s.floor_db].iter().all(|x| (-200.0..=60.0).contains(x)), "levels");
}

fn check_light(show: &Show<LEDS>) {
    let leds = show.leds();
    for light in show.output.light(leds) {
        assert!([light.r, light.g, light.b].iter().all(|x| (0.0..=1.0).contains(x)), "{light:?}");
    }
    assert!((0.0..=1.0).contains(&show.output.limited_to));
    assert!(show.output.milliamps <= LIMIT_MA + 1.0, "{} mA", show.output.milliamps);
    let mut out = vec![[0; 3]; leds];
    show.output.wire(true, &mut out);
    show.output.screen(&mut out);
}
