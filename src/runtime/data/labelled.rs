//! Rows of a file of their own for a run that has ended: encoded with what its training rows decided, to be evaluated on.

use super::encode::{self, FittedColumn};
use super::files::Places;
use super::{Dataset, Loaded, Part, read, wanted, windows};
use crate::base::{Bindings, Sym};
use crate::diag::Diagnostic;
use crate::sema::job::{DataPlan, SourcePlan};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a run keeps of its data.
pub struct Kept<'a> {
    pub fitted: &'a [FittedColumn],
    pub sizes: &'a BTreeMap<String, i64>,
}

/// The rows of `source` as the test part of a dataset whose other parts are empty. It needs all columns that inputs
/// and labels are made of, by name, in any order.
///
/// # Errors
/// What is wrong with the file and its cells, all of it at once.
pub fn labelled(
    plan: &DataPlan,
    kept: &Kept,
    source: &SourcePlan,
    places: &Places,
) -> Result<Dataset, Vec<Diagnostic>> {
    let fields = || kept.fitted.iter().flat_map(|column| &column.fields);
    let used = |name: &str| fields().any(|field| field.sources().contains(name));
    let table = read::whole(source, &used, places).map_err(|wrong| vec![*wrong])?;
    let mut loaded = Loaded { source, table };
    let store = Arc::new(encode::apply(kept.fitted, &mut loaded.table, source)?);
    let bindings: Bindings =
        kept.sizes.iter().map(|(name, size)| (Sym::from(name.as_str()), *size)).collect();
    let wrong = wanted::problems(plan, &loaded, &store, &bindings);
    if !wrong.is_empty() {
        return Err(wrong);
    }
    let part = |rows: Vec<u32>| Part { store: store.clone(), rows: rows.into() };
    let rows = match windows::fitted(kept.fitted) {
        Some(windows) => windows::of_store(&windows, &store, source).map_err(|wrong| vec![*wrong])?,
        None => (0..loaded.table.rows as u32).collect(),
    };
    Ok(Dataset {
        name: plan.name.clone(),
        train: part(Vec::new()),
        valid: part(Vec::new()),
        test: part(rows),
        fitted: kept.fitted.to_vec(),
        warnings: Vec::new(),
        files: loaded.table.files,
        bindings,
        augment: Vec::new(),
        counts: BTreeMap::new(),
    })
}
