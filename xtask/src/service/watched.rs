//! A service, as its manager and its light see it.

use std::time::{Duration, Instant};

use super::debian::Machine;
use super::light::Light;

/// Latest time for anything that must happen.
pub const PATIENCE: Duration = Duration::from_secs(40);
/// A pause between frames from which on a room is dark.
const DARK: Duration = Duration::from_millis(500);

/// Seconds as people read them.
pub fn seconds(time: Duration) -> f64 {
    time.as_secs_f64()
}

/// Fails with a sentence, unless something is so.
///
/// # Errors
///
/// This sentence.
pub fn must(is_so: bool, otherwise: impl FnOnce() -> String) -> Result<(), String> {
    if is_so { Ok(()) } else { Err(otherwise()) }
}

/// A service as its manager sees it.
pub struct Service<'a> {
    /// The machine on which it runs.
    pub machine: &'a Machine,
    /// Its light.
    pub light: &'a Light,
    /// User whose service it is; `None` for the system's.
    pub user: Option<&'a str>,
}

impl Service<'_> {
    fn systemctl(&self, words: &str) -> Result<String, String> {
        let scope = if self.user.is_some() { "--user " } else { "" };
        self.machine.run_as(self.user, &format!("systemctl {scope}{words}"))
    }

    /// A property of the unit.
    ///
    /// # Errors
    ///
    /// A sentence: what did not happen as it must.
    pub fn property(&self, name: &str) -> Result<String, String> {
        self.systemctl(&format!("show --value --property={name} k1.service"))
    }

    /// Waits for light, and prints how long it took since `since`.
    ///
    /// # Errors
    ///
    /// A sentence: what did not happen as it must.
    pub fn shines(&self, what: &str, since: Instant) -> Result<(), String> {
        let lit = self.light.lit(PATIENCE).map_err(|e| format!("{what}: {e}"))?;
        println!("{what}: light after {:.2} s", seconds(lit.at.saturating_duration_since(since)));
        let state = self.property("ActiveState")?;
        must(state == "active", || format!("{what}: systemd says {state}"))
    }

    /// Ends the light by force in some way, and prints how long it took until it was back.
    fn comes_back(&self, what: &str, kill: &str) -> Result<(), String> {
        let restarts =
            |service: &Self| service.property("NRestarts")?.parse::<u32>().map_err(|e| e.to_string());
        let before = restarts(self)?;
        self.machine.run(kill)?;
        let gap = self.light.gap(DARK, PATIENCE);
        let gap = gap.ok_or_else(|| format!("{what}: the light did not come back"))?;
        let after = restarts(self)?;
        must(after == before + 1, || format!("{what}: {after} restarts after {before}"))?;
        println!("{what}: restarted, dark for {:.2} s", seconds(gap));
        Ok(())
    }

    /// Number of the main process.
    ///
    /// # Errors
    ///
    /// A sentence: what did not happen as it must.
    pub fn pid(&self) -> Result<String, String> {
        let pid = self.property("MainPID")?;
        must(pid.parse::<u32>().is_ok_and(|pid| pid > 1), || format!("the main process is {pid}"))?;
        Ok(pid)
    }

    /// Kills and hangs it.
    ///
    /// # Errors
    ///
    /// A sentence: what did not happen as it must.
    pub fn suffers(&self) -> Result<(), String> {
        self.comes_back("killed (SIGKILL)", &format!("kill -KILL {}", self.pid()?))?;
        self.comes_back("hung (SIGSTOP)", &format!("kill -STOP {}", self.pid()?))
    }

    /// Reloads it. The light must go on meanwhile, in the same process.
    ///
    /// # Errors
    ///
    /// A sentence: what did not happen as it must.
    pub fn reloads(&self) -> Result<(), String> {
        let pid = self.pid()?;
        let began = Instant::now();
        self.systemctl("reload k1.service")?;
        let took = began.elapsed();
        must(self.pid()? == pid, || "it was started anew instead of reloaded".into())?;
        self.light.lit(Duration::from_secs(2))?;
        println!("reload: {:.2} s, the same process", seconds(took));
        Ok(())
    }

    /// Stops it. The last frame must be dark.
    ///
    /// # Errors
    ///
    /// A sentence: what did not happen as it must.
    pub fn stops(&self, line: &str) -> Result<(), String> {
        self.light.forget();
        let began = Instant::now();
        self.machine.run_as(self.user, line)?;
        let took = began.elapsed();
        let last = self.light.last()?;
        must(last.is_dark, || "the lights stay on after a stop".into())?;
        let dark = last.at.saturating_duration_since(began);
        println!("`{line}`: dark after {:.2} s, ended after {:.2} s", seconds(dark), seconds(took));
        Ok(())
    }
}
