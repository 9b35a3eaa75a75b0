//! Random graphs: text, passes and gradients against the reference interpreter.
//!
//! A graph that fails is shrunk and printed. Put the text under `tests/graphs`, its first
//! line `// seed N: why`, and it is tested for ever.

use mlc::ad;
use mlc::base::{DType, Precision};
use mlc::codegen::{Instance, Options};
use mlc::graph::arbitrary::{self, agree, difference, shrink};
use mlc::graph::interp::{Inputs, Tensor, run, run_bounded};
use mlc::graph::{Builder, Graph, OutputKind, Prim, Value, parse, print, verify};
use mlc::loops::{self, Fusion};
use mlc::opt;
use std::sync::Arc;

/// Seeds of the graphs that every run tests.
const SEEDS: u64 = 1000;

type Check = fn(&Graph, &Inputs) -> Result<(), String>;

const CHECKS: &[(&str, Check)] = &[
    ("what prints reads back", text_round_trip),
    ("passes keep values", passes_keep_values),
    ("gradients are slopes", gradients_are_slopes),
    ("passes keep gradients", passes_keep_gradients),
    ("compiled code computes what is written", compiled_agrees),
    ("gpu loops compute what is written", gpu_loops_agree),
];

#[test]
fn random_graphs_text() {
    test_seeds(0);
}

#[test]
fn random_graphs_passes() {
    test_seeds(1);
}

#[test]
fn random_graphs_gradients() {
    test_seeds(2);
}

#[test]
fn random_graphs_passes_on_gradients() {
    test_seeds(3);
}

#[test]
fn random_graphs_compiled() {
    test_seeds(4);
}

#[test]
fn random_graphs_gpu_loops() {
    test_seeds(5);
}

/// Whose products see `bf16` alone: rounding must be where the reference has it, and bounds must know how far it goes.
#[test]
fn random_graphs_in_bf16() {
    for (which, seeds) in [(0, 100), (1, 300), (4, 300), (5, 300)] {
        let (name, check) = CHECKS[which];
        for seed in 0..seeds {
            let (mut graph, inputs) = arbitrary::graph(seed);
            products_in_bf16(&mut graph);
            if let Err(why) = guarded(check, &graph, &inputs) {
                panic!("{name}: {why}\n// seed {seed}: \n{}", print(&graph));
            }
        }
    }
}

pub fn products_in_bf16(graph: &mut Graph) {
    for id in graph.nodes.ids() {
        match &mut graph.nodes[id].prim {
            Prim::Contract { spec, .. } => spec.precision = Precision::Bf16,
            Prim::Scan { body, .. } => products_in_bf16(&mut Arc::make_mut(body).graph),
            _ => {}
        }
    }
}

/// Every graph kept as text passes every check.
#[test]
fn kept_graphs() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/graphs");
    let mut files: Vec<_> =
        std::fs::read_dir(folder).expect("tests/graphs").map(|f| f.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty());
    for file in files {
        let text = std::fs::read_to_string(&file).expect("a kept graph");
        let seed =
            text.strip_prefix("// seed ").and_then(|t| t.split_once(':')).and_then(|(n, _)| n.parse().ok());
        let seed = seed.unwrap_or_else(|| panic!("{} starts with `// seed N: why`", file.display()));
        let graph = parse(&text).unwrap_or_else(|why| panic!("{}: {why}", file.display()));
        let inputs = arbitrary::inputs(&graph, seed);
        for (name, check) in CHECKS {
            check(&graph, &inputs).unwrap_or_else(|why| panic!("{}: {name}: {why}", file.display()));
        }
    }
}

fn test_seeds(which: usize) {
    let (name, check) = CHECKS[which];
    for seed in 0..SEEDS {
        let (graph, inputs) = arbitrary::graph(seed);
        if let Err(why) = guarded(check, &graph, &inputs) {
            let small = shrink(&graph, |g| guarded(check, g, &arbitrary::inputs(g, seed)).is_err());
            let reason = guarded(check, &small, &arbitrary::inputs(&small, seed)).err().unwrap_or(why);
            panic!("{name}: {reason}\n// seed {seed}: \n{}", print(&small));
        }
    }
}

/// A panic inside is a failure with its message.
fn guarded(check: Check, graph: &Graph, inputs: &Inputs) -> Result<(), String> {
    std::panic::catch_unwind(|| check(graph, inputs)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        Err(text.or_else(|| panic.downcast_ref::<&str>().map(|s| s.to_string())).unwrap_or_default())
    })
}

pub fn names(graph: &Graph) -> Vec<&str> {
    graph.outputs.iter().map(|o| &*o.name).collect()
}

fn text_round_trip(graph: &Graph, inputs: &Inputs) -> Result<(), String> {
    verify(graph)?;
    let text = print(graph);
    let back = parse(&text)?;
    verify(&back)?;
    if print(&back) != text {
        return Err(format!("reads back as\n{}", print(&back)));
    }
    agree(&names(graph), &run(&back, inputs), &run(graph, inputs), 0.0)
}

/// Each pass alone, then all to the end, then all after the symbols are bound.
fn passes_keep_values(graph: &Graph, inputs: &Inputs) -> Result<(), String> {
    let wanted = run(graph, inputs);
    let same = |g: &Graph, after: &str| {
        verify(g).map_err(|why| format!("after {after}: {why}"))?;
        agree(&names(graph), &run(g, inputs), &wanted, 1e-9).map_err(|why| format!("after {after}: {why}"))
    };
    for pass in opt::PASSES {
        let mut changed = graph.clone();
        (pass.run)(&mut changed);
        same(&changed, pass.name)?;
    }
    let mut all = graph.clone();
    opt::run(&mut all);
    same(&all, "all passes")?;
    let settled = print(&all);
    opt::run(&mut all);
    if print(&all) != settled {
        return Err(format!("not settled:\n{settled}\nbecame\n{}", print(&all)));
    }
    let mut bound = graph.bind(&inputs.bindings);
    opt::run(&mut bound);
    same(&bound, "binding and all passes")
}

/// The leaves that a gradient can reach.
fn weights(graph: &Graph) -> Vec<String> {
    let leaves = graph.leaves.iter().filter(|(_, l)| l.ty.dtype == DType::F32);
    leaves.map(|(_, l)| l.name.to_string()).collect()
}

/// The graph with one more output for the gradient of each `f32` leaf, and their number.
pub fn with_gradient(graph: &Graph) -> (Graph, usize) {
    let loss = graph.outputs.iter().find(|o| o.kind == OutputKind::Loss).expect("a graph with a loss").value;
    let weights = weights(graph);
    let mut b = Builder::resume(graph.clone());
    let wrt: Vec<Value> = weights
        .iter()
        .map(|name| {
            let leaf = b.graph().leaf(name).expect("a leaf of the graph");
            b.read(leaf)
        })
        .collect();
    for (name, gradient) in weights.iter().zip(ad::gradient(&mut b, loss, &wrt)) {
        b.output(format!("d.{name}"), gradient, OutputKind::Value);
    }
    (b.finish(), weights.len())
}

/// Along one direction through all leaves; where a kink is in the way, along single elements.
fn gradients_are_slopes(graph: &Graph, inputs: &Inputs) -> Result<(), String> {
    let (both, count) = with_gradient(graph);
    verify(&both)?;
    let outputs = run(&both, inputs);
    let gradients: Vec<(String, Tensor)> =
        weights(graph).into_iter().zip(outputs[outputs.len() - count..].iter().cloned()).collect();
    let all: Vec<(&str, usize, f64)> = gradients
        .iter()
        .flat_map(|(name, g)| {
            (0..g.data.len()).map(move |i| (name.as_str(), i, [1.0, -0.5, 0.25][(i + name.len()) % 3]))
        })
        .collect();
    match slope_agrees(graph, inputs, &gradients, &all) {
        Some(result) => result,
        None => all.iter().step_by(1 + all.len() / 8).try_for_each(|direction| {
            slope_agrees(graph, inputs, &gradients, std::slice::from_ref(direction)).unwrap_or(Ok(()))
        }),
    }
}

/// `None` if a kink is in the way.
fn slope_agrees(
    graph: &Graph,
    inputs: &Inputs,
    gradients: &[(String, Tensor)],
    direction: &[(&str, usize, f64)],
) -> Option<Result<(), String>> {
    let found = difference(graph, inputs, direction)?;
    let of = |name: &str| &gradients.iter().find(|(n, _)| n == name).expect("a gradient for each leaf").1;
    let claimed = direction.iter().map(|&(name, i, amount)| of(name).data[i] * amount).sum::<f64>();
    Some(if found.agrees(claimed) {
        Ok(())
    } else {
        Err(format!("{claimed} is claimed, the slope is {} ± {}", found.slope, found.error))
    })
}

fn passes_keep_gradients(graph: &Graph, inputs: &Inputs) -> Result<(), String> {
    let (both, _) = with_gradient(graph);
    let wanted = run(&both, inputs);
    let mut small = both.clone();
    opt::run(&mut small);
    verify(&small)?;
    if let Some((v, _)) =
        small.nodes.iter().find(|(_, n)| matches!(&n.prim, Prim::Map { op, .. } if op.name() == "stop"))
    {
        return Err(format!("{v} still stops gradients"));
    }
    agree(&names(&both), &run(&small, inputs), &wanted, 1e-7)
}

/// The graph that is lowered: sizes are numbers, everything is rewritten.
pub fn settled(graph: &Graph, inputs: &Inputs) -> Graph {
    let mut bound = graph.bind(&inputs.bindings);
    opt::run(&mut bound);
    bound
}

/// Whether every element that a run of the `settled` graph gave is as near to the reference's, which runs the graph
/// as `written`, as rounding allows.
pub fn within(
    names: &[&str],
    settled: &Graph,
    inputs: &Inputs,
    written: &Graph,
    found: &[Tensor],
) -> Result<(), String> {
    let wanted = run(written, inputs);
    for (((name, found), wanted), bounded) in
        names.iter().zip(found).zip(&wanted).zip(run_bounded(settled, inputs))
    {
        if found.shape != wanted.shape {
            return Err(format!("{name} is {:?}, not {:?}", found.shape, wanted.shape));
        }
        let bounds = &bounded.error.data;
        for (i, ((x, y), bound)) in found.data.iter().zip(&wanted.data).zip(bounds).enumerate() {
            let both_nan = x.is_nan() && y.is_nan();
            // The reference rounds too, in f64: what was folded into one number may differ by that from its steps.
            let bound = bound + 4.0 * f64::EPSILON * y.abs();
            if !(both_nan || x == y || (x - y).abs() <= bound) {
                return Err(format!("{name}[{i}] is {x}, not {y} within {bound:e}"));
            }
        }
    }
    if found.len() == wanted.len() { Ok(()) } else { Err(format!("{} outputs", found.len())) }
}

/// Values and gradients, rewritten, fused, compiled; in f32, so within its rounding.
fn compiled_agrees(graph: &Graph, inputs: &Inputs) -> Result<(), String> {
    let (both, _) = with_gradient(graph);
    let bound = settled(&both, inputs);
    let program = loops::lower(&bound, &Fusion::CPU);
    loops::verify(&program)?;
    let threads = if inputs.seed.is_multiple_of(16) { 2 } else { 1 };
    let mut instance = Instance::new(program, &Options { threads, ..Options::default() });
    for (name, tensor) in &inputs.leaves {
        set(&mut instance, name, &tensor.data);
    }
    instance.step(inputs.seed, inputs.step);
    let found: Vec<Tensor> = bound
        .outputs
        .iter()
        .map(|output| {
            let shape = bound.ty(output.value).shape.as_const().expect("sizes are numbers");
            Tensor::new(shape, read(&instance, &output.name))
        })
        .collect();
    within(&names(&both), &bound, inputs, &both, &found)?;
    // What rounding can do to these graphs is little: a bound that says otherwise is wrong itself.
    agree(&names(&both), &found, &run(&both, inputs), 1e-3)
}

/// Values and gradients, rewritten, fused for a GPU, interpreted: no device.
fn gpu_loops_agree(graph: &Graph, inputs: &Inputs) -> Result<(), String> {
    let (both, _) = with_gradient(graph);
    let wanted = run(&both, inputs);
    let mut bound = both.bind(&inputs.bindings);
    opt::run(&mut bound);
    let program = loops::lower(&bound, &Fusion::GPU);
    loops::verify(&program)?;
    let mut memory = loops::interp::memory(&program);
    for (id, buffer) in program.buffers.iter() {
        match inputs.leaves.get(&*buffer.name) {
            Some(leaf) => memory[id.index()].copy_from_slice(&leaf.data),
            // What is read before it is written should be seen.
            None => memory[id.index()].fill(f64::NAN),
        }
    }
    loops::interp::run(&program, &mut memory, inputs.seed, inputs.step);
    let of = |name: &str| program.outputs.iter().find(|(n, _)| &**n == name).expect("an output").1;
    let outputs = both.outputs.iter().zip(&wanted);
    let found: Vec<Tensor> = outputs
        .map(|(output, wanted)| Tensor::new(wanted.shape.clone(), memory[of(&output.name).index()].clone()))
        .collect();
    agree(&names(&both), &found, &wanted, 1e-7)
}

/// Sets a leaf; the program may have found that it does not matter.
fn set(instance: &mut Instance, name: &str, data: &[f64]) {
    let Some(id) = instance.buffer(name) else { return };
    match instance.program().buffers[id].dtype {
        DType::F32 => instance.f32_mut(id).iter_mut().zip(data).for_each(|(x, &y)| *x = y as f32),
        DType::I32 => instance.i32_mut(id).iter_mut().zip(data).for_each(|(x, &y)| *x = y as i32),
        DType::U8 => instance.u8_mut(id).iter_mut().zip(data).for_each(|(x, &y)| *x = y as u8),
    }
}

fn read(instance: &Instance, output: &str) -> Vec<f64> {
    let found = instance.program().outputs.iter().find(|(name, _)| &**name == output);
    let (_, id) = found.expect("an output of the program");
    match instance.program().buffers[*id].dtype {
        DType::F32 => instance.f32(*id).iter().map(|&x| f64::from(x)).collect(),
        DType::I32 => instance.i32(*id).iter().map(|&x| f64::from(x)).collect(),
        DType::U8 => instance.u8(*id).iter().map(|&x| f64::from(x)).collect(),
    }
}
