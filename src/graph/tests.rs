//! The text form and the verifier.

use super::*;
use crate::base::{DType, Dim, TensorType};

/// Every primitive, every kind of leaf and output.
const TEXT: &str = r#"graph all.train
  leaf x: f32[B, 6] batch
  leaf label: i32[B] batch
  leaf "odd name": u8[B] batch
  leaf w: f32[6, 4] param uniform sqrt(6.0 / 10)
  leaf b: f32[4] param truncated_normal 0.0 0.02
  leaf w.m: f32[6, 4] state constant 0.0
  leaf lr: f32[] scalar

  %0: f32[B, 4] = contract "bi,ij->bj" x, w
  %1: f32[B, 4] = broadcast [1] b
  %2: f32[B, 4] = add %0, %1
  %3: f32[B, 4] = max %2, 0.0
  %4: f32[B] = reduce max [1] %3
  %5: f32[4, B] = permute [1, 0] %3
  %6: f32[4*B] = reshape %5
  %7: f32[2, B] = slice [3, 0] step [-2, 1] %5
  %8: f32[5, B + 2] = pad [1, 2] hi [1, 0] inner [1, 0] value -inf %7
  %9: f32[4, 2, B + 2] = window 0 size 2 stride 1 dilation 1 %8
  %10: f32[B, 4] = gather w, label
  %11: f32[6, 4] = scatter label, %10
  %12: f32[B, 4] = random "dropout"
  %13: i32[B, 4] = iota 1
  %14: i32[B, 4] = add %13, 3
  %15: f32[B] = to_f32 "odd name"
  %16: f32[] = reduce sum [0] %15
  %17: f32[] = div %16, size(B)
  %18: f32[6, 4] = mul %11, lr

  loss mean = %17
  metric size = size(2*B + 1)
  value row = %10
  update w = %18
  update m of w.m = %11
"#;

#[test]
fn what_prints_reads_back() {
    let graph = parse(TEXT).unwrap();
    verify(&graph).unwrap();
    assert_eq!(print(&graph), TEXT);
}

#[test]
fn errors_name_the_line() {
    for (text, part) in [
        ("", "there is no graph"),
        ("graph t\nleaf x: f64[2] batch", "line 2: `f64` is no element type"),
        ("graph t\n%0: f32[] = frob 1.0", "there is no operation `frob`"),
        ("graph t\n%0: f32[] = neg %0", "%0 comes later or never"),
        ("graph t\n%0: f32[2] = neg 1.0", "is f32[], not f32[2]"),
        ("graph t\n%0: f32[] = add 1.0, 1", "add does not take (f32, i32)"),
        ("graph t\nvalue y = 1.0 2.0", "`2.0` is too much"),
    ] {
        let error = parse(text).unwrap_err();
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn the_verifier_names_what_is_broken() {
    let sound = || {
        let mut b = Builder::new("t");
        let w = b.param("w", [2], Init::Constant(0.0));
        let y = b.exp(w);
        b.output("y", y, OutputKind::Value);
        b.finish()
    };
    verify(&sound()).unwrap();
    type Damage = fn(&mut Graph);
    let breaks: [(&str, Damage); 6] = [
        ("precede", |g| g.nodes[Value::new(1)].prim.inputs_mut()[0] = Value::new(1)),
        ("is f32[2], not f32[3]", |g| g.nodes[Value::new(1)].ty = TensorType::f32([3])),
        ("the leaf is", |g| g.nodes[Value::new(0)].ty = TensorType::new(DType::I32, [2])),
        ("does not exist", |g| g.outputs[0].value = Value::new(9)),
        ("not f32[]", |g| g.outputs[0].kind = OutputKind::Loss),
        ("there twice", |g| g.outputs.push(g.outputs[0].clone())),
    ];
    for (part, damage) in breaks {
        let mut graph = sound();
        damage(&mut graph);
        let error = verify(&graph).unwrap_err();
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn symbols_are_compared_as_polynomials() {
    let n = Dim::sym("N");
    let ty = TensorType::f32([n.clone(), n.clone() + Dim::one()]);
    let mut b = Builder::new("t");
    let x = b.batch("x", ty);
    let flat = b.reshape(x, [n.clone() * n.clone() + n]);
    assert_eq!(b.ty(flat).to_string(), "f32[N*N + N]");
}
