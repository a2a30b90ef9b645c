//! `k1 monitor`: live figures of lamps, with their last ten minutes; over the network or through a cable.

mod canvas;
mod screen;

use std::io::{BufRead, BufReader};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use crossterm::event::{self, Event, KeyCode, KeyModifiers};
use k1_device::console::{self, Said};
use k1_device::harmless::harmless;
use serde_json::json;

use crate::cli::MonitorArgs;
use crate::lamps::figures::Reading;
use crate::lamps::{Address, Client, Trouble};
use k1_host::Failure;
use screen::Board;

/// Pause between two looks. A lamp measures once a second.
const PACE: Duration = Duration::from_secs(1);

/// News of a lamp.
#[derive(Debug)]
struct News {
    /// Index of the lamp in the list.
    lamp: usize,
    /// Figures, or why there are none.
    what: Result<Reading, String>,
}

/// Asks a lamp once a second, until the receiver is gone.
fn ask(lamp: usize, address: &Address, news: &Sender<News>) {
    let client = Client::new(address.clone());
    let look = || -> Result<Reading, Trouble> {
        let status = client.status()?;
        Ok(Reading::of(&status, &client.device()?))
    };
    loop {
        let began = Instant::now();
        let what = look().map_err(|t| t.to_string());
        if news.send(News { lamp, what }).is_err() {
            return;
        }
        std::thread::sleep(PACE.saturating_sub(began.elapsed()));
    }
}

/// Reads the lines of a lamp's console, until it ends or the receiver is gone.
fn read(lamp: usize, console: impl BufRead, news: &Sender<News>) {
    let mut reading = Reading::default();
    for line in k1_host::foreign::lines(console) {
        let line = match line {
            Ok(line) => line,
            // A quiet cable is not an error.
            Err(e) if e.kind() == std::io::ErrorKind::TimedOut => continue,
            Err(e) => {
                let _ = news.send(News { lamp, what: Err(format!("the cable failed: {e}")) });
                return;
            }
        };
        let what = match console::read(&line) {
            Some(Said::Error(error)) => Err(format!("it says: {error}")),
            Some(Said::Figures(figures)) => {
                reading.take(figures);
                // The line with the light's figures is the first of a second, and the line with the memory's figures
                // the last.
                if !line.starts_with("[MEMORY]") {
                    continue;
                }
                Ok(reading.clone())
            }
            None => continue,
        };
        if news.send(News { lamp, what }).is_err() {
            return;
        }
    }
    let _ = news.send(News { lamp, what: Err("the console has ended".into()) });
}

/// Starts the threads that send news; returns the lamps' names.
fn start(args: &MonitorArgs) -> Result<(Vec<String>, Receiver<News>), Failure> {
    let (sender, receiver) = channel();
    if let Some(port) = &args.serial {
        let console: Box<dyn BufRead + Send> = if port == "-" {
            Box::new(BufReader::new(std::io::stdin()))
        } else {
            let opened = serialport::new(port, args.baud).timeout(Duration::from_secs(3600)).open();
            let opened = opened.map_err(|e| {
                Failure::new(format!(
                    "{port} cannot be opened: {e}; is the lamp's cable in, and may you use the port?"
                ))
            })?;
            Box::new(BufReader::new(opened))
        };
        std::thread::spawn(move || read(0, console, &sender));
        return Ok((vec![harmless(port).into_owned()], receiver));
    }
    let lamps = args.reach.find_some(&args.lamps)?;
    let labels = lamps.iter().map(|l| l.label.clone()).collect();
    for (i, address) in lamps.into_iter().enumerate() {
        let news = sender.clone();
        std::thread::spawn(move || ask(i, &address, &news));
    }
    Ok((labels, receiver))
}

/// Watches lamps until the user ends it or the time is over.
pub fn monitor(args: &MonitorArgs) -> Result<(), Failure> {
    let (labels, news) = start(args)?;
    let until = args.duration.map(|s| Instant::now() + Duration::from_secs_f64(s));
    if args.json { lines(&labels, &news, until) } else { dashboard(&labels, &news, until) }
}

/// Prints a line of JSON for each piece of news.
fn lines(labels: &[String], news: &Receiver<News>, until: Option<Instant>) -> Result<(), Failure> {
    let began = Instant::now();
    let (mut good, mut last) = (0_u64, None);
    loop {
        let wait = until.map_or(Duration::from_secs(3600), |u| u.saturating_duration_since(Instant::now()));
        let piece = match news.recv_timeout(wait) {
            Ok(piece) => piece,
            Err(RecvTimeoutError::Timeout) if until.is_none() => continue,
            Err(_) => break,
        };
        let (lamp, t) = (&labels[piece.lamp], began.elapsed().as_secs_f64());
        let line = match piece.what {
            Ok(reading) => {
                good += 1;
                json!({"lamp": lamp, "t": t, "figures": reading, "over": reading.over()})
            }
            Err(trouble) => {
                let line = json!({"lamp": lamp, "t": t, "trouble": trouble});
                last = Some(trouble);
                line
            }
        };
        k1_host::console::json_line(&line)?;
    }
    match last {
        Some(trouble) if good == 0 => Err(Failure::new(trouble)),
        _ => Ok(()),
    }
}

/// Shows the dashboard until `q`, Ctrl-C or the end of the time.
fn dashboard(labels: &[String], news: &Receiver<News>, until: Option<Instant>) -> Result<(), Failure> {
    let began = Instant::now();
    let mut board = Board::new(labels);
    let mut screen = canvas::Screen::new().map_err(|e| {
        Failure::new(format!("standard output is not a terminal ({e}); use --json for lines of text"))
    })?;
    loop {
        for piece in news.try_iter() {
            board.take(piece.lamp, began.elapsed().as_secs_f64(), piece.what);
        }
        if let Err(e) = screen.show(|canvas| board.draw(canvas)) {
            return Err(Failure::from(e));
        }
        if until.is_some_and(|u| Instant::now() >= u) {
            return Ok(());
        }
        match event::poll(Duration::from_millis(200))
            .and_then(|is| if is { event::read().map(Some) } else { Ok(None) })
        {
            Ok(Some(Event::Key(key))) => match key.code {
                KeyCode::Char('q') | KeyCode::Esc => return Ok(()),
                KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => return Ok(()),
                KeyCode::Down | KeyCode::Char('j') => board.select(1),
                KeyCode::Up | KeyCode::Char('k') => board.select(-1),
                _ => {}
            },
            Ok(_) => {}
            Err(e) => return Err(Failure::from(e)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_console_gives_a_reading_a_second_and_every_error() {
        let text = "[BOOT] K1 0.1.0 on virt\r\n[FPS] 175.9 mean of 175.4, 160.0 p1, jitter 0.12 ms p99, render 800 us, 3 late\r\n\
                    [LATENCY] snapshot age 8.5 ms median, 12.0 p99; hop 410 us, 125.0/s; 7 retries, 0 torn, 2 overruns; -32 dBFS, 120.5 BPM\r\n\
                    [MEMORY] heap 5000 B free, 4000 least; render stack 6112 B untouched; audio stack 7852 B untouched\r\n\
                    [ERROR] 1 torn snapshots\r\n";
        let (sender, news) = channel();
        let console = [text.as_bytes(), b"\xff\xfe\r\n"].concat();
        read(0, console.as_slice(), &sender);
        let all: Vec<_> = news.try_iter().map(|n| n.what).collect();
        let reading = all[0].as_ref().unwrap();
        assert_eq!((reading.get("fps"), reading.get("heap_free")), (Some(175.9), Some(5_000.0)));
        assert_eq!(all[1], Err("it says: 1 torn snapshots".into()));
        assert_eq!(all[2], Err("the console has ended".into()));
        assert_eq!(all.len(), 3);
    }
}
