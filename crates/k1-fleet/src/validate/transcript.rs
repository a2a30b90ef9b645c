//! What a lamp says on its cable, and the verdicts that can be derived from it alone.

use std::collections::BTreeSet;
use std::time::Duration;

use k1_device::answers::{BootLine, BootLog};
use k1_device::console::{self, BOOT_ORDER, LOWEST_BIT, Said};
use k1_engine::{HOP, SAMPLE_RATE};
use serde::Serialize;

use super::criteria::{self, row, unknown};
use super::verdict::Row;
use crate::lamps::figures::{FRESH_MS, LEAST_FPS, Reading};

/// Most lines that a transcript keeps, besides figures.
const MOST_LINES: usize = 2_000;
/// The prefix of the line that a panic prints.
const PANIC: &str = "[PANIC] ";
/// Largest deviation of the frame rate from the wanted one, as a share.
const NEAR: f64 = 0.02;
/// Largest deviation of the hop rate, as a share. The lamp measures it with its own clock, so it is exact if the bus has
/// the right clock and format.
const HOPS_NEAR: f64 = 0.005;
/// The lowest of the 18 bits of an SPH0645 in a word of 32.
const SPH0645_BIT: u8 = 14;
/// Level of digital silence and of a data wire that does not move, in dBFS.
const SILENCE_DB: f64 = -110.0;

/// The words that a report must not contain.
#[derive(Clone, Default)]
pub struct Secrets {
    /// Token and password; they are left out of every line.
    pub words: Vec<String>,
    /// Name of the network; it is left out of the lines about Wi-Fi.
    pub network: String,
}

impl Secrets {
    /// A line without the secrets. A token that the lamp has only just made is known by its place.
    fn clean(&self, line: &str) -> String {
        let mut line = line.to_owned();
        for word in self.words.iter().filter(|w| !w.is_empty()) {
            line = line.replace(word, "(secret)");
        }
        for (before, behind) in [("#token=", " "), ("the password ", " and "), (";P:", ";")] {
            let Some(from) = line.find(before).map(|at| at + before.len()) else { continue };
            let end = line[from..].find(behind).map_or(line.len(), |n| from + n);
            line.replace_range(from..end, "(secret)");
        }
        if line.starts_with("[WIFI] ") && !self.network.is_empty() {
            line = line.replace(&self.network, "(network)");
        }
        line
    }
}

/// The figures of one second.
#[derive(Clone, Debug, Serialize)]
pub struct Second {
    /// Seconds since the restart.
    pub t: f64,
    /// Figures on the console.
    pub figures: Reading,
}

/// Everything that a lamp said since its restart.
#[derive(Clone, Default)]
pub struct Transcript {
    secrets: Secrets,
    /// The first lines of the first start, as the lamp itself keeps them.
    pub boot_log: BootLog,
    /// All lines except figures, those of the chip's ROM included; secrets are left out.
    pub lines: Vec<BootLine>,
    /// Number of further lines that were not kept.
    pub left_out: usize,
    /// Number of lines, figures included.
    pub heard: usize,
    /// Number of starts of the firmware.
    pub starts: usize,
    /// Number of lines that report an error or a panic, and the newest of them.
    pub errors: (usize, Option<String>),
    /// The figures of each second.
    pub seconds: Vec<Second>,
    reading: Reading,
}

impl Transcript {
    /// An empty transcript that leaves out `secrets`.
    pub fn new(secrets: Secrets) -> Self {
        Self { secrets, boot_log: BootLog::new(), ..Self::default() }
    }

    /// Takes a line that arrived `at` after the restart.
    pub fn take(&mut self, at: Duration, line: &str) {
        let line = self.secrets.clean(line.trim_end());
        if line.is_empty() {
            return;
        }
        self.heard += 1;
        let at_ms = at.as_millis().min(u128::from(u32::MAX)) as u32;
        self.starts += usize::from(line.starts_with(BOOT_ORDER[0]));
        if self.starts == 1 {
            self.boot_log.note(at_ms, &line);
        }
        match console::read(&line) {
            Some(Said::Figures(figures)) => {
                self.reading.take(figures);
                // The line about memory is the last of a second.
                if line.starts_with("[MEMORY]") {
                    self.seconds.push(Second { t: at.as_secs_f64(), figures: self.reading.clone() });
                }
                return;
            }
            Some(Said::Error(error)) => self.errors = (self.errors.0 + 1, Some(error)),
            None if line.starts_with(PANIC) => {
                self.errors = (self.errors.0 + 1, Some(line[PANIC.len()..].to_owned()));
            }
            None => {}
        }
        match self.lines.len() < MOST_LINES {
            true => self.lines.push(BootLine { at_ms, text: line }),
            false => self.left_out += 1,
        }
    }

    fn series(&self, id: &str) -> Vec<f64> {
        self.seconds.iter().filter_map(|s| s.figures.get(id)).collect()
    }

    /// A row for every criterion that a console shows.
    pub fn judge(&self) -> Vec<Row> {
        let mut rows = vec![row(
            "console",
            "the lamp's console is heard on this cable",
            match self.heard {
                0 => {
                    "nothing was heard: is the lamp's console on this port, and was RESET pressed?".to_owned()
                }
                n => format!("{n} lines"),
            },
            self.heard > 0,
        )];
        rows.push(criteria::boot(&self.boot_log));
        rows.push(row(
            "starts",
            "it starts once and goes on",
            format!("{} starts", self.starts),
            self.starts == 1,
        ));
        let core = |start: &str| {
            let mut lines = self.lines.iter().filter_map(|l| l.text.strip_prefix(start));
            lines.next().and_then(|core| core.trim().parse().ok())
        };
        rows.push(criteria::cores(core(BOOT_ORDER[2]), core(BOOT_ORDER[3])));
        rows.extend([
            self.frames(),
            self.hops(),
            self.age(),
            self.torn(),
            self.overruns(),
            self.microphone(),
        ]);
        rows.extend(self.alignment());
        rows.push(criteria::heap(&self.series("heap_free")));
        let (n, newest) = &self.errors;
        let measured = newest.as_ref().map_or("0".into(), |e| format!("{n}, the newest: {e}"));
        rows.push(row("errors", "0 lines that report an error or a panic", measured, *n == 0));
        rows
    }

    fn frames(&self) -> Row {
        let criterion = "at least 100 frames a second, and within 2 % of the wanted rate";
        let (fps, wanted) = (self.series("fps"), self.series("fps_target"));
        if fps.is_empty() || wanted.is_empty() {
            return unknown("frames", criterion, "the console shows no frames");
        }
        let (fps, wanted) = (criteria::mean(&fps), criteria::mean(&wanted));
        let holds = fps >= LEAST_FPS && (fps / wanted - 1.0).abs() <= NEAR;
        row("frames", criterion, format!("{fps:.1} of {wanted:.1}"), holds)
    }

    fn hops(&self) -> Row {
        let wanted = f64::from(SAMPLE_RATE) / HOP as f64;
        let criterion = format!("{wanted} hops a second, within {} %", HOPS_NEAR * 100.0);
        let rates = self.series("hop_rate");
        if rates.is_empty() {
            return unknown("hops", criterion, "the console shows no hops");
        }
        let mean = criteria::mean(&rates);
        row("hops", criterion, format!("{mean:.2}"), (mean / wanted - 1.0).abs() <= HOPS_NEAR)
    }

    fn age(&self) -> Row {
        let criterion =
            format!("sound is younger than {FRESH_MS} ms when it is shown (p99 in 99 % of the seconds)");
        let (median, slow) = (self.series("age_ms"), self.series("age_p99_ms"));
        if slow.is_empty() {
            return unknown("age", criterion, "the console shows no age");
        }
        let good = criteria::share(&slow, |ms| ms < FRESH_MS);
        let most = slow.iter().copied().fold(0.0, f64::max);
        let measured = format!("median {:.1}, p99 at most {most:.1} ms", criteria::mean(&median));
        row("age", criterion, measured, good >= criteria::STEADY)
    }

    fn torn(&self) -> Row {
        let criterion = "0 torn snapshots between the cores";
        match self.series("torn").last() {
            Some(n) => row("torn", criterion, format!("{n:.0}"), *n == 0.0),
            None => unknown("torn", criterion, "the console does not show them"),
        }
    }

    fn overruns(&self) -> Row {
        let criterion = "no hop is lost after the first seconds";
        match &self.series("overruns")[..] {
            [_, _, first, .., last] => {
                row("overruns", criterion, format!("{:.0} lost", last - first), last == first)
            }
            _ => unknown("overruns", criterion, "the time was too short"),
        }
    }

    /// Whether the bus takes the words at the right place; `None` for a lamp that does not say.
    fn alignment(&self) -> Option<Row> {
        let bit: u8 = self.lines.iter().find_map(|l| l.text.strip_prefix(LOWEST_BIT))?.trim().parse().ok()?;
        let criterion = format!("the microphone's words end at bit {SPH0645_BIT}, as an SPH0645's do");
        let measured = match bit.cmp(&SPH0645_BIT) {
            std::cmp::Ordering::Equal => format!("bit {bit}"),
            std::cmp::Ordering::Less => {
                format!("bit {bit}: taken {} bits late, or another microphone", SPH0645_BIT - bit)
            }
            std::cmp::Ordering::Greater => format!("bit {bit}: taken {} bits early", bit - SPH0645_BIT),
        };
        Some(row("alignment", criterion, measured, bit == SPH0645_BIT))
    }

    /// A dead data wire gives the same level in every second; the noise of a quiet room does not.
    fn microphone(&self) -> Row {
        let criterion = "the microphone's samples change";
        let levels = self.series("rms_db");
        if levels.len() < 3 {
            return unknown("microphone", criterion, "the time was too short");
        }
        let most = levels.iter().copied().fold(f64::MIN, f64::max);
        let different: BTreeSet<_> = levels.iter().map(|x| x.to_bits()).collect();
        let measured = match most > SILENCE_DB {
            true => format!("at most {most:.0} dBFS, {} different levels", different.len()),
            false => "silence: check the data wire, the supply and SEL".into(),
        };
        row("microphone", criterion, measured, most > SILENCE_DB)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::validate::verdict::Verdict;

    const TOKEN: &str = "abcd2345efgh6789";

    fn second(fps: f64, hops: f64, db: i32, overruns: u32) -> String {
        format!(
            "[FPS] {fps:.1} mean of 175.4, 160.0 p1, jitter 0.12 ms p99, longest 6.0 ms, render 800 us, 3 late\n\
             [LATENCY] snapshot age 8.5 ms median, 12.0 p99; hop 410 us, {hops:.1}/s; 7 retries, 0 torn, \
             {overruns} overruns; {db} dBFS, 120.5 BPM\n\
             [MEMORY] heap 50000 B free, 40000 least\n"
        )
    }

    fn start() -> String {
        "ESP-ROM:esp32s3-20210327\nrst:0x1 (POWERON),boot:0x8 (SPI_FAST_FLASH_BOOT)\n\
         [BOOT] K1 1.2.0 on esp32s3, hash 0011223344556677, slot app0, reset: power on\n\
         [BOOT] settings: 0 groups were stored\n[AUDIO SYNC] Initialized successfully\n\
         [GPU TASK] Running on Core 0\n[AUDIO TASK] Running on Core 1\n"
            .into()
    }

    fn transcript(text: &str) -> Transcript {
        let secrets = Secrets { words: vec![TOKEN.into()], network: "our house".into() };
        let mut transcript = Transcript::new(secrets);
        for (i, line) in text.lines().enumerate() {
            transcript.take(Duration::from_millis(300 + 10 * i as u64), line);
        }
        transcript
    }

    fn verdicts(transcript: &Transcript) -> Vec<(&'static str, Verdict)> {
        transcript.judge().iter().map(|r| (r.id, r.verdict)).collect()
    }

    /// The rows that do not pass.
    fn bad(text: &str) -> Vec<&'static str> {
        let all = verdicts(&transcript(text));
        all.into_iter().filter(|(_, v)| *v != Verdict::Passed).map(|(id, _)| id).collect()
    }

    fn seconds(n: i32) -> String {
        (0..n).map(|i| second(175.4, 125.0, -60 - i % 3, 0)).collect()
    }

    #[test]
    fn a_good_lamp_passes_every_row() {
        let heard = transcript(&(start() + &seconds(10)));
        assert_eq!(bad(&(start() + &seconds(10))), [""; 0], "{:?}", heard.judge());
        assert_eq!((heard.seconds.len(), heard.starts), (10, 1));
        assert!(heard.lines[0].text.starts_with("ESP-ROM"), "the ROM's words are kept");
        assert!(heard.lines.iter().all(|l| !l.text.starts_with("[FPS]")), "figures are kept apart");
        assert!(heard.boot_log.lines[0].text.starts_with("[BOOT] K1 "));
    }

    #[test]
    fn each_fault_fails_its_own_row() {
        assert_eq!(bad(""), bad("\n").as_slice(), "empty lines are not heard");
        let nothing = verdicts(&transcript(""));
        assert!(
            nothing.contains(&("console", Verdict::Failed))
                && nothing.contains(&("frames", Verdict::NotMeasured))
        );
        let with = |rest: &str| start() + rest;
        assert_eq!(bad(&with(&second(90.0, 125.0, -60, 0).repeat(5))), ["frames"]);
        assert_eq!(bad(&with(&second(175.4, 62.5, -60, 0).repeat(5))), ["hops"], "half the clock");
        assert_eq!(bad(&with(&second(175.4, 125.0, -120, 0).repeat(5))), ["microphone"]);
        let lost: String = (0..5).map(|i| second(175.4, 125.0, -60, i)).collect();
        assert_eq!(bad(&with(&lost)), ["overruns"]);
        assert_eq!(bad(&with(&(seconds(5) + "[ERROR] 1 torn snapshots\n"))), ["errors"]);
        assert_eq!(
            bad(&(start() + "[PANIC] core 1: it fell\n" + &start() + &seconds(5))),
            ["boot", "starts", "errors"]
        );
        let aligned = |bit| with(&format!("{LOWEST_BIT}{bit}\n{}", seconds(5)));
        assert_eq!((bad(&aligned(14)), bad(&aligned(13))), (vec![], vec!["alignment"]));
        let swapped = start().replace("Core 0", "Core 2");
        assert_eq!(bad(&(swapped + &seconds(5))), ["cores"]);
    }

    #[test]
    fn a_report_contains_no_secret() {
        let text = format!(
            "[NET] address 10.0.0.7, page http://10.0.0.7/#token={TOKEN}\n\
             [NET] address 10.0.0.7, page http://10.0.0.7/#token=zzzz2345efgh6789\n\
             [WIFI] join K1-A3F0 with the password zzzz2345efgh6789 and open http://192.168.4.1\n\
             [WIFI] WIFI:S:K1-A3F0;T:WPA;P:zzzz2345efgh6789;;\n[WIFI] connected to our house\n"
        );
        let kept: String = transcript(&text).lines.iter().map(|l| l.text.clone() + "\n").collect();
        for secret in [TOKEN, "zzzz2345", "our house"] {
            assert!(!kept.contains(secret), "{kept}");
        }
        assert!(kept.contains("K1-A3F0 with the password (secret) and open"), "{kept}");
        assert!(kept.contains("P:(secret);;") && kept.contains("connected to (network)"), "{kept}");
    }

    #[test]
    fn a_flood_is_cut() {
        let mut heard = Transcript::new(Secrets::default());
        (0..MOST_LINES + 7).for_each(|i| heard.take(Duration::ZERO, &format!("line {i}")));
        assert_eq!((heard.lines.len(), heard.left_out), (MOST_LINES, 7));
    }
}
