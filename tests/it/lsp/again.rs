//! What is kept between two texts changes nothing but the time that a check takes.

use mlc::runtime::data::{DiskProbe, Places};
use mlc::sema::Settings;
use mlc::tools::ide::{Analysis, Memo, analyse, analyse_again};

const SPEC: &str = "\
mlspec 1

param hidden: int = 8 in [8, 16]
param rate: float = 0.1

op relu(v: f32[..s]) -> f32[..s] = 2 * v

data shapes {
  source = synthetic(images, height=4, width=4, channels=1, classes=10, rows=100)
  split  { train = 80%  valid = 20% }
  batch  = 10
}

block Mix(n: int) (x: f32[B, n]) -> (y: f32[B, n]) {
  let h = x |> Dense(n, activation=relu) as fc |> Dropout(rate)
  output y = h + x
}

model One {
  input image: f32[B, 4, 4, 1]
  output logits: f32[B, 10] = image |> Flatten |> Dense(hidden) as fc1 |> Mix(hidden) as mix |> Dense(10) as fc2
}

model Two {
  input x: f32[B, 4]
  output y: f32[B, 4] = x |> repeat(2) Mix(4) as h
}

model Three {
  input x: f32[B, 4]
  output y: f32[B, 4] = Two(x)
}

train {
  feed      { image = shapes.image  label = shapes.label }
  loss      = CrossEntropy(One.logits, label)
  optimizer = Adam(lr=1e-3)
  epochs    = 1
}
";

fn probe() -> DiskProbe {
    DiskProbe { places: Places::default() }
}

/// Everything that the check found, as text.
fn told(a: &Analysis) -> String {
    format!(
        "{:#?}\n{:#?}\n{:#?}\n{:#?}",
        a.diagnostics,
        a.facts,
        a.ast,
        a.job.as_ref().map(|job| &job.models)
    )
}

fn same(text: &str, memo: &mut Memo) {
    let fresh = told(&analyse("x.mlspec", None, text, &Settings::default(), &probe()));
    let again = told(&analyse_again("x.mlspec", None, text, &probe(), memo));
    if fresh != again {
        let (line, (a, b)) = fresh.lines().zip(again.lines()).enumerate().find(|(_, (a, b))| a != b).unwrap();
        panic!("line {line}: anew `{a}`, again `{b}`\n{text}");
    }
}

#[test]
fn the_spec_is_right() {
    let found = analyse("x.mlspec", None, SPEC, &Settings::default(), &probe()).diagnostics;
    assert!(found.is_empty(), "{found:?}");
}

/// Each change is made, checked, and taken back.
#[test]
fn a_check_after_a_change_finds_what_a_fresh_one_finds() {
    let changes = [
        ("hidden: int = 8", "hidden: int = 16"),
        ("hidden: int = 8", "hiden: int = 8"),
        ("param rate: float = 0.1\n", ""),
        ("2 * v", "3 * v"),
        ("2 * v", "w * v"),
        ("op relu(v", "op rely(v"),
        ("rows=100", "rows=50"),
        ("h + x", "h"),
        ("Dense(n, ", "Dense(n + 1, "),
        ("Dense(n, ", "Dense("),
        ("Dropout(rate)", "Dropout(rat)"),
        ("f32[B, 4] = x |>", "f32[B, 5] = x |>"),
        ("Mix(hidden) as mix", "Mix(hidden)"),
        ("as fc2", "as fc1"),
        ("model Two {", "model Two"),
        ("Two(x)", "One(x)"),
        ("model Three {", "model Thre {"),
        ("(One.logits", "(Two.y"),
        ("mlspec 1\n", "mlspec 1 defaults torch\n"),
        ("mlspec 1\n", "mlspec 1\n// a line more\n\n"),
        ("model Three {\n  input x: f32[B, 4]\n  output y: f32[B, 4] = Two(x)\n}\n", ""),
    ];
    let mut memo = Memo::default();
    same(SPEC, &mut memo);
    for (old, new) in changes {
        assert!(SPEC.contains(old), "{old}");
        let changed = SPEC.replacen(old, new, 1);
        same(&changed, &mut memo);
        same(&changed.replace("epochs    = 1", "epochs    ="), &mut memo);
        same(&changed, &mut memo);
        same(SPEC, &mut memo);
    }
}

/// Typed into the middle, key by key.
#[test]
fn a_line_typed_finds_what_a_fresh_check_finds() {
    let typed = "  let more = image |> Flatten |> Mix(16) as more\n";
    let at = SPEC.find("  output logits").unwrap();
    let mut memo = Memo::default();
    same(SPEC, &mut memo);
    for n in 0..typed.len() {
        same(&format!("{}{}{}", &SPEC[..at], &typed[..=n], &SPEC[at..]), &mut memo);
    }
}
