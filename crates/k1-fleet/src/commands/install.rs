//! `k1 install`: everything that a blank chip needs, through a cable.

use std::time::{Duration, Instant};

use espflash::target::Chip;
use k1_device::console::{self as lines, Said};

use super::cable::{FIRST_WORD, chip, open, start};
use crate::cable::flash::CableFlash;
use crate::cable::rom_loader::RomLoader;
use crate::cable::{FLASH, first_install};
use crate::cli::InstallArgs;
use crate::signing::keys;
use crate::signing::package::Update;
use k1_host::Failure;
use k1_host::console;
use k1_host::progress::sending;

/// Installs K1 on a blank chip.
pub fn install(args: &InstallArgs) -> Result<(), Failure> {
    let update = Update::read(&args.image)?;
    let signer = own_signer(&update)?;
    let chip = chip(&update)?;
    if let (Some(file), Some(sha256)) = (&args.bootloader, &args.bootloader_sha256) {
        first_install::check(file, sha256, chip)?;
    }
    let port = &args.port;
    let wire = open(port, &args.cable, chip)?;
    console::line(format_args!(
        "{} {update}, signed with {signer}, to the {chip} on {port}",
        args.image.display()
    ))?;
    let began = Instant::now();
    let (loader, done) = put(wire, args, &update, chip);
    let (mut cable, press) = start(loader);
    done.map_err(|why| Failure::new(format!("{port}: {why}.{press}")))?;
    console::line(format_args!("{port}: installed in {:.1} s.{press}", began.elapsed().as_secs_f64()))?;
    if args.bootloader.is_none() {
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

/// Name of the user's key that has signed an update. A blank chip trusts no key, so its owner must have signed.
fn own_signer(update: &Update) -> Result<String, Failure> {
    let folder = keys::folder()?;
    for name in keys::names(&folder)? {
        let key = keys::read(&folder, &name)?;
        if key.id().0 == update.envelope.signer() {
            return match update.envelope.is_signed_by(&key.public()) {
                true => Ok(name),
                false => Err(Failure::new(k1_update::refusal::Refusal::BadSignature.to_string())),
            };
        }
    }
    Err(Failure::new(
        "no key of yours has signed this update (`k1 keys list`): sign the image yourself with `k1 sign`"
            .into(),
    ))
}

/// Writes everything to the chip; also returns the loader.
fn put(
    mut wire: RomLoader,
    args: &InstallArgs,
    update: &Update,
    chip: Chip,
) -> (RomLoader, Result<(), String>) {
    let prepared = (|| {
        match wire.flash_size()? {
            Some(size) if size < FLASH => {
                return Err(format!("its flash has {} MB, but a K1 needs 4", size >> 20));
            }
            _ => {}
        }
        first_install::bootloader(chip, wire.revision()?, args.bootloader.as_deref())
    })();
    let bootloader = match prepared {
        Ok(bootloader) => bootloader,
        Err(why) => return (wire, Err(format!("{why}; nothing was written"))),
    };
    let mut flash = CableFlash::new(wire);
    let may = if args.erase_settings {
        Ok(())
    } else {
        first_install::respects(&mut flash, &chip.to_string(), update)
    };
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
