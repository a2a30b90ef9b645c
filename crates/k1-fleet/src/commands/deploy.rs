//! `k1 deploy` and `k1 rollback`: updates lamps one after the other, and rolls them back.

use std::net::ToSocketAddrs;
use std::time::{Duration, Instant};

use k1_device::firmware::Standing;
use k1_host::progress::sending;
use k1_host::{Failure, console};
use serde_json::json;

use super::report::Report;
use crate::cli::{DeployArgs, RollbackArgs, Via};
use crate::espota::{self, Proof};
use crate::lamps::figures::Reading;
use crate::lamps::{Address, Client, Trouble};
use crate::rollout::delivery::{self, RESTART, Readiness, readiness, wait};
use crate::rollout::{Plan, Rollout, Status, health};
use crate::signing::package::{self, Update};

/// Pause between two looks at the watched lamps.
const LOOK: Duration = Duration::from_secs(1);

/// Sends firmware to lamps, one after the other, and waits for the verdict of each.
///
/// # Errors
///
/// A sentence if there is no lamp, or the first lamp that failed and what to do.
pub fn deploy(args: &DeployArgs) -> Result<(), Failure> {
    let is_by_network = matches!(args.via, Via::Http | Via::Espota);
    if is_by_network && args.lamps.is_empty() && !args.all {
        return Err(Failure::usage(
            "name the lamps with --to LAMP, or update every lamp that answers with --all".into(),
        ));
    }
    let update = package::read(&args.image)?;
    #[cfg(feature = "usb")]
    if args.via == Via::Usb {
        return super::cable::deploy(args, &update);
    }
    let all = args.reach.find(&args.lamps)?;
    if all.is_empty() {
        return Err(Failure::new("no lamp was found; name one with --to ADDRESS".into()));
    }
    let mut report = Report::open(args.report.as_deref(), &args.image)?;
    let hash = update.hash();
    console::line(format_args!(
        "{} {update}, hash {hash}, to {} lamp{}",
        args.image.display(),
        all.len(),
        if all.len() == 1 { "" } else { "s" }
    ))?;
    if args.dry_run {
        return all.iter().try_for_each(|address| rehearse(address, &update, args, &mut report));
    }
    let status = roll_out(&all, &update, args, &mut report)?;
    match status.failed.first_key_value() {
        Some((label, why)) => Err(Failure::new(stopped(label, why, &status))),
        None => Ok(console::line(format_args!(
            "{} of {} lamps run {hash}, confirmed by themselves",
            status.good, status.lamps
        ))?),
    }
}

/// The message about a rollout that a failure has stopped: the failure, the progress, and the lamps that have the
/// firmware.
fn stopped(label: &str, why: &str, status: &Status) -> String {
    let mut text = format!("{label}: {why}");
    if !text.ends_with(['.', '?']) {
        text += ".";
    }
    if status.lamps > 1 {
        text += &format!(
            " Stopped after {} of {} lamps, without updating the others. Repeat the command to continue",
            status.good, status.lamps
        );
        if !status.updated.is_empty() {
            text += &format!(
                "; `k1 rollback {}` rolls back the lamps with the new firmware",
                status.updated.join(" ")
            );
        }
        text += ".";
    }
    text
}

/// Prints whether a lamp would accept an update; sends nothing.
fn rehearse(
    address: &Address,
    update: &Update,
    args: &DeployArgs,
    report: &mut Report,
) -> Result<(), Failure> {
    let label = &address.label;
    let found = readiness(&Client::new(address.clone()), update, args.unarmed);
    let found = match found {
        Ok((readiness, before)) => {
            report.note(label, "before", &before)?;
            Ok(readiness)
        }
        Err(why) => Err(why),
    };
    Ok(match found {
        Err(why) => console::line(format_args!("{label}: would be refused: {why}")),
        Ok(Readiness::Done) => console::line(format_args!("{label}: runs this image already")),
        Ok(Readiness::Send { unarmed: false }) => console::line(format_args!("{label}: would take it")),
        Ok(Readiness::Send { unarmed: true }) => console::line(format_args!(
            "{label}: would take it, but could not roll back by itself, because its rollback is not armed"
        )),
    }?)
}

/// Updates the lamps in the order of the rollout, and looks at the watched ones; returns the final state.
fn roll_out(
    all: &[Address],
    update: &Update,
    args: &DeployArgs,
    report: &mut Report,
) -> Result<Status, Failure> {
    let labels = all.iter().map(|address| address.label.clone()).collect();
    let plan = Plan::one_by_one(all.len(), args.canary, args.watch);
    let rollout = Rollout::new(update.manifest.version.as_str(), labels, plan);
    let mut rollout = rollout.map_err(|e| Failure::new(e.to_string()))?;
    let bytes = update.bytes();
    let mut is_told = false;
    while rollout.is_going() {
        while let Some(lamp) = rollout.next(Instant::now()) {
            let done = one(&all[lamp], update, &bytes, args, report);
            rollout.verdict(lamp, done.map_err(|failure| failure.to_string()));
        }
        let Some(until) = rollout.watched_until() else { continue };
        if !std::mem::replace(&mut is_told, true) {
            let (n, watch) = (rollout.updated().count(), args.watch);
            console::line(format_args!("watching the first {n} for {watch} s before updating the others"))?;
        }
        let left = until.saturating_duration_since(Instant::now());
        // A lamp that is unwell at the end of the time is watched longer.
        std::thread::sleep(if left.is_zero() { LOOK } else { LOOK.min(left) });
        for lamp in rollout.updated().collect::<Vec<_>>() {
            let found = look(&all[lamp]);
            if let Err(why) = &found {
                report.note(&all[lamp].label, "watched", &json!({"unwell": why}))?;
            }
            rollout.look(lamp, found);
        }
    }
    Ok(rollout.status())
}

/// Whether a lamp is well; otherwise its fault.
fn look(address: &Address) -> Result<(), String> {
    let client = Client::new(address.clone());
    let answers = || -> Result<_, Trouble> { Ok((client.status()?, client.device()?)) };
    let (status, device) = answers().map_err(|trouble| trouble.without_name())?;
    health::judge(&Reading::of(&status, &device), &device)
}

/// Updates one lamp, from the first request to its verdict.
fn one(
    address: &Address,
    update: &Update,
    bytes: &[u8],
    args: &DeployArgs,
    report: &mut Report,
) -> Result<(), Failure> {
    let label = &address.label;
    let client = Client::new(address.clone());
    let (readiness, before) = readiness(&client, update, args.unarmed).map_err(Failure::new)?;
    report.note(label, "before", &before)?;
    if readiness == Readiness::Done {
        console::line(format_args!("{label}: runs this image already"))?;
        return Ok(());
    }
    let began = Instant::now();
    let bar = sending(label, bytes.len());
    match args.via {
        Via::Http => {
            let answer = client
                .install(bytes, |n| bar.set_position(n as u64))
                .map_err(|e| Failure::new(e.without_name()))?;
            report.note(label, "sent", &answer)?;
        }
        Via::Espota => {
            let token = address.token.as_deref().unwrap_or_default();
            let host = address.authority.rsplit_once(':').map_or(&*address.authority, |(host, _)| host);
            let port = address.ota.unwrap_or(k1_wire::espota::PORT);
            let mut found = (host.trim_matches(['[', ']']), port).to_socket_addrs()?;
            let to = found.next().ok_or_else(|| Failure::new(format!("{host} has no address")))?;
            espota::send(to, token, bytes, Proof::Pbkdf2, |n| bar.set_position(n as u64))?;
            report.note(label, "sent", &json!({"via": "espota"}))?;
        }
        #[cfg(feature = "usb")]
        Via::Usb => return Err(Failure::new("a lamp on a cable has a port, not an address".into())),
    }
    bar.finish_and_clear();
    let sent = began.elapsed();
    let (raw, judged) = delivery::verdict(&client, update);
    report.note(label, "verdict", &raw)?;
    let state = judged.map_err(Failure::new)?;
    console::line(format_args!(
        "{label}: sent in {:.1} s, confirmed by itself after {:.1} s; runs {} from {}",
        sent.as_secs_f64(),
        began.elapsed().as_secs_f64(),
        update.hash(),
        state.slot
    ))?;
    Ok(())
}

/// Rolls lamps back to their previous firmware.
pub fn rollback(args: &RollbackArgs) -> Result<(), Failure> {
    if args.lamps.is_empty() && !args.all {
        return Err(Failure::usage("name the lamps, or roll back every lamp that answers with --all".into()));
    }
    let all = args.reach.find(&args.lamps)?;
    for address in &all {
        let label = &address.label;
        let client = Client::new(address.clone());
        let text = |e: Trouble| Failure::new(e.to_string());
        let (before, _) = client.firmware().map_err(text)?;
        let began = Instant::now();
        let going = client.roll_back().map_err(text)?;
        let was = before.running.as_ref().map(|i| i.hash);
        let (now, _) = wait(&client, RESTART, |s| match &going.to {
            Some(to) => s.running.as_ref().is_some_and(|i| i.hash == to.hash),
            None => s.running.as_ref().map(|i| i.hash) == was && s.state != Standing::OnTrial,
        })
        .map_err(|e| Failure::new(format!("{label}: {e}")))?;
        let version =
            |i: &Option<k1_device::firmware::Image>| i.as_ref().map_or("?".into(), |i| i.version.to_string());
        console::line(format_args!(
            "{label}: {} → {} in {:.1} s; runs from {}, on trial until it confirms itself",
            version(&before.running),
            version(&now.running),
            began.elapsed().as_secs_f64(),
            now.slot
        ))?;
    }
    if all.is_empty() {
        Err(Failure::new("no lamp was found; name one by its address".into()))
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stopped_rollout_names_each_lamp_once_and_speaks_of_others_only_if_there_are_some() {
        let stop = |lamps: &[&str], why: &str| {
            let labels: Vec<String> = lamps.iter().map(|l| (*l).to_owned()).collect();
            let plan = Plan::one_by_one(lamps.len(), 0, 0.0);
            let mut rollout = Rollout::new("2.0", labels, plan).unwrap();
            for lamp in 0..lamps.len() {
                assert_eq!(rollout.next(Instant::now()), Some(lamp));
                rollout.verdict(lamp, if lamp + 1 < lamps.len() { Ok(()) } else { Err(why.into()) });
            }
            stopped(lamps[lamps.len() - 1], why, &rollout.status())
        };
        let away = Trouble::Away { label: "desk".into(), why: "refused".into() };
        assert_eq!(
            stop(&["desk"], &away.without_name()),
            "desk: it does not answer (refused); is it on, on this network, and is the address right?"
        );
        assert_eq!(
            stop(&["shelf", "desk"], "it took itself back"),
            "desk: it took itself back. Stopped after 1 of 2 lamps, without updating the others. Repeat the command to \
             continue; `k1 rollback shelf` rolls back the lamps with the new firmware."
        );
    }
}
