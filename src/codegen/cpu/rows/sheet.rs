//! Units that one call of a wide loop goes through: the rows of a sheet.

use super::{RowsPlan, Sweep};
use crate::codegen::cpu::emit::{Gen, Len};
use crate::codegen::cpu::facts::{Class, Facts};
use crate::codegen::cpu::nest::Form;
use crate::codegen::cpu::wide::RowsOf;
use cranelift_codegen::ir::{InstBuilder, Value};

/// Whether no live number of a unit differs along a dim, and all stores are of lanes.
pub fn is_even(facts: &Facts, live: &[bool], dim: usize) -> bool {
    let differs =
        |node: usize| live[node] && facts.class[node] == Class::Unit && facts.varies[node] >> dim & 1 == 1;
    facts.stores.iter().all(|store| store.class == Class::Lane) && !(0..live.len()).any(differs)
}

impl RowsPlan {
    /// All units of a task by one call; false if there is none for them.
    pub(super) fn emit_task_at_once(&self, g: &mut Gen, task: Value) -> bool {
        let [last] = self.nest.outer[..] else { return false };
        if self.looped != 1 || !self.may_be_at_once(last) {
            return false;
        }
        let (first, count) = if self.tasks <= 1 {
            (g.iconst(0), g.iconst(self.units as i64))
        } else {
            let first = g.times(task, self.per_task as i64);
            let all = g.iconst(self.units as i64);
            let left = g.b.ins().isub(all, first);
            let per = g.iconst(self.per_task as i64);
            (first, g.b.ins().umin(left, per))
        };
        self.emit_at_once(g, last, first, count)
    }

    /// The units that differ in the last outer index alone, by one call.
    pub(super) fn emit_block_at_once(&self, g: &mut Gen, last: usize) -> bool {
        if !self.may_be_at_once(last) {
            return false;
        }
        let (first, count) = (g.iconst(0), g.iconst(self.looped as i64));
        self.emit_at_once(g, last, first, count)
    }

    fn may_be_at_once(&self, last: usize) -> bool {
        let single = self.nest.form == Form::Map && self.chunks == 1 && self.sweeps.len() == 1;
        single && self.units > 0 && is_even(&self.facts, &self.live, last)
    }

    fn emit_at_once(&self, g: &mut Gen, last: usize, first: Value, count: Value) -> bool {
        g.places.fill(None);
        g.index[last] = first;
        g.index[self.nest.lane] = g.iconst(0);
        self.scalars_of(g, Class::Unit, 0);
        let rows = RowsOf { dim: last, count, acc: None };
        let Sweep { plan, layout, .. } = &self.sweeps[0];
        g.strip_rows(plan, layout, Len::Const(self.nest.lanes()), rows)
    }

    /// A sweep down the columns of a unit by one call; false if there is none for it.
    pub(super) fn emit_sweep_at_once(&self, g: &mut Gen, step: usize, len: usize) -> bool {
        let [seq] = self.nest.seq[..] else { return false };
        let numbers = self.facts.stores.iter().any(|store| store.class == Class::Seq);
        if self.nest.form != Form::Columns || self.in_registers || numbers {
            return false;
        }
        g.index[seq] = g.iconst(0);
        let rows = RowsOf { dim: seq, count: g.iconst(self.nest.dims[seq] as i64), acc: None };
        let Sweep { plan, layout, .. } = &self.sweeps[step];
        g.strip_rows(plan, layout, Len::Const(len), rows)
    }
}
