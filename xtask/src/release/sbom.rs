//! What a program is made of (CycloneDX 1.5, JSON): each crate with version, licence and hash, and what it uses.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::sources::Sources;

/// The crates of a program, from what `cargo metadata` prints, the lock file, and the compiler's name of itself.
///
/// # Errors
///
/// A sentence, if one of them is not what cargo writes.
pub fn sbom(metadata: &Value, lock: &str, compiler: &str, sources: &Sources) -> Result<String, String> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let sums = sums(lock)?;
    let packages: BTreeMap<String, &Value> =
        metadata["packages"].as_array().into_iter().flatten().map(|p| (text(&p["id"]), p)).collect();
    let nodes: BTreeMap<String, &Value> =
        metadata["resolve"]["nodes"].as_array().into_iter().flatten().map(|n| (text(&n["id"]), n)).collect();
    let root = packages.iter().find(|(_, p)| p["name"] == "k1").map(|(id, _)| id.clone());
    let root = root.ok_or("cargo metadata does not know the package k1")?;
    // What is linked: no tests, and no programs that only run during the build.
    let uses = |id: &str| -> Vec<String> {
        let all = nodes.get(id).and_then(|node| node["deps"].as_array()).into_iter().flatten();
        let linked =
            all.filter(|d| d["dep_kinds"].as_array().is_some_and(|k| k.iter().any(|k| k["kind"].is_null())));
        linked.map(|d| text(&d["pkg"])).filter(|id| !is_macro(packages.get(id).copied())).collect()
    };
    let (mut found, mut next) = (BTreeSet::from([root.clone()]), vec![root.clone()]);
    while let Some(id) = next.pop() {
        next.extend(uses(&id).into_iter().filter(|id| found.insert(id.clone())));
    }
    let name = |id: &str| {
        let package = packages.get(id).copied().unwrap_or(&Value::Null);
        format!("pkg:cargo/{}@{}", text(&package["name"]), text(&package["version"]))
    };
    let component = |id: &String| {
        let package = packages.get(id).copied().unwrap_or(&Value::Null);
        let mut one = json!({
            "type": if *id == root { "application" } else { "library" },
            "bom-ref": name(id), "purl": name(id),
            "name": package["name"], "version": package["version"],
            // An older spelling of “or”.
            "licenses": [{ "expression": text(&package["license"]).replace('/', " OR ") }],
        });
        if let Some(sum) = sums.get(&(text(&package["name"]), text(&package["version"]))) {
            one["hashes"] = json!([{ "alg": "SHA-256", "content": sum }]);
        }
        one
    };
    let mut components: Vec<_> = found.iter().filter(|id| **id != root).map(component).collect();
    components.push(json!({
        "type": "library", "bom-ref": "rust-std", "name": "rust-std", "version": compiler,
        "licenses": [{ "expression": "MIT OR Apache-2.0" }],
    }));
    components.sort_by_key(|one| text(&one["bom-ref"]));
    let mut dependencies: Vec<_> = found
        .iter()
        .map(|id| {
            let on: BTreeSet<_> = uses(id).iter().map(|id| name(id)).collect();
            json!({ "ref": name(id), "dependsOn": on })
        })
        .collect();
    dependencies.sort_by_key(|one| text(&one["ref"]));
    let mut of = component(&root);
    of["properties"] = json!([{ "name": "commit", "value": sources.commit }]);
    let bom = json!({
        "bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1,
        "metadata": { "timestamp": format!("{}T00:00:00Z", sources.date), "component": of },
        "components": components,
        "dependencies": dependencies,
    });
    serde_json::to_string_pretty(&bom).map(|text| text + "\n").map_err(|e| e.to_string())
}

/// True for macros, which run inside the compiler.
fn is_macro(package: Option<&Value>) -> bool {
    let targets = package.and_then(|p| p["targets"].as_array()).into_iter().flatten();
    targets.flat_map(|t| t["kind"].as_array().into_iter().flatten()).any(|kind| kind == "proc-macro")
}

/// SHA-256 of each crate by name and version, from the lock file.
fn sums(lock: &str) -> Result<BTreeMap<(String, String), String>, String> {
    let lock: toml::Table = toml::from_str(lock).map_err(|e| format!("Cargo.lock: {e}"))?;
    let packages = lock.get("package").and_then(toml::Value::as_array).into_iter().flatten();
    let one = |package: &toml::Value| {
        let text = |key: &str| Some(package.get(key)?.as_str()?.to_owned());
        Some(((text("name")?, text("version")?), text("checksum")?))
    };
    Ok(packages.filter_map(one).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_linked_is_named_once_with_licence_and_hash() {
        let package = |name: &str, kind: &str| json!({ "id": name, "name": name, "version": "1.0.0", "license": "MIT/Apache-2.0", "targets": [{ "kind": [kind] }] });
        let dependency = |name: &str, kind: Value| json!({ "pkg": name, "dep_kinds": [{ "kind": kind }] });
        let node = |name: &str, deps: Vec<Value>| json!({ "id": name, "deps": deps });
        let metadata = json!({
            "packages": [package("k1", "lib"), package("used", "lib"), package("derive", "proc-macro"),
                package("tested", "lib"), package("deep", "lib")],
            "resolve": { "nodes": [
                node("k1", vec![dependency("used", Value::Null), dependency("derive", Value::Null),
                    dependency("tested", json!("dev"))]),
                node("used", vec![dependency("deep", Value::Null)]),
                node("deep", vec![]), node("derive", vec![]), node("tested", vec![]),
            ] },
        });
        let lock = "[[package]]\nname = \"deep\"\nversion = \"1.0.0\"\nchecksum = \"ab\"\n";
        let sources = Sources { commit: "abc".into(), date: "2026-11-30".into(), time: 1 };
        let text = sbom(&metadata, lock, "1.95.0", &sources).unwrap();
        let bom: Value = serde_json::from_str(&text).unwrap();
        let names: Vec<_> = bom["components"].as_array().unwrap().iter().map(|c| c["name"].clone()).collect();
        assert_eq!(names, ["deep", "used", "rust-std"]);
        assert_eq!(bom["components"][0]["hashes"][0]["content"], "ab");
        assert_eq!(bom["components"][0]["licenses"][0]["expression"], "MIT OR Apache-2.0");
        assert_eq!(
            bom["dependencies"][1],
            json!({ "ref": "pkg:cargo/k1@1.0.0", "dependsOn": ["pkg:cargo/used@1.0.0"] })
        );
        assert_eq!(bom["metadata"]["component"]["name"], "k1");
    }
}
