//! Each rule with the diagnostic that it gives: code, message, the text that
//! is pointed at, what to do. A case is a small change to a spec that is right.

use super::*;
use crate::diag::{Diagnostic, Severity};
use crate::syntax::parse;
use std::fmt::Write;

mod copies;

const GOOD: &str = r#"mlspec 1

param hidden: int = 32 in [16, 32, 64]

data shapes {
  source = synthetic(images, height=4, width=4, channels=1, classes=10, rows=100)
  image = image / 2
  split { train = 80%  valid = 20%  seed = 1 }
  batch = 16
}

model Net {
  input image: f32[B, 4, 4, 1]
  output logits: f32[B, 10] =
    image |> Flatten |> Dense(hidden, activation=relu) as fc1 |> Dropout(0.2) |> Dense(10) as fc2
}

train {
  feed { image = shapes.image  label = shapes.label }
  loss = CrossEntropy(Net.logits, label)
  optimizer = Adam(lr=1e-3)
  metrics = [accuracy]
  epochs = 5
  seed = 1
}

variant tiny { hidden = 16  train.epochs = 1 }
"#;

/// A table of two numbers and a class, as a probe would see it.
const TABLE: &str = r#"mlspec 1

data people {
  source = csv("people.csv")
  age, hours : standardize
  income : class(low, high)
  split { train = 80%  valid = 20%  stratify = income }
}

model Income {
  input row: f32[B, people.features]
  output logit: f32[B] = row |> Dense(4, activation=tanh, l2=1e-4) as fc1 |> Dense(1) as fc2 |> Squeeze
}

train {
  feed { row = people.row  income = people.income }
  loss = BinaryCrossEntropy(Income.logit, income)
  optimizer = SGD(lr=0.1, momentum=0.9)
  metrics = [accuracy]
  steps = 10
}
"#;

struct People;

impl DataProbe for People {
    fn probe(&self, source: &job::SourcePlan) -> Result<Option<SourceSchema>, ProbeError> {
        let job::SourceKind::Csv { path, .. } = &source.kind else { return Ok(None) };
        if path == "broken.csv" {
            let message = "broken.csv, line 3: 2 cells, but the header has 3".to_string();
            return Err(ProbeError { message, help: Some("add the missing cell".into()) });
        }
        let cell = |(name, words): (&str, &[&str])| SchemaColumn {
            name: name.into(),
            dtype: None,
            shape: vec![],
            classes: None,
            sample: Some(Sample {
                rows: 40,
                missing: 1,
                whole: if words.is_empty() { 39 } else { 0 },
                fractions: 0,
                distinct: 20,
                words: words.iter().map(|w| w.to_string()).collect(),
            }),
        };
        let columns: [(&str, &[&str]); 4] =
            [("age", &[]), ("hours", &[]), ("income", &["high", "low"]), ("town", &["Bath", "Hull"])];
        Ok((path == "people.csv").then(|| SourceSchema {
            columns: columns.map(cell).into(),
            rows: Some(50),
            hint: None,
        }))
    }
}

fn run(text: &str, sets: &[&str], variant: Option<&str>) -> (Option<Job>, Vec<Diagnostic>, Sources) {
    let mut sources = Sources::new();
    let file = sources.add("test.mlspec", None, text);
    let settings = settings(&mut sources, sets, variant);
    let (ast, mut diags) = parse(&sources, file);
    let (job, found) = check(&mut sources, file, &ast, &settings, &People);
    // Whoever runs a job refuses one that did not parse whole.
    let job = job.filter(|_| !diags.has_errors());
    diags.extend(found.sorted());
    (job, diags.sorted(), sources)
}

fn settings(sources: &mut Sources, sets: &[&str], variant: Option<&str>) -> Settings {
    let mut settings = Settings::default();
    for set in sets {
        let (path, value) = set.split_once('=').expect("test: path=value");
        let at = sources.add("--set", None, *set);
        settings.overrides.push((path.into(), value.into(), Span::new(at, 0, set.len())));
    }
    if let Some(name) = variant {
        let at = sources.add("--variant", None, name);
        settings.variant = Some((name.into(), Span::new(at, 0, name.len())));
    }
    settings
}

fn render(diags: &[Diagnostic], sources: &Sources) -> String {
    let mut text = String::new();
    for d in diags {
        let severity = if d.severity == Severity::Error { "" } else { "warning " };
        let _ = writeln!(text, "{severity}{}: {}", d.code, d.message);
        for l in &d.labels {
            let shown = sources.slice(l.span).lines().next().unwrap_or_default();
            let (line, _) = sources.line_col(l.span);
            let _ = writeln!(text, "  {}:{line} `{shown}` {}", sources.get(l.span.file).name, l.text);
        }
        if let Some(h) = &d.help {
            let _ = writeln!(text, "  help: {h}");
        }
        if let Some(f) = &d.fix {
            let _ = writeln!(text, "  fix: `{}` -> `{}`", sources.slice(f.span), f.replacement);
        }
    }
    text
}

/// What is said of `base` after each change, one paragraph a change.
fn changed(base: &str, changes: &[(&str, &str)]) -> String {
    let mut text = String::new();
    for (from, to) in changes {
        assert!(base.contains(from), "test: the spec has `{from}`");
        let (job, diags, sources) = run(&base.replacen(from, to, 1), &[], None);
        assert_eq!(job.is_none(), diags.iter().any(|d| d.severity == Severity::Error), "{from} -> {to}");
        let _ = writeln!(text, "--- {from} -> {to}\n{}", render(&diags, &sources));
    }
    text
}

#[test]
fn good_specs_are_clean() {
    for text in [GOOD, TABLE] {
        let (job, diags, sources) = run(text, &[], None);
        assert_eq!(render(&diags, &sources), "");
        assert!(job.is_some());
    }
}

#[test]
fn names() {
    insta::assert_snapshot!(changed(
        GOOD,
        &[
            ("Dense(10)", "Dens(10)"),
            ("Dense(10)", "Linear(10)"),
            ("Dense(10)", "Zonk(10)"),
            ("Dense(10) as fc2", "Dense(10)"),
            ("as fc2", "as fc1"),
            ("|> Flatten", "|> Flattn"),
            ("Dropout(0.2)", "relu as act"),
            ("Dense(hidden,", "Dense(hiden,"),
            ("hidden, activation", "32, activation"),
            ("model Net", "modle Net"),
            ("model Net", "modul Net"),
            ("model Net", "model shapes"),
            ("input image: f32[B, 4, 4, 1]", "input image: f32[B, 4, 4, 1]\n  let unused = image * 2"),
            ("input image: f32[B, 4, 4, 1]", "input image: f32[B, 4, 4, 1]\n  let hidden = image * 2"),
            ("input image: f32[B, 4, 4, 1]", "input image: f32[B, 4, 4, 1]\n  input extra: f32[B]"),
            (
                "input image: f32[B, 4, 4, 1]",
                "input image: f32[B, 4, 4, 1]\n  let y = imag + 1\n  let z = y + 1\n  let _a = z"
            ),
            ("Net.logits", "Net.logit"),
            ("Net.logits", "Nett.logits"),
            ("label = shapes.label", "labl = shapes.label"),
            ("image = shapes.image ", "imag = shapes.image "),
        ]
    ));
}

#[test]
fn arguments() {
    insta::assert_snapshot!(changed(
        GOOD,
        &[
            ("activation=relu", "activation=rellu"),
            ("activation=relu", "activaton=relu"),
            ("Dense(10)", "Dense(in_features=32, units=10)"),
            ("Dense(10)", "Dense(10, use_bias=false)"),
            ("Dense(10)", "Dense(10.5)"),
            ("Dense(10)", "Dense(0)"),
            ("Dense(10)", "Dense(true)"),
            ("Dense(10)", "Dense"),
            ("Dense(10)", "Dense(10, units=10)"),
            ("Dropout(0.2)", "Dropout(1.0)"),
            ("Dropout(0.2)", "Dropout(0.2, 0.3, 0.4)"),
            ("Adam(lr=1e-3)", "Adam(lr=-1)"),
            ("Adam(lr=1e-3)", "Adam(learning_rate=1e-3)"),
            ("Adam(lr=1e-3)", "Adan(lr=1e-3)"),
            ("Adam(lr=1e-3)", "Muon(lr=1e-3)"),
            ("Adam(lr=1e-3)", "adam"),
            ("Adam(lr=1e-3)", "3"),
            ("[accuracy]", "[acuracy]"),
            ("[accuracy]", "[acc]"),
            ("[accuracy]", "[iou]"),
            ("[accuracy]", "accuracy"),
            ("[accuracy]", "[accuracy, accuracy]"),
            ("[accuracy]", "[accuracy(label)]"),
            ("CrossEntropy(Net.logits, label)", "CrossEntropy(Net.logits)"),
            ("CrossEntropy(Net.logits, label)", "CrossEntropi(Net.logits, label)"),
            ("CrossEntropy(Net.logits, label)", "CrossEntropyLoss(Net.logits, label)"),
            ("CrossEntropy(Net.logits, label)", "Net.logits"),
            ("CrossEntropy(Net.logits, label)", "1"),
        ]
    ));
}

#[test]
fn shapes() {
    insta::assert_snapshot!(changed(
        GOOD,
        &[
            ("Dense(10)", "Dense(12)"),
            ("image |> Flatten |>", "image |>"),
            ("|> Flatten", "|> Reshape(5, 5)"),
            ("|> Flatten", "|> Squeeze |> Flatten"),
            ("Dense(10) as fc2", "Dense(10) as fc2 |> Squeeze"),
            ("f32[B, 4, 4, 1]", "f32[B, 4, 5, 1]"),
            ("f32[B, 4, 4, 1]", "f32[B, 16]"),
            ("f32[B, 4, 4, 1]", "i32[B, 4, 4, 1]"),
            ("f32[B, 10] =", "f32[B, 10, 1] ="),
            ("f32[B, 10] =", "f23[B, 10] ="),
            ("f32[B, 4, 4, 1]", "f32[B, 4, 4, hiden]"),
            ("classes=10", "classes=12"),
            ("image |> Flatten", "(image + Flatten(image)) |> Flatten"),
            ("image |> Flatten", "(image, image) |> Flatten"),
            ("image |> Flatten", "image |> hidden"),
            ("image |> Flatten", "Flatten |> Flatten"),
            ("Dense(10) as fc2", "Dense(hidden / 5) as fc2"),
            ("CrossEntropy(Net.logits, label)", "CrossEntropy(label, Net.logits)"),
        ]
    ));
}

#[test]
fn losses_take_logits() {
    // One trailing activation is folded in, however it is written.
    for fine in
        ["Dense(10) as fc2 |> Softmax", "Dense(10, activation=softmax) as fc2", "Dense(10) as fc2 |> softmax"]
    {
        let plain = run(GOOD, &[], None).0.expect("test: the spec is right");
        let (job, diags, sources) = run(&GOOD.replace("Dense(10) as fc2", fine), &[], None);
        assert_eq!(render(&diags, &sources), "", "{fine}");
        let loss = |job: &Job| {
            let graph = &job.trains[0].steps[0].forward;
            let mut live = graph.clone();
            crate::opt::run(&mut live);
            crate::graph::print(&live)
        };
        assert_eq!(loss(&job.expect("test: the spec is right")), loss(&plain), "{fine}");
    }
    insta::assert_snapshot!(changed(
        GOOD,
        &[
            ("Dense(10) as fc2", "Dense(10) as fc2 |> Softmax |> Softmax"),
            ("Dense(10) as fc2", "Dense(10, activation=softmax) as fc2 |> Softmax"),
            ("Dense(10) as fc2", "Dense(10) as fc2 |> Softmax |> Dropout(0.1)"),
            ("Dense(10) as fc2", "Dense(10, activation=sigmoid) as fc2"),
            ("Dense(10) as fc2", "Dense(10) as fc2 |> softmax |> sigmoid"),
            ("f32[B, 10] =", "logits[B, 10] ="),
            ("f32[B, 10] =", "prob[B, 10] ="),
            ("Dense(10) as fc2", "Dense(1, activation=sigmoid) as fc2"),
            ("CrossEntropy(Net.logits, label)", "BinaryCrossEntropy(Net.logits, label)"),
        ]
    ));
}

#[test]
fn params_and_overrides() {
    let mut text = changed(
        GOOD,
        &[
            ("int = 32 in", "int = 33 in"),
            ("int = 32 in", "int = 1.5 in"),
            ("int = 32 in [16, 32, 64]", "int = 32 in 64..128"),
            ("int = 32 in [16, 32, 64]", "int = 32 in 64"),
            ("int = 32 in", "integer = 32 in"),
            ("int = 32 in", "int = widht in"),
            ("param hidden", "param other: bool = true\nparam hidden"),
            ("param hidden", "param hidden: int = 16\nparam hidden"),
            ("param hidden", "dim T <= 0\nparam hidden"),
            ("hidden = 16  train", "hiden = 16  train"),
            ("hidden = 16  train", "hidden = 17  train"),
            ("train.epochs = 1", "train.epoch = 1"),
            ("train.epochs = 1", "tran.epochs = 1"),
            ("train.epochs = 1", "train.optimizer.lr = 0.1"),
            ("variant tiny {", "variant tiny { }\nvariant tiny {"),
            ("variant tiny {", "variant tiny { let x = 1 "),
            ("variant tiny", "variant"),
        ],
    );
    for sets in [
        &["hidden=64", "train.epochs=1", "train.optimizer.lr=0.1", "shapes.batch=8", "shapes.split.seed=2"][..],
        &["hidden=65"],
        &["hiden=64"],
        &["train.optimizer.lr=-1"],
        &["train.optimizer.rate=1"],
        &["train.epoch=1"],
        &["train.seed=1.5"],
        &["hidden="],
        &["Net.logits=1"],
    ] {
        let (job, diags, sources) = run(GOOD, sets, None);
        let _ = writeln!(text, "--- set {sets:?}: job {}\n{}", job.is_some(), render(&diags, &sources));
    }
    let (_, diags, sources) = run(GOOD, &[], Some("tinny"));
    let _ = writeln!(text, "--- variant tinny\n{}", render(&diags, &sources));
    insta::assert_snapshot!(text);
}

#[test]
fn steps_of_an_override_take_the_place_of_epochs() {
    let length = |sets: &[&str]| {
        let (job, diags, sources) = run(GOOD, sets, None);
        assert_eq!(render(&diags, &sources), "");
        job.expect("test: the spec is right").trains[0].length
    };
    assert_eq!(length(&["train.steps=7"]), job::Length::Steps(7));
    assert_eq!(length(&["train.steps=7", "train.epochs=3"]), job::Length::Epochs(3));
}

#[test]
fn overrides_reach_the_plan() {
    let sets = ["train.optimizer.lr=0.5", "shapes.batch=8", "train.seed=7"];
    let job = run(GOOD, &sets, Some("tiny")).0.expect("test: the spec is right");
    assert_eq!(job.params, [("hidden".to_string(), job::ParamValue::Int(16))]);
    assert_eq!(job.data[0].batch, 8);
    let train = &job.trains[0];
    assert_eq!((train.length, train.seed), (job::Length::Epochs(1), 7));
    assert_eq!(train.steps[0].optimizer.settings[0], ("lr".to_string(), 0.5));
}

#[test]
fn sections_and_keys() {
    insta::assert_snapshot!(changed(
        GOOD,
        &[
            ("batch = 16", "bathc = 16"),
            ("batch = 16", "batch_size = 16"),
            ("batch = 16", "batch = 0"),
            ("batch = 16", "batch = 16\n  batch = 32"),
            ("batch = 16", "batch = big"),
            ("batch = 16", "shuffle = 1"),
            ("train = 80%  valid", "train = 90%  valid"),
            ("train = 80%  valid", "train = 0.8  valid"),
            ("train = 80%  valid = 20%", "train = 90  valid = 20"),
            ("seed = 1 }", "sead = 1 }"),
            ("seed = 1 }", "stratify = image }"),
            ("seed = 1 }", "ordered = true  stratify = label }"),
            ("seed = 1 }", "kfold = 5 }"),
            ("train = 80%  valid", "kfold = 1  valid"),
            ("train = 80%  valid = 20%", "kfold = 101"),
            ("seed = 1 }", "ordered = true  group = label }"),
            ("seed = 1 }", "ordered = false  time = label }"),
            ("seed = 1 }", "time = image }"),
            ("seed = 1 }", "group = colour }"),
            ("seed = 1 }", "fold = 1 }"),
            ("train = 80%  valid = 20%", "kfold = 3  fold = 4"),
            ("split {", "slpit {"),
            ("epochs = 5", "epoch = 5"),
            ("epochs = 5", "epochs = 5\n  steps = 10"),
            ("epochs = 5", "epochs = five"),
            ("epochs = 5", "memory = 2e9\n  epochs = 5"),
            ("epochs = 5", "memory = 1610612736\n  epochs = 5"),
            ("epochs = 5", "memory = 10\n  epochs = 5"),
            ("epochs = 5", "memory = 0GB\n  epochs = 5"),
            ("epochs = 5", "memory = all\n  epochs = 5"),
            ("epochs = 5", "memory = 2gb\n  epochs = 5"),
            ("epochs = 5", "precision = bf16  memory = 1.5GiB  epochs = 2MB"),
            ("epochs = 5", "precision = bf8\n  epochs = 5"),
            ("epochs = 5", "precision = mixed_bfloat16\n  epochs = 5"),
            ("epochs = 5", "precision = \"bf16\"\n  epochs = 5"),
            ("optimizer = Adam(lr=1e-3)", "learning_rate = 1e-3"),
            ("loss = CrossEntropy(Net.logits, label)", ""),
            ("feed { image = shapes.image  label = shapes.label }", ""),
            ("metrics =", "metric ="),
            ("train {", "trian {"),
            ("train {", "train { input x: f32[B]"),
            ("variant tiny", "search { trials = 20 }\nvariant tiny"),
            ("variant tiny", "train { epochs = 1 }\nvariant tiny"),
            ("mlspec 1", "mlspec 1 defaults torhc"),
            ("data shapes", "data"),
        ]
    ));
}

#[test]
fn data() {
    let mut text = changed(
        GOOD,
        &[
            ("synthetic(images,", "synthetic(imags,"),
            ("synthetic(images,", "synthetic("),
            ("synthetic(images, height=4", "synthetic(images, heigth=4"),
            ("synthetic(images, height=4", "synthetic(images, height=0"),
            ("classes=10, rows=100)", "classes=1, rows=100)"),
            ("synthetic(images, height=4, width=4, channels=1, classes=10, rows=100)", "images(\"photos\")"),
            ("synthetic(images, height=4, width=4, channels=1, classes=10, rows=100)", "cvs(\"a.csv\")"),
            ("synthetic(images, height=4, width=4, channels=1, classes=10, rows=100)", "3"),
            ("image = image / 2", "image = imag / 2"),
            ("image = image / 2", "image = image / 2\n  half = image / 2"),
            ("image = image / 2", "image : standardize"),
            ("image = shapes.image ", "image = shapes.imge "),
            ("image = shapes.image ", "image = shape.image "),
            ("image = shapes.image ", "image = 3 "),
        ],
    );
    text += &changed(
        TABLE,
        &[
            ("people.csv", "absent.csv"),
            ("people.csv", "broken.csv"),
            ("csv(\"people.csv\")", "csv(people)"),
            ("csv(\"people.csv\")", "csv(\"people.csv\", sepp=\";\")"),
            ("csv(\"people.csv\")", "csv(\"people.csv\", sep=\"ab\")"),
            ("csv(\"people.csv\")", "csv(\"people.csv\", columns=[age, age])"),
            ("csv(\"people.csv\")", "csv(\"people.csv\", columns=[age, hours, salary])"),
            ("age, hours", "age, hour"),
            ("age, hours", "age, income"),
            ("standardize", "standardise"),
            ("standardize", "one_hot"),
            ("standardize", "standardize(3)"),
            ("class(low, high)", "class(low)"),
            ("class(low, high)", "class(low, low)"),
            ("class(low, high)", "class(low, middle, high)"),
            ("class(low, high)", "float"),
            ("age, hours : standardize", ""),
            ("income : class", "town : class\n  income : class"),
            ("row = people.row", "row = people.town"),
            ("stratify = income", "stratify = age"),
            ("stratify = income", "stratify = incom"),
            ("people.features", "people.featurs"),
            ("people.features", "people.income.classes"),
            ("people.features", "4"),
            ("Income.logit, income", "Income.logit, people.income"),
        ],
    );
    insta::assert_snapshot!(text);
}

const BLOCKS: &str = r#"mlspec 1

param n: int = 2

data table {
  source = synthetic(normal, features=8, classes=4, rows=100)
}

op leaky(x: f32[..s], slope: float = 0.1) -> f32[..s] = max(x, slope * x)

block Mix(units: int, p: float = 0.1) (x: f32[B, d]) -> (y: f32[B, units]) {
  let h = x |> Dense(2 * d) as up |> leaky |> Dropout(p)
  output y = h |> Dense(units) as down
}

block Res(x: f32[B, d]) -> (y: f32[B, d]) {
  output y = x + (x |> Mix(d) as mix)
}

model Deep {
  input x: f32[B, 8]
  let head = Dense(4)
  let h = x |> repeat(n) Res as h |> repeat(i in 1..2) Dense(8 * i) as c
  output logits: f32[B, 4] = head(h) + 0.1 * (h |> head)
}

train {
  feed { x = table.x  y = table.y }
  loss = CrossEntropy(Deep.logits, y) + 0.5 * MeanSquaredError(mean(Deep.logits, axis=-1), 0)
  optimizer = SGD(lr=0.1)
  metrics = [accuracy, mae(mean(Deep.logits, axis=-1), 0)]
  steps = 10
}
"#;

#[test]
fn blocks() {
    let (job, diags, sources) = run(BLOCKS, &[], None);
    assert_eq!(render(&diags, &sources), "");
    let job = job.expect("test: the spec is right");
    let weights: Vec<&str> = job.trains[0].steps[0].forward.leaves.iter().map(|(_, l)| &*l.name).collect();
    assert_eq!(
        weights,
        [
            "x",
            "y",
            "h.0.mix.up.weight",
            "h.0.mix.up.bias",
            "h.0.mix.down.weight",
            "h.0.mix.down.bias",
            "h.1.mix.up.weight",
            "h.1.mix.up.bias",
            "h.1.mix.down.weight",
            "h.1.mix.down.bias",
            "c.1.weight",
            "c.1.bias",
            "c.2.weight",
            "c.2.bias",
            "head.weight",
            "head.bias",
        ]
    );
    insta::assert_snapshot!(
        "blocks",
        changed(
            BLOCKS,
            &[
                ("(units: int", "(unist: int"),
                ("units: int,", "units: integer,"),
                ("Mix(d) as mix", "Mix(d)"),
                ("Mix(d) as mix", "Mix as mix"),
                ("Mix(d) as mix", "Mix(2 * d) as mix"),
                ("Mix(d) as mix", "Mix(d, q=0.1) as mix"),
                ("Mix(d) as mix", "Mix(true) as mix"),
                ("Mix(d) as mix", "Res as mix"),
                ("repeat(n) Res as h", "repeat(n) Res"),
                ("repeat(n) Res as h", "repeat(0.5) Res as h"),
                ("repeat(n) Res as h", "repeat(100000) Res as h"),
                ("repeat(i in 1..2)", "repeat(i in 2)"),
                ("repeat(i in 1..2) Dense(8 * i) as c", "Dense(8 * i) as c"),
                ("output y = h |>", "output z = h |>"),
                ("Dropout(p)", "Dropout(0.1)"),
                ("Dropout(p)", "Dropot(p)"),
                ("(x: f32[B, d]) -> (y: f32[B, units])", "(x: f32[B, d, d]) -> (y: f32[B, units])"),
                ("let head = Dense(4)", "let head = Dense(4)\n  let other = Dense(5)"),
                ("head(h) + 0.1 * (h |> head)", "head(h) + head.weight"),
                ("head(h) + 0.1 * (h |> head)", "head(h) + head(x)"),
                ("head(h) + 0.1", "head.weight + 0.1"),
                ("head(h) + 0.1", "head + 0.1"),
                ("slope * x)", "slop * x)"),
                ("slope: float = 0.1", "slope: float"),
                ("op leaky", "op relu(x: f32[..s]) -> f32[..s] = x\n\nop leaky"),
                ("|> leaky", "|> leaky(0.1, 0.2)"),
                ("|> leaky", "|> leeky"),
            ]
        )
    );
}

fn spec(path: &str) -> String {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(path).expect("test: the spec is there")
}

#[test]
fn normative_specs_lack_only_what_is_not_built() {
    let mut text = String::new();
    for name in ["digits", "people", "reviews", "gpt", "gan", "gelu"] {
        let (job, diags, sources) = run(&spec(&format!("grammar/corpus/{name}.mlspec")), &[], None);
        let wrong = diags.iter().filter(|d| d.severity == Severity::Error);
        assert!(wrong.clone().all(|d| d.code.starts_with("later::")), "{name}: {}", render(&diags, &sources));
        let wrong = wrong.count();
        // Of data that are not there, a training may lack the shapes.
        let trusted = diags.iter().any(|d| d.code == "data::missing_file");
        assert!(job.is_none() || wrong == 0, "{name}");
        assert!(job.is_some() || wrong > 0 || trusted, "{name}");
        let _ = writeln!(text, "--- {name}\n{}", render(&diags, &sources));
    }
    insta::assert_snapshot!(text);
}

/// Each word of a text replaced in turn.
fn mangled<'t>(text: &'t str, by: &'t str) -> impl Iterator<Item = String> + 't {
    let word = |c: char| c.is_alphanumeric() || c == '_';
    let starts = text.char_indices().filter(move |(i, c)| word(*c) && !text[..*i].ends_with(word));
    starts.map(move |(at, _)| {
        let rest = &text[at..];
        let end = rest.find(|c: char| !word(c)).unwrap_or(rest.len());
        format!("{}{by}{}", &text[..at], &rest[end..])
    })
}

#[test]
fn nothing_panics_and_errors_alone_take_the_job() {
    let all = std::env::var("MLC_THOROUGH").is_ok();
    let corpus =
        ["people", "reviews", "gpt", "gan"].map(|name| spec(&format!("grammar/corpus/{name}.mlspec")));
    let own = [GOOD, TABLE, BLOCKS].map(str::to_string);
    let texts = own.into_iter().chain(corpus.into_iter().filter(|_| all));
    let step = if all { 1 } else { 7 };
    for text in texts {
        for (i, by) in
            ["", "0", "zonk", "1.5", "x", "(", "-1", "[1, 2]", "\"a\"", "B"].into_iter().enumerate()
        {
            for changed in mangled(&text, by).skip(i % step).step_by(step) {
                let (job, diags, _) = run(&changed, &[], None);
                let wrong = diags.iter().any(|d| d.severity == Severity::Error);
                assert!(job.is_none() || !wrong, "{changed}");
                let helpless = diags.iter().find(|d| d.help.is_none());
                assert!(helpless.is_none(), "{helpless:?} names an action: {changed}");
            }
        }
    }
}

#[test]
fn lessons_are_clean() {
    for name in ["line", "xor", "iris", "digits", "mnist"] {
        let (job, diags, sources) = run(&spec(&format!("specs/{name}.mlspec")), &[], None);
        assert!(job.is_some(), "{name}: {}", render(&diags, &sources));
        assert!(diags.iter().all(|d| d.code == "data::missing_file"), "{name}: {}", render(&diags, &sources));
    }
}

#[test]
fn what_only_data_know_is_a_symbol() {
    let text = TABLE
        .replace("class(low, high)", "class")
        .replace("output logit: f32[B] =", "output logits: f32[B, people.income.classes] =")
        .replace("Dense(1) as fc2 |> Squeeze", "Dense(people.income.classes) as fc2")
        .replace("BinaryCrossEntropy(Income.logit,", "CrossEntropy(Income.logits,");
    let job = run(&text, &[], None).0.expect("test: the spec is right");
    let syms: Vec<String> = job.trains[0].steps[0].forward.syms().iter().map(|s| s.to_string()).collect();
    assert_eq!(syms, ["B", "people.income.classes"]);

    let mut sources = Sources::new();
    let file = sources.add("test.mlspec", None, text.as_str());
    let bindings = Bindings::from([("people.income.classes".into(), 3)]);
    let (ast, _) = parse(&sources, file);
    let settings = Settings { bindings, ..Settings::default() };
    let job = check(&mut sources, file, &ast, &settings, &People).0.expect("test: the spec is right");
    let syms: Vec<String> = job.trains[0].steps[0].forward.syms().iter().map(|s| s.to_string()).collect();
    assert_eq!(syms, ["B"]);
}

#[test]
fn penalties_are_part_of_both_losses() {
    let with = run(TABLE, &[], None).0.expect("test: the spec is right");
    let without = run(&TABLE.replace(", l2=1e-4", ""), &[], None).0.expect("test: the spec is right");
    for pick in [|j: &Job| j.trains[0].steps[0].forward.clone(), |j: &Job| j.trains[0].eval.clone()] {
        let reads = |job: &Job| {
            let mut graph = pick(job);
            crate::opt::run(&mut graph);
            crate::graph::print(&graph).matches("fc1.weight").count()
        };
        assert!(reads(&with) > reads(&without), "the weight is read by its penalty too");
    }
}

#[test]
fn mistakes_do_not_hide_each_other() {
    let many = GOOD
        .replace("int = 32", "int = 33")
        .replace("batch = 16", "bathc = 16")
        .replace("Dropout(0.2)", "Dropout(2)")
        .replace("Dense(10)", "Dens(10)")
        .replace("Adam", "Adan")
        .replace("[accuracy]", "[acuracy]")
        .replace("epochs = 5", "epochs = -5");
    let (_, diags, sources) = run(&many, &[], None);
    insta::assert_snapshot!(render(&diags, &sources));
}

#[test]
fn what_did_not_parse_is_not_missing() {
    let (_, diags, sources) = run(&GOOD.replace("param hidden: int =", "param hidden: int"), &[], None);
    insta::assert_snapshot!(render(&diags, &sources));
}

#[test]
fn every_code_is_explained() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut texts = Vec::new();
    for part in ["sema", "ops"] {
        read_all(&root.join(part), &mut texts);
    }
    for text in &texts {
        for quoted in text.split('"').filter(|q| q.contains("::") && q.len() < 40) {
            let is_code = quoted.split("::").count() == 2
                && quoted.chars().all(|c| c.is_ascii_lowercase() || c == ':' || c == '_');
            let whole = quoted.split("::").all(|part| !part.is_empty());
            assert!(
                !is_code || !whole || crate::diag::explain(quoted).is_some(),
                "`{quoted}` has a row in diag/codes"
            );
        }
    }
}

fn read_all(folder: &std::path::Path, texts: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).expect("test: the sources are there") {
        let path = entry.expect("test: the sources are there").path();
        if path.is_dir() {
            read_all(&path, texts);
        } else if path.extension().is_some_and(|e| e == "rs")
            && path.file_name().is_some_and(|n| n != "tests.rs")
        {
            texts.push(std::fs::read_to_string(path).expect("test: the sources are text"));
        }
    }
}

#[test]
fn a_bounded_size_is_what_the_data_say() {
    let with = |dims: &str| {
        let text = GOOD.replacen("data shapes", &format!("{dims}\n\ndata shapes"), 1);
        text.replacen("image: f32[B, 4, 4, 1]", "image: f32[B, W, W, 1]", 1)
    };
    let param = |job: &Job, name: &str| job.params.iter().find(|(n, _)| n == name).map(|(_, v)| v.clone());
    let (job, diags, sources) = run(&with("dim W <= 8"), &[], None);
    assert_eq!(render(&diags, &sources), "");
    assert_eq!(param(&job.unwrap(), "W"), Some(job::ParamValue::Int(4)));
    // What is made of it follows.
    let text = with("dim W <= 8\nparam area: int = W * W").replacen("Dense(hidden", "Dense(hidden * area", 1);
    let (job, diags, sources) = run(&text, &[], None);
    assert_eq!(render(&diags, &sources), "");
    assert_eq!(param(&job.unwrap(), "area"), Some(job::ParamValue::Int(16)));
    // An override wins, and the shapes then say that it is wrong; so does data beyond the bound.
    for (text, sets) in [(with("dim W <= 8"), &["W=5"][..]), (with("dim W <= 3"), &[])] {
        let (_, diags, _) = run(&text, sets, None);
        assert_eq!(diags.iter().map(|d| d.code).collect::<Vec<_>>(), ["shape::declared"], "{text}");
    }
    // Without data that fix it, it takes its bound.
    let (job, diags, sources) =
        run(&with("dim W <= 4\ndim T <= 64").replace("rows=100", "rows=T"), &[], None);
    assert_eq!(render(&diags, &sources), "");
    assert_eq!(param(&job.unwrap(), "T"), Some(job::ParamValue::Int(64)));
}

#[test]
fn a_typo_of_a_layer_that_is_promised_is_answered_with_it() {
    let said = changed(GOOD, &[("Dropout(0.2)", "LSMT(8) as r")]);
    assert!(said.contains("fix: `LSMT` -> `LSTM`"), "{said}");
}

/// Each unknown name is compared with all that are known: far too slow, if every one of thousands were.
#[test]
fn a_flood_of_unknown_names_is_answered_soon() {
    let lets: String = (0..10_000).map(|i| format!("let a{i} = b{i}x + image ")).collect();
    let text = GOOD.replacen("output logits", &format!("{lets}\n  output logits"), 1);
    let start = std::time::Instant::now();
    let (_, diags, _) = run(&text, &[], None);
    assert!(diags.len() >= 20_000, "{}", diags.len());
    assert!(start.elapsed().as_secs() < 60, "{:?}", start.elapsed());
}

#[test]
fn numbers_are_echoed_as_written_and_answered_with_what_to_write() {
    let cases = [
        ("Dropout(0.2)", "Dropout(20%)", "fix: `20%` -> `0.2`"),
        ("Dropout(0.2)", "Dropout(33.3%)", "fix: `33.3%` -> `0.333`"),
        ("Dense(10) as fc2", "Dense(10.0) as fc2", "this is 10.0"),
        ("Dense(10) as fc2", "Dense(10.0) as fc2", "fix: `10.0` -> `10`"),
        ("Dense(10) as fc2", "Dense(-3) as fc2", "choose a value that is at least 1. How wide"),
        ("valid = 20%", "valid = 0%", "leave `valid` out"),
        ("valid = 20%", "valid = 0", "leave `valid` out"),
        ("valid = 20%", "valid = 0.07", "fix: `0.07` -> `7%`"),
    ];
    for (from, to, wanted) in cases {
        let said = changed(GOOD, &[(from, to)]);
        assert!(said.contains(wanted), "{to}: {said}");
    }
}

#[test]
fn a_let_used_above_its_line_is_shown() {
    let lets = "input image: f32[B, 4, 4, 1]\n  let a = b + 1\n  let b = image * 2";
    let text = GOOD.replacen("input image: f32[B, 4, 4, 1]", lets, 1).replacen(
        "    image |> Flatten",
        "a |> Flatten",
        1,
    );
    let (_, diags, _) = run(&text, &[], None);
    let said = &diags[0];
    assert_eq!(said.message, "`b` is used before it is made");
    assert_eq!(said.labels[1].span.lo as usize, text.find("let b").unwrap() + 4);
    // Of itself, a name is simply not known.
    let (_, diags, _) = run(&text.replacen("let a = b", "let a = a", 1), &[], None);
    assert!(diags.iter().any(|d| d.message == "there is no name `a` here"), "{diags:?}");
}

#[test]
fn a_column_called_by_a_reserved_word_can_be_renamed() {
    for list in ["in, hours : standardize", "age, in : standardize", "in : standardize\n  age : float"] {
        let said = changed(TABLE, &[("age, hours : standardize", list)]);
        assert!(said.contains("`skip=1, columns=[…]`"), "{list}: {said}");
    }
}
