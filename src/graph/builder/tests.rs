use super::*;
use crate::graph::{Keep, Part, ScalarOp, ScanInputs};

fn sym(name: &str) -> Dim {
    Dim::sym(name)
}

#[test]
fn constants_and_sizes_are_made_once() {
    let mut b = Builder::new("t");
    assert_eq!(b.constant(2.0), b.constant(2.0));
    assert_ne!(b.constant(2.0), b.int(2));
    assert_ne!(b.constant(0.0), b.constant(-0.0));
    assert_eq!(b.size(&sym("B")), b.size(&sym("B")));
    assert_eq!(b.size(&Dim::from(3)), b.constant(3.0));
    let mut again = Builder::resume(b.finish());
    let before = again.graph().nodes.len();
    again.constant(2.0);
    assert_eq!(again.graph().nodes.len(), before);
}

#[test]
fn operands_broadcast_as_in_numpy() {
    let mut b = Builder::new("t");
    let x = b.batch("x", TensorType::f32(vec![sym("B"), Dim::from(3), Dim::one()]));
    let y = b.param("y", [3, 4], Init::Constant(0.0));
    let sum = b.add(x, y);
    assert_eq!(b.ty(sum).to_string(), "f32[B, 3, 4]");
    let one = b.constant(1.0);
    let more = b.add(one, sum);
    assert_eq!(b.graph().nodes[more].prim, Prim::Map { op: ScalarOp::Add, inputs: vec![one, sum] });
}

#[test]
fn contractions_share_leading_axes() {
    let mut b = Builder::new("t");
    let x = b.batch("x", TensorType::f32(vec![sym("B"), sym("T"), Dim::from(3)]));
    let w = b.param("w", [3, 4], Init::Constant(0.0));
    let y = b.contract("..i,ij->..j", x, w);
    assert_eq!(b.ty(y).to_string(), "f32[B, T, 4]");
    let scores = b.contract("..qi,..ki->..qk", y, y);
    assert_eq!(b.ty(scores).to_string(), "f32[B, T, T]");
    let v = b.param("v", [4], Init::Constant(0.0));
    let dot = b.contract("..i,i->..", y, v);
    assert_eq!(b.ty(dot).to_string(), "f32[B, T]");
}

#[test]
fn windows_and_pads_know_their_sizes() {
    let mut b = Builder::new("t");
    let x = b.batch("x", TensorType::f32(vec![sym("B"), sym("T")]));
    let padded = b.pad_axis(x, 1, [Dim::from(2), Dim::zero()], 0, 0.0);
    let seen = b.window(padded, 1, 3, 1, 1);
    assert_eq!(b.ty(seen).to_string(), "f32[B, T, 3]");
    let y = b.param("y", [7], Init::Constant(0.0));
    let strided = b.window(y, 0, 2, 2, 2);
    assert_eq!(b.ty(strided).to_string(), "f32[3, 2]");
    let spread = b.pad_axis(y, 0, [Dim::one(), Dim::zero()], 2, 0.0);
    assert_eq!(b.ty(spread).to_string(), "f32[20]");
}

#[test]
#[should_panic(expected = "graph: operands")]
fn shape_errors_are_panics() {
    let mut b = Builder::new("t");
    let x = b.param("x", [3, 4], Init::Constant(0.0));
    let y = b.param("y", [3, 5], Init::Constant(0.0));
    b.add(x, y);
}

#[test]
fn a_copy_of_a_loop_draws_from_sites_of_its_own() {
    let mut b = Builder::new("t");
    let x = b.param("x", [4, 3], Init::Constant(0.0));
    let start = b.graph().nodes.len();
    let scan = ScanInputs {
        length: Dim::from(4),
        keep: Keep::Nothing,
        reverse: false,
        carries: &[],
        slices: &[x],
        constants: &[],
    };
    let made = b.scan(&scan, |b, step| {
        let draw = b.random("h.0.drop", [3]);
        Ok::<_, ()>([Vec::new(), vec![b.mul(draw, step.slices[0])]])
    });
    assert!(b.draws("h.0.drop"));
    let part = Part { nodes: start..b.graph().nodes.len(), from: "h.0".to_string() };
    assert!(b.can_repeat(&part, &[x]));
    b.repeat(&part, "h.1", [(x, made.unwrap()[1][0])]);
    assert!(b.draws("h.1.drop"));
    let foreign = Part { from: "g.0".to_string(), ..part };
    assert!(!b.can_repeat(&foreign, &[x]), "the sites are those of another part");
}
