//! Gradients as text, and the rules that have no numbers to compare. Differences are in
//! `slopes`.

mod slopes;

use super::gradient;
use crate::graph::{Builder, OutputKind, Value, parse, print, verify};

/// The printed gradient of the graph's loss for its leaves `wrt`.
fn grad(text: &str, wrt: &[&str]) -> String {
    let graph = parse(text).expect("test: the graph reads");
    let loss = graph.outputs[0].value;
    let mut b = Builder::resume(graph);
    let wrt_values: Vec<Value> = wrt
        .iter()
        .map(|&name| {
            let leaf = b.find(name).expect("test: a leaf");
            b.read(leaf)
        })
        .collect();
    let grads = gradient(&mut b, loss, &wrt_values);
    for (name, g) in wrt.iter().zip(grads) {
        b.output(format!("d.{name}"), g, OutputKind::Value);
    }
    let graph = b.finish();
    verify(&graph).expect("test: the gradient is sound");
    print(&graph)
}

#[test]
fn a_line_learns() {
    let text = "graph line
        leaf x: f32[B, 2] batch
        leaf t: f32[B] batch
        leaf w: f32[2] param constant 0.0
        %0: f32[B] = contract \"bi,i->b\" x, w
        %1: f32[B] = sub %0, t
        %2: f32[B] = mul %1, %1
        %3: f32[] = reduce sum [0] %2
        %4: f32[] = div %3, size(B)
        loss mean = %4";
    insta::assert_snapshot!(grad(text, &["w"]), @r#"
    graph line
      leaf x: f32[B, 2] batch
      leaf t: f32[B] batch
      leaf w: f32[2] param constant 0.0
    
      %0: f32[B] = contract "bi,i->b" x, w
      %1: f32[B] = sub %0, t
      %2: f32[B] = mul %1, %1
      %3: f32[] = reduce sum [0] %2
      %4: f32[] = div %3, size(B)
      %5: f32[] = div 1.0, size(B)
      %6: f32[B] = broadcast [] %5
      %7: f32[B] = mul %6, %1
      %8: f32[B] = mul %6, %1
      %9: f32[B] = add %7, %8
      %10: f32[2] = contract "bi,b->i" x, %9
    
      loss mean = %4
      value d.w = %10
    "#);
}

#[test]
fn nothing_flows_through_stop_and_whole_numbers() {
    let text = "graph t
        leaf x: f32[3] batch
        %0: f32[3] = stop x
        %1: i32[3] = to_i32 x
        %2: f32[3] = to_f32 %1
        %3: f32[3] = mul %0, %2
        %4: f32[] = reduce sum [0] %3
        loss l = %4";
    assert!(grad(text, &["x"]).contains("= broadcast [] 0.0\n"));
}

#[test]
fn relu_has_slope_0_at_0() {
    let text = "graph t
        leaf x: f32[] batch
        %0: f32[] = max x, 0.0
        loss l = %0";
    insta::assert_snapshot!(grad(text, &["x"]), @r#"
    graph t
      leaf x: f32[] batch
    
      %0: f32[] = max x, 0.0
      %1: f32[] = gt x, 0.0
      %2: f32[] = select %1, 1.0, 0.0
    
      loss l = %0
      value d.x = %2
    "#);
}

#[test]
fn windows_that_do_not_overlap_move_their_gradient_only() {
    let text = "graph pool
        leaf x: f32[B, 7] batch
        %0: f32[B, 3, 2] = window 1 size 2 stride 2 dilation 1 x
        %1: f32[B, 3] = reduce sum [2] %0
        %2: f32[] = reduce sum [0, 1] %1
        loss l = %2";
    insta::assert_snapshot!(grad(text, &["x"]), @r#"
    graph pool
      leaf x: f32[B, 7] batch
    
      %0: f32[B, 3, 2] = window 1 size 2 stride 2 dilation 1 x
      %1: f32[B, 3] = reduce sum [2] %0
      %2: f32[] = reduce sum [0, 1] %1
      %3: f32[B, 3] = broadcast [] 1.0
      %4: f32[B, 3, 2] = broadcast [0, 1] %3
      %5: f32[B, 6] = reshape %4
      %6: f32[B, 7] = pad [0, 0] hi [0, 1] inner [0, 0] value 0.0 %5
    
      loss l = %2
      value d.x = %6
    "#);
}
