//! Learning-rate schedules: the rate of each step, as a table of formulas.
//!
//! A rate is a pure function of the step, the length of the run and of an epoch, computed in `f64` on the host and
//! rounded once to `f32`: the same bits whatever trains. The optimizer's `lr` is where a schedule peaks. A schedule
//! may rise to it first (`warmup`), in a straight line from `start`, as `keras.optimizers.schedules.CosineDecay` does;
//! the row's formula counts from the end of that.

use super::attrs::as_number;
use super::{Attr, AttrType, AttrValue, Default, Sig};
use crate::base::Span;
use crate::diag::Diagnostic;
use std::f64::consts::PI;
use std::fmt;

/// A schedule of the library.
#[derive(Debug)]
pub struct ScheduleDef {
    pub sig: Sig,
    /// Whether it only makes sense from `lr` down to `end`.
    falls: bool,
    rate: fn(&At) -> f64,
}

type Settings = [(&'static str, AttrValue)];

/// A step behind the warm-up, for a formula to look at.
struct At<'a> {
    lr: f64,
    /// Steps since the warm-up, from 0.
    step: f64,
    /// Steps of the run behind the warm-up.
    run: f64,
    /// Steps in the unit of lengths: 1, or those of an epoch.
    unit: f64,
    settings: &'a Settings,
}

fn number(settings: &Settings, name: &str) -> Option<f64> {
    settings.iter().find(|(n, _)| *n == name).and_then(|(_, value)| as_number(value))
}

fn is_word(settings: &Settings, name: &str, word: &str) -> bool {
    settings.iter().any(|(n, value)| *n == name && *value == AttrValue::Word(word.to_string()))
}

impl At<'_> {
    fn number(&self, name: &str) -> f64 {
        number(self.settings, name).expect("schedule: a formula reads settings of its signature")
    }

    /// A setting that counts steps or epochs, in steps.
    fn length(&self, name: &str) -> f64 {
        self.number(name) * self.unit
    }

    /// Steps that the schedule takes: its own `steps`, else all of the run.
    fn steps(&self) -> f64 {
        number(self.settings, "steps").map_or(self.run, |steps| steps * self.unit)
    }

    /// How much of the schedule is over, from 0 to 1.
    fn done(&self) -> f64 {
        (self.step / self.steps()).min(1.0)
    }
}

/// Half a period of the cosine, from 1 at 0 to 0 at 1.
fn half_cosine(t: f64) -> f64 {
    0.5 * (1.0 + libm::cos(PI * t))
}

/// From `a` at 0 to `b` at 1.
fn between(a: f64, b: f64, t: f64) -> f64 {
    a + (b - a) * t
}

const fn float(name: &'static str, min: f64, default: Default, doc: &'static str) -> Attr {
    Attr { name, ty: AttrType::Float { min, max: f64::MAX, open: false }, default, doc }
}

const END: Attr = float("end", 0.0, Default::Float(0.0), "The rate at the end.");
const STEPS: Attr = float("steps", 1.0, Default::None, "How long it takes; without it, the rest of the run.");
const EVERY: Attr = float("every", 1.0, Default::Float(1.0), "The length of one stage.");
const WARMUP: Attr = float("warmup", 0.0, Default::Float(0.0), "How long the rate rises to `lr` first.");
const START: Attr = float("start", 0.0, Default::Float(0.0), "The rate where the warm-up starts.");
const PER: Attr = Attr {
    name: "per",
    ty: AttrType::Choice(&["step", "epoch"]),
    default: Default::Word("step"),
    doc: "What lengths count: steps or epochs.",
};

const fn sig(
    name: &'static str,
    aliases: &'static [&'static str],
    doc: &'static str,
    example: &'static str,
    attrs: &'static [Attr],
) -> Sig {
    Sig { name, aliases, doc, example, inputs: &[], attrs }
}

/// Every schedule.
pub static SCHEDULES: &[ScheduleDef] = &[
    ScheduleDef {
        sig: sig(
            "constant",
            &[],
            "The same rate all along: lr.",
            "constant(warmup=100)",
            &[WARMUP, START, PER],
        ),
        falls: false,
        rate: |at| at.lr,
    },
    ScheduleDef {
        sig: sig(
            "step",
            &["StepLR"],
            "A staircase: lr * factor^floor(step / every) (`torch.optim.lr_scheduler.StepLR`).",
            "step(every=10, per=epoch)",
            &[
                float("every", 1.0, Default::Required, "How long a stair is."),
                float("factor", 0.0, Default::Float(0.1), "What each stair multiplies the rate by."),
                WARMUP,
                START,
                PER,
            ],
        ),
        falls: false,
        rate: |at| at.lr * libm::pow(at.number("factor"), (at.step / at.length("every")).floor()),
    },
    ScheduleDef {
        sig: sig(
            "exponential",
            &["ExponentialDecay", "ExponentialLR"],
            "A steady decay: lr * rate^(step / every) (`keras.optimizers.schedules.ExponentialDecay`).",
            "exponential(0.96, every=1000)",
            &[
                float("rate", 0.0, Default::Required, "What `every` steps multiply the rate by."),
                EVERY,
                Attr {
                    name: "staircase",
                    ty: AttrType::Bool,
                    default: Default::Bool(false),
                    doc: "Whether the rate stays within each stage.",
                },
                WARMUP,
                START,
                PER,
            ],
        ),
        falls: false,
        rate: |at| {
            let stages = at.step / at.length("every");
            let stages = if at.number("staircase") > 0.0 { stages.floor() } else { stages };
            at.lr * libm::pow(at.number("rate"), stages)
        },
    },
    ScheduleDef {
        sig: sig(
            "polynomial",
            &["PolynomialDecay", "PolynomialLR"],
            "A power of what is left: end + (lr - end) * (1 - step / steps)^power \
             (`keras.optimizers.schedules.PolynomialDecay`).",
            "polynomial(end=1e-5, power=2)",
            &[
                float("end", 0.0, Default::Table("polynomial.end"), "The rate at the end."),
                float("power", 0.0, Default::Float(1.0), "The power; 1 is a straight line."),
                STEPS,
                WARMUP,
                START,
                PER,
            ],
        ),
        falls: true,
        rate: |at| between(at.number("end"), at.lr, libm::pow(1.0 - at.done(), at.number("power"))),
    },
    ScheduleDef {
        sig: sig(
            "linear",
            &["LinearLR"],
            "A straight line, up or down: lr + (end - lr) * step / steps (`torch.optim.lr_scheduler.LinearLR`).",
            "linear(warmup=100)",
            &[END, STEPS, WARMUP, START, PER],
        ),
        falls: false,
        rate: |at| between(at.lr, at.number("end"), at.done()),
    },
    ScheduleDef {
        sig: sig(
            "cosine",
            &["CosineDecay", "CosineAnnealingLR"],
            "Half a cosine: end + (lr - end) * (1 + cos(pi * step / steps)) / 2 (Loshchilov and Hutter, 2017; \
             `keras.optimizers.schedules.CosineDecay`).",
            "cosine(warmup=100, end=1e-4)",
            &[WARMUP, END, STEPS, START, PER],
        ),
        falls: true,
        rate: |at| between(at.number("end"), at.lr, half_cosine(at.done())),
    },
    ScheduleDef {
        sig: sig(
            "cosine_restarts",
            &["CosineDecayRestarts", "CosineAnnealingWarmRestarts"],
            "Half a cosine again and again, each `t_mul` times as long as the one before (Loshchilov and Hutter, \
             2017; `keras.optimizers.schedules.CosineDecayRestarts`).",
            "cosine_restarts(period=500)",
            &[
                float("period", 1.0, Default::Required, "How long the first cycle is."),
                float(
                    "t_mul",
                    1.0,
                    Default::Table("cosine_restarts.t_mul"),
                    "What each cycle multiplies its length by.",
                ),
                float(
                    "m_mul",
                    0.0,
                    Default::Float(1.0),
                    "What each restart multiplies the peak above `end` by.",
                ),
                END,
                WARMUP,
                START,
                PER,
            ],
        ),
        falls: true,
        rate: |at| {
            let (cycle, done) = cycle(at.step, at.length("period"), at.number("t_mul"));
            let height = libm::pow(at.number("m_mul"), cycle);
            between(at.number("end"), at.lr, height * half_cosine(done))
        },
    },
    ScheduleDef {
        sig: sig(
            "one_cycle",
            &["OneCycleLR"],
            "Up from lr / div_factor to lr, then down to a `final_div_factor`-th of where it started, by the last \
             step; momentum stays (Smith and Topin, 2018; `torch.optim.lr_scheduler.OneCycleLR`).",
            "one_cycle(pct_start=0.3)",
            &[
                Attr {
                    name: "pct_start",
                    ty: AttrType::Float { min: 0.0, max: 1.0, open: false },
                    default: Default::Float(0.3),
                    doc: "The share of the steps that rise.",
                },
                float("div_factor", 1.0, Default::Float(25.0), "How far below lr it starts."),
                float("final_div_factor", 1.0, Default::Float(1e4), "How far below its start it ends."),
                Attr {
                    name: "anneal",
                    ty: AttrType::Choice(&["cos", "linear"]),
                    default: Default::Word("cos"),
                    doc: "The way up and down.",
                },
                STEPS,
                PER,
            ],
        ),
        falls: false,
        rate: one_cycle,
    },
];

/// Which cycle a step is in, from 0, and how much of that is over. Counted, not by logarithms: those miss a restart by
/// a step where they round.
fn cycle(step: f64, period: f64, t_mul: f64) -> (f64, f64) {
    if t_mul == 1.0 {
        let cycle = (step / period).floor();
        return (cycle, step / period - cycle);
    }
    let (mut cycle, mut start, mut length) = (0.0, 0.0, period);
    while step >= start + length {
        cycle += 1.0;
        start += length;
        length *= t_mul;
    }
    (cycle, (step - start) / length)
}

fn one_cycle(at: &At) -> f64 {
    let start = at.lr / at.number("div_factor");
    let end = start / at.number("final_div_factor");
    // As PyTorch counts: both turning points are steps themselves.
    let (top, last) = (at.number("pct_start") * at.steps() - 1.0, at.steps() - 1.0);
    let anneal = |from: f64, to: f64, t: f64| match is_word(at.settings, "anneal", "linear") {
        true => between(from, to, t),
        false => between(to, from, half_cosine(t)),
    };
    match at.step {
        step if step < top => anneal(start, at.lr, step / top),
        step if step < last => anneal(at.lr, end, (step - top.max(0.0)) / (last - top.max(0.0))),
        _ if top >= last => at.lr,
        _ => end,
    }
}

/// The schedule of that name.
pub fn find(name: &str) -> Option<&'static ScheduleDef> {
    SCHEDULES.iter().find(|s| s.sig.name == name)
}

/// Our name of what is called `name` elsewhere.
pub fn alias(name: &str) -> Option<&'static str> {
    SCHEDULES.iter().find(|s| s.sig.aliases.contains(&name)).map(|s| s.sig.name)
}

/// How long a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    pub steps: u64,
    pub steps_per_epoch: u64,
}

/// A call such as `cosine(warmup=100)`, checked.
#[derive(Clone, Debug)]
pub struct Schedule {
    def: &'static ScheduleDef,
    settings: Vec<(&'static str, AttrValue)>,
    /// The optimizer's.
    lr: f64,
    span: Span,
}

impl Schedule {
    /// A schedule with a value for each setting of its signature.
    ///
    /// # Errors
    /// If it is to fall from `lr` to an `end` above that.
    pub fn new(
        def: &'static ScheduleDef,
        values: Vec<AttrValue>,
        lr: f64,
        span: Span,
    ) -> Result<Schedule, Diagnostic> {
        let names = def.sig.attrs.iter().map(|a| a.name);
        let schedule = Schedule { def, settings: names.zip(values).collect(), lr, span };
        match schedule.number("end") {
            Some(end) if def.falls && end > lr => {
                let name = def.sig.name;
                let message = format!("`{name}` falls from {lr} to `end`, but that is {end}");
                let d = Diagnostic::error("schedule::end", message, span, "ends above where it starts");
                Err(d.help(format!("choose an `end` of at most {lr}, or a larger `lr` for the optimizer")))
            }
            Some(_) | None => Ok(schedule),
        }
    }

    pub fn name(&self) -> &'static str {
        self.def.sig.name
    }

    fn number(&self, name: &str) -> Option<f64> {
        number(&self.settings, name)
    }

    /// Whether lengths count epochs.
    pub fn counts_epochs(&self) -> bool {
        is_word(&self.settings, "per", "epoch")
    }

    /// The warm-up in the unit of lengths.
    fn warmup(&self) -> f64 {
        self.number("warmup").unwrap_or(0.0)
    }

    /// Whether the warm-up ends within a run of so many steps, or of so many epochs if those are counted.
    ///
    /// # Errors
    /// If it does not.
    pub fn check_length(&self, length: u64) -> Result<(), Diagnostic> {
        self.warms_up_within(self.warmup(), length, if self.counts_epochs() { "epochs" } else { "steps" })
    }

    fn warms_up_within(&self, warmup: f64, length: u64, unit: &str) -> Result<(), Diagnostic> {
        // A run of no steps only writes its first weights.
        if length == 0 || warmup < length as f64 {
            return Ok(());
        }
        let message = format!("the warm-up takes {warmup} {unit}, but the run has {length}");
        let label = "never reaches the optimizer's `lr`";
        let d = Diagnostic::error("schedule::warmup", message, self.span, label);
        Err(d.help("make `warmup` shorter, or train longer"))
    }

    /// The rate of each step of a run.
    ///
    /// # Errors
    /// If the warm-up takes all of it.
    pub fn over(&self, run: Run) -> Result<Rates, Diagnostic> {
        let unit = if self.counts_epochs() { run.steps_per_epoch as f64 } else { 1.0 };
        self.warms_up_within(self.warmup() * unit, run.steps, "steps")?;
        Ok(Rates { schedule: self.clone(), steps: run.steps, unit })
    }
}

/// With every setting that has a value: `linear(end=0.0, warmup=10.0, start=0.0, per=step)`.
impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let said = self.settings.iter().filter_map(|(name, value)| match value {
            AttrValue::Word(word) => Some(format!("{name}={word}")),
            AttrValue::Bool(x) => Some(format!("{name}={x}")),
            other => as_number(other).map(|x| format!("{name}={x:?}")),
        });
        write!(f, "{}({})", self.name(), said.collect::<Vec<_>>().join(", "))
    }
}

/// The learning rates of a run.
#[derive(Clone, Debug)]
pub struct Rates {
    schedule: Schedule,
    steps: u64,
    unit: f64,
}

/// Three rates that say how a schedule goes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outline {
    pub first: f32,
    pub peak: f32,
    /// The first step with the peak, from 1.
    pub peak_step: u64,
    pub last: f32,
}

impl Rates {
    /// The rate of a step, counted from 0. Behind the last step of the run, that of the last.
    pub fn lr(&self, step: u64) -> f32 {
        let Schedule { def, settings, lr, .. } = &self.schedule;
        let step = step.min(self.steps.saturating_sub(1)) as f64;
        let warmup = self.schedule.warmup() * self.unit;
        if step < warmup {
            let start = self.schedule.number("start").expect("schedule: a warm-up has a start");
            return between(start, *lr, step / warmup) as f32;
        }
        let run = (self.steps as f64 - warmup).max(1.0);
        (def.rate)(&At { lr: *lr, step: step - warmup, run, unit: self.unit, settings }) as f32
    }

    /// First, peak and last rate; none of a run without steps.
    pub fn outline(&self) -> Option<Outline> {
        let last = self.steps.checked_sub(1)?;
        let (mut peak, mut peak_step) = (self.lr(0), 1);
        for step in 1..=last {
            if self.lr(step) > peak {
                (peak, peak_step) = (self.lr(step), step + 1);
            }
        }
        Some(Outline { first: self.lr(0), peak, peak_step, last: self.lr(last) })
    }
}
