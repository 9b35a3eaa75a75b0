//! A trained model on rows that nobody has labelled: batches in, columns of answers out.
//!
//! What was fitted on the training rows is used as it was, so a row gets the numbers that it would have got in
//! an evaluation. Rows keep their order. Each batch is full, the last one filled up with rows whose answers are
//! dropped: rows do not see each other in evaluation, so one program serves all.

mod answer;

use super::RunError;
use super::data::{Batches, FittedColumn, Order, Part, Prefetch, Store};
use super::engine::{Engine, On};
use super::memory::Backing;
use super::run_dir::Run;
use super::table_out::{OutColumn, OutValues};
use super::trainer::lowered;
use super::weights::{SlotKind, Weights, misfit};
use crate::base::{Bindings, Dim, Sym};
use crate::diag::Diagnostic;
use crate::graph::{Builder, Graph, LeafId, LeafKind, Node, OutputKind, Prim, Value};
use crate::pipeline;
use crate::sema::job::TrainPlan;
use answer::Head;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A trained model, ready to answer.
pub struct Predictor {
    engine: Engine,
    program: usize,
    /// Rows that the program takes.
    batch: usize,
    heads: Vec<Head>,
    fitted: Vec<FittedColumn>,
    reach: Reach,
}

/// How many rows of a table an answer is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Reach {
    /// Those that the model reads: of windows that end with what is to be predicted, the others.
    read: usize,
    /// Those that its columns have.
    size: usize,
}

impl Predictor {
    /// Compiles the model of a run, in batches of so many rows, and reads its weights.
    ///
    /// # Errors
    /// If the weights are not there or not those of the spec, or the machine cannot hold the model.
    pub fn new(plan: &TrainPlan, run: &Run, batch: usize, on: On) -> Result<Predictor, RunError> {
        let bindings: Bindings =
            run.info.sizes.iter().map(|(name, size)| (Sym::from(name.as_str()), *size)).collect();
        let (graph, _) = pipeline::rewrite(answers_of(plan));
        let graph = without_unread(graph);
        let needed = columns_of(&graph);
        let fitted: Vec<FittedColumn> =
            run.info.fitted.iter().filter(|column| needed.contains(&*column.name)).cloned().collect();
        let texts = |column: &&FittedColumn| column.windows().is_some() && !column.steps_are_rows();
        if let Some(column) = fitted.iter().find(texts) {
            return Err(no_rows(column, plan).into());
        }
        let reach = Reach::of(&graph, &fitted, &bindings);
        let heads = plan.answers.iter().map(|answer| Head::new(answer, &run.info.fitted)).collect();
        let weights = weights_of(plan, run, &bindings, &[])?;
        let engine = Engine::new(on, &weights, plan).map_err(|wrong| *wrong)?;
        let mut predictor = Predictor { engine, program: 0, batch, heads, fitted, reach };
        predictor.load(&graph, &bindings, &weights).map_err(|wrong| *wrong)?;
        Ok(predictor)
    }

    fn load(&mut self, graph: &Graph, bindings: &Bindings, weights: &Weights) -> Result<(), Box<Diagnostic>> {
        let program = lowered(graph, bindings, self.batch, self.engine.fusion());
        let columns: Vec<&str> = self.fitted.iter().map(|column| column.name.as_str()).collect();
        let output = |name: &str| program.outputs.iter().position(|(n, _)| **n == *name);
        let kept: Vec<usize> = self
            .heads
            .iter()
            .map(|head| output(&head.output).expect("runtime: every answer is an output"))
            .collect();
        for (head, output) in self.heads.iter_mut().zip(&kept) {
            let (_, buffer) = program.outputs[*output];
            head.has_width(program.buffers[buffer].len() / self.batch);
        }
        self.program = self.engine.add(program, weights, &columns, &kept)?;
        if self.engine.plans_ahead() {
            self.engine.allocate(weights)?;
        }
        self.engine.prepare(self.program)
    }

    /// What rows must be encoded with: the columns that answers depend on, and no label.
    pub fn fitted(&self) -> &[FittedColumn] {
        &self.fitted
    }

    /// How many neighbouring rows an answer is made of; it stands beside the last of them.
    pub fn rows_read(&self) -> usize {
        self.reach.read
    }

    /// The columns of answers, in order.
    pub fn columns(&self) -> Vec<OutColumn> {
        let several = self.heads.iter().filter(|head| head.has_shares()).count() > 1;
        self.heads.iter().flat_map(|head| head.columns(several)).collect()
    }

    /// So many answers for encoded rows, values for each of [`columns`](Self::columns): one for each row, or for each run
    /// of [`rows_read`](Self::rows_read) neighbours.
    ///
    /// # Errors
    /// If the GPU is lost.
    pub fn answer(&mut self, store: Store, rows: usize) -> Result<Vec<OutValues>, RunError> {
        let steps = rows.div_ceil(self.batch);
        let filled = steps * self.batch;
        // The last batch is filled up with the first row.
        let places = (0..filled as u32).map(|i| if (i as usize) < rows { i } else { 0 }).collect();
        let store = store.with_room(self.reach.size - self.reach.read);
        let part = Part { store: Arc::new(store), rows: places };
        let order = Order { rows: filled, batch: self.batch, drop_last: false, shuffle: None };
        let mut batches = Batches::new(&part, order, 0, steps as u64, Prefetch::Inline);
        let mut numbers: Vec<Vec<f32>> = self.heads.iter().map(|_| Vec::new()).collect();
        while let Some(batch) = batches.advance() {
            self.engine.run(self.program, &batch, &[], 0).map_err(|wrong| *wrong)?;
            self.take(&mut numbers);
        }
        self.engine.finish().map_err(|wrong| *wrong)?;
        self.take(&mut numbers);
        let answers = self.heads.iter().zip(numbers);
        Ok(answers.flat_map(|(head, numbers)| head.values(&numbers[..rows * head.width()])).collect())
    }

    /// Sorts what has landed by head.
    fn take(&mut self, numbers: &mut [Vec<f32>]) {
        while let Some(mut landed) = self.engine.landed() {
            for (head, numbers) in self.heads.iter().zip(&mut *numbers) {
                let (own, others) = landed.split_at(head.width() * self.batch);
                numbers.extend_from_slice(own);
                landed = others;
            }
        }
    }
}

impl Reach {
    fn of(graph: &Graph, fitted: &[FittedColumn], bindings: &Bindings) -> Reach {
        let sizes = fitted.iter().filter_map(|column| column.windows().map(|w| (column, w.size)));
        let read = sizes.clone().map(|(column, size)| steps_read(graph, &column.name, size, bindings));
        Reach { read: read.max().unwrap_or(1), size: sizes.map(|(_, size)| size).max().unwrap_or(1) }
    }
}

/// How many steps from its start on a graph reads of a column of windows.
fn steps_read(graph: &Graph, column: &str, size: usize, bindings: &Bindings) -> usize {
    let is_column = |value: Value| match &graph.nodes[value].prim {
        Prim::Leaf(leaf) => &*graph.leaves[*leaf].name == column,
        _computed => false,
    };
    let of_node = |node: &Node| match &node.prim {
        Prim::Slice { input, start, step } if is_column(*input) && step[1] > 0 => {
            let known = |dim: &Dim| dim.bind(bindings).as_const();
            let (Some(start), Some(len)) = (known(&start[1]), known(&node.ty.shape[1])) else { return size };
            (start + (len - 1) * step[1] + 1) as usize
        }
        prim if prim.inputs().iter().any(|input| is_column(*input)) => size,
        _other => 0,
    };
    let read = graph.nodes.iter().map(|(_, node)| of_node(node)).max();
    let given = graph.outputs.iter().any(|output| is_column(output.value));
    if given { size } else { read.unwrap_or(0).clamp(1, size) }
}

/// Pieces of a text are no rows: which answer would be whose?
fn no_rows(column: &FittedColumn, plan: &TrainPlan) -> Diagnostic {
    let message =
        format!("`{}` is made of windows of a text, so no row has an answer of its own", column.name);
    let d = Diagnostic::error("run::windows", message, plan.span, "trained here");
    d.help("`mlc generate RUN` goes on with a text, `mlc eval RUN --input FILE` judges the windows of a file")
}

/// The evaluation's graph with the answers for outputs.
fn answers_of(plan: &TrainPlan) -> Graph {
    let mut graph = plan.eval.clone();
    graph.outputs.clear();
    let mut b = Builder::resume(graph);
    for answer in &plan.answers {
        let value = b.to_f32(answer.value);
        b.output(answer.name.as_str(), value, OutputKind::Value);
    }
    b.finish()
}

/// The graph without the leaves that nothing reads any more: labels, and weights behind losses alone.
fn without_unread(mut graph: Graph) -> Graph {
    let read = |node: &Node| match node.prim {
        Prim::Leaf(leaf) => Some(leaf),
        _ => None,
    };
    let kept: BTreeSet<LeafId> = graph.nodes.iter().filter_map(|(_, node)| read(node)).collect();
    let old = std::mem::take(&mut graph.leaves);
    let mut moved = BTreeMap::new();
    for (id, leaf) in old.iter().filter(|(id, _)| kept.contains(id)) {
        moved.insert(id, graph.leaves.push(leaf.clone()));
    }
    let values: Vec<Value> = graph.nodes.iter().map(|(value, _)| value).collect();
    for value in values {
        if let Prim::Leaf(leaf) = &mut graph.nodes[value].prim {
            *leaf = moved[leaf];
        }
    }
    graph
}

/// The columns of the batch that a graph reads.
fn columns_of(graph: &Graph) -> BTreeSet<&str> {
    let leaf = |prim: &Prim| match prim {
        Prim::Leaf(leaf) => Some(&graph.leaves[*leaf]),
        _ => None,
    };
    let leaves = graph.nodes.iter().filter_map(|(_, node)| leaf(&node.prim));
    leaves.filter(|leaf| matches!(leaf.kind, LeafKind::Batch)).map(|leaf| &*leaf.name).collect()
}

/// All weights of the model, as the run left them.
pub(super) fn weights_of(
    plan: &TrainPlan,
    run: &Run,
    bindings: &Bindings,
    others: &[Graph],
) -> Result<Weights, RunError> {
    let graphs: Vec<&Graph> = plan.graphs().chain(others).collect();
    let mut weights = Weights::new(&graphs, bindings, Backing::Memory);
    let path = run.path.join("model.safetensors");
    let bytes = std::fs::read(&path).map_err(|e| RunError::io("read", &path, &e))?;
    let name = path.display().to_string();
    weights.read_safetensors(SlotKind::Weight, &bytes).map_err(|wrong| misfit(&name, &wrong, plan.span))?;
    Ok(weights)
}
