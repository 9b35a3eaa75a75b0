//! Tables to arrays: what training rows decide, as [`FittedColumn`]s, and their use on any rows.
//!
//! [`apply`] needs what was fitted and a table with columns of the same names, nothing of the spec.

use super::cells::{Checked, Lookup, grouped};
use super::computed::{self, FittedFormula};
use super::files::{Places, problem};
use super::steps::{self, Fitted, Ids, Made};
use super::table::{Cells, Table};
use super::{Array, Loaded, Store, Values, read};
use crate::base::{Bindings, DType, Span, Sym};
use crate::diag::{Diagnostic, Severity};
use crate::ops::transform::Windows;
use crate::sema::job::{Column, ColumnKind, DataPlan, Encode, Field, SourcePlan};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// A batch column with all that training rows decided: enough to make it of other rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FittedColumn {
    /// The leaf's name.
    pub name: String,
    pub dtype: DType,
    /// Its fields lie side by side as one vector, as in `d.row`; else it is one field, in its own shape.
    pub joined: bool,
    pub fields: Vec<FittedField>,
}

/// A column of the source and its steps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FittedField {
    /// Its name in the source; of what is computed, the spec's.
    pub source: String,
    /// What computes its values before the steps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub formula: Option<FittedFormula>,
    pub steps: Vec<Fitted>,
    /// Where the spec asks for it, while there is one.
    #[serde(skip)]
    pub span: Span,
}

impl FittedColumn {
    /// The windows that its rows are, if they are.
    pub fn windows(&self) -> Option<Windows> {
        self.fields.iter().find_map(|field| match field.steps.last() {
            Some(Fitted::Windows(windows)) => Some(*windows),
            Some(_) | None => None,
        })
    }

    /// Whether the steps of its windows are rows of a table, and not pieces of a text.
    pub fn steps_are_rows(&self) -> bool {
        self.fields.iter().flat_map(|field| &field.steps).all(|step| !step.cuts_texts())
    }

    /// What its ids stand for, in order, where they have names: of classes and categories.
    pub fn id_names(&self) -> Option<Vec<String>> {
        let steps = &self.fields.first()?.steps;
        match steps.iter().rfind(|step| !matches!(step, Fitted::Shares { .. }))? {
            Fitted::ClassNames { names } => Some(names.clone()),
            Fitted::Category(vocabulary) => Some(vocabulary.all_names()),
            _numbers => None,
        }
    }
}

impl FittedField {
    /// The last step that says what its numbers are.
    fn telling(&self) -> Option<&Fitted> {
        self.steps.iter().rfind(|step| !step.arranges())
    }

    /// How many classes it has, for a class.
    pub fn classes(&self) -> Option<usize> {
        self.steps.last().and_then(Fitted::classes)
    }

    /// The columns of the source that it is made of.
    pub fn sources(&self) -> BTreeSet<&str> {
        let Some(formula) = &self.formula else { return BTreeSet::from([self.source.as_str()]) };
        formula.inputs.iter().flat_map(|input| input.field.sources()).collect()
    }
}

impl FittedField {
    /// Scale and offset that lead back to the unit of the source, `x = y * scale + offset`; `None` where steps are
    /// no straight lines.
    pub fn straight(&self) -> Option<(f64, f64)> {
        self.steps.iter().try_fold((1.0, 0.0), |(scale, offset), step| {
            let (s, o) = step.straight()?;
            Some((scale * s, scale * o + offset))
        })
    }
}

/// Fits every column of a plan on the training rows. All that is wrong is told at once.
pub fn fit(plan: &DataPlan, main: &Loaded, train: &[u32]) -> Result<Vec<FittedColumn>, Vec<Diagnostic>> {
    let mut wrong = Vec::new();
    let mut columns = Vec::new();
    for column in &plan.columns {
        let mut fields = Vec::new();
        for field in column.fields() {
            match fit_field(column, field, main, train) {
                Ok(fitted) => fields.push(fitted),
                Err(diagnostic) => wrong.push(*diagnostic),
            }
        }
        columns.push(joined(column, fields));
    }
    if wrong.is_empty() { Ok(columns) } else { Err(wrong) }
}

/// A column of its fitted fields.
pub fn joined(column: &Column, fields: Vec<FittedField>) -> FittedColumn {
    let joined = matches!(column.kind, ColumnKind::Row(_));
    FittedColumn { name: column.name.clone(), dtype: column.ty.dtype, joined, fields }
}

pub fn fit_field(column: &Column, field: &Field, main: &Loaded, train: &[u32]) -> Checked<FittedField> {
    let formula = field.formula.as_deref().map(|f| computed::fit(field, f, main, train)).transpose()?;
    let mut fitted =
        FittedField { source: field.source.clone(), formula, steps: Vec::new(), span: field.span };
    fitted.steps = with_lookup(&fitted, &main.table, main.source, |at| {
        steps::fit(at, &field.how, train, column.ty.dtype)
    })?;
    Ok(fitted)
}

/// Hands over a field's values before its steps: a column of the table, or what its formula makes of some.
pub fn with_lookup<T>(
    field: &FittedField,
    table: &Table,
    source: &SourcePlan,
    f: impl FnOnce(&Lookup) -> Checked<T>,
) -> Checked<T> {
    let made = field.formula.as_ref().map(|formula| computed::column(formula, field, table, source));
    let made = made.transpose()?;
    f(&Lookup::new(made.as_ref().unwrap_or(table), &field.source, field.span, source)?)
}

/// The same of a field that is a column of the table.
pub fn lookup<T>(
    field: &Field,
    table: &Table,
    source: &SourcePlan,
    f: impl FnOnce(&Lookup) -> Checked<T>,
) -> Checked<T> {
    f(&Lookup::new(table, &field.source, field.span, source)?)
}

/// Makes the columns of a table's rows. Those that stay as they are leave the table without a copy.
pub fn apply(
    columns: &[FittedColumn],
    table: &mut Table,
    source: &SourcePlan,
) -> Result<Store, Vec<Diagnostic>> {
    let mut made = Vec::new();
    let mut wrong = Vec::new();
    for column in columns {
        let array = match moved(columns, column, table) {
            Some(array) => Ok(array),
            None => apply_column(column, table, source),
        };
        match array {
            Ok(array) => made.push(array),
            Err(found) => wrong.extend(found),
        }
    }
    let windowed = columns.iter().any(|column| column.windows().is_some());
    if wrong.is_empty() { Ok(Store { windowed, ..Store::new(made) }) } else { Err(wrong) }
}

/// Reads a source and makes the columns of its rows: what a spec calls the same is enough, in any order.
pub fn apply_file(
    columns: &[FittedColumn],
    source: &SourcePlan,
    places: &Places,
) -> Result<Store, Vec<Diagnostic>> {
    let wanted = |name: &str| columns.iter().flat_map(|c| &c.fields).any(|f| f.sources().contains(name));
    let mut table = read::whole(source, &wanted, places).map_err(|wrong| vec![*wrong])?;
    apply(columns, &mut table, source)
}

fn apply_column(column: &FittedColumn, table: &Table, source: &SourcePlan) -> Result<Array, Vec<Diagnostic>> {
    let (mut parts, mut wrong) = (Vec::new(), Vec::new());
    for field in &column.fields {
        let part = with_lookup(field, table, source, |at| steps::apply_made(at, &field.steps, column.dtype));
        match part {
            Ok(Made::Numbers(part)) => parts.push(part),
            Ok(Made::Ids(Ids { row, values })) => {
                // Ids stand alone: a row of several columns leaves them out.
                return Ok(Array { name: column.name.clone(), row, values: Values::I32(values) });
            }
            Err(diagnostic) => wrong.push(*diagnostic),
        }
    }
    if !wrong.is_empty() {
        return Err(wrong);
    }
    let rows = table.rows;
    let widths: Vec<usize> = parts.iter().map(|p| p.row.iter().product()).collect();
    let width: usize = widths.iter().sum();
    let mut values = match column.dtype {
        DType::U8 => Values::U8(vec![0; rows * width]),
        DType::I32 => Values::I32(vec![0; rows * width]),
        DType::F32 => Values::F32(vec![0.0; rows * width]),
    };
    let mut at = 0;
    for (part, own) in parts.iter().zip(&widths) {
        for (i, x) in part.values.iter().enumerate() {
            let to = i / own * width + at + i % own;
            match &mut values {
                Values::U8(v) => v[to] = *x as u8,
                Values::I32(v) => v[to] = *x as i32,
                Values::F32(v) => v[to] = *x as f32,
            }
        }
        at += own;
    }
    let step = if column.joined { vec![width] } else { parts[0].row.clone() };
    let row = column.windows().map(|w| w.size).into_iter().chain(step).collect();
    Ok(Array { name: column.name.clone(), row, values })
}

/// A column that stays as the source has it is taken over, when no other needs it.
fn moved(columns: &[FittedColumn], column: &FittedColumn, table: &mut Table) -> Option<Array> {
    let [FittedField { source, steps, formula, .. }] = column.fields.as_slice() else { return None };
    if column.joined || formula.is_some() || steps.as_slice() != [Fitted::AsIs] {
        return None;
    }
    let at = table.column(source)?;
    let users = columns.iter().flat_map(|c| &c.fields).filter(|f| f.sources().contains(source.as_str()));
    let alone = users.count() == 1;
    let cells = &mut table.columns[at].cells;
    let same = match cells {
        Cells::U8 { .. } => column.dtype == DType::U8,
        Cells::I32 { .. } => column.dtype == DType::I32,
        // What is missing or infinite is told on the long way.
        Cells::F32 { data, .. } => column.dtype == DType::F32 && data.iter().all(|x| x.is_finite()),
        Cells::Text(_) | Cells::F64 { .. } | Cells::Gone => false,
    };
    if !(alone && same) {
        return None;
    }
    let (row, values) = match std::mem::replace(cells, Cells::Gone) {
        Cells::U8 { row, data } => (row, Values::U8(data)),
        Cells::I32 { row, data } => (row, Values::I32(data)),
        Cells::F32 { row, data } => (row, Values::F32(data)),
        Cells::Text(_) | Cells::F64 { .. } | Cells::Gone => panic!("data: only such numbers are moved"),
    };
    Some(Array { name: column.name.clone(), row, values })
}

/// Sizes that only data know: symbols of the columns' types, and the numbers of classes and ids.
pub fn bind_sizes(plan: &DataPlan, store: &Store, fitted: &[FittedColumn]) -> Checked<Bindings> {
    let mut bindings = Bindings::new();
    for column in fitted {
        for field in &column.fields {
            let last = field.telling();
            let known = [("classes", last.and_then(Fitted::classes)), ("vocab", last.and_then(Fitted::ids))];
            for (what, size) in known {
                let Some(size) = size else { continue };
                // In a row a field goes by its own name.
                let own = if column.joined { &field.source } else { &column.name };
                for name in [own, &field.source] {
                    let sym = Sym::from(format!("{}.{name}.{what}", plan.name));
                    bindings.entry(sym).or_insert(size as i64);
                }
            }
            if let Some(width) = last.and_then(Fitted::width) {
                let name = if column.joined { &field.source } else { &column.name };
                let sym = Sym::from(format!("{}.{name}.features", plan.name));
                bindings.entry(sym).or_insert(width as i64);
            }
        }
    }
    for (column, array) in plan.columns.iter().zip(&store.columns) {
        let declared = &column.ty.shape;
        let wrong = || {
            let (has, wants) = (crate::base::Shape::from(array.row.as_slice()), declared);
            let message = format!("column `{}` of the data has the shape {has}, not {wants}", column.name);
            let diagnostic = Diagnostic::error("data::shape", message, column.span, "declared here");
            Box::new(diagnostic.help("check the spec again: the files may have changed since"))
        };
        if declared.rank() != array.row.len() {
            return Err(wrong());
        }
        for (dim, size) in declared.iter().zip(&array.row) {
            match dim.as_sym().filter(|s| !bindings.contains_key(*s)) {
                Some(sym) => drop(bindings.insert(sym.clone(), *size as i64)),
                None if dim.bind(&bindings).as_const() == Some(*size as i64) => {}
                None => return Err(wrong()),
            }
        }
    }
    Ok(bindings)
}

/// What training rows say that is no mistake, but hardly meant: columns of one value.
pub fn warnings(fitted: &[FittedColumn], source: &SourcePlan, train: &[u32]) -> Vec<Diagnostic> {
    let fields = fitted.iter().flat_map(|c| &c.fields);
    let constant = fields.filter(|f| f.steps.iter().any(Fitted::is_constant));
    let warning = |field: &FittedField| {
        let rows = grouped(train.len());
        let message = format!("column `{}` has one value in all {rows} training rows", field.source);
        let mut d = problem("data::constant", message, source).label(field.span, "nothing to learn from");
        d.severity = Severity::Warning;
        d.help("take it out of the spec: where other rows differ, they meet weights that nothing has trained")
    };
    constant.map(warning).collect()
}

/// By column of classes, how many training rows have each.
pub fn class_counts(store: &Store, fitted: &[FittedColumn], train: &[u32]) -> BTreeMap<String, Vec<usize>> {
    let mut all = BTreeMap::new();
    for (column, array) in fitted.iter().zip(&store.columns) {
        let classes = column.fields.first().filter(|_| !column.joined).and_then(FittedField::classes);
        let Some(classes) = classes else { continue };
        let mut counts = vec![0; classes];
        match &array.values {
            Values::I32(values) if array.row.is_empty() => {
                train.iter().for_each(|row| counts[values[*row as usize] as usize] += 1);
            }
            // A share for each class, 1 for the row's own.
            Values::F32(values) if array.row == [classes] => {
                for (class, count) in counts.iter_mut().enumerate() {
                    let own = |row: &&u32| values[**row as usize * classes + class] == 1.0;
                    *count = train.iter().filter(own).count();
                }
            }
            Values::U8(_) | Values::I32(_) | Values::F32(_) => continue,
        }
        all.insert(column.name.clone(), counts);
    }
    all
}

/// A label of which the training rows have one class alone teaches nothing.
pub fn one_class(plan: &DataPlan, store: &Store, fitted: &[FittedColumn], train: &[u32]) -> Vec<Diagnostic> {
    let mut wrong = Vec::new();
    for ((column, array), fitted) in plan.columns.iter().zip(&store.columns).zip(fitted) {
        let [field] = column.fields() else { continue };
        let Values::I32(values) = &array.values else { continue };
        if !matches!(field.how.last(), Some(Encode::Class(_))) {
            continue;
        }
        let first = train.first().map(|row| values[*row as usize]);
        let same = train.iter().all(|row| Some(values[*row as usize]) == first);
        if !same || train.len() < 2 {
            continue;
        }
        let name = match (fitted.fields[0].steps.last(), first) {
            (Some(Fitted::ClassNames { names }), Some(id)) => names[id as usize].clone(),
            (_, id) => id.unwrap_or_default().to_string(),
        };
        let rows = grouped(train.len());
        let message =
            format!("all {rows} training rows have the class `{name}` in column `{}`", field.source);
        let d = problem("data::one_class", message, &plan.source).label(field.span, "one class only");
        wrong.push(d.help("there is nothing to tell apart: stratify the split by it, or use other rows"));
    }
    wrong
}
