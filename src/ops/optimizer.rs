//! Optimizers by name: settings, states, and which formula makes the step.
//!
//! ```text
//! let rule = Rule::new(lib, "Adam", &plan.settings);   // chooses the formula
//! let scalars = Scalars::new(&mut b, "");              // leaves `lr` and `step`
//! for (weight, gradient) in … {
//!     for (leaf, next) in rule.update(lib, &mut b, scalars, weight, gradient) {
//!         b.output(name_of(leaf), next, OutputKind::Update(leaf));
//!     }
//! }
//! ```
//!
//! `lr` is a leaf, not a number in the code, so that schedules change it without a new program.

use super::formula::{Given, Item, apply_std};
use super::{Attr, AttrType, Default, Framework, Library, Sig};
use crate::base::DType;
use crate::graph::{Builder, Init, LeafId, LeafKind, Value};

/// An optimizer of the library.
#[derive(Debug)]
pub struct OptimizerDef {
    pub sig: Sig,
    forms: fn(Framework, &Settings) -> &'static Form,
}

/// A formula of `std/optimizer.mlspec` and the states that it carries along, each starting at 0:
/// for `m` the formula takes `m` and gives `m_next`.
#[derive(Debug)]
struct Form {
    op: &'static str,
    states: &'static [&'static str],
}

type Settings = [(String, f64)];

fn setting(settings: &Settings, name: &str) -> Option<f64> {
    settings.iter().find(|(n, _)| n == name).map(|(_, x)| *x)
}

static SGD: Form = Form { op: "sgd", states: &[] };
static SGD_MOMENTUM: Form = Form { op: "sgd_momentum", states: &["velocity"] };
static SGD_MOMENTUM_TORCH: Form = Form { op: "sgd_momentum_torch", states: &["velocity"] };
static ADAM: Form = Form { op: "adam", states: &["m", "v"] };
static ADAM_TORCH: Form = Form { op: "adam_torch", states: &["m", "v"] };

const fn share(name: &'static str, key: &'static str, doc: &'static str) -> Attr {
    Attr { name, ty: AttrType::Float { min: 0.0, max: 1.0, open: true }, default: Default::Table(key), doc }
}

const fn amount(name: &'static str, key: &'static str, doc: &'static str) -> Attr {
    Attr {
        name,
        ty: AttrType::Float { min: 0.0, max: f64::MAX, open: false },
        default: Default::Table(key),
        doc,
    }
}

/// Every optimizer. The first setting is always `lr`.
pub static OPTIMIZERS: &[OptimizerDef] = &[
    OptimizerDef {
        sig: Sig {
            name: "SGD",
            aliases: &["sgd", "GradientDescent"],
            doc: "Stochastic gradient descent: w - lr * gradient (Robbins and Monro, 1951), with momentum if \
                  it is not 0.",
            example: "SGD(lr=0.1)",
            inputs: &[],
            attrs: &[
                amount("lr", "SGD.lr", "The learning rate."),
                share("momentum", "SGD.momentum", "The share of the last step that is kept."),
            ],
        },
        forms: |framework, settings| match (setting(settings, "momentum").unwrap_or(0.0) > 0.0, framework) {
            (false, _) => &SGD,
            (true, Framework::Keras) => &SGD_MOMENTUM,
            (true, Framework::Torch) => &SGD_MOMENTUM_TORCH,
        },
    },
    OptimizerDef {
        sig: Sig {
            name: "Adam",
            aliases: &["adam"],
            doc: "Steps scaled by running means of the gradient and its square (Kingma and Ba, 2015).",
            example: "Adam(lr=1e-3)",
            inputs: &[],
            attrs: &[
                amount("lr", "Adam.lr", "The learning rate."),
                share("beta_1", "Adam.beta_1", "The share kept of the mean gradient."),
                share("beta_2", "Adam.beta_2", "The share kept of the mean square."),
                amount("epsilon", "Adam.epsilon", "Added to the root, against division by 0."),
            ],
        },
        forms: |framework, _| match framework {
            Framework::Keras => &ADAM,
            Framework::Torch => &ADAM_TORCH,
        },
    },
];

/// Optimizers of Keras that are not built yet.
static LATER: &[&str] =
    &["AdamW", "RMSprop", "Adagrad", "Adadelta", "Nadam", "Adamax", "Lion", "Muon", "Lamb", "Ftrl"];

/// The optimizer of that name.
pub fn find(name: &str) -> Option<&'static OptimizerDef> {
    OPTIMIZERS.iter().find(|o| o.sig.name == name)
}

/// Our name of what is called `name` elsewhere.
pub fn alias(name: &str) -> Option<&'static str> {
    OPTIMIZERS.iter().find(|o| o.sig.aliases.contains(&name)).map(|o| o.sig.name)
}

pub fn known_later(name: &str) -> bool {
    LATER.contains(&name)
}

/// The scalars that the session sets before each step, `f32`.
#[derive(Clone, Copy, Debug)]
pub struct Scalars {
    pub lr: Value,
    /// From 1.
    pub step: Value,
}

impl Scalars {
    /// Finds or makes the leaves `{prefix}lr` and `{prefix}step`; the prefix is that of a named
    /// train step, such as `critic.`, or empty.
    pub fn new(b: &mut Builder, prefix: &str) -> Scalars {
        let mut scalar = |name: &str| {
            let full = format!("{prefix}{name}");
            match b.find(&full) {
                Some(leaf) => b.read(leaf),
                None => b.scalar_leaf(full, DType::F32),
            }
        };
        Scalars { lr: scalar("lr"), step: scalar("step") }
    }
}

/// An optimizer with its settings, ready to update weights.
#[derive(Clone, Debug)]
pub struct Rule {
    form: &'static Form,
    settings: Vec<(String, f64)>,
}

impl Rule {
    /// The rule of a checked plan: every setting of the signature with its value; `lr` is read
    /// from the leaf instead.
    ///
    /// # Panics
    /// If no optimizer bears that name.
    pub fn new(lib: &Library, name: &str, settings: &[(String, f64)]) -> Rule {
        let def =
            find(name).unwrap_or_else(|| panic!("optimizer: the plan names one of the table, not {name}"));
        Rule { form: (def.forms)(lib.framework(), settings), settings: settings.to_vec() }
    }

    /// The names of the states of one weight: `fc1.weight.m`.
    pub fn states(&self, weight: &str) -> Vec<String> {
        self.form.states.iter().map(|s| format!("{weight}.{s}")).collect()
    }

    /// One step for one weight: adds state leaves and the formula, and gives the next value of
    /// the weight and of each state. Nothing becomes an output here.
    pub fn update(
        &self,
        lib: &Library,
        b: &mut Builder,
        scalars: Scalars,
        weight: LeafId,
        gradient: Value,
    ) -> Vec<(LeafId, Value)> {
        let leaf = b.graph().leaves[weight].clone();
        assert!(matches!(leaf.kind, LeafKind::Param(_)), "optimizer: `{}` is a weight", leaf.name);
        b.at(leaf.span);
        let w = b.read(weight);
        let mut inputs = vec![("w", w), ("g", gradient), ("lr", scalars.lr), ("step", scalars.step)];
        let mut targets = vec![weight];
        for (state, name) in self.form.states.iter().zip(self.states(&leaf.name)) {
            let value = b.state(name.clone(), leaf.ty.shape.clone(), Init::Constant(0.0));
            inputs.push((state, value));
            targets.push(b.find(&name).expect("optimizer: the state was just made"));
        }
        let op = lib.std_op(self.form.op).expect("optimizer: its formula is in the library");
        let args = op.params.iter().map(|param| {
            let input = inputs.iter().find(|(name, _)| *name == &*param.name).map(|(_, v)| Item::Tensor(*v));
            let item = input.or_else(|| setting(&self.settings, &param.name).map(Item::float));
            let item =
                item.unwrap_or_else(|| panic!("optimizer: `{}` has a setting `{}`", op.name, param.name));
            Given::named(&param.name, item, leaf.span)
        });
        let args = args.collect();
        let next = apply_std(lib, b, self.form.op, args, leaf.span)
            .unwrap_or_else(|why| panic!("optimizer: its formula fits every weight: {why:?}"));
        targets.into_iter().zip(next).collect()
    }
}
