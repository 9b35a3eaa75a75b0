//! Phases give what the zeros gave, for every stride, edge and side of the product.

use crate::base::{DType, Dim, TensorType};
use crate::graph::interp::{Inputs, Tensor, run};
use crate::graph::{Builder, Einsum, Graph, LeafKind, OutputKind, Prim, print, verify};

/// Which side has what the windows are multiplied by: taps of a kernel, or places of a gradient.
#[derive(Clone, Copy, Debug)]
enum Side {
    Kernel,
    Gradient,
}

/// `f32[2, 5, 3]` with `step - 1` zeros between its five places, `lo` and `hi` around, in windows of `size`.
fn product(side: Side, step: i64, size: usize, edges: [usize; 2]) -> Option<Graph> {
    let mut b = Builder::new("phases");
    let leaf = |b: &mut Builder, name: &str, shape: &[usize]| {
        let shape: Vec<Dim> = shape.iter().map(|&n| Dim::from(n)).collect();
        b.leaf(name, TensorType::new(DType::F32, shape), LeafKind::Batch)
    };
    let x = leaf(&mut b, "x", &[2, 5, 3]);
    let places = (4 * step as usize + 1 + edges[0] + edges[1]).checked_sub(size - 1).filter(|&n| n > 0)?;
    let padded = b.pad_axis(x, 1, edges.map(Dim::from), step - 1, 0.0);
    let windows = b.window(padded, 1, size, 1, 1);
    let (other, spec) = match side {
        Side::Kernel => (leaf(&mut b, "k", &[size, 3, 4]), "abtc,tcd->abd"),
        Side::Gradient => (leaf(&mut b, "dy", &[2, places, 4]), "abtc,abd->tcd"),
    };
    let spec = Einsum::parse(spec).expect("test: a spec");
    let made = b.einsum(spec, windows, other);
    b.output("y", made, OutputKind::Value);
    Some(b.finish())
}

fn numbers(graph: &Graph) -> Inputs {
    let mut inputs = Inputs::default();
    for (i, (_, leaf)) in graph.leaves.iter().enumerate() {
        let shape: Vec<usize> =
            leaf.ty.shape.iter().map(|d| d.as_const().expect("test: sizes are known") as usize).collect();
        let data = (0..shape.iter().product()).map(|n: usize| ((n * 7 + i * 3) % 11) as f64 - 5.0).collect();
        inputs.leaves.insert(leaf.name.to_string(), Tensor { shape, data });
    }
    inputs
}

#[test]
fn phases_are_what_zeros_give() {
    let mut seen = 0;
    for side in [Side::Kernel, Side::Gradient] {
        for (step, size) in (2..4).flat_map(|step| (1..6).map(move |size| (step, size))) {
            for edges in (0..4).flat_map(|lo| (0..4).map(move |hi| [lo, hi])) {
                let Some(before) = product(side, step, size, edges) else { continue };
                let mut after = before.clone();
                assert!(super::run(&mut after), "{side:?} {step} {size} {edges:?} is taken apart");
                crate::opt::dce::run(&mut after);
                verify(&after).expect("test: the pass keeps graphs sound");
                let stretched = |prim: &Prim| match prim {
                    Prim::Window { input, .. } => {
                        matches!(&after.nodes[*input].prim, Prim::Pad { inner, .. } if inner.iter().any(|&n| n > 0))
                    }
                    _ => false,
                };
                assert!(
                    !after.nodes.iter().any(|(_, n)| stretched(&n.prim)),
                    "no zeros are left: {}",
                    print(&after)
                );
                let inputs = numbers(&before);
                assert_eq!(run(&before, &inputs), run(&after, &inputs), "{side:?} {step} {size} {edges:?}");
                seen += 1;
            }
        }
    }
    assert!(seen > 250, "most of them have places: {seen}");
}

/// As a convolution of two axes leaves it behind: one pad, two windows.
#[test]
fn images() {
    let text = "graph image
        leaf dy: f32[2, 3, 3, 5] batch
        leaf k: f32[4, 3, 2, 5] batch
        %0: f32[2, 9, 7, 5] = pad [0, 2, 1, 0] hi [0, 2, 1, 0] inner [0, 1, 1, 0] value 0.0 dy
        %1: f32[2, 9, 5, 3, 5] = window 2 size 3 stride 1 dilation 1 %0
        %2: f32[2, 6, 4, 5, 3, 5] = window 1 size 4 stride 1 dilation 1 %1
        %3: f32[2, 6, 5, 2] = contract \"abcdef,cegf->abdg\" %2, k
        value dx = %3";
    let before = crate::graph::parse(text).expect("test: the graph reads");
    let mut after = before.clone();
    assert!(super::run(&mut after), "it is taken apart");
    verify(&after).expect("test: the pass keeps graphs sound");
    let inputs = numbers(&before);
    assert_eq!(run(&before, &inputs), run(&after, &inputs));
    crate::opt::dce::run(&mut after);
    insta::assert_snapshot!(print(&after));
}
