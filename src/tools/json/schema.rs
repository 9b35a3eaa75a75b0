//! The JSON Schema (draft 7) of what [`super::spec`] writes.

use crate::ops::{self, Attr, AttrType, Default, Sig, optimizer};
use crate::sema::keys::{self, Status};
use crate::syntax::ast::BinOp;
use serde_json::{Map, Value, json};

const SIGNS: [BinOp; 12] = [
    BinOp::Pow,
    BinOp::Mul,
    BinOp::Div,
    BinOp::MatMul,
    BinOp::Add,
    BinOp::Sub,
    BinOp::Eq,
    BinOp::Ne,
    BinOp::Lt,
    BinOp::Le,
    BinOp::Gt,
    BinOp::Ge,
];

/// The schema, with a definition for each layer and optimizer.
pub fn schema() -> Value {
    let mut definitions = Map::new();
    expressions(&mut definitions);
    let layers: Vec<&Sig> = ops::layers().iter().map(|l| l.sig()).collect();
    let optimizers: Vec<&Sig> = optimizer::OPTIMIZERS.iter().map(|o| &o.sig).collect();
    for (word, sigs) in [("layer", layers), ("optimizer", optimizers)] {
        let names: Vec<Value> = sigs.iter().map(|s| refer(&format!("{word}.{}", s.name))).collect();
        definitions.insert(word.to_string(), json!({ "anyOf": names }));
        definitions.extend(sigs.iter().map(|sig| (format!("{word}.{}", sig.name), called(word, sig))));
    }
    entries(&mut definitions);
    items(&mut definitions);
    let members = [
        ("mlspec", json!({ "const": 1 }), true),
        ("defaults", json!({ "enum": ["keras", "torch"] }), true),
        ("items", list("item"), true),
    ];
    let mut schema =
        object("A spec of mlc with every default written out, as `mlc render --json` writes it.", members);
    schema["$schema"] = json!("http://json-schema.org/draft-07/schema#");
    schema["title"] = json!("mlspec 1");
    schema["definitions"] = Value::Object(definitions);
    schema
}

fn refer(name: &str) -> Value {
    json!({ "$ref": format!("#/definitions/{name}") })
}

fn list(name: &str) -> Value {
    json!({ "type": "array", "items": refer(name) })
}

fn text() -> Value {
    json!({ "type": "string" })
}

fn expression() -> Value {
    refer("expression")
}

/// An object with these members and no others; `true` for those that must be there.
fn object<const N: usize>(description: &str, members: [(&str, Value, bool); N]) -> Value {
    let required: Vec<&str> =
        members.iter().filter(|(.., required)| *required).map(|(name, ..)| *name).collect();
    let properties: Map<String, Value> =
        members.into_iter().map(|(name, schema, _)| (name.to_string(), schema)).collect();
    json!({
        "description": description,
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}

fn expressions(all: &mut Map<String, Value>) {
    let e = expression;
    let signs: Vec<&str> = SIGNS.iter().map(|s| s.sign()).collect();
    let pieces = [
        ("name", object("A name; of several parts with points between.", [("name", text(), true)])),
        ("percent", object("80% is 80.", [("percent", json!({ "type": "number" }), true)])),
        ("bytes", object("2KiB is 2048.", [("bytes", json!({ "type": "integer" }), true)])),
        ("member", object("A member of what a call gives.", [("member", text(), true), ("of", e(), true)])),
        (
            "index",
            object("A cut of a tensor or column.", [("index", e(), true), ("at", list("place"), true)]),
        ),
        ("minus", object("A sign.", [("minus", e(), true)])),
        (
            "operation",
            object(
                "Arithmetic and comparisons.",
                [("operator", json!({ "enum": signs }), true), ("left", e(), true), ("right", e(), true)],
            ),
        ),
        ("pipe", object("What flows, then every stage.", [("pipe", list("expression"), true)])),
        ("as", object("A stage whose weights have a name.", [("as", text(), true), ("stage", e(), true)])),
        ("by", object("A metric of each group of rows.", [("by", text(), true), ("metric", e(), true)])),
        (
            "repeat",
            object(
                "Copies of a stage, one behind the other.",
                [("repeat", e(), true), ("variable", text(), false), ("stage", e(), true)],
            ),
        ),
        ("range", object("Both ends included.", [("from", e(), true), ("to", e(), true)])),
        ("tuple", object("Several values.", [("tuple", list("expression"), true)])),
        (
            "call",
            object(
                "A function, block or anything else.",
                [("call", e(), true), ("arguments", list("argument"), true)],
            ),
        ),
    ];
    let mut any: Vec<Value> = ["number", "boolean", "string"].iter().map(|t| json!({ "type": t })).collect();
    any.push(list("expression"));
    any.extend(pieces.iter().map(|(name, _)| refer(name)));
    any.extend([refer("layer"), refer("optimizer")]);
    all.insert("expression".into(), json!({ "anyOf": any }));
    all.extend(pieces.map(|(name, schema)| (name.to_string(), schema)));
    let computed = ["name", "minus", "operation", "member", "call"].map(refer);
    all.insert("computed".into(), json!({ "anyOf": computed }));
    all.insert("argument".into(), object("Of a call.", [("name", text(), false), ("value", e(), true)]));
    let part = json!({ "anyOf": [e(), { "type": "null" }] });
    let slice = object(
        "From, to, step; null where nothing is said.",
        [("slice", json!({ "type": "array", "items": part, "minItems": 3 }), true)],
    );
    let axes =
        object("All axes that nothing else is said of: `..`.", [("axes", json!({ "const": true }), true)]);
    all.insert("place".into(), json!({ "anyOf": [e(), slice, axes] }));
    let sizes = [
        e(),
        object("Any number of axes, by a name.", [("rest", text(), true)]),
        object("Any size.", [("any", json!({ "const": true }), true)]),
    ];
    let shape = json!({ "type": "array", "items": { "anyOf": sizes } });
    let members = [("type", text(), true), ("arguments", list("argument"), false), ("shape", shape, false)];
    all.insert("type".into(), object("The type of a tensor or setting.", members));
}

/// A layer or optimizer: its name, and its settings by name.
fn called(word: &'static str, sig: &Sig) -> Value {
    let settings: Map<String, Value> = sig.attrs.iter().map(|a| (a.name.to_string(), setting(a))).collect();
    let required: Vec<&str> =
        sig.attrs.iter().filter(|a| a.default == Default::Required).map(|a| a.name).collect();
    let mut properties = json!({ "type": "object", "properties": settings, "additionalProperties": sig.attrs.iter().any(|a| a.name == "weight_decay") });
    if !required.is_empty() {
        properties["required"] = json!(required);
    }
    let doc = sig.doc.lines().next().unwrap_or_default();
    object(doc, [(word, json!({ "const": sig.name }), true), ("settings", properties, true)])
}

/// The values that a setting may have, written out or computed from params.
fn setting(attr: &Attr) -> Value {
    let computed = |literal: Value| json!({ "anyOf": [literal, refer("computed")] });
    let mut schema = match attr.ty {
        AttrType::Size { min } => computed(json!({ "type": "integer", "minimum": min })),
        AttrType::Int { min, max } => computed(json!({ "type": "integer", "minimum": min, "maximum": max })),
        AttrType::Float { min, max, .. } => {
            let mut number = json!({ "type": "number" });
            if min > f64::MIN {
                number["minimum"] = json!(min);
            }
            if max < f64::MAX {
                number["maximum"] = json!(max);
            }
            computed(number)
        }
        AttrType::Bool => computed(json!({ "type": "boolean" })),
        AttrType::Sizes => json!({ "type": "array", "items": expression() }),
        AttrType::Pair { .. } | AttrType::Sides => expression(),
        AttrType::Choice(words) => json!({ "anyOf": [
            { "type": "object", "properties": { "name": { "enum": words } }, "required": ["name"] },
            { "type": "string" },
        ] }),
        AttrType::Activation
        | AttrType::Init
        | AttrType::Metric
        | AttrType::Str
        | AttrType::Choices(_)
        | AttrType::Cell
        | AttrType::Layer(_) => expression(),
    };
    schema["description"] = json!(attr.doc);
    match attr.default {
        Default::Int(n) => schema["default"] = json!(n),
        Default::Float(x) => schema["default"] = json!(x),
        Default::Bool(x) => schema["default"] = json!(x),
        // Words are objects here, and what tables hold differs between frameworks.
        Default::Word(_) | Default::Table(_) | Default::Required | Default::None => {}
    }
    schema
}

fn entries(all: &mut Map<String, Value>) {
    let e = expression;
    let names = || json!({ "type": "array", "items": text(), "minItems": 1 });
    let ty = || refer("type");
    let entries = [
        (
            "let",
            object(
                "",
                [("let", names(), true), ("type", ty(), false), ("value", e(), true), ("doc", text(), false)],
            ),
        ),
        ("input", object("", [("input", text(), true), ("type", ty(), true), ("doc", text(), false)])),
        (
            "output",
            object(
                "",
                [
                    ("output", text(), true),
                    ("type", ty(), false),
                    ("value", e(), true),
                    ("doc", text(), false),
                ],
            ),
        ),
        ("key", object("", [("key", text(), true), ("value", e(), true), ("doc", text(), false)])),
        ("columns", object("", [("columns", names(), true), ("how", e(), true), ("doc", text(), false)])),
    ];
    let any: Vec<Value> = entries.iter().map(|(name, _)| refer(name)).chain([refer("section")]).collect();
    all.insert("entry".into(), json!({ "anyOf": any }));
    let docs = [
        "A value with a name.",
        "What a model takes.",
        "What a model gives.",
        "A key, column or override.",
        "Columns with a type.",
    ];
    for ((name, mut schema), doc) in entries.into_iter().zip(docs) {
        schema["description"] = json!(doc);
        all.insert(name.to_string(), schema);
    }
    let mut words: Vec<&str> = keys::WORDS.iter().filter(|w| w.later.is_none()).map(|w| w.name).collect();
    // Sections inside of sections.
    let inner = words.clone().into_iter().flat_map(|word| keys::of(word).iter());
    words.extend(inner.filter(|k| matches!(k.status, Status::Section | Status::Named)).map(|k| k.name));
    words.sort_unstable();
    words.dedup();
    let members = [
        ("section", json!({ "enum": words }), true),
        ("name", text(), false),
        ("entries", list("entry"), true),
        ("doc", text(), false),
    ];
    all.insert("section".into(), object("A section of the file, or inside of one.", members));
}

fn items(all: &mut Map<String, Value>) {
    let e = expression;
    let field = object(
        "A setting, input or output.",
        [("name", text(), true), ("type", refer("type"), true), ("default", e(), false)],
    );
    all.insert("field".into(), field);
    let outputs = json!({ "type": "array", "items": { "anyOf": [refer("type"), refer("field")] } });
    let items = [
        (
            "param",
            object(
                "A number or word that can be set from outside.",
                [
                    ("param", text(), true),
                    ("type", refer("type"), false),
                    ("value", e(), true),
                    ("domain", e(), false),
                    ("doc", text(), false),
                ],
            ),
        ),
        (
            "dim",
            object(
                "A size with a name.",
                [
                    ("dim", text(), true),
                    ("at_most", e(), false),
                    ("exactly", e(), false),
                    ("doc", text(), false),
                ],
            ),
        ),
        (
            "op",
            object(
                "A formula.",
                [
                    ("op", text(), true),
                    ("inputs", list("field"), true),
                    ("outputs", outputs, true),
                    ("formula", e(), false),
                    ("body", list("entry"), false),
                    ("doc", text(), false),
                ],
            ),
        ),
        (
            "block",
            object(
                "Layers under one name.",
                [
                    ("block", text(), true),
                    ("settings", list("field"), true),
                    ("inputs", list("field"), true),
                    ("outputs", list("field"), true),
                    ("body", list("entry"), true),
                    ("doc", text(), false),
                ],
            ),
        ),
        ("import", object("Another spec.", [("import", text(), true)])),
    ];
    let any: Vec<Value> = items.iter().map(|(name, _)| refer(name)).chain([refer("section")]).collect();
    all.insert("item".into(), json!({ "anyOf": any }));
    all.extend(items.map(|(name, schema)| (name.to_string(), schema)));
}
