//! Decides from a K1's own measurements whether it is healthy.

use alloc::borrow::Cow;
use alloc::vec::Vec;
use alloc::{format, vec};

use crate::answers::{Check, LiveSound, Vitals};
use crate::microphone::Hearing;

/// Share of the due frames below which the light is not on time.
const ON_TIME: f32 = 0.9;
/// Age in ms above which shown sound is not live (99th percentile).
const FRESH_MS: f32 = 20.0;

/// Every check that this K1 can make, from the figures of the last second. Without its own microphone or storage the
/// check of that part is missing.
pub fn checks(v: &Vitals, microphone: Option<Hearing>, storage_errors: Option<u32>) -> Vec<Check> {
    let mut all = vec![
        Check {
            name: Cow::Borrowed("frames are on time"),
            ok: v.fps_target > 0.0 && v.fps >= ON_TIME * v.fps_target,
            advice: Cow::Borrowed("fewer LEDs or a lower frame rate; right after a start: wait a second"),
        },
        Check {
            name: Cow::Borrowed("sound is fresh"),
            ok: v.hop_rate > 0.0 && v.age_p99_ms < FRESH_MS,
            advice: Cow::Borrowed(
                "the half that hears is late or stands still: look at overruns and at the source",
            ),
        },
        Check {
            name: Cow::Borrowed("the hand-off is whole"),
            ok: v.torn == 0,
            advice: Cow::Borrowed("report this: it must never happen"),
        },
    ];
    all.extend(microphone.map(|microphone| Check {
        name: Cow::Borrowed("the microphone hears"),
        ok: microphone == Hearing::Present,
        advice: Cow::Borrowed(microphone.advice()),
    }));
    all.extend(storage_errors.map(|errors| Check {
        name: Cow::Borrowed("settings can be stored"),
        ok: errors == 0,
        advice: Cow::Borrowed("the flash refused an operation; settings may be lost at the next start"),
    }));
    all
}

/// The check of a K1 whose live sound may come and go.
pub fn sound_arrives(live: &LiveSound) -> Check {
    let advice = match &live.reason {
        None => "".into(),
        Some(why) => format!("{why}; K1 listens as soon as it can, and until then it hears silence"),
    };
    Check { name: Cow::Borrowed("sound arrives"), ok: live.connected, advice: advice.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_condition_has_its_own_fault() {
        let well =
            Vitals { fps: 119.0, fps_target: 120.0, hop_rate: 125.0, age_p99_ms: 9.0, ..Default::default() };
        let failing = |v: &Vitals, microphone, errors| {
            checks(v, Some(microphone), Some(errors)).iter().position(|c| !c.ok)
        };
        assert_eq!(failing(&well, Hearing::Present, 0), None);
        assert_eq!(failing(&Vitals { fps: 60.0, ..well }, Hearing::Present, 0), Some(0));
        assert_eq!(failing(&Vitals { age_p99_ms: 25.0, ..well }, Hearing::Present, 0), Some(1));
        assert_eq!(failing(&Vitals { hop_rate: 0.0, ..well }, Hearing::Present, 0), Some(1));
        assert_eq!(failing(&Vitals { torn: 1, ..well }, Hearing::Present, 0), Some(2));
        assert_eq!(failing(&well, Hearing::Absent, 0), Some(3));
        assert_eq!(failing(&well, Hearing::Present, 1), Some(4));
        assert!(!checks(&Vitals::default(), None, None)[0].ok, "nothing was measured yet");
        assert_eq!(checks(&well, None, None).len(), 3, "what is not there is not judged");
    }

    #[test]
    fn a_source_that_is_waited_for_says_why() {
        let mut live = LiveSound { connected: true, name: "mic".into(), reason: None, for_s: 1.0 };
        assert!(sound_arrives(&live).ok);
        live.connected = false;
        live.reason = Some("the sound server has gone away".into());
        let check = sound_arrives(&live);
        assert!(!check.ok && check.advice.starts_with("the sound server has gone away; "), "{check:?}");
    }
}
