//! Dependencies point from the program and the firmware to the libraries, and never back.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// The libraries, each with the crates of this project that it may use, as described in docs/architecture.md.
const MAY: &[(&str, &[&str])] = &[
    ("k1-engine", &[]),
    ("k1-handoff", &[]),
    ("k1-emulated", &["k1-engine"]),
    ("k1-wire", &[]),
    ("k1-update", &[]),
    ("k1-http", &[]),
    ("k1-page", &[]),
    ("k1-device", &["k1-engine", "k1-handoff", "k1-update", "k1-http"]),
    ("k1-show", &["k1-engine"]),
    ("k1-demo", &["k1-engine"]),
    ("k1-web", &["k1-engine", "k1-handoff", "k1-wire", "k1-update", "k1-http", "k1-device", "k1-demo"]),
    ("k1-lamp", &["k1-engine", "k1-handoff", "k1-wire", "k1-update", "k1-http", "k1-page", "k1-device"]),
    ("k1-sim", &["k1-engine", "k1-handoff", "k1-wire", "k1-update", "k1-http", "k1-device"]),
    ("k1-host", &["k1-device"]),
    ("k1-bundle", &["k1-update", "k1-device"]),
    ("k1-installer", &["k1-wire", "k1-update", "k1-device", "k1-bundle"]),
    ("k1-fleet", &["k1-engine", "k1-wire", "k1-update", "k1-http", "k1-device", "k1-bundle", "k1-host"]),
    (
        "k1",
        &[
            "k1-engine",
            "k1-handoff",
            "k1-wire",
            "k1-update",
            "k1-http",
            "k1-page",
            "k1-device",
            "k1-host",
            "k1-show",
            "k1-demo",
            "k1-fleet",
        ],
    ),
    ("k1-trainer", &["k1-engine"]),
    ("xtask", &["k1-engine", "k1-device", "k1-sim", "k1-update", "k1-fleet", "k1-emulated"]),
];

/// The dependencies with a path of each crate in a workspace. Those of tests and benches do not count.
fn dependencies(metadata: &Value) -> BTreeMap<String, BTreeSet<(String, String)>> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let packages = metadata["packages"].as_array().expect("packages");
    let of = |package: &Value| {
        let all = package["dependencies"].as_array().expect("dependencies").iter();
        let ours = all.filter(|d| d["path"].is_string() && d["kind"] != "dev");
        ours.map(|d| (text(&d["name"]), text(&d["path"]))).collect()
    };
    packages.iter().map(|package| (text(&package["name"]), of(package))).collect()
}

/// A sentence for each forbidden dependency.
fn against(found: &BTreeMap<String, BTreeSet<(String, String)>>, project: &Path) -> Vec<String> {
    let mut against = Vec::new();
    for (name, needs) in found {
        let Some((_, may)) = MAY.iter().find(|(known, _)| known == name) else {
            against.push(format!("{name} is not in the picture: say here what it may depend on"));
            continue;
        };
        for (need, path) in needs {
            // The tools compare the emulated boards' output with their own.
            let is_firmware = need != "k1-emulated" && Path::new(path).starts_with(project.join("firmware"));
            if !may.contains(&need.as_str()) || is_firmware {
                against.push(format!("{name} depends on {need} ({path})"));
            }
        }
    }
    against
}

#[test]
fn crates_depend_on_each_other_in_one_direction() {
    let project = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let asked = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(project)
        .output()
        .unwrap();
    assert!(asked.status.success(), "{}", String::from_utf8_lossy(&asked.stderr));
    let found = dependencies(&serde_json::from_slice(&asked.stdout).unwrap());
    assert!(found.contains_key("k1") && found["k1"].len() > 3, "{found:?}");
    assert_eq!(against(&found, project), Vec::<String>::new());
}

#[test]
fn the_picture_itself_has_no_circles() {
    let place = |name| MAY.iter().position(|(known, _)| *known == name);
    for (i, (name, may)) in MAY.iter().enumerate() {
        for need in *may {
            assert!(place(*need).is_some_and(|at| at < i), "{name} stands above {need}");
        }
    }
}

#[test]
fn a_dependency_that_points_back_is_told() {
    let project = Path::new("/k1");
    let on = |name: &str, needs: &[(&str, &str)]| {
        let needs = needs.iter().map(|(name, path)| ((*name).to_owned(), (*path).to_owned())).collect();
        BTreeMap::from([(name.to_owned(), needs)])
    };
    assert!(against(&on("k1-device", &[("k1-engine", "/k1/crates/k1-engine")]), project).is_empty());
    for wrong in [
        on("k1-engine", &[("k1-handoff", "/k1/crates/k1-handoff")]),
        on("k1-device", &[("k1-engine", "/k1/firmware/k1-engine")]),
        on("k1-new", &[]),
    ] {
        assert_eq!(against(&wrong, project).len(), 1, "{wrong:?}");
    }
}
