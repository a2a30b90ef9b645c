//! Progress bars on standard error; invisible without a terminal.

use k1_device::harmless::harmless;

/// A progress bar for `seconds` of sound; a spinner if the length is unknown.
pub fn progress(seconds: Option<f64>, what: &str) -> indicatif::ProgressBar {
    let bar = match seconds {
        Some(s) => indicatif::ProgressBar::new((s * 1000.0) as u64),
        None => indicatif::ProgressBar::new_spinner(),
    };
    if let Ok(style) = indicatif::ProgressStyle::with_template("{msg} {wide_bar} {percent}% {eta}") {
        bar.set_style(style);
    }
    bar.set_message(what.to_owned());
    bar
}

/// A progress bar for `bytes` sent to a lamp.
pub fn sending(label: &str, bytes: usize) -> indicatif::ProgressBar {
    let bar = indicatif::ProgressBar::new(bytes as u64);
    let template = "{prefix} {bar:30} {bytes} of {total_bytes}, {eta} left";
    if let Ok(style) = indicatif::ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.set_prefix(harmless(label).into_owned());
    bar
}
