//! Packs the crates that could be published, in the form that crates.io accepts.

use serde_json::Value;

use crate::{cargo, said};

/// The command `cargo xtask packages`.
///
/// # Errors
/// A sentence, if a crate cannot be packed, or if all crates forbid publishing.
pub fn packages() -> Result<(), String> {
    let text = said(cargo().args(["metadata", "--no-deps", "--format-version", "1"]))?;
    let metadata: Value = serde_json::from_str(&text).map_err(|e| format!("cargo metadata: {e}"))?;
    let names = publishable(&metadata);
    if names.is_empty() {
        return Err("no crate may be published: each says `publish = false`".into());
    }
    let mut command = cargo();
    command.args(["package", "--no-verify", "--allow-dirty", "--quiet"]);
    names.iter().for_each(|name| {
        command.args(["-p", name]);
    });
    let status = command.status().map_err(|e| format!("cargo package: {e}"))?;
    if !status.success() {
        return Err(format!("`{command:?}` failed"));
    }
    println!("{} crates are packed: {}", names.len(), names.join(", "));
    Ok(())
}

/// The names of the crates that do not forbid publishing.
fn publishable(metadata: &Value) -> Vec<&str> {
    let packages = metadata["packages"].as_array().into_iter().flatten();
    packages.filter(|p| p["publish"] != serde_json::json!([])).filter_map(|p| p["name"].as_str()).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn only_crates_that_may_be_published_are_packed() {
        let metadata = serde_json::json!({"packages": [
            {"name": "a", "publish": null}, {"name": "b", "publish": []}, {"name": "c", "publish": ["crates-io"]},
        ]});
        assert_eq!(super::publishable(&metadata), ["a", "c"]);
    }
}
