//! Palettes of WLED (`palette0.json`): a list of positions from 0 to 255, each with red, green and blue or with a colour
//! such as `"FF8800"`.

use serde_json::Value;

use super::{Colour, Stop};

const EXPECTED: &str = "a palette of WLED is {\"palette\": [0, 255, 136, 0, 255, 16, 32, 64]}, positions from 0 to 255 with red, \
                        green and blue, or {\"palette\": [0, \"FF8800\", 255, \"102040\"]}";

/// Reads a palette.
pub fn read(text: &str) -> Result<(Option<String>, Vec<Stop>), String> {
    let value: Value =
        serde_json::from_str(text).map_err(|e| format!("this is not JSON ({e}); {EXPECTED}"))?;
    let list = if value.is_array() { &value } else { &value["palette"] };
    let list = list.as_array().filter(|list| !list.is_empty()).ok_or(EXPECTED)?;
    let is_hex = list.get(1).is_some_and(Value::is_string);
    let stop = |part: &[Value]| -> Option<Stop> {
        let (at, colour) = part.split_first()?;
        Some((byte(at)?, if is_hex { hex(colour)? } else { rgb(colour)? }))
    };
    let stops: Option<Vec<_>> = list.chunks(if is_hex { 2 } else { 4 }).map(stop).collect();
    Ok((value["name"].as_str().map(str::to_owned), stops.ok_or(EXPECTED)?))
}

/// A number from 0 to 255 as 0 to 1.
fn byte(value: &Value) -> Option<f32> {
    value.as_u64().filter(|byte| *byte <= 255).map(|byte| byte as f32 / 255.0)
}

fn rgb(part: &[Value]) -> Option<Colour> {
    let [r, g, b] = part else { return None };
    Some([byte(r)?, byte(g)?, byte(b)?, 1.0])
}

fn hex(part: &[Value]) -> Option<Colour> {
    let [text] = part else { return None };
    let digits = text.as_str()?.trim_start_matches('#');
    let [r, g, b] = crate::palette::colour(&format!("#{digits}"))?;
    Some([f32::from(r) / 255.0, f32::from(g) / 255.0, f32::from(b) / 255.0, 1.0])
}

#[cfg(test)]
mod tests {
    use super::super::gradient;

    #[test]
    fn both_forms_are_read_and_others_get_a_sentence() {
        let expected = [(0.0, [255, 136, 0]), (1.0, [16, 32, 64])];
        for text in [
            r##"{"palette":[0,255,136,0,255,16,32,64]}"##,
            r##"{"palette":[0,"FF8800",255,"#102040"]}"##,
            r##" [0,255,136,0,255,16,32,64] "##,
        ] {
            assert_eq!(gradient(text).unwrap().stops, expected, "{text}");
        }
        let named = gradient(r##"{"name":"Sea","palette":[0,1,2,3,128,4,5,6]}"##).unwrap();
        assert_eq!((named.name.as_deref(), named.stops.len()), (Some("Sea"), 2));
        for wrong in [
            "{",
            "{}",
            "[]",
            "[0,1,2]",
            r#"{"palette":7}"#,
            r#"{"palette":[0,256,0,0]}"#,
            r#"{"palette":[0,"FF880"]}"#,
            r#"{"palette":[0,-1,0,0]}"#,
            r#"{"palette":[0,"FF8800",255]}"#,
            r#"{"palette":[0.5,1,2,3]}"#,
        ] {
            assert!(gradient(wrong).unwrap_err().contains("a palette of WLED is"), "{wrong}");
        }
        assert!(gradient("[9,1,2,3,8,1,2,3]").unwrap_err().contains("must not fall"));
    }
}
