//! Each primitive on numbers that a reader can check by hand.

use super::*;
use crate::graph::parse;

fn outputs(text: &str, leaves: &[(&str, Tensor)]) -> Vec<Tensor> {
    let graph = parse(&format!("graph t\n{text}")).expect("test: the graph reads");
    crate::graph::verify(&graph).expect("test: the graph is sound");
    let leaves = leaves.iter().map(|(name, t)| (name.to_string(), t.clone())).collect();
    run(&graph, &Inputs { leaves, seed: 7, step: 1, ..Inputs::default() })
}

fn row3() -> (&'static str, Tensor) {
    ("x", Tensor::new([3], [1.0, 2.0, 3.0]))
}

#[test]
fn slices_step_backwards() {
    let y = outputs("leaf x: f32[3] batch\n%0: f32[2] = slice [2] step [-2] x\nvalue y = %0", &[row3()]);
    assert_eq!(y[0].data, [3.0, 1.0]);
}

#[test]
fn pads_between_neighbours() {
    let text = "leaf x: f32[3] batch\n%0: f32[8] = pad [1] hi [2] inner [1] value 9.0 x\nvalue y = %0";
    assert_eq!(outputs(text, &[row3()])[0].data, [9.0, 1.0, 9.0, 2.0, 9.0, 3.0, 9.0, 9.0]);
}

#[test]
fn windows_slide() {
    let text =
        "leaf x: f32[N] batch\n%0: f32[N - 1, 2] = window 0 size 2 stride 1 dilation 1 x\nvalue y = %0";
    assert_eq!(outputs(text, &[row3()])[0], Tensor::new([2, 2], [1.0, 2.0, 2.0, 3.0]));
}

#[test]
fn gathers_and_scatters_clamp() {
    let index = ("i", Tensor::new([4], [2.0, 0.0, 7.0, -1.0]));
    let text = "leaf x: f32[3] batch\nleaf i: i32[4] batch\n%0: f32[4] = gather x, i\n\
                %1: f32[3] = scatter i, %0\nvalue g = %0\nvalue s = %1";
    let found = outputs(text, &[row3(), index]);
    assert_eq!(found[0].data, [3.0, 1.0, 3.0, 1.0]);
    assert_eq!(found[1].data, [2.0, 0.0, 6.0]);
}

#[test]
fn contractions_sum_what_the_output_lacks() {
    let a = ("a", Tensor::new([2, 2], [1.0, 2.0, 3.0, 4.0]));
    let text = "leaf a: f32[2, 2] batch\n%0: f32[2, 2] = contract \"ik,jk->ji\" a, a\nvalue y = %0";
    assert_eq!(outputs(text, &[a])[0].data, [5.0, 11.0, 11.0, 25.0]);
}

#[test]
fn reductions_of_nothing() {
    let text = "leaf x: f32[2, 0] batch\n%0: f32[2] = reduce max [1] x\n%1: f32[2] = reduce sum [1] x\n\
                value m = %0\nvalue s = %1";
    let found = outputs(text, &[("x", Tensor::new([2, 0], []))]);
    assert_eq!(found[0].data, [f64::NEG_INFINITY; 2]);
    assert_eq!(found[1].data, [0.0; 2]);
}

#[test]
fn random_numbers_depend_on_site_and_element() {
    let text = "%0: f32[64] = random \"a\"\n%1: f32[64] = random \"b\"\n%2: f32[8] = random \"a\"\n\
                value a = %0\nvalue b = %1\nvalue c = %2";
    let found = outputs(text, &[]);
    assert_ne!(found[0], found[1]);
    assert_eq!(found[0].data[..8], found[2].data);
    assert!(found[0].data.iter().all(|x| (0.0..1.0).contains(x)));
}

#[test]
fn sizes_are_what_the_leaves_tell() {
    let text =
        "leaf x: f32[N] batch\n%0: f32[] = reduce sum [0] x\n%1: f32[] = div %0, size(2*N)\nvalue y = %1";
    assert_eq!(outputs(text, &[row3()])[0], Tensor::scalar(1.0));
}
