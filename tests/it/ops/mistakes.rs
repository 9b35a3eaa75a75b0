//! A user's mistake is a diagnostic at the user's text.

use super::bench::Bench;

/// Each expression of `x: f32[4, 6]` and `i: i32[4]`, what is wrong, and where.
const EXPRESSIONS: &[(&str, &str, &str)] = &[
    ("relux(x)", "name::unknown", "relux"),
    ("y + 1", "name::unknown", "y"),
    ("relu", "value::kind", "relu"),
    ("x(3)", "call::callee", "x"),
    ("relu()", "call::missing", "relu()"),
    ("relu(x, 2)", "call::many", "2"),
    ("leaky_relu(x, slop=0.1)", "call::unknown", "slop"),
    ("leaky_relu(x, 0.1, slope=0.2)", "call::twice", "0.2"),
    ("leaky_relu(x, slope=x)", "call::type", "x"),
    ("softmax(x, axis=1.5)", "call::type", "1.5"),
    ("softmax(x, axis=4)", "shape::axis", "axis"),
    ("x + sum(x, axis=1)", "shape::mismatch", "x + sum(x, axis=1)"),
    ("x @ x", "shape::matmul", "x @ x"),
    ("sum(x, axis=2)", "shape::axis", "2"),
    ("sum(x, axis=(0, -2))", "shape::axis", "(0, -2)"),
    ("sum(x, axis=true)", "call::type", "true"),
    ("CrossEntropy(x, sum(i))", "dtype::argument", "sum(i)"),
    ("CrossEntropy(x, one_hot(i, 6))", "dtype::argument", "one_hot(i, 6)"),
    ("MeanSquaredError(x, sum(x, axis=1))", "shape::argument", "sum(x, axis=1)"),
    ("one_hot(x, 3)", "dtype::argument", "x"),
    ("one_hot(i, 7 / 2)", "size::inexact", "7 / 2"),
    ("cast(x, f16)", "call::type", "f16"),
    ("1 / 0", "number::zero", "0"),
    ("99999999999 * 99999999999", "number::large", "99999999999"),
    ("transpose(sum(x))", "shape::axis", "sum(x)"),
    ("max(x, sum(x, axis=1))", "shape::mismatch", "max(x, sum(x, axis=1))"),
    ("x.weight", "value::kind", "x.weight"),
    ("x |> Dense(0)", "call::range", "0"),
    ("x |> Dense(3, activation=rellu)", "name::activation", "rellu"),
    ("x |> Dense(3, activation=\"relu\")", "call::type", "\"relu\""),
    ("x |> Dense(4294967296)", "call::range", "4294967296"),
    ("x |> Dense(3, init=glorot)", "name::init", "glorot"),
    ("x |> Dense(3, init=xavier_uniform)", "name::init", "xavier_uniform"),
    ("x |> Dense(3, init=Normal(std=-1))", "call::range", "-1"),
    ("x |> Dense(3, bias=1)", "call::type", "1"),
    ("x |> Dense(in_features=6, units=3)", "call::foreign", "in_features"),
    ("x |> Dense(out_features=3)", "call::foreign", "out_features"),
    ("x |> Dense(3, name=true)", "call::unknown", "name"),
    ("x |> Dense", "call::missing", "Dense"),
    ("i |> Dense(3)", "dtype::layer", "Dense(3)"),
    ("sum(x, axis=1) |> Dense(3)", "shape::layer", "Dense(3)"),
    ("x |> Reshape(4, 2)", "shape::layer", "Reshape(4, 2)"),
    ("x |> Reshape(-1, -1)", "call::range", "-1"),
    ("x |> Reshape(4, -1)", "shape::layer", "Reshape(4, -1)"),
    ("x |> Squeeze", "shape::layer", "Squeeze"),
    ("sum(x) |> Flatten", "shape::layer", "Flatten"),
    ("x |> Dropout(1.0)", "call::range", "1.0"),
    ("x |> GaussianNoise(-1)", "call::range", "-1"),
    ("x |> GaussianNoise(stddev=0.1)", "call::foreign", "stddev"),
    ("x |> LayerNorm(axis=0)", "shape::layer", "LayerNorm(axis=0)"),
    ("x |> RMSNorm(axis=2)", "shape::layer", "RMSNorm(axis=2)"),
    ("sum(x, axis=1) |> LayerNorm", "shape::layer", "LayerNorm"),
    ("x |> GroupNorm(4)", "shape::layer", "GroupNorm(4)"),
    ("sum(x, axis=1) |> GroupNorm(2)", "shape::layer", "GroupNorm(2)"),
    ("x |> LayerNorm(eps=1e-5)", "call::foreign", "eps"),
    ("i |> LayerNorm", "dtype::layer", "LayerNorm"),
    ("sum(x) |> PReLU", "shape::layer", "PReLU"),
    ("x |> PReLU(per=chanel)", "call::choice", "chanel"),
    ("x |> Dense(3, init=VarianceScaling(mode=fan))", "call::choice", "fan"),
    ("x |> Dense(3, init=VarianceScaling(-1))", "call::range", "-1"),
    ("x |> Dense(3, init=random_normal)", "name::init", "random_normal"),
    ("x |> Dense(3, bias_init=Orthogonal)", "shape::layer", "Dense(3, bias_init=Orthogonal)"),
    ("x |> Dense(3, bias_init=Identity)", "shape::layer", "Dense(3, bias_init=Identity)"),
    ("ctc(x, x)", "dtype::argument", "x"),
    ("ctc(x, sum(i))", "dtype::argument", "sum(i)"),
    ("ctc(x, i, mask=x)", "shape::axis", "x"),
    ("x |> Reshape(3, 2) |> Bidirectional(2)", "call::type", "2"),
    ("x |> Reshape(3, 2) |> Bidirectional(Dense(2))", "call::choice", "Dense"),
    (
        "x |> Reshape(3, 2) |> Bidirectional(LSTM(2, go_backwards=true))",
        "call::choice",
        "Bidirectional(LSTM(2, go_backwards=true))",
    ),
    ("x |> Reshape(3, 2) |> Bidirectional(LSTM(0))", "call::range", "0"),
    ("x |> Reshape(3, 2) |> Bidirectional(LSTM(2) as b)", "call::type", "b"),
    ("x |> Reshape(3, 2) |> Bidirectional(LSTM(2), merge_mode=sum)", "call::foreign", "merge_mode"),
    ("x |> Reshape(3, 2) |> TimeDistributed(LSTM(2))", "shape::layer", "LSTM(2)"),
    ("x |> TimeDistributed(Dens(2))", "call::choice", "Dens"),
    ("x |> Reshape(3, 2) |> LSTM(2, initial_state=x)", "call::foreign", "initial_state"),
    ("(x |> Reshape(3, 2), x) |> GRU(2)", "shape::layer", "GRU(2)"),
    ("(x |> Reshape(3, 2), x) |> LSTM(6)", "shape::layer", "LSTM(6)"),
    ("(x |> Reshape(3, 2), x) |> Bidirectional(GRU(6))", "shape::layer", "Bidirectional(GRU(6))"),
    ("sum(x, axis=1) |> TimeDistributed(Dense(2))", "shape::layer", "TimeDistributed(Dense(2))"),
    ("(x |> Dense(6) as a) + (x |> Dense(6, bias=false) |> Dense(3) as a)", "shape::shared", "Dense(3)"),
];

#[test]
fn mistakes_in_expressions_are_found_where_they_stand() {
    for (text, code, at) in EXPRESSIONS {
        let outcome = Bench::new([4, 6]).build(text);
        let (code, at) = (code.to_string(), at.to_string());
        assert_eq!(outcome.mistakes(), [(code, at)], "{text}");
        let found = outcome.result.unwrap_err();
        assert!(found.iter().all(|d| d.help.is_some()), "{text}: no way out is shown");
    }
}

/// Each file of ops, what is wrong, and where.
const OPS: &[(&str, &str, &str)] = &[
    ("op f(x: f32[..s], y: f32[..s]) -> f32[..s] = x", "op::unused", "y: f32[..s]"),
    ("op f(x: f32[..s]) -> f32[..s] = f(x)", "op::cycle", "f"),
    ("op f(x: f32[..s]) -> f32[..s] = exq(x)", "name::unknown", "exq"),
    ("op f(x: f32[..s]) -> f32[..s] = sum(x)", "op::result", "sum(x)"),
    ("op f(x: f32[..s]) -> i32[..s] = x", "op::result", "x"),
    ("op f(x: f64[..s]) -> f32[..s] = x", "type::unknown", "f64"),
    ("op f(x: f32) -> f32[] = x", "type::shape", "f32"),
    ("op f(x: f32[..s, ..t]) -> f32[..s] = x", "type::shape", "t"),
    ("op f(x: f32[..s], x: f32[..s]) -> f32[..s] = x", "name::twice", "x: f32[..s]"),
    ("op f(x: f32[..s]) -> f32[..s] { let y = x\n output z = x }", "name::unused", "y"),
    ("op f(x: f32[..s]) -> f32[..s] { let x = 1\n output z = x }", "name::shadowed", "x"),
    ("op f(x: f32[..s]) -> (a: f32[..s], b: f32[..s]) { output a = x }", "op::result", "f"),
    ("op f(x: f32[..s]) -> (a: f32[..s]) { output b = x }", "op::result", "f32[..s]"),
    ("op f(x: f32[n]) -> f32[n] = x + 1\nop f(x: f32[n]) -> f32[n] = x", "name::twice", "f"),
];

#[test]
fn mistakes_in_ops_are_found_where_they_are_declared() {
    for (text, code, at) in OPS {
        let mut bench = Bench::new([4, 6]);
        bench.ops = format!("mlspec 1\n{text}\n");
        let outcome = bench.build("x");
        let (code, at) = (code.to_string(), at.to_string());
        assert_eq!(outcome.mistakes(), [(code, at)], "{text}");
    }
}

#[test]
fn a_cycle_through_others_names_them() {
    let mut bench = Bench::new([4, 6]);
    bench.ops = "mlspec 1\nop f(x: f32[n]) -> f32[n] = g(x)\nop g(x: f32[n]) -> f32[n] = f(x)\n".to_string();
    let found = bench.build("x").result.unwrap_err();
    assert_eq!(found[0].message, "`f` uses itself through `g`");
}

#[test]
fn a_broken_op_is_reported_once() {
    let mut bench = Bench::new([4, 6]);
    bench.ops = "mlspec 1\nop f(x: f32[..s]) -> f32[..s] = exq(x)\n".to_string();
    let outcome = bench.build("f(x) + f(x) + (x |> Dense(3, activation=f) |> Dense(6))");
    assert_eq!(outcome.mistakes()[0], ("name::unknown".to_string(), "exq".to_string()));
    assert!(outcome.mistakes().len() <= 2, "{:?}", outcome.mistakes());
}

#[test]
fn swapped_arguments_are_both_shown() {
    let outcome = Bench::new([4, 6]).build("CrossEntropy(i, x)");
    let places: Vec<String> = outcome.mistakes().into_iter().map(|(_, at)| at).collect();
    assert_eq!(places, ["i", "x"]);
}

#[test]
fn an_argument_of_another_framework_hides_no_other_mistake() {
    let codes: Vec<String> = Bench::new([4, 6])
        .build("x |> Dense(in_features=6, out_features=0, activation=rellu)")
        .mistakes()
        .into_iter()
        .map(|(code, _)| code)
        .collect();
    assert_eq!(codes, ["call::foreign", "call::foreign", "call::range", "name::activation"]);
}

#[test]
fn mistakes_on_both_sides_are_shown() {
    let outcome = Bench::new([4, 6]).build("relux(x) + geluu(x)");
    assert_eq!(outcome.mistakes().len(), 2);
}

#[test]
fn a_shape_that_only_a_use_shows_names_the_use() {
    let mut bench = Bench::new([4, 6]);
    bench.ops = "mlspec 1\nop f(x: f32[..s], w: f32[n]) -> f32[..s] = x * w\n".to_string();
    let outcome = bench.build("f(x, sum(x, axis=1))");
    let found = outcome.result.as_ref().unwrap_err();
    assert_eq!(outcome.mistakes(), [("shape::mismatch".to_string(), "x * w".to_string())]);
    let last = found[0].labels.last().expect("labels");
    assert_eq!(outcome.sources.slice(last.span), "f(x, sum(x, axis=1))");
}
