//! The machine-readable description matches the API exactly.

use std::collections::BTreeSet;

use k1_device::routes::{Method, ROUTES};
use serde_json::{Value, json};

use crate::k1::K1;

fn method(m: Method) -> &'static str {
    match m {
        Method::Get => "get",
        Method::Post => "post",
        Method::Put => "put",
        Method::Delete => "delete",
    }
}

fn keys(object: &Value) -> BTreeSet<&str> {
    object.as_object().into_iter().flatten().map(|(k, _)| k.as_str()).collect()
}

/// Every `$ref` in a description.
fn references<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
    match value {
        Value::Object(o) => {
            for (k, v) in o {
                match v {
                    Value::String(s) if k == "$ref" => found.push(s),
                    v => references(v, found),
                }
            }
        }
        Value::Array(a) => a.iter().for_each(|v| references(v, found)),
        _ => {}
    }
}

fn resolve<'a>(description: &'a Value, reference: &str) -> &'a Value {
    let pointer = reference.strip_prefix('#').unwrap_or_else(|| panic!("{reference} leads elsewhere"));
    description.pointer(pointer).unwrap_or_else(|| panic!("{reference} leads nowhere"))
}

/// How strictly an answer must match its schema.
#[derive(Clone, Copy, PartialEq)]
enum As {
    /// Exactly the required properties, at every level.
    Exactly,
    /// At least the required properties, and no unknown ones.
    Within,
}

/// Fails unless `value` matches `schema`.
#[track_caller]
fn agrees(description: &Value, schema: &Value, value: &Value, how: As, place: &str) {
    let mut schema = schema;
    while let Some(reference) = schema["$ref"].as_str() {
        schema = resolve(description, reference);
    }
    // A nullable value is one of two alternatives: a type or null.
    if let Some(either) = schema["anyOf"].as_array() {
        let is_null = |s: &Value| s["type"] == "null";
        let fits = either.iter().find(|s| is_null(s) == value.is_null());
        return agrees(description, fits.unwrap_or_else(|| panic!("{place}: {value}")), value, how, place);
    }
    // One of several words, each with a description.
    if let Some(words) = schema["oneOf"].as_array() {
        assert!(words.iter().any(|w| w["const"] == *value), "{place}: {value} is none of {words:?}");
        return;
    }
    let kinds: Vec<&str> = match &schema["type"] {
        Value::String(s) => vec![s],
        Value::Array(a) => a.iter().filter_map(Value::as_str).collect(),
        _ => panic!("{place}: the schema names no type: {schema}"),
    };
    let is = |kind: &&str| match *kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        _ => false,
    };
    assert!(kinds.iter().any(is), "{place}: {value} is not one of {kinds:?}");
    if let Some(number) = value.as_f64() {
        assert!(schema["minimum"].as_f64().is_none_or(|m| number >= m), "{place}: {number} is too small");
        assert!(schema["maximum"].as_f64().is_none_or(|m| number <= m), "{place}: {number} is too large");
    }
    if let (Some(object), Some(properties)) = (value.as_object(), schema["properties"].as_object()) {
        let required: BTreeSet<_> =
            schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let there = keys(value);
        match how {
            As::Exactly => {
                let everywhere = |names: &BTreeSet<&str>| -> BTreeSet<String> {
                    let kept = names.iter().filter(|name| !ONLY_A_PROGRAM.contains(name));
                    kept.map(|name| (*name).to_owned()).collect()
                };
                assert_eq!(everywhere(&there), everywhere(&required), "{place}");
            }
            As::Within => assert!(there.is_superset(&required), "{place}: {there:?} of {required:?}"),
        }
        for (name, member) in object {
            let schema = properties.get(name).unwrap_or_else(|| panic!("{place}: {name} is not described"));
            agrees(description, schema, member, how, &format!("{place}/{name}"));
        }
    }
    if let Some(list) = value.as_array() {
        for item in list {
            agrees(description, &schema["items"], item, how, &format!("{place}/-"));
        }
    }
}

/// Fields that a lamp's answers lack, because its strip is its only light.
const ONLY_A_PROGRAM: [&str; 1] = ["lights"];

#[test]
fn the_description_is_the_truth() {
    let k1 = K1::get_one();
    let d = k1.get("/api/v1/openapi.json").ok();
    assert_eq!(d["openapi"], "3.1.0");
    assert!(d["info"]["title"].is_string() && d["info"]["version"].is_string());

    // The description lists every route and no other.
    let mut described = BTreeSet::new();
    for (path, operations) in d["paths"].as_object().unwrap() {
        described.extend(keys(operations).into_iter().map(|m| (m, path.as_str())));
    }
    let there: BTreeSet<_> = ROUTES.iter().map(|r| (method(r.method), r.path)).collect();
    assert_eq!(described, there);
    let ids: BTreeSet<_> = ROUTES
        .iter()
        .map(|r| d["paths"][r.path][method(r.method)]["operationId"].as_str().unwrap())
        .collect();
    assert_eq!(ids.len(), ROUTES.len(), "names of operations are unique");

    // Every reference has a target, and every definition is used.
    let mut found = Vec::new();
    references(&d, &mut found);
    assert!(found.len() > 20);
    found.iter().for_each(|r| assert!(resolve(&d, r).is_object(), "{r}"));
    let used: BTreeSet<_> = found.iter().filter_map(|r| r.strip_prefix("#/components/schemas/")).collect();
    assert_eq!(used, keys(&d["components"]["schemas"]));

    // Answers match their descriptions.
    let answer_schema = |r: &k1_device::routes::Route| {
        d["paths"][r.path][method(r.method)]["responses"]["200"]["content"]["application/json"]["schema"]
            .clone()
    };
    let is_json = |r: &&k1_device::routes::Route| r.action.media_type() == "application/json";
    for route in ROUTES.iter().filter(is_json).filter(|r| r.method == Method::Get) {
        let answer = k1.get(route.path);
        // Routes for lamps only say so on a program, and those of the show file on a lamp, and on a program without one.
        let of_shows = [
            "/api/v1/show",
            "/api/v1/lights",
            "/api/v1/lights/find",
            "/api/v1/playlist",
            "/api/v1/timers",
            "/api/v1/inputs",
            "/api/v1/plan",
        ];
        let is_for_shows = of_shows.contains(&route.path);
        if answer.status == 501 && (k1.is_program() || is_for_shows) {
            answer.refused(501, "not_available");
            continue;
        }
        let answer = answer.ok();
        agrees(&d, &answer_schema(route), &answer, As::Exactly, route.path);
    }
    let posts = [
        ("/api/params", json!({"speed": 9, "sparkle": 1})),
        ("/api/params", json!({"speed": 0.5})),
        ("/api/select", json!({"index": 3})),
        ("/api/reset", json!({})),
        ("/api/audio-config", json!({"microphone_gain": 1})),
        ("/api/wifi/link-options", json!({"force_ht20": false})),
        ("/api/config/restore", json!({"version": "1.0", "parameters": {}})),
        ("/api/v1/self-test", json!({"reads": 1})),
        ("/api/v1/zones", json!({"zone": "", "pattern": "lava", "params": {"speed": 0.5}})),
    ];
    for (path, body) in posts {
        let route = ROUTES.iter().find(|r| r.path == path && r.method == Method::Post).unwrap();
        let operation = &d["paths"][path]["post"];
        let asked = &operation["requestBody"]["content"]["application/json"]["schema"];
        let known =
            json!({"type": "object", "required": asked["required"], "properties": asked["properties"]});
        // The requests in this test match their descriptions, except for the unknown parameter.
        if body.get("sparkle").is_none() {
            let mut lenient = d.clone();
            lenient["asked"] = known;
            agrees(&lenient, &json!({"$ref": "#/asked"}), &body, As::Within, path);
        }
        agrees(&d, &answer_schema(route), &k1.post(path, body).ok(), As::Within, path);
    }
    let schema =
        &d["paths"]["/api/select"]["post"]["responses"]["default"]["content"]["application/json"]["schema"];
    agrees(&d, schema, &k1.post_text("/api/select", "[").body, As::Exactly, "a refusal");
    agrees(
        &d,
        schema,
        &k1.post_text("/api/select", &" ".repeat(5000)).body,
        As::Within,
        "a refusal with a size",
    );
}
