//! Columns that a formula computes before they are transformed, for any rows: of training, of an evaluation, of a
//! prediction years later.
//!
//! The formula is a graph, and runs in the reference interpreter, in `f64`, some rows at a time: each row is made of
//! that row alone, so the bits do not depend on how rows are cut. A value that is missing in an input is missing in
//! the column if its chain fills such gaps, else an error at the input.

use super::cells::{Checked, Lookup, Numbers};
use super::encode::{self, FittedField};
use super::table::{Cells, Origin, RawColumn, Table};
use super::{Loaded, steps};
use crate::base::DType;
use crate::diag::Diagnostic;
use crate::graph::interp::{self, Inputs, Tensor};
use crate::graph::{self, Graph};
use crate::sema::job::{Encode, Field, Formula, SourcePlan};
use serde::{Deserialize, Serialize};

/// A formula with all that training rows decided of its inputs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FittedFormula {
    pub inputs: Vec<FittedInput>,
    pub graph: Program,
    /// Whether rows that lack an input are missing, for a step behind to fill.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub gaps: bool,
}

/// A leaf of the graph.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FittedInput {
    pub name: String,
    pub dtype: DType,
    pub field: FittedField,
}

/// A graph that files hold as its text.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Program(Graph);

impl TryFrom<String> for Program {
    type Error = String;

    fn try_from(text: String) -> Result<Program, String> {
        let graph = graph::parse(&text)?;
        match graph.outputs.as_slice() {
            [_] => Ok(Program(graph)),
            outputs => Err(format!("a formula has one output, not {}", outputs.len())),
        }
    }
}

impl From<Program> for String {
    fn from(program: Program) -> String {
        graph::print(&program.0)
    }
}

impl PartialEq for Program {
    fn eq(&self, other: &Program) -> bool {
        graph::print(&self.0) == graph::print(&other.0)
    }
}

/// Decides what training rows decide of the inputs of a field's formula.
pub fn fit(field: &Field, formula: &Formula, main: &Loaded, train: &[u32]) -> Checked<FittedFormula> {
    let mut inputs = Vec::new();
    for column in &formula.inputs {
        let [own] = column.fields() else { panic!("data: a formula reads columns, not rows of them") };
        let field = encode::fit_field(column, own, main, train)?;
        inputs.push(FittedInput { name: column.name.clone(), dtype: column.ty.dtype, field });
    }
    let gaps = field.how.iter().any(|step| matches!(step, Encode::Impute(_)));
    // As it will be read back, so that places in the spec make no difference.
    let graph = Program::try_from(graph::print(&formula.graph)).expect("data: a graph reads what it prints");
    Ok(FittedFormula { inputs, graph, gaps })
}

/// Rows that are computed at once.
const ROWS: usize = 1 << 14;

/// The column of all rows of a table, as a table of its own whose places are those of the rows.
pub fn column(
    formula: &FittedFormula,
    field: &FittedField,
    table: &Table,
    source: &SourcePlan,
) -> Checked<Table> {
    let mut inputs = Vec::new();
    for input in &formula.inputs {
        inputs.push((input, values(input, table, source, formula.gaps)?));
    }
    let lacks = |row: usize| inputs.iter().any(|(_, n)| n.of_row(row).iter().any(|x| x.is_nan()));
    let output = formula.graph.0.outputs[0].value;
    let mut made = Numbers { row: Vec::new(), values: Vec::new() };
    for start in (0..table.rows).step_by(ROWS) {
        let rows = start..(start + ROWS).min(table.rows);
        let leaf = |(input, numbers): &(&FittedInput, Numbers)| {
            let width = numbers.width();
            let shape = [&[rows.len()], numbers.row.as_slice()].concat();
            let part = &numbers.values[rows.start * width..rows.end * width];
            (input.name.clone(), Tensor::new(shape, part.to_vec()))
        };
        let leaves = inputs.iter().map(leaf).collect();
        let [tensor] = interp::run(&formula.graph.0, &Inputs { leaves, ..Inputs::default() })
            .try_into()
            .unwrap_or_else(|_| panic!("data: {output} is the one output of a formula"));
        made.row = tensor.shape[1..].to_vec();
        made.values.extend(tensor.data);
    }
    let width = made.width();
    let mut undefined = Vec::new();
    for row in 0..table.rows {
        let values = &mut made.values[row * width..(row + 1) * width];
        if lacks(row) {
            values.fill(f64::NAN);
        } else if values.iter().any(|x| x.is_nan()) {
            undefined.push(row);
        }
    }
    let cells = Cells::F64 { row: made.row, data: made.values };
    let made = Table {
        name: table.name.clone(),
        rows: table.rows,
        columns: vec![RawColumn { name: field.source.clone(), cells }],
        files: Vec::new(),
        text: String::new(),
        origin: places(table),
    };
    match undefined.is_empty() {
        true => Ok(made),
        false => Err(no_number(&made, field, source, &undefined)),
    }
}

impl Numbers {
    fn of_row(&self, row: usize) -> &[f64] {
        let width = self.width();
        &self.values[row * width..(row + 1) * width]
    }
}

/// What the graph reads of a column.
fn values(input: &FittedInput, table: &Table, source: &SourcePlan, gaps: bool) -> Checked<Numbers> {
    encode::with_lookup(&input.field, table, source, |at| match gaps {
        true => steps::apply_with_gaps(at, &input.field.steps),
        false => steps::apply_all(at, &input.field.steps, input.dtype),
    })
}

/// The places of a table's rows, for a table without its text.
fn places(table: &Table) -> Origin {
    match table.lines() {
        Some(lines) => Origin::Listed(lines),
        None => table.origin.clone(),
    }
}

/// `0 / 0` and its like: no input is missing, and there is no number.
fn no_number(made: &Table, field: &FittedField, source: &SourcePlan, rows: &[usize]) -> Box<Diagnostic> {
    let help = "no input is missing there: change the formula, or correct the cells that it reads";
    let at = Lookup::new(made, &field.source, field.span, source);
    let at = at.unwrap_or_else(|_| panic!("data: `{}` was just made", field.source));
    at.bad("data::not_finite", rows, "is no number: the formula divides 0 by 0, or the like", help)
}
