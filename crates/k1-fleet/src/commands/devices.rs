//! `k1 devices`: the lamps that can be found, with their own reports.

use std::borrow::Cow;
use std::time::{Duration, Instant};

use k1_device::firmware::Rollback;
use k1_device::harmless::harmless;
use serde::Serialize;
use unicode_width::UnicodeWidthStr;

use crate::cli::DevicesArgs;
use crate::lamps::{Address, Client, Trouble};
use k1_host::Failure;
use k1_host::console::{self, Text};

/// Pause between two looks.
const REFRESH: Duration = Duration::from_secs(2);

/// One lamp in the list; values that it does not report are missing.
#[derive(Debug, Serialize)]
struct Entry {
    name: String,
    id: Option<String>,
    address: String,
    board: Option<String>,
    version: Option<String>,
    hash: Option<String>,
    slot: Option<String>,
    rollback_armed: Option<bool>,
    fps: Option<f32>,
    age_ms: Option<f32>,
    uptime_s: Option<f64>,
    healthy: Option<bool>,
    /// The fault: failed checks, or why the lamp could not be asked.
    trouble: Option<String>,
}

fn ask(address: &Address) -> Entry {
    let mut entry = Entry {
        name: address.label.clone(),
        id: None,
        address: address.authority.clone(),
        board: None,
        version: None,
        hash: None,
        slot: None,
        rollback_armed: None,
        fps: None,
        age_ms: None,
        uptime_s: None,
        healthy: None,
        trouble: None,
    };
    let mut fill = || -> Result<(), Trouble> {
        let client = Client::new(address.clone());
        let info = client.info()?;
        (entry.board, entry.version) = (Some(info.board.into_owned()), Some(info.firmware.into_owned()));
        entry.id = info.id.map(Cow::into_owned);
        entry.name = client.name()?;
        let status = client.status()?;
        entry.fps = Some(status.vitals.fps);
        entry.age_ms = Some(status.vitals.age_ms);
        entry.uptime_s = Some(status.uptime_s);
        let device = client.device()?;
        entry.rollback_armed = device.rollback.map(|r| r == Rollback::Armed);
        entry.hash = device.firmware_hash.map(|h| h.to_string());
        entry.slot = device.slot.map(Cow::into_owned);
        entry.healthy = Some(device.healthy);
        let failed: Vec<_> = device.checks.iter().filter(|c| !c.ok).map(|c| &*c.name).collect();
        entry.trouble = (!failed.is_empty()).then(|| format!("failed checks: {}", failed.join(", ")));
        Ok(())
    };
    if let Err(trouble) = fill() {
        entry.trouble = Some(trouble.without_name());
    }
    entry
}

/// Asks all lamps at the same time, so that a missing one does not delay the others.
fn ask_all(addresses: &[Address]) -> Vec<Entry> {
    std::thread::scope(|scope| {
        let asked: Vec<_> = addresses.iter().map(|a| scope.spawn(|| ask(a))).collect();
        asked.into_iter().filter_map(|t| t.join().ok()).collect()
    })
}

fn table(entries: &[Entry]) -> Text {
    const HEAD: [&str; 10] =
        ["NAME", "ADDRESS", "BOARD", "VERSION", "HASH", "SLOT", "ARMED", "FPS", "AGE ms", "HEALTH"];
    let or_dash = |x: Option<String>| x.unwrap_or_else(|| "–".into());
    let rows: Vec<[Cow<str>; 10]> = entries
        .iter()
        .map(|e| {
            [
                e.name.clone(),
                e.address.clone(),
                or_dash(e.board.clone()),
                or_dash(e.version.clone()),
                or_dash(e.hash.as_ref().map(|h| h.chars().take(8).collect())),
                or_dash(e.slot.clone()),
                or_dash(e.rollback_armed.map(|a| if a { "yes" } else { "no" }.into())),
                or_dash(e.fps.map(|x| format!("{x:.1}"))),
                or_dash(e.age_ms.map(|x| format!("{x:.1}"))),
                match (&e.trouble, e.healthy) {
                    (Some(trouble), _) => trouble.clone(),
                    (None, Some(true)) => "fine".into(),
                    (None, _) => "–".into(),
                },
            ]
            // Compute widths from the text as it is shown.
            .map(|cell| Cow::Owned(harmless(&cell).into_owned()))
        })
        .collect();
    let width = |column: usize| {
        let cells = rows.iter().map(|r| r[column].width());
        cells.chain([HEAD[column].len()]).max().unwrap_or(0)
    };
    // The last column may be a sentence, because no other column follows it.
    let widths: Vec<_> = (0..HEAD.len() - 1).map(width).collect();
    let mut text = Text::default();
    for row in std::iter::once(HEAD.map(Cow::Borrowed)).chain(rows) {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            line.push_str(cell);
            line.extend(std::iter::repeat_n(' ', width + 2 - cell.width()));
        }
        line.push_str(&row[HEAD.len() - 1]);
        text.line(line);
    }
    text
}

/// Lists the lamps; on a terminal, repeatedly.
pub fn devices(args: &DevicesArgs) -> Result<(), Failure> {
    let once = args.json || args.once || !console::is_terminal();
    loop {
        let began = Instant::now();
        let addresses = args.reach.find(&args.lamps)?;
        let entries = ask_all(&addresses);
        if args.json {
            return Ok(console::json(&entries)?);
        }
        let mut text = table(&entries);
        if entries.is_empty() {
            text = Text::default();
            text.line(
                "No lamp answers. Is one on, and on this network? You can also give its address; `k1 virt` starts \
                 a lamp on this machine.",
            );
        }
        if once {
            return Ok(text.print()?);
        }
        text.line("");
        text.line(format_args!("updated every {} s; Ctrl-C ends", REFRESH.as_secs()));
        console::clear()?;
        text.print()?;
        std::thread::sleep(REFRESH.saturating_sub(began.elapsed()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_says_what_is_known_and_no_more() {
        let entry = |name: &str| Entry {
            name: name.into(),
            id: None,
            address: "10.0.0.7:80".into(),
            board: Some("virt".into()),
            version: Some("0.1.0".into()),
            hash: Some("0123456789abcdef".into()),
            slot: None,
            rollback_armed: Some(true),
            fps: Some(175.42),
            age_ms: Some(8.0),
            uptime_s: None,
            healthy: Some(true),
            trouble: None,
        };
        let gone = Entry { fps: None, trouble: Some("it does not answer".into()), ..entry("desk") };
        let text = table(&[entry("shelf"), gone]);
        let text = text.as_str();
        let lines: Vec<_> = text.lines().collect();
        assert!(lines[0].starts_with("NAME   ADDRESS      BOARD"), "{text}");
        assert!(lines[1].contains("01234567 ") && lines[1].contains("175.4") && lines[1].ends_with("fine"));
        // Columns are aligned, whatever characters a name contains.
        let odd = table(&[entry("ランプ"), entry("a\x1b\n"), entry("x")]);
        let column = |line: &str| line.split_once("10.0.0.7").map(|(before, _)| before.width());
        let columns: Vec<_> = odd.as_str().lines().skip(1).map(column).collect();
        assert_eq!(columns, [Some(14); 3], "{}", odd.as_str());
        assert!(lines[2].contains('–') && lines[2].ends_with("it does not answer"), "{text}");
    }
}
