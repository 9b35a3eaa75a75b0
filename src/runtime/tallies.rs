//! All metrics of an evaluation under way: batches in, figures out.

use super::data::Dataset;
use super::trainer::elements;
use crate::base::Bindings;
use crate::ops::metric::{Figure, Group, Groups, Tally};
use crate::sema::job::{GroupPlan, MetricPlan};

pub(super) struct Tallies<'a> {
    metrics: Vec<(&'a MetricPlan, Under<'a>)>,
    data: &'a Dataset,
    bindings: &'a Bindings,
}

/// What is tallied.
enum Under<'a> {
    /// All rows together.
    Whole(Tally),
    Groups(Sorting<'a>),
}

/// Rows on their way into groups.
struct Sorting<'a> {
    plan: &'a GroupPlan,
    /// Numbers that each output has for a row, the group itself aside.
    widths: Vec<usize>,
    /// Elements of a row.
    count: f64,
    /// What a group starts as.
    empty: Tally,
    /// By id, with how many rows.
    groups: Vec<(Tally, u64)>,
    /// The numbers of a row.
    row: Vec<f32>,
}

impl<'a> Tallies<'a> {
    /// With room for so many rows: but for groups, nothing is allocated from here on.
    pub fn new(plans: &'a [MetricPlan], data: &'a Dataset, rows: usize) -> Tallies<'a> {
        let bindings = data.bindings();
        let of = |size, rows| elements(size, bindings, rows);
        let under = |plan: &'a MetricPlan| {
            let classes = of(&plan.classes, rows) as usize;
            let mut tally = Tally::new(plan.finish, classes).counted(plan.counted);
            let Some(by) = &plan.by else {
                tally.reserve(of(&plan.count, rows) as usize);
                return (plan, Under::Whole(tally));
            };
            let widths: Vec<usize> = by.widths.iter().map(|width| of(width, 1) as usize).collect();
            let row = Vec::with_capacity(widths.iter().sum());
            let count = of(&plan.count, 1);
            (plan, Under::Groups(Sorting { plan: by, widths, count, empty: tally, groups: Vec::new(), row }))
        };
        Tallies { metrics: plans.iter().map(under).collect(), data, bindings }
    }

    /// Adds what a batch of so many rows left, metric after metric.
    pub fn add(&mut self, mut scores: &[f32], rows: usize) {
        for (plan, under) in &mut self.metrics {
            let numbers = elements(&plan.numbers, self.bindings, rows) as usize;
            let (own, others) = scores.split_at(numbers);
            match under {
                Under::Whole(tally) => tally.add(own, elements(&plan.count, self.bindings, rows)),
                Under::Groups(sorting) => sorting.add(own, rows),
            }
            scores = others;
        }
    }

    /// By name, in the plan's order.
    pub fn figures(self) -> Vec<(String, Figure)> {
        let data = self.data;
        let names = |column: &Option<String>| column.as_deref().and_then(|column| data.class_names(column));
        let figure = |(plan, under): (&MetricPlan, Under)| {
            let figure = match under {
                Under::Groups(sorting) => {
                    let names = names(&sorting.plan.column);
                    Figure::Groups(sorting.figures(names))
                }
                Under::Whole(tally) => match (tally.figure(), names(&plan.label)) {
                    (Figure::Confusion(confusion), Some(names)) => Figure::Confusion(confusion.named(&names)),
                    (figure, _) => figure,
                },
            };
            let unit = plan.label.as_deref().map_or(1.0, |label| data.unit(label));
            (plan.name.clone(), figure.times(unit.powi(plan.power)))
        };
        self.metrics.into_iter().map(figure).collect()
    }
}

impl Sorting<'_> {
    /// Adds each row to its group.
    fn add(&mut self, numbers: &[f32], rows: usize) {
        let (parts, ids) = numbers.split_at(numbers.len() - rows);
        for (i, id) in ids.iter().enumerate() {
            self.row.clear();
            let mut of_part = parts;
            for &width in &self.widths {
                let (part, others) = of_part.split_at(width * rows);
                self.row.extend_from_slice(&part[width * i..width * (i + 1)]);
                of_part = others;
            }
            let id = *id as usize;
            if id >= self.groups.len() {
                self.groups.resize(id + 1, (self.empty.clone(), 0));
            }
            let (tally, rows) = &mut self.groups[id];
            tally.add(&self.row, self.count);
            *rows += 1;
        }
    }

    fn figures(self, names: Option<Vec<String>>) -> Groups {
        let name = |id: usize| match &names {
            Some(names) => names.get(id).map_or("other".to_string(), Clone::clone),
            None => id.to_string(),
        };
        let there = self.groups.into_iter().enumerate().filter(|(_, (_, rows))| *rows > 0);
        let group = |(id, (tally, rows)): (usize, (Tally, u64))| Group {
            name: name(id),
            rows,
            value: tally.figure().number(),
        };
        Groups { by: self.plan.by.clone(), groups: there.map(group).collect() }
    }
}
