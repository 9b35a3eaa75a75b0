//! What generated code is made of, and what it is not.

use crate::support::{root, spec};
use mlc::base::{Bindings, Sources, Sym};
use mlc::codegen::{self, Options};
use mlc::loops::{BufferKind, Fusion, KernelKind, Program};
use mlc::ops::{Framework, Library};
use mlc::pipeline;
use mlc::runtime::data::{DiskProbe, Places};
use mlc::sema::{self, Job, Settings};
use mlc::syntax;
use std::path::PathBuf;

fn check(text: &str, folder: PathBuf) -> Job {
    let mut sources = Sources::new();
    let file = sources.add("spec", Some(folder.clone()), text);
    let (ast, found) = syntax::parse(&sources, file);
    assert!(!found.has_errors(), "{:?}", found.sorted());
    let probe = DiskProbe { places: Places { spec: Some(folder), data: None } };
    let (job, found) = sema::check(&mut sources, file, &ast, &Settings::default(), &probe);
    job.unwrap_or_else(|| panic!("{:?}", found.sorted()))
}

/// The training step of a checked spec, ready for a back end.
fn program(job: &Job, fusion: &Fusion) -> Program {
    let lib = Library::std(Framework::Keras, &mut Sources::new());
    let plan = &job.trains[0];
    let (graph, _) = pipeline::rewrite(pipeline::step_graph(&lib, plan));
    let batch = job.data[plan.data].batch as i64;
    let known = [(Sym::from("B"), batch), (Sym::from("iris.features"), 4)];
    pipeline::lower(&graph, &Bindings::from(known), fusion)
}

fn lesson(name: &str, fusion: &Fusion) -> Program {
    let text = std::fs::read_to_string(spec(name)).expect("the lesson is there");
    program(&check(&text, root().join("specs")), fusion)
}

/// How many kernels of a program wait for one another in the longest chain, by what they read and write.
fn levels(program: &Program) -> usize {
    let mut chains: Vec<usize> = Vec::new();
    for (i, kernel) in program.kernels.iter().enumerate() {
        let (reads, writes) = (kernel.reads(), kernel.writes());
        let waits = |j: &usize| {
            let before = &program.kernels[*j];
            before.writes().iter().any(|b| reads.contains(b) || writes.contains(b))
                || before.reads().iter().any(|b| writes.contains(b))
        };
        chains.push(1 + (0..i).filter(waits).map(|j| chains[j]).max().unwrap_or(0));
    }
    chains.into_iter().max().unwrap_or(0)
}

/// The hidden layer; the logits with their loss; the gradient of the hidden layer; the updates. Of
/// the pixels no copy in `f32` is ever stored, nor of the dropout's mask.
#[test]
fn mnist_on_a_gpu_is_four_levels() {
    let program = lesson("mnist", &Fusion::GPU);
    let text = mlc::loops::print(&program);
    mlc::loops::verify(&program).unwrap_or_else(|why| panic!("{why}\n{text}"));
    assert_eq!((program.kernels.len(), levels(&program)), (9, 4), "{text}");
    assert_eq!(text.matches("f32(image@(").count(), 2, "{text}");
    assert_eq!(text.matches("random(dropout1").count(), 2, "{text}");
}

/// Forward, by image and by kernel, a convolution is one product that reads its windows through strides: at
/// most the image with its edges is copied, never all that the windows see.
#[test]
fn a_convolution_is_one_product_each_way() {
    let program = lesson("mnist_cnn", &Fusion::CPU);
    let text = mlc::loops::print(&program);
    let products = program.kernels.iter().filter(|k| matches!(k.kind, KernelKind::Contract(_))).count();
    // Four layers forward, all four by their weights, and three by what came in.
    assert_eq!(products, 11, "{text}");
    let batch = program.buffers.iter().find(|(_, b)| b.kind == BufferKind::Batch).expect("images come in").1;
    let image = 28 * 28 * 16 * batch.shape[0];
    let temps = program.buffers.iter().filter(|(_, b)| b.kind == BufferKind::Temp);
    for (_, temp) in temps {
        assert!(temp.len() <= image, "{} {:?} is larger than any image\n{text}", temp.name, temp.shape);
    }
    // Biases and rectifiers are the ends of products.
    for layer in ["conv1", "conv2"] {
        assert!(text.contains(&format!("max(acc + {layer}.bias[n], 0)")), "{text}");
    }
}

/// The compiler must not become an interpreter of hand-written layers: a step calls matrix
/// products, strips of functions, random numbers and the team, nothing that knows a layer.
#[test]
fn a_step_calls_building_blocks_only() {
    let mut text = String::new();
    for name in ["line", "xor", "iris", "digits", "digits_cnn", "mnist"] {
        let compiled =
            codegen::compile(&lesson(name, &Fusion::CPU), &Options { threads: 2, ..Options::default() });
        text += &format!("{name}: {}\n", compiled.calls().join(" "));
    }
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(root().join("tests/snapshots"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!("calls", text));
}

const USER_OP: &str = r#"mlspec 1

/// Bends like a square root, but passes the origin smoothly.
op bend(x: f32[..s], sharp: float = 1.0) -> f32[..s] = x / (1 + abs(x) * sharp)

/// Log-cosh written by a user.
op log_cosh_loss(y: f32[..s], t: f32[..s]) -> f32[] = mean(log(exp(y - t) + exp(t - y)))

data points {
  source = synthetic(line, features=3, rows=64, noise=0.1, seed=1)
  split  { train = 100% }
  batch  = 16
}

model Net {
  input x: f32[B, 3]
  output y: f32[B] = x |> Dense(8) as fc1 |> bend(sharp=2.0) |> Dense(1) as fc2 |> Squeeze
}

train {
  feed      { x = points.x  y = points.y }
  loss      = log_cosh_loss(Net.y, y)
  optimizer = SGD(lr=0.1)
  epochs    = 20
}
"#;

/// An `op` of the user's trains and is fused like the library's: its formula stands in the
/// epilogue of the product before it, not in a kernel of its own.
#[test]
fn a_users_op_trains_fused() {
    let job = check(USER_OP, root());
    let program = program(&job, &Fusion::CPU);
    let fused =
        program.kernels.iter().any(|k| match &k.kind {
            KernelKind::Contract(c) => c.body.nodes.iter().any(
                |(_, n)| matches!(n, mlc::loops::Node::Op { op, .. } if *op == mlc::graph::ScalarOp::Abs),
            ),
            KernelKind::Rows(_) | KernelKind::Scatter(_) | KernelKind::Scan(_) => false,
        });
    assert!(fused, "{}", mlc::loops::print(&program));

    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("bend.mlspec");
    std::fs::write(&file, USER_OP).expect("the folder is writable");
    let records = crate::support::Run::train(&file.display().to_string(), &[]).records();
    let losses: Vec<f64> =
        records.iter().filter(|r| r["of"] == "epoch").filter_map(|r| r["loss"].as_f64()).collect();
    let (first, last) = (losses[0], losses[losses.len() - 1]);
    assert!(last < first - 0.1, "{losses:?}");
}
