//! Whether a lamp is well, judged by its own answers.

use k1_device::answers::Device;

use crate::lamps::figures::Reading;

/// The only check that says nothing about firmware: whether a microphone is connected and hears.
const NOT_OF_FIRMWARE: &str = "the microphone hears";

/// Judges a lamp by the limits of its figures and by its own checks.
///
/// # Errors
///
/// The fault, as the end of a sentence about the lamp.
pub fn judge(reading: &Reading, device: &Device) -> Result<(), String> {
    let beyond = reading.over();
    if !beyond.is_empty() {
        return Err(format!("{} beyond its limit", beyond.join(", ")));
    }
    match device.checks.iter().find(|check| !check.ok && check.name != NOT_OF_FIRMWARE) {
        Some(check) => Err(format!("no longer true: {}", check.name)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use k1_device::answers::Vitals;
    use k1_device::health::checks;
    use k1_device::microphone::Hearing;

    #[test]
    fn figures_and_checks_count_and_a_missing_microphone_does_not() {
        let reading = |age: f64| {
            let mut reading = Reading::default();
            reading.take([("fps", 175.0), ("age_ms", 8.0), ("age_p99_ms", age)]);
            reading
        };
        let well =
            Vitals { fps: 175.0, fps_target: 175.0, hop_rate: 125.0, age_p99_ms: 9.0, ..Vitals::default() };
        let device = |vitals: &Vitals, errors| Device {
            checks: checks(vitals, Some(Hearing::Absent), Some(errors)),
            ..Device::default()
        };
        assert_eq!(judge(&reading(12.0), &device(&well, 0)), Ok(()));
        let late = judge(&reading(25.0), &device(&well, 0)).unwrap_err();
        assert_eq!(late, "age_p99_ms beyond its limit");
        let worn = judge(&reading(12.0), &device(&well, 1)).unwrap_err();
        assert_eq!(worn, "no longer true: settings can be stored");
        assert!(judge(&reading(12.0), &device(&Vitals { fps: 150.0, ..well }, 0)).is_err());
    }
}
