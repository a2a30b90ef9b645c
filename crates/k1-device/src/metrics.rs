//! The table of every figure for Prometheus: `/metrics` of program and lamp, dashboard and alert rules follow it.
//!
//! Text format 0.0.4 (<https://prometheus.io/docs/instrumenting/exposition_formats/>), with base units; names of
//! counters end in `_total` (<https://prometheus.io/docs/practices/naming/>). A figure that cannot be measured here has
//! no line.

use alloc::string::String;
use core::fmt::{self, Write};

use k1_engine::audio::Section;

use crate::answers::{Device, Heard, Light, LightState, Vitals};
use crate::backend::{Backend, VERSION};
use crate::harmless::harmless;
use crate::microphone::Hearing;

/// Kind of a figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Increases and decreases.
    Gauge,
    /// Only increases until the next start.
    Counter,
}

/// Takes a value with its labels.
type Emit<'a> = &'a mut dyn FnMut(&[(&str, &str)], f64);

/// A row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// Name, which ends with the unit if there is one.
    pub name: &'static str,
    /// Whether the figure only increases.
    pub kind: Kind,
    /// Unit, in words; empty for counts.
    pub unit: &'static str,
    /// What the figure measures.
    pub help: &'static str,
    read: fn(&Sample, Emit),
}

/// Everything that was measured at one moment.
#[derive(Clone, Debug)]
pub struct Sample {
    name: String,
    uptime_s: f64,
    vitals: Vitals,
    heard: Heard,
    device: Device<'static>,
    error_lines: Option<u32>,
}

const fn gauge(
    name: &'static str,
    unit: &'static str,
    help: &'static str,
    read: fn(&Sample, Emit),
) -> Metric {
    Metric { name, kind: Kind::Gauge, unit, help, read }
}

const fn count(name: &'static str, help: &'static str, read: fn(&Sample, Emit)) -> Metric {
    Metric { name, kind: Kind::Counter, unit: "", help, read }
}

/// A value without labels, if there is one.
fn one(out: Emit, value: Option<f64>) {
    if let Some(value) = value {
        out(&[], value);
    }
}

fn milli(x: f32) -> f64 {
    f64::from(x) * 1e-3
}

fn micro(x: f32) -> f64 {
    f64::from(x) * 1e-6
}

fn both_stacks(s: &Sample, out: Emit, value: fn(&crate::answers::Stack) -> u32) {
    for (half, stack) in [("render", &s.device.render_stack), ("audio", &s.device.audio_stack)] {
        if let Some(stack) = stack {
            out(&[("half", half)], value(stack).into());
        }
    }
}

fn each_light(s: &Sample, out: Emit, value: fn(&Light) -> f64) {
    s.device.lights.iter().flatten().for_each(|l| out(&[("light", &l.name)], value(l)));
}

/// Every metric.
pub static METRICS: &[Metric] = &[
    gauge("k1_info", "", "Identity of this K1; always 1", |s, out| {
        let d = &s.device;
        out(
            &[
                ("name", &s.name),
                ("version", VERSION),
                ("board", &d.board),
                ("reset_reason", d.reset_reason.as_deref().unwrap_or_default()),
            ],
            1.0,
        );
    }),
    gauge("k1_uptime_seconds", "seconds", "Time since the start", |s, out| out(&[], s.uptime_s)),
    gauge("k1_healthy", "", "1 if every check of this K1 passes", |s, out| {
        out(&[], s.device.healthy.into());
    }),
    gauge("k1_check_ok", "", "1 if this check passes", |s, out| {
        s.device.checks.iter().for_each(|c| out(&[("check", &c.name)], c.ok.into()));
    }),
    gauge("k1_frames_per_second", "per second", "Frames finished in the last second", |s, out| {
        out(&[], s.vitals.fps.into());
    }),
    gauge("k1_frames_p1_per_second", "per second", "Rate that 99 % of the frames reach", |s, out| {
        out(&[], s.vitals.fps_p1.into());
    }),
    gauge("k1_frames_target_per_second", "per second", "Target frame rate", |s, out| {
        out(&[], s.vitals.fps_target.into());
    }),
    gauge("k1_frame_gap_longest_seconds", "seconds", "Longest time between two frames", |s, out| {
        out(&[], milli(s.vitals.longest_gap_ms));
    }),
    gauge(
        "k1_frame_jitter_p99_seconds",
        "seconds",
        "99th percentile of the deviation of a frame from its time",
        |s, out| {
            out(&[], milli(s.vitals.jitter_ms));
        },
    ),
    gauge("k1_render_seconds", "seconds", "Mean time to render a frame", |s, out| {
        out(&[], micro(s.vitals.render_us));
    }),
    gauge("k1_wire_seconds", "seconds", "Shortest time between two frames on the wire", |s, out| {
        one(out, s.device.wire_us.map(|us| f64::from(us) * 1e-6));
    }),
    gauge("k1_snapshot_age_seconds", "seconds", "Median age of the sound when a frame shows it", |s, out| {
        out(&[], milli(s.vitals.age_ms));
    }),
    gauge("k1_snapshot_age_p99_seconds", "seconds", "99th percentile of that age", |s, out| {
        out(&[], milli(s.vitals.age_p99_ms));
    }),
    gauge(
        "k1_hops_per_second",
        "per second",
        "Pieces of 8 ms of sound heard in the last second",
        |s, out| {
            out(&[], s.vitals.hop_rate.into());
        },
    ),
    gauge("k1_hop_seconds", "seconds", "Mean time to analyse a piece of sound", |s, out| {
        out(&[], micro(s.vitals.hop_us));
    }),
    count("k1_frames_total", "Frames finished", |s, out| out(&[], s.vitals.frames as f64)),
    count(
        "k1_frames_late_total",
        "Frames that began more than two periods after the beginning of the previous frame",
        |s, out| {
            out(&[], s.vitals.late_frames as f64);
        },
    ),
    count(
        "k1_frames_dropped_total",
        "Frames that a newer one replaced before a light took them",
        |s, out| {
            out(&[], s.vitals.dropped_frames as f64);
        },
    ),
    count("k1_handoff_retries_total", "Reads of the hand-off that needed a second try", |s, out| {
        out(&[], s.vitals.handoff_retries as f64);
    }),
    count("k1_handoff_kept_total", "Reads that kept the previous snapshot", |s, out| {
        out(&[], s.vitals.handoff_contended as f64);
    }),
    count("k1_handoff_torn_total", "Snapshots with a wrong checksum", |s, out| {
        out(&[], s.vitals.torn as f64);
    }),
    count(
        "k1_sound_overruns_total",
        "Pieces of sound that arrived faster than the ear could analyse them, or too late to be shown",
        |s, out| {
            out(&[], s.vitals.overruns as f64);
        },
    ),
    count(
        "k1_sound_underruns_total",
        "Gaps in the sound: it was missing when it was due, or silence took its place",
        |s, out| {
            out(&[], s.vitals.underruns as f64);
        },
    ),
    count("k1_loop_allocations_total", "Allocations in the two real-time loops", |s, out| {
        out(&[], s.vitals.allocations as f64);
    }),
    gauge("k1_sound_rms_dbfs", "dBFS", "Loudness of the sound", |s, out| out(&[], s.heard.rms_db.into())),
    gauge("k1_sound_level_ratio", "0 to 1", "Loudness after gain control", |s, out| {
        out(&[], s.heard.level.into());
    }),
    gauge("k1_sound_silent", "", "1 while nothing exceeds the noise floor", |s, out| {
        out(&[], s.heard.silent.into());
    }),
    gauge("k1_tempo_bpm", "beats per minute", "Tempo; 0 when there is none", |s, out| {
        out(&[], s.heard.bpm.into());
    }),
    gauge("k1_beat_confidence_ratio", "0 to 1", "Probability that announced beats are right", |s, out| {
        out(&[], s.heard.confidence.into());
    }),
    count("k1_beats_total", "Beats heard", |s, out| out(&[], s.heard.beats.into())),
    count("k1_onsets_total", "Onsets heard", |s, out| out(&[], s.heard.onsets.into())),
    gauge("k1_bar_beats", "", "Beats in a bar; 0 while the bar is not known", |s, out| {
        out(&[], s.heard.beats_per_bar.into());
    }),
    gauge(
        "k1_bar_confidence_ratio",
        "0 to 1",
        "Probability that announced downbeats are right; 0 while the bar is not known",
        |s, out| {
            out(&[], s.heard.bar_confidence.into());
        },
    ),
    count("k1_bars_total", "Downbeats heard", |s, out| out(&[], s.heard.bars.into())),
    gauge("k1_section", "", "1 for the section of the music that K1 hears now", |s, out| {
        for section in Section::ALL.map(Section::name) {
            out(&[("section", section)], (s.heard.section == section).into());
        }
    }),
    count("k1_sections_total", "Sections that began", |s, out| out(&[], s.heard.sections.into())),
    gauge("k1_build_ratio", "0 to 1", "How strongly the energy of the music builds", |s, out| {
        out(&[], s.heard.build.into());
    }),
    gauge("k1_light_reachable", "", "1 while frames are sent to this light", |s, out| {
        each_light(s, out, |l| f64::from(u8::from(l.state == LightState::Shining)));
    }),
    count("k1_light_frames_total", "Frames that were offered to this light", |s, out| {
        each_light(s, out, |l| l.frames as f64);
    }),
    count("k1_light_shown_total", "Frames that this light took and showed", |s, out| {
        each_light(s, out, |l| l.shown as f64);
    }),
    count(
        "k1_light_dropped_total",
        "Frames that a newer one replaced before this light took them",
        |s, out| {
            each_light(s, out, |l| l.dropped as f64);
        },
    ),
    count("k1_light_errors_total", "Frames that this light took but could not show", |s, out| {
        each_light(s, out, |l| l.errors as f64);
    }),
    count("k1_light_packets_total", "Packets that were sent to this light", |s, out| {
        each_light(s, out, |l| l.packets as f64);
    }),
    gauge("k1_microphone_present", "", "1 if the microphone is present and sends sound", |s, out| {
        one(out, s.device.microphone.as_deref().map(|m| f64::from(u8::from(m == Hearing::Present.name()))));
    }),
    gauge(
        "k1_sound_connected",
        "",
        "1 while live sound arrives, 0 while K1 waits for its source",
        |s, out| {
            one(out, s.device.live_sound.as_ref().map(|l| l.connected.into()));
        },
    ),
    count("k1_microphone_failures_total", "Reads of the microphone that failed", |s, out| {
        one(out, s.device.microphone_failures.map(Into::into));
    }),
    count("k1_strip_underruns_total", "Frames that the strip's driver did not send", |s, out| {
        one(out, s.device.strip_underruns.map(Into::into));
    }),
    gauge("k1_heap_size_bytes", "bytes", "Size of the heap", |s, out| {
        one(out, s.device.heap.map(|h| h.size.into()));
    }),
    gauge("k1_heap_free_bytes", "bytes", "Free heap", |s, out| {
        one(out, s.device.heap.map(|h| h.free.into()));
    }),
    gauge("k1_heap_least_free_bytes", "bytes", "Smallest free heap since the start", |s, out| {
        one(out, s.device.heap.map(|h| h.least_free.into()));
    }),
    gauge("k1_stack_size_bytes", "bytes", "Stack size of a half", |s, out| both_stacks(s, out, |x| x.size)),
    gauge("k1_stack_headroom_bytes", "bytes", "Stack that was never used", |s, out| {
        both_stacks(s, out, |x| x.headroom);
    }),
    gauge("k1_core_busy_ratio", "0 to 1", "Share of a second in which a core did not sleep", |s, out| {
        for (core, busy) in ["0", "1"].into_iter().zip(s.device.core_busy.into_iter().flatten()) {
            out(&[("core", core)], busy.into());
        }
    }),
    gauge("k1_image_bytes", "bytes", "Size of the image in flash", |s, out| {
        one(out, s.device.image_bytes.map(Into::into));
    }),
    gauge("k1_static_ram_bytes", "bytes", "Statically allocated RAM", |s, out| {
        one(out, s.device.static_ram_bytes.map(Into::into));
    }),
    gauge("k1_temperature_celsius", "degrees Celsius", "Temperature of the chip", |s, out| {
        one(out, s.device.temperature_c.map(Into::into));
    }),
    gauge("k1_wifi_signal_dbm", "dBm", "Strength of the Wi-Fi signal", |s, out| {
        one(out, s.device.rssi_dbm.map(Into::into));
    }),
    count("k1_settings_writes_total", "Settings written to flash", |s, out| {
        one(out, s.device.settings_writes.map(Into::into));
    }),
    count("k1_settings_errors_total", "Failed operations of the settings storage", |s, out| {
        one(out, s.device.settings_errors.map(Into::into));
    }),
    count("k1_requests_total", "Requests answered", |s, out| one(out, s.device.requests.map(Into::into))),
    count("k1_malformed_total", "Malformed packets and requests", |s, out| {
        one(out, s.device.malformed.map(Into::into));
    }),
    count("k1_error_lines_total", "Lines of the console that report an error", |s, out| {
        one(out, s.error_lines.map(Into::into));
    }),
];

/// The value of a label, escaped for the text format.
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        harmless(self.0).chars().try_for_each(|c| match c {
            '\\' => f.write_str("\\\\"),
            '"' => f.write_str("\\\""),
            c => f.write_char(c),
        })
    }
}

impl Sample {
    /// The current measurements of a K1.
    pub fn of(backend: &dyn Backend) -> Self {
        Self {
            name: backend.setup().name.into(),
            uptime_s: backend.now_us() as f64 * 1e-6,
            vitals: backend.vitals(),
            heard: backend.heard(),
            device: backend.device().into_owned(),
            error_lines: backend.boot_log().error_lines,
        }
    }

    /// Writes one metric with its help; writes nothing if it cannot be measured here.
    ///
    /// # Errors
    ///
    /// The error of the writer.
    pub fn write(&self, metric: &Metric, w: &mut dyn Write) -> fmt::Result {
        let mut result = Ok(());
        let mut is_first = true;
        (metric.read)(self, &mut |labels, value| {
            if result.is_ok() {
                result = line(metric, core::mem::take(&mut is_first), labels, value, w);
            }
        });
        result
    }

    /// Length of the whole text in bytes.
    pub fn length(&self) -> usize {
        let mut counter = Counter(0);
        METRICS.iter().for_each(|m| {
            // Counting does not fail.
            let _ = self.write(m, &mut counter);
        });
        counter.0
    }

    /// The whole text.
    pub fn text(&self) -> String {
        let mut text = String::with_capacity(self.length());
        METRICS.iter().for_each(|m| {
            // Writing to a string does not fail.
            let _ = self.write(m, &mut text);
        });
        text
    }
}

fn line(
    metric: &Metric,
    with_help: bool,
    labels: &[(&str, &str)],
    value: f64,
    w: &mut dyn Write,
) -> fmt::Result {
    let Metric { name, kind, unit, help, .. } = metric;
    if with_help {
        let kind = match kind {
            Kind::Gauge => "gauge",
            Kind::Counter => "counter",
        };
        match unit.is_empty() {
            true => writeln!(w, "# HELP {name} {help}.")?,
            false => writeln!(w, "# HELP {name} {help}, in {unit}.")?,
        }
        writeln!(w, "# TYPE {name} {kind}")?;
    }
    w.write_str(name)?;
    for (i, (label, text)) in labels.iter().enumerate() {
        write!(w, "{}{label}=\"{}\"", if i == 0 { '{' } else { ',' }, Escaped(text))?;
    }
    writeln!(w, "{} {value}", if labels.is_empty() { "" } else { "}" })
}

/// Counts bytes.
struct Counter(usize);

impl Write for Counter {
    fn write_str(&mut self, s: &str) -> fmt::Result {
        self.0 += s.len();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answers::{Check, Stack};
    use k1_engine::audio::Snapshot;

    fn sample() -> Sample {
        Sample {
            name: "the \"shelf\"\\\n".into(),
            uptime_s: 12.5,
            vitals: Vitals { fps: 175.5, jitter_ms: 0.5, frames: 7, ..Vitals::default() },
            heard: Heard::from(&Snapshot {
                beats_per_bar: 3,
                bars: 12,
                section: Section::Drop,
                ..Snapshot::EMPTY
            }),
            device: Device {
                board: "virt".into(),
                checks: [Check { name: "frames".into(), ok: true, advice: "".into() }].into(),
                render_stack: Some(Stack { size: 16_384, headroom: 6_000 }),
                ..Device::default()
            },
            error_lines: None,
        }
    }

    #[test]
    fn names_are_unique_and_say_their_unit() {
        for (i, m) in METRICS.iter().enumerate() {
            assert!(METRICS[..i].iter().all(|other| other.name != m.name), "{}", m.name);
            assert!(m.name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_'));
            assert_eq!(m.name.ends_with("_total"), m.kind == Kind::Counter, "{}", m.name);
            let ending = match m.unit {
                "" | "beats per minute" => continue,
                "0 to 1" => "_ratio",
                "per second" => "_per_second",
                "degrees Celsius" => "_celsius",
                "dBFS" => "_dbfs",
                "dBm" => "_dbm",
                unit => &*format!("_{unit}"),
            };
            assert!(m.name.ends_with(ending), "{} is in {}", m.name, m.unit);
        }
    }

    #[test]
    fn the_text_is_the_format() {
        let text = sample().text();
        assert_eq!(text.len(), sample().length());
        for line in [
            "# HELP k1_uptime_seconds Time since the start, in seconds.\n# TYPE k1_uptime_seconds gauge\nk1_uptime_seconds 12.5\n",
            "k1_frames_per_second 175.5\n",
            "k1_frame_jitter_p99_seconds 0.0005\n",
            "# TYPE k1_frames_total counter\nk1_frames_total 7\n",
            "k1_stack_headroom_bytes{half=\"render\"} 6000\n",
            "k1_bar_beats 3\n",
            "# TYPE k1_bars_total counter\nk1_bars_total 12\n",
            "k1_section{section=\"build\"} 0\nk1_section{section=\"drop\"} 1\n",
            "k1_check_ok{check=\"frames\"} 1\n",
            "k1_info{name=\"the \\\"shelf\\\"\\\\\\\\u{a}\",version=",
        ] {
            assert!(text.contains(line), "{line} is not in:\n{text}");
        }
        for absent in [
            "k1_temperature",
            "k1_error_lines",
            "k1_strip",
            "k1_microphone_failures",
            "half=\"audio\"",
            "k1_heap",
        ] {
            assert!(!text.contains(absent), "{absent} was not measured");
        }
    }
}
