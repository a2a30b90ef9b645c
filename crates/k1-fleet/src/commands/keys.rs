//! `k1 keys`, `k1 sign` and `k1 verify`: keys, signed updates, and the signed files of a release.

use base64::prelude::{BASE64_STANDARD, Engine};
use k1_device::firmware::Short;
use k1_update::envelope::PublicKey;
use k1_update::manifest::Manifest;
use serde_json::json;

use crate::cli::{KeysCommand, SignArgs, TrustArgs, VerifyArgs};
use crate::lamps::{Client, Trouble, find};
use crate::signing::keys::{self, Key};
use crate::signing::package::{Statement, Update, manifest};
use crate::signing::sums;
use k1_host::Failure;
use k1_host::console;
use k1_host::output::{self, Spared};

/// Makes, lists and shows this user's keys.
pub fn keys(command: &KeysCommand) -> Result<(), Failure> {
    let folder = keys::folder()?;
    match command {
        KeysCommand::New { name } => {
            let key = keys::make(&folder, name)?;
            console::line(format_args!("{}  {}", key.id(), key.name))?;
            k1_host::say(format_args!(
                "k1: made; it is in {}, for you alone. Keep a copy in a safe place: without it, lamps that trust it can \
                 be updated by cable only.",
                folder.display()
            ));
            Ok(())
        }
        KeysCommand::List { json } => {
            let all: Result<Vec<_>, _> =
                keys::names(&folder)?.iter().map(|name| keys::read(&folder, name)).collect();
            let all = all?;
            if *json {
                let rows: Vec<_> =
                    all.iter().map(|k| json!({"name": k.name, "id": k.id().to_string()})).collect();
                return Ok(console::json(&rows)?);
            }
            for key in &all {
                console::line(format_args!("{}  {}", key.id(), key.name))?;
            }
            if all.is_empty() {
                k1_host::say(format_args!("k1: there is no key yet; make one with `k1 keys new`"));
            }
            Ok(())
        }
        KeysCommand::Show { name } => Ok(console::text(&keys::read(&folder, name)?.public_pem()?)?),
        KeysCommand::Trust(args) => trust(args),
        KeysCommand::Statement { keys: names, signed_by, generation, output } => {
            let public: Result<Vec<_>, String> =
                names.iter().map(|name| Ok(keys::read(&folder, name)?.public())).collect();
            let signer = signed_by.as_ref().map(|name| keys::read(&folder, name)).transpose()?;
            let envelope = keys::statement(&public?, signer.as_ref(), *generation)?;
            output::write(output, &envelope.0, &spared(&folder)?).map_err(|e| Failure::new(e.to_string()))
        }
    }
}

/// Checks the files of a release against the signature of its maker.
pub fn verify(args: &VerifyArgs) -> Result<(), Failure> {
    let key = keys::read_public(&args.trust)?;
    let verified = sums::verify(&args.folder, &key)?;
    for name in &verified.whole {
        console::line(format_args!("{name}: whole, and signed by {}", Short(key.id())))?;
    }
    for name in &verified.missing {
        console::line(format_args!("{name}: not here"))?;
    }
    Ok(())
}

/// Signs an image, or what another maker has signed.
pub fn sign(args: &SignArgs) -> Result<(), Failure> {
    let key = keys::read(&keys::folder()?, &args.key)?;
    #[cfg(feature = "usb")]
    if args.trust.is_some() {
        let own = crate::bundle::adopt::adopt(&args.image, args.trust.as_deref(), &args.key)?;
        return write(args, &key, &own.update);
    }
    let image = std::fs::read(&args.image)
        .map_err(|e| Failure::new(format!("{} cannot be read: {e}", args.image.display())))?;
    if image.starts_with(b"K1UPDATE") {
        return Err(Failure::new(format!("{} is a signed update already", args.image.display())));
    }
    if image.starts_with(b"\x7fELF") {
        return Err(Failure::new(format!(
            "{} is a program with symbols, not an image: sign the .bin beside it",
            args.image.display()
        )));
    }
    let statement = Statement {
        board: args.board.as_deref().unwrap_or_default(),
        version: &args.image_version,
        counter: args.counter,
        patience_s: args.patience,
    };
    let manifest = manifest(&image, &statement)?;
    write(args, &key, &Update { envelope: manifest.envelope().sign(key.secret()), manifest, image })
}

/// Writes a signed update to the file that the user wants, and prints what it is.
fn write(args: &SignArgs, key: &Key, update: &Update) -> Result<(), Failure> {
    // A folder's name may have dots without being a file's name with an ending.
    let named = match args.image.is_dir() {
        true => format!("{}.k1", args.image.display()).into(),
        false => args.image.with_extension("k1"),
    };
    let output = args.output.clone().unwrap_or(named);
    let spared = spared(&keys::folder()?)?.and(&args.image, "the image");
    output::write(&output, &update.bytes(), &spared).map_err(|e| Failure::new(e.to_string()))?;
    let Manifest { board, version, counter, size, hash, .. } = &update.manifest;
    let (board, version) = (board.as_str(), version.as_str());
    let hash: String = hash.iter().map(|b| format!("{b:02x}")).collect();
    if args.json {
        return Ok(console::json(&json!({
            "file": output.display().to_string(), "board": board, "version": version, "counter": counter,
            "size": size, "sha256": hash, "key": key.id().to_string(),
        }))?);
    }
    console::line(format_args!(
        "{}: {version} for {board}, {size} bytes, SHA-256 {hash}, signed with {} ({})",
        output.display(),
        key.name,
        key.id()
    ))?;
    Ok(())
}

/// The user's keys, which no output may overwrite.
fn spared(folder: &std::path::Path) -> Result<Spared, Failure> {
    let all = keys::names(folder)?;
    let paths = all.iter().filter_map(|name| keys::path(folder, name).ok());
    Ok(paths.fold(Spared::default(), |spared, path| spared.and(&path, "one of your keys")))
}

/// Tells a lamp which keys to trust.
pub fn trust(args: &TrustArgs) -> Result<(), Failure> {
    let folder = keys::folder()?;
    let address = find(&args.lamp, args.token.as_deref())?;
    let client = Client::new(address);
    let text = |e: Trouble| Failure::new(e.to_string());
    let (state, _) = client.firmware().map_err(text)?;
    let public: Result<Vec<PublicKey>, String> =
        args.keys.iter().map(|name| Ok(keys::read(&folder, name)?.public())).collect();
    // A key that the lamp trusts now must sign. Any of this user's keys that it trusts will do.
    let signer = match &args.signed_by {
        Some(name) => Some(keys::read(&folder, name)?),
        None => keys::names(&folder)?
            .iter()
            .filter_map(|name| keys::read(&folder, name).ok())
            .find(|key| state.keys.contains(&key.id())),
    };
    if !state.keys.is_empty() && signer.is_none() {
        return Err(Failure::new(
            "it trusts other keys, but none of yours: change them with one of those keys, or by cable".into(),
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
