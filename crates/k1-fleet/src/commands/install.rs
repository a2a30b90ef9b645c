//! `k1 install`: everything that a blank chip needs, through a cable.

use std::time::{Duration, Instant};

use k1_bundle::chip::Chip;
use k1_bundle::plan::suits;
use k1_device::console::{self as lines, Said};

use super::cable::{FIRST_WORD, chip, open, start};
use crate::bundle::Origin;
use crate::bundle::adopt::{Own, adopt};
use crate::cable::first_install::{self, Bootloader};
use crate::cable::flash::CableFlash;
use crate::cable::rom_loader::RomLoader;
use crate::cli::InstallArgs;
use crate::signing::package::Update;
use k1_host::Failure;
use k1_host::console;
use k1_host::progress::sending;

/// Installs K1 on a blank chip.
pub fn install(args: &InstallArgs) -> Result<(), Failure> {
    let Own { update, key, maker, rest } = adopt(&args.image, args.trust.as_deref(), &args.key)?;
    let chip = chip(&update)?;
    if let (Some(file), Some(sha256)) = (&args.bootloader, &args.bootloader_sha256) {
        first_install::check(file, sha256, chip)?;
    }
    let port = &args.port;
    let wire = open(port, &args.cable, chip)?;
    let by = maker.map_or_else(String::new, |id| format!(" by its maker {id}, and now"));
    console::line(format_args!(
        "{} {update}, signed{by} with {key}, to the {chip} on {port}",
        args.image.display()
    ))?;
    if let Some((statement, _)) = &rest {
        let Origin { commit, changed, proven, .. } = &statement.origin;
        let with = if *changed { " with changes" } else { "" };
        console::line(format_args!("its maker says: commit {commit}{with}; {proven}"))?;
    }
    let (may_roll_back, bundled) = match rest {
        Some((statement, bootloader)) => (statement.bootloader.may_roll_back, Some(bootloader)),
        None => (false, None),
    };
    let began = Instant::now();
    let (loader, done) = put(wire, args, &update, bundled, chip);
    let (mut cable, press) = start(loader);
    done.map_err(|why| Failure::new(format!("{port}: {why}.{press}")))?;
    console::line(format_args!("{port}: installed in {:.1} s.{press}", began.elapsed().as_secs_f64()))?;
    if args.bootloader.is_none() && !may_roll_back {
        k1_host::say(format_args!(
            "k1: its bootloader is espflash's, which does not support trials: this lamp cannot roll back by itself \
             (rollback: not armed). docs/hardware.md says how to build one that does"
        ));
    }
    let hash = update.hash().to_string();
    let began = Instant::now();
    let patience = Duration::from_secs_f64(args.cable.console);
    let mut until = began + patience.min(FIRST_WORD);
    let mut has_started = false;
    // This is not a trial: the first figures show that the lamp displays and hears.
    while let Some(line) = cable.line(until) {
        match lines::read(&line) {
            Some(Said::Figures(_)) if has_started => break,
            Some(Said::Figures(_)) => {}
            _ if line.starts_with('[') => console::line(format_args!("  {line}"))?,
            _ => continue,
        }
        until = began + patience.min(2 * FIRST_WORD);
        has_started |= line.starts_with(lines::BOOT_ORDER[0]) && line.contains(&hash);
    }
    if !has_started {
        console::line(format_args!(
            "{port}: there was no start on the cable. `k1 monitor --serial {port}` shows the console, `k1 devices` the \
             lamps on the network"
        ))?;
    }
    console::line(format_args!(
        "{port}: now give it your key, so that it accepts updates: `k1 keys trust LAMP`"
    ))?;
    Ok(())
}

/// Writes everything to the chip; also returns the loader.
fn put(
    mut wire: RomLoader,
    args: &InstallArgs,
    update: &Update,
    bundled: Option<Bootloader>,
    chip: &Chip,
) -> (RomLoader, Result<(), String>) {
    let prepared: Result<_, String> = (|| {
        let (size, revision) = (wire.flash_size()?, wire.revision()?);
        let bootloader = match bundled.filter(|_| args.bootloader.is_none()) {
            Some(bootloader) => bootloader,
            None => first_install::bootloader(chip, revision, args.bootloader.as_deref())?,
        };
        suits(chip, &bootloader, &update.image, size, revision)?;
        Ok(bootloader)
    })();
    let bootloader = match prepared {
        Ok(bootloader) => bootloader,
        Err(why) => return (wire, Err(format!("{why}; nothing was written"))),
    };
    let mut flash = CableFlash::new(wire);
    let may =
        if args.erase_settings { Ok(()) } else { first_install::respects(&mut flash, chip.name, update) };
    let mut wire = flash.into_loader();
    if let Err(why) = may {
        return (wire, Err(format!("{why}; nothing was written")));
    }
    let bar = sending(&args.port, first_install::bytes(&bootloader, update));
    let done = first_install::install(&mut wire, &bootloader, update, args.erase_settings, |n| {
        bar.set_position(n as u64)
    });
    bar.finish_and_clear();
    (wire, done.map_err(|why| format!("{why}. The installation is incomplete: repeat the command")))
}
