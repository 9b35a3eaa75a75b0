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

use super::formula::{Given, Item, OpDecl, ParamKind, apply_std};
use super::{Attr, AttrType, Default, Framework, Library, Sig};
use crate::base::{DType, Shape};
use crate::graph::{Builder, Init, LeafId, LeafKind, Value};

/// An optimizer of the library.
#[derive(Debug)]
pub struct OptimizerDef {
    pub sig: Sig,
    forms: fn(Framework, &Settings) -> &'static Form,
}

/// A formula of `std/optimizer.mlspec` and the states that it carries along: for `m` the formula takes
/// `m` and gives `m_next`. A state has the weight's shape, or is one number where the formula says `f32[]`.
#[derive(Debug)]
struct Form {
    op: &'static str,
    states: &'static [State],
}

#[derive(Debug)]
struct State {
    name: &'static str,
    start: Start,
}

/// What a state is before the first step.
#[derive(Debug)]
enum Start {
    Number(f64),
    /// What this setting says.
    Setting(&'static str),
}

/// A state that starts at 0, as nearly all do.
const fn zero(name: &'static str) -> State {
    State { name, start: Start::Number(0.0) }
}

type Settings = [(String, f64)];

fn setting(settings: &Settings, name: &str) -> Option<f64> {
    settings.iter().find(|(n, _)| n == name).map(|(_, x)| *x)
}

/// Whether a flag is on, or a number is above 0.
fn positive(settings: &Settings, name: &str) -> bool {
    setting(settings, name).is_some_and(|x| x > 0.0)
}

static VELOCITY: &[State] = &[zero("velocity")];
static M_V: &[State] = &[zero("m"), zero("v")];
static M_U: &[State] = &[zero("m"), zero("u")];
static ACCUMULATOR: &[State] =
    &[State { name: "accumulator", start: Start::Setting("initial_accumulator_value") }];
static MOMENT: &[State] = &[zero("velocity"), zero("moment")];
static AVERAGE: &[State] = &[zero("velocity"), zero("average")];
static AVERAGE_MOMENT: &[State] = &[zero("velocity"), zero("average"), zero("moment")];

static SGD: Form = Form { op: "sgd", states: &[] };
static SGD_MOMENTUM: Form = Form { op: "sgd_momentum", states: VELOCITY };
static SGD_MOMENTUM_TORCH: Form = Form { op: "sgd_momentum_torch", states: VELOCITY };
static SGD_NESTEROV: Form = Form { op: "sgd_nesterov", states: VELOCITY };
static SGD_NESTEROV_TORCH: Form = Form { op: "sgd_nesterov_torch", states: VELOCITY };
static ADAM: Form = Form { op: "adam", states: M_V };
static ADAM_TORCH: Form = Form { op: "adam_torch", states: M_V };
static ADAMW: Form = Form { op: "adamw", states: M_V };
static ADAMW_TORCH: Form = Form { op: "adamw_torch", states: M_V };
static ADAMAX: Form = Form { op: "adamax", states: M_U };
static ADAMAX_TORCH: Form = Form { op: "adamax_torch", states: M_U };
static NADAM: Form = Form {
    op: "nadam",
    states: &[zero("m"), zero("v"), State { name: "product", start: Start::Number(1.0) }],
};
static LION: Form = Form { op: "lion", states: &[zero("m")] };
static ADAGRAD: Form = Form { op: "adagrad", states: ACCUMULATOR };
static ADAGRAD_TORCH: Form = Form { op: "adagrad_torch", states: ACCUMULATOR };
static ADADELTA: Form = Form { op: "adadelta", states: &[zero("gradients"), zero("steps")] };
static RMSPROP: Form = Form { op: "rmsprop", states: VELOCITY };
static RMSPROP_MOMENTUM: Form = Form { op: "rmsprop_momentum", states: MOMENT };
static RMSPROP_CENTERED: Form = Form { op: "rmsprop_centered", states: AVERAGE };
static RMSPROP_CENTERED_MOMENTUM: Form = Form { op: "rmsprop_centered_momentum", states: AVERAGE_MOMENT };
static RMSPROP_TORCH: Form = Form { op: "rmsprop_torch", states: VELOCITY };
static RMSPROP_MOMENTUM_TORCH: Form = Form { op: "rmsprop_momentum_torch", states: MOMENT };
static RMSPROP_CENTERED_TORCH: Form = Form { op: "rmsprop_centered_torch", states: AVERAGE };
static RMSPROP_CENTERED_MOMENTUM_TORCH: Form =
    Form { op: "rmsprop_centered_momentum_torch", states: AVERAGE_MOMENT };

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

const fn flag(name: &'static str, doc: &'static str) -> Attr {
    Attr { name, ty: AttrType::Bool, default: Default::Bool(false), doc }
}

const fn lr(key: &'static str) -> Attr {
    amount("lr", key, "The learning rate.")
}

const fn epsilon(key: &'static str) -> Attr {
    amount("epsilon", key, "Added against division by 0.")
}

const fn mean_gradient(key: &'static str) -> Attr {
    share("beta_1", key, "The share kept of the mean gradient.")
}

const fn mean_square(key: &'static str) -> Attr {
    share("beta_2", key, "The share kept of the mean square.")
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
                lr("SGD.lr"),
                share("momentum", "SGD.momentum", "The share of the last step that is kept."),
                flag("nesterov", "Whether momentum looks one step ahead (Nesterov, 1983)."),
            ],
        },
        forms: |framework, settings| {
            let momentum = positive(settings, "momentum");
            match (momentum, positive(settings, "nesterov"), framework) {
                (false, _, _) => &SGD,
                (true, false, Framework::Keras) => &SGD_MOMENTUM,
                (true, false, Framework::Torch) => &SGD_MOMENTUM_TORCH,
                (true, true, Framework::Keras) => &SGD_NESTEROV,
                (true, true, Framework::Torch) => &SGD_NESTEROV_TORCH,
            }
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
                lr("Adam.lr"),
                mean_gradient("Adam.beta_1"),
                mean_square("Adam.beta_2"),
                epsilon("Adam.epsilon"),
            ],
        },
        forms: |framework, _| match framework {
            Framework::Keras => &ADAM,
            Framework::Torch => &ADAM_TORCH,
        },
    },
    OptimizerDef {
        sig: Sig {
            name: "AdamW",
            aliases: &["adamw"],
            doc: "Adam with weights that decay on their own (Loshchilov and Hutter, 2019): all but those of\n\
                  `no_decay=[bias, LayerNorm]`, which names weights, kinds of layers and layers.",
            example: "AdamW(lr=1e-3)",
            inputs: &[],
            attrs: &[
                lr("AdamW.lr"),
                amount(
                    "weight_decay",
                    "AdamW.weight_decay",
                    "The share, times lr, that a weight loses at each step.",
                ),
                mean_gradient("AdamW.beta_1"),
                mean_square("AdamW.beta_2"),
                epsilon("AdamW.epsilon"),
            ],
        },
        forms: |framework, settings| match (framework, positive(settings, "weight_decay")) {
            (Framework::Keras, true) => &ADAMW,
            (Framework::Keras, false) => &ADAM,
            (Framework::Torch, true) => &ADAMW_TORCH,
            (Framework::Torch, false) => &ADAM_TORCH,
        },
    },
    OptimizerDef {
        sig: Sig {
            name: "Adamax",
            aliases: &["adamax"],
            doc: "Adam by the largest gradient instead of the mean square (Kingma and Ba, 2015).",
            example: "Adamax(lr=1e-3)",
            inputs: &[],
            attrs: &[
                lr("Adamax.lr"),
                mean_gradient("Adamax.beta_1"),
                share("beta_2", "Adamax.beta_2", "The share kept of the largest gradient."),
                epsilon("Adamax.epsilon"),
            ],
        },
        forms: |framework, _| match framework {
            Framework::Keras => &ADAMAX,
            Framework::Torch => &ADAMAX_TORCH,
        },
    },
    OptimizerDef {
        sig: Sig {
            name: "Nadam",
            aliases: &["nadam", "NAdam"],
            doc: "Adam with Nesterov momentum that warms up (Dozat, 2016).",
            example: "Nadam(lr=1e-3)",
            inputs: &[],
            attrs: &[
                lr("Nadam.lr"),
                mean_gradient("Nadam.beta_1"),
                mean_square("Nadam.beta_2"),
                epsilon("Nadam.epsilon"),
                amount("momentum_decay", "Nadam.momentum_decay", "How fast the momentum warms up."),
            ],
        },
        forms: |_, _| &NADAM,
    },
    OptimizerDef {
        sig: Sig {
            name: "Lion",
            aliases: &["lion"],
            doc: "Steps by the sign of a mean gradient alone (Chen et al., 2023).",
            example: "Lion(lr=1e-4)",
            inputs: &[],
            attrs: &[
                lr("Lion.lr"),
                share("beta_1", "Lion.beta_1", "The share of the mean gradient in the step."),
                share("beta_2", "Lion.beta_2", "The share kept of the mean gradient."),
            ],
        },
        forms: |_, _| &LION,
    },
    OptimizerDef {
        sig: Sig {
            name: "RMSprop",
            aliases: &["rmsprop", "RMSProp"],
            doc: "Steps by the root of a running mean of squares (Hinton, 2012).",
            example: "RMSprop(lr=1e-3)",
            inputs: &[],
            attrs: &[
                lr("RMSprop.lr"),
                share("rho", "RMSprop.rho", "The share kept of the mean square."),
                share("momentum", "RMSprop.momentum", "The share of the last step that is kept."),
                epsilon("RMSprop.epsilon"),
                flag("centered", "Whether to divide by the variance of the gradient, not its mean square."),
            ],
        },
        forms: |framework, settings| {
            let centered = positive(settings, "centered");
            match (centered, positive(settings, "momentum"), framework) {
                (false, false, Framework::Keras) => &RMSPROP,
                (false, true, Framework::Keras) => &RMSPROP_MOMENTUM,
                (true, false, Framework::Keras) => &RMSPROP_CENTERED,
                (true, true, Framework::Keras) => &RMSPROP_CENTERED_MOMENTUM,
                (false, false, Framework::Torch) => &RMSPROP_TORCH,
                (false, true, Framework::Torch) => &RMSPROP_MOMENTUM_TORCH,
                (true, false, Framework::Torch) => &RMSPROP_CENTERED_TORCH,
                (true, true, Framework::Torch) => &RMSPROP_CENTERED_MOMENTUM_TORCH,
            }
        },
    },
    OptimizerDef {
        sig: Sig {
            name: "Adagrad",
            aliases: &["adagrad"],
            doc: "Steps by the root of the sum of all squares so far (Duchi et al., 2011).",
            example: "Adagrad(lr=0.01)",
            inputs: &[],
            attrs: &[
                lr("Adagrad.lr"),
                amount(
                    "initial_accumulator_value",
                    "Adagrad.initial_accumulator_value",
                    "Where the sum of squares starts.",
                ),
                epsilon("Adagrad.epsilon"),
            ],
        },
        forms: |framework, _| match framework {
            Framework::Keras => &ADAGRAD,
            Framework::Torch => &ADAGRAD_TORCH,
        },
    },
    OptimizerDef {
        sig: Sig {
            name: "Adadelta",
            aliases: &["adadelta"],
            doc: "Steps in the unit of the weights, so that lr may stay 1 (Zeiler, 2012).",
            example: "Adadelta(lr=1)",
            inputs: &[],
            attrs: &[
                lr("Adadelta.lr"),
                share("rho", "Adadelta.rho", "The share kept of both mean squares."),
                epsilon("Adadelta.epsilon"),
            ],
        },
        forms: |_, _| &ADADELTA,
    },
];

/// Optimizers of Keras that are not built yet.
static LATER: &[&str] = &["Muon", "Lamb", "Ftrl", "Adafactor"];

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
    /// In front of the names of its states.
    prefix: String,
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
        Rule {
            form: (def.forms)(lib.framework(), settings),
            settings: settings.to_vec(),
            prefix: String::new(),
        }
    }

    /// The rule of a named train step, whose states bear its name in front: `critic.`. Another step may update the
    /// same weights.
    pub fn of_step(self, prefix: &str) -> Rule {
        Rule { prefix: prefix.to_string(), ..self }
    }

    /// The names of the states of one weight: `fc1.weight.m`.
    pub fn states(&self, weight: &str) -> Vec<String> {
        self.form.states.iter().map(|s| format!("{}{weight}.{}", self.prefix, s.name)).collect()
    }

    fn start(&self, state: &State) -> f64 {
        match state.start {
            Start::Number(x) => x,
            Start::Setting(name) => {
                setting(&self.settings, name).expect("optimizer: a state starts at one of its settings")
            }
        }
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
        let w = b.read(weight);
        self.update_from(lib, b, scalars, (weight, w), gradient)
    }

    /// The same for a weight that holds `w` by now.
    pub fn update_from(
        &self,
        lib: &Library,
        b: &mut Builder,
        scalars: Scalars,
        (weight, w): (LeafId, Value),
        gradient: Value,
    ) -> Vec<(LeafId, Value)> {
        let leaf = b.graph().leaves[weight].clone();
        assert!(matches!(leaf.kind, LeafKind::Param(_)), "optimizer: `{}` is a weight", leaf.name);
        b.at(leaf.span);
        let mut inputs = vec![("w", w), ("g", gradient), ("lr", scalars.lr), ("step", scalars.step)];
        let mut targets = vec![weight];
        let op = lib.std_op(self.form.op).expect("optimizer: its formula is in the library");
        for (state, name) in self.form.states.iter().zip(self.states(&leaf.name)) {
            let shape = if is_one_number(op, state.name) { Shape::scalar() } else { leaf.ty.shape.clone() };
            let value = b.state(name.clone(), shape, Init::Constant(self.start(state)));
            inputs.push((state.name, value));
            targets.push(b.find(&name).expect("optimizer: the state was just made"));
        }
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

/// Whether the formula takes this state as `f32[]`, whatever shape the weight has.
fn is_one_number(op: &OpDecl, state: &str) -> bool {
    let param = op.params.iter().find(|p| &*p.name == state);
    let param = param.expect("optimizer: its formula takes each of its states");
    matches!(&param.kind, ParamKind::Tensor(pattern) if pattern.sizes.is_empty())
}
