//! A validator of JSON Schema (draft 7), as far as the schemas go that our output is held against.
//!
//! The crates that know all of it bring a hundred others and turn on features of `serde_json` for the
//! whole build. A keyword that is not known here is a failure, so nothing passes unseen.

use crate::support::{large_data, mlc, root, stderr};
use serde_json::Value;
use std::fs;

/// What is wrong with a value, each with the path to it.
pub fn problems(schema: &Value, value: &Value) -> Vec<String> {
    let mut check = Check { root: schema, found: Vec::new() };
    check.value(schema, value, "");
    check.found
}

struct Check<'a> {
    root: &'a Value,
    found: Vec<String>,
}

/// Keywords that say nothing about values. `format` is for people, as in the draft.
const SILENT: &[&str] = &["$schema", "$id", "title", "description", "default", "definitions", "format"];

impl<'a> Check<'a> {
    fn value(&mut self, schema: &'a Value, value: &Value, at: &str) {
        let keywords = schema.as_object().unwrap_or_else(|| panic!("a schema is an object: {schema}"));
        for (keyword, wanted) in keywords {
            if let Some(why) = self.keyword(schema, keyword, wanted, value, at) {
                self.found.push(format!("{at}: {why}"));
            }
        }
    }

    fn keyword(
        &mut self,
        schema: &'a Value,
        keyword: &str,
        wanted: &'a Value,
        value: &Value,
        at: &str,
    ) -> Option<String> {
        let broken = |holds: bool| (!holds).then(|| format!("{keyword} {wanted} does not hold for {value}"));
        match keyword {
            "type" => broken(has_type(wanted, value)),
            "enum" => broken(list(wanted).contains(value)),
            "const" => broken(wanted == value),
            "minimum" => broken(value.as_f64().is_none_or(|x| Some(x) >= wanted.as_f64())),
            "maximum" => broken(value.as_f64().is_none_or(|x| Some(x) <= wanted.as_f64())),
            "minItems" => broken(value.as_array().is_none_or(|all| all.len() as u64 >= number(wanted))),
            "uniqueItems" => broken(
                value
                    .as_array()
                    .is_none_or(|all| all.iter().enumerate().all(|(i, one)| !all[..i].contains(one))),
            ),
            // Only what we do not write has one so far.
            "pattern" => value.as_str().map(|text| panic!("patterns are not known here: {wanted}, {text}")),
            "required" => {
                let names = list(wanted).iter().map(|n| n.as_str().expect("a name is text"));
                broken(value.as_object().is_none_or(|o| names.clone().all(|name| o.contains_key(name))))
            }
            "items" => {
                for (i, item) in value.as_array().into_iter().flatten().enumerate() {
                    self.value(wanted, item, &format!("{at}/{i}"));
                }
                None
            }
            "properties" => {
                for (name, inner) in wanted.as_object().expect("properties are an object") {
                    if let Some(found) = value.get(name) {
                        self.value(inner, found, &format!("{at}/{name}"));
                    }
                }
                None
            }
            "additionalProperties" => self.others(schema, wanted, value, at),
            "$ref" => {
                self.value(self.definition(wanted), value, at);
                None
            }
            "anyOf" | "oneOf" => {
                let fits = list(wanted).iter().filter(|one| self.fits(one, value)).count();
                broken(if keyword == "anyOf" { fits > 0 } else { fits == 1 })
            }
            silent if SILENT.contains(&silent) => None,
            other => panic!("the keyword `{other}` of JSON Schema is not known here"),
        }
    }

    /// Properties that `properties` does not name.
    fn others(&mut self, schema: &Value, wanted: &'a Value, value: &Value, at: &str) -> Option<String> {
        let known = schema.get("properties");
        let others =
            value.as_object()?.iter().filter(|(name, _)| known.is_none_or(|k| k.get(name).is_none()));
        let mut first = None;
        for (name, other) in others {
            match wanted {
                Value::Bool(true) => {}
                Value::Bool(false) => first = Some(format!("there is no property `{name}`")),
                schema => self.value(schema, other, &format!("{at}/{name}")),
            }
        }
        first
    }

    fn fits(&self, schema: &'a Value, value: &Value) -> bool {
        let mut alone = Check { root: self.root, found: Vec::new() };
        alone.value(schema, value, "");
        alone.found.is_empty()
    }

    fn definition(&self, reference: &Value) -> &'a Value {
        let path =
            reference.as_str().and_then(|r| r.strip_prefix('#')).expect("a reference inside the schema");
        self.root.pointer(path).expect("a reference leads somewhere")
    }
}

fn has_type(wanted: &Value, value: &Value) -> bool {
    let is = |name: &str| match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        "number" => value.is_number(),
        "integer" => value.is_i64() || value.is_u64(),
        other => panic!("there is no type `{other}` in JSON"),
    };
    match wanted {
        Value::String(one) => is(one),
        several => list(several).iter().any(|one| is(one.as_str().expect("a type is a word"))),
    }
}

fn list(value: &Value) -> &Vec<Value> {
    value.as_array().unwrap_or_else(|| panic!("a list: {value}"))
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("a whole number: {value}"))
}

/// The schema of resolved specs is what the tables make of it now. `MLC_UPDATE_DOCS=1` writes it anew.
#[test]
fn the_schema_of_specs_is_fresh() {
    let file = root().join("docs/mlspec.schema.json");
    let text = format!("{:#}\n", mlc::tools::json::schema());
    if std::env::var("MLC_UPDATE_DOCS").is_ok_and(|v| v == "1") {
        fs::write(&file, &text).expect("docs is writable");
    }
    let written = fs::read_to_string(&file).unwrap_or_default();
    assert!(written == text, "docs/mlspec.schema.json is old: run this test with MLC_UPDATE_DOCS=1");
}

/// Where the large data are, every spec has all of its shapes and must be valid; without them, those whose data
/// come with the project.
#[test]
fn resolved_specs_are_valid() {
    let schema = mlc::tools::json::schema();
    let folder = large_data("resolved_specs_are_valid");
    let data = folder.as_ref().map_or(Vec::new(), |folder| vec!["--data", folder]);
    let mut valid = 0;
    for entry in fs::read_dir(root().join("specs")).expect("specs is there") {
        let path = entry.expect("specs is readable").path();
        if path.extension().is_none_or(|e| e != "mlspec") {
            continue;
        }
        let file = path.display().to_string();
        let output = mlc(&[&["render", "--json", &file], data.as_slice()].concat());
        if output.status.success() {
            let spec: Value = serde_json::from_slice(&output.stdout).expect("standard output is JSON");
            assert_eq!(problems(&schema, &spec), Vec::<String>::new(), "{file}");
            valid += 1;
        } else {
            assert!(folder.is_none(), "{file}: {}", stderr(&output));
        }
    }
    assert!(valid >= 8, "only {valid} specs could be rendered");
}

/// What the schema says is what the tables say.
#[test]
fn wrong_settings_are_not_valid() {
    let schema = mlc::tools::json::schema();
    let of = |layer: Value| {
        serde_json::json!({ "mlspec": 1, "defaults": "keras", "items": [{
        "section": "model", "name": "M", "entries": [{ "output": "y", "value": layer }]
    }] })
    };
    let dense = |settings: Value| of(serde_json::json!({ "layer": "Dense", "settings": settings }));
    assert_eq!(problems(&schema, &dense(serde_json::json!({ "units": 4 }))), Vec::<String>::new());
    for wrong in [
        serde_json::json!({}),
        serde_json::json!({ "units": 0 }),
        serde_json::json!({ "units": 4, "unit": 4 }),
    ] {
        assert!(!problems(&schema, &dense(wrong.clone())).is_empty(), "{wrong}");
    }
}

#[test]
fn every_keyword_can_fail() {
    use serde_json::json;
    let schema = json!({
        "type": "object",
        "properties": {
            "a": { "type": ["integer", "null"], "minimum": 1, "maximum": 3 },
            "b": { "enum": ["x", "y"] },
            "c": { "type": "array", "items": { "$ref": "#/definitions/word" }, "minItems": 1, "uniqueItems": true },
            "d": { "anyOf": [{ "required": ["e"] }, { "required": ["f"] }] },
            "g": { "oneOf": [{ "type": "number" }, { "type": "integer" }] },
            "h": { "type": "object", "additionalProperties": { "const": 1 } }
        },
        "required": ["b"],
        "additionalProperties": false,
        "definitions": { "word": { "type": "string" } }
    });
    let good = json!({ "a": 2, "b": "x", "c": ["u"], "d": { "f": 0 }, "g": 1.5, "h": { "i": 1 } });
    assert_eq!(problems(&schema, &good), Vec::<String>::new());
    let bad = [
        json!([]),
        json!({}),
        json!({ "b": "z" }),
        json!({ "b": "x", "a": 0 }),
        json!({ "b": "x", "a": 4 }),
        json!({ "b": "x", "a": "2" }),
        json!({ "b": "x", "c": [] }),
        json!({ "b": "x", "c": [1] }),
        json!({ "b": "x", "c": ["u", "u"] }),
        json!({ "b": "x", "d": {} }),
        json!({ "b": "x", "g": 1 }),
        json!({ "b": "x", "h": { "i": 2 } }),
        json!({ "b": "x", "z": 0 }),
    ];
    for value in bad {
        assert_eq!(problems(&schema, &value).len(), 1, "{value}");
    }
}
