//! `k1 deploy` and `k1 rollback`: new firmware for lamps, one after the other, and the way back.

use std::net::ToSocketAddrs;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use k1_device::firmware::{Short, Standing};
use k1_update::envelope::PublicKey;
use serde_json::{Value, json};

use crate::cli::{DeployArgs, RollbackArgs, Via};
use crate::espota::{self, Proof};
use crate::lamps::{self, Address, Client};
use crate::rollout::delivery::{self, Plan, RESTART, plan, wait};
use crate::signing::keys;
use crate::signing::package::Update;
use k1_host::Failure;
use k1_host::console;
use k1_host::output::{Log, Spared};
use k1_host::progress::sending;

/// Raw records, one line of JSON each, of everything that was seen.
pub struct Report(Option<Log>);

impl Report {
    fn open(args: &DeployArgs) -> Result<Self, Failure> {
        let Some(path) = &args.report else { return Ok(Self(None)) };
        let log = Log::append(path, &Spared::default().and(&args.image, "the image"));
        Ok(Self(Some(log.map_err(|e| Failure(e.to_string()))?)))
    }

    /// A record that cannot be kept stops the deployment: its evidence is half of its purpose.
    pub(super) fn note(&mut self, lamp: &str, step: &str, raw: &Value) -> Result<(), Failure> {
        let Some(file) = &mut self.0 else { return Ok(()) };
        let at = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |d| d.as_secs_f64());
        let line = json!({"at": at, "lamp": lamp, "step": step, "raw": raw});
        file.line(&line.to_string()).map_err(|e| {
            Failure(format!(
                "the report cannot be written ({e}); nothing more is sent. Make room and start again."
            ))
        })
    }
}

/// Sends firmware to lamps, one after the other, and waits for the verdict of each.
pub fn deploy(args: &DeployArgs) -> Result<(), Failure> {
    let update = Update::read(&args.image)?;
    #[cfg(feature = "usb")]
    if args.via == Via::Usb {
        return super::cable::deploy(args, &update, &mut Report::open(args)?);
    }
    if args.lamps.is_empty() && !args.all {
        return Err(Failure("name the lamps with --to LAMP, or all that can be found with --all".into()));
    }
    let all = args.reach.find(&args.lamps)?;
    if all.is_empty() {
        return Err(Failure("no lamp was found; name one with --to ADDRESS".into()));
    }
    let mut report = Report::open(args)?;
    let bytes = update.bytes();
    let hash = update.hash();
    console::line(format_args!(
        "{} {update}, hash {hash}, to {} lamp{}",
        args.image.display(),
        all.len(),
        if all.len() == 1 { "" } else { "s" }
    ))?;
    let mut done = 0;
    for (number, address) in all.iter().enumerate() {
        let label = &address.label;
        let client = Client::new(address.clone());
        let plan = plan(&client, &update, args.unarmed).map_err(Failure).and_then(|(plan, state)| {
            report.note(label, "before", &state)?;
            Ok(plan)
        });
        match plan {
            Err(failure) if args.dry_run => {
                console::line(format_args!("{label}: would be refused: {failure}"))?
            }
            Err(failure) => return Err(stop(label, &failure.0, done, all.len())),
            Ok(Plan::Done) => {
                console::line(format_args!("{label}: runs this image already"))?;
                done += 1;
            }
            Ok(Plan::Send { unarmed }) if args.dry_run => console::line(format_args!(
                "{label}: would take it{}",
                if unarmed { ", and could not go back by itself: its rollback is not armed" } else { "" }
            ))?,
            Ok(Plan::Send { .. }) => {
                if let Err(failure) = one(&client, address, &update, &bytes, args, &mut report) {
                    return Err(stop(label, &failure.0, done, all.len()));
                }
                done += 1;
            }
        }
        // Canaries first: they are watched for a while before anybody follows.
        if !args.dry_run && args.canary > 0 && number + 1 == args.canary && all.len() > args.canary {
            watch(&all[..=number], args, &mut report)?;
        }
    }
    if !args.dry_run {
        console::line(format_args!("{done} of {} lamps run {hash}, confirmed by themselves", all.len()))?;
    }
    Ok(())
}

fn stop(label: &str, why: &str, done: usize, all: usize) -> Failure {
    Failure(format!("{label}: {why}; stopped after {done} of {all}. The same command goes on from here."))
}

/// One lamp, from the first byte to its verdict.
fn one(
    client: &Client,
    address: &Address,
    update: &Update,
    bytes: &[u8],
    args: &DeployArgs,
    report: &mut Report,
) -> Result<(), Failure> {
    let label = &address.label;
    let began = Instant::now();
    let bar = sending(label, bytes.len());
    match args.via {
        Via::Http => {
            let answer =
                client.install(bytes, |n| bar.set_position(n as u64)).map_err(|e| Failure(e.to_string()))?;
            report.note(label, "sent", &answer)?;
        }
        Via::Espota => {
            let token = address.token.as_deref().unwrap_or_default();
            let host = address.authority.rsplit_once(':').map_or(&*address.authority, |(host, _)| host);
            let port = address.ota.unwrap_or(k1_wire::espota::PORT);
            let mut found = (host.trim_matches(['[', ']']), port).to_socket_addrs()?;
            let to = found.next().ok_or_else(|| Failure(format!("{host} has no address")))?;
            espota::send(to, token, bytes, Proof::Pbkdf2, |n| bar.set_position(n as u64))?;
            report.note(label, "sent", &json!({"via": "espota"}))?;
        }
        #[cfg(feature = "usb")]
        Via::Usb => return Err(Failure("a lamp on a cable has a port, not an address".into())),
    }
    bar.finish_and_clear();
    let sent = began.elapsed();
    let (raw, judged) = delivery::verdict(client, update);
    report.note(label, "verdict", &raw)?;
    let state = judged.map_err(Failure)?;
    console::line(format_args!(
        "{label}: sent in {:.1} s, confirmed by itself after {:.1} s; runs {} from {}",
        sent.as_secs_f64(),
        began.elapsed().as_secs_f64(),
        update.hash(),
        state.slot
    ))?;
    Ok(())
}

/// Watches canaries: each must stay well for the whole time.
fn watch(canaries: &[Address], args: &DeployArgs, report: &mut Report) -> Result<(), Failure> {
    console::line(format_args!(
        "{} first: watched for {} s before the others follow",
        canaries.len(),
        args.watch
    ))?;
    let until = Instant::now() + Duration::from_secs_f64(args.watch);
    while Instant::now() < until {
        std::thread::sleep(Duration::from_secs(1).min(until.saturating_duration_since(Instant::now())));
        for address in canaries {
            let device = Client::new(address.clone()).device().map_err(|e| Failure(e.to_string()))?;
            // No microphone, or none that hears, is no fault of firmware.
            let failed = device.checks.iter().find(|c| !c.ok && c.name != "the microphone hears");
            if let Some(check) = failed {
                report.note(&address.label, "watched", &json!({"not true": check.name}))?;
                return Err(Failure(format!(
                    "{}: not true any more: {}; the others are left alone. `k1 rollback {}` goes back.",
                    address.label, check.name, address.label
                )));
            }
        }
    }
    Ok(())
}

/// Sends lamps back to the firmware before.
pub fn rollback(args: &RollbackArgs) -> Result<(), Failure> {
    if args.lamps.is_empty() && !args.all {
        return Err(Failure("name the lamps, or all that can be found with --all".into()));
    }
    let all = args.reach.find(&args.lamps)?;
    for address in &all {
        let label = &address.label;
        let client = Client::new(address.clone());
        let text = |e: lamps::Trouble| Failure(format!("{label}: {e}"));
        let (before, _) = client.firmware().map_err(text)?;
        let began = Instant::now();
        let going = client.roll_back().map_err(text)?;
        let was = before.running.as_ref().map(|i| i.hash);
        let (now, _) = wait(&client, RESTART, |s| match &going.to {
            Some(to) => s.running.as_ref().is_some_and(|i| i.hash == to.hash),
            None => s.running.as_ref().map(|i| i.hash) == was && s.state != Standing::OnTrial,
        })
        .map_err(|e| Failure(format!("{label}: {e}")))?;
        let version =
            |i: &Option<k1_device::firmware::Image>| i.as_ref().map_or("?".into(), |i| i.version.to_string());
        console::line(format_args!(
            "{label}: {} → {} in {:.1} s; runs from {}, on trial until it has proved itself",
            version(&before.running),
            version(&now.running),
            began.elapsed().as_secs_f64(),
            now.slot
        ))?;
    }
    if all.is_empty() { Err(Failure("no lamp was found; name one by its address".into())) } else { Ok(()) }
}

/// Tells a lamp which keys to trust.
pub fn trust(args: &crate::cli::TrustArgs) -> Result<(), Failure> {
    use base64::prelude::{BASE64_STANDARD, Engine};
    let folder = keys::folder()?;
    let address = lamps::find(&args.lamp, args.token.as_deref())?;
    let client = Client::new(address);
    let text = |e: lamps::Trouble| Failure(e.to_string());
    let (state, _) = client.firmware().map_err(text)?;
    let public: Result<Vec<PublicKey>, String> =
        args.keys.iter().map(|name| Ok(keys::read(&folder, name)?.public())).collect();
    // Whoever it trusts now must have signed: any of this user's keys that it trusts will do.
    let signer = match &args.signed_by {
        Some(name) => Some(keys::read(&folder, name)?),
        None => keys::names(&folder)?
            .iter()
            .filter_map(|name| keys::read(&folder, name).ok())
            .find(|key| state.keys.contains(&key.id())),
    };
    if !state.keys.is_empty() && signer.is_none() {
        return Err(Failure(
            "it trusts other keys than yours; only who has one of those can change that, or a cable".into(),
        ));
    }
    let envelope = keys::statement(&public?, signer.as_ref(), state.key_generation + 1)?;
    let now = client.set_keys(&BASE64_STANDARD.encode(envelope.0)).map_err(text)?;
    let ids: Vec<_> = now.keys.iter().map(Short::to_string).collect();
    console::line(format_args!(
        "{}: trusts {}, generation {}",
        client.address().label,
        ids.join(" and "),
        now.key_generation
    ))?;
    Ok(())
}
