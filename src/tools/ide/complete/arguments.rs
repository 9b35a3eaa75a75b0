//! Within the parentheses of a call: arguments that are still missing, and values of the one under way.

use super::{CompletionKind, Gather, Offer};
use crate::sema;
use crate::sema::facts::{NameKind, Role};
use crate::tools::ide::callable::{Callable, Parameter, Values, callable};
use crate::tools::ide::place::Part;
use crate::tools::ide::signature::called;
use crate::tools::ide::values::{globals, locals, role_at};

impl Gather<'_> {
    pub(super) fn call(&mut self) {
        let place = self.place;
        // The parentheses of a signature.
        if place.top().part == Part::Type {
            return self.types();
        }
        let Some((callable, arguments)) = called(self.analysis, place) else {
            return self.values(Role::Value);
        };
        let starts = matches!(place.sign_before(), "(" | ",");
        if starts {
            self.missing(&callable, &arguments);
        }
        if starts || place.sign_before() == "=" {
            self.argument_values();
        } else if !place.starts() {
            self.values(value_role(role_at(place)));
        }
    }

    /// `activation=`, for what has no value yet.
    fn missing(&mut self, callable: &Callable, arguments: &[Option<&str>]) {
        let unnamed = arguments.iter().filter(|a| a.is_none()).count().saturating_sub(1);
        let said = |at: usize, p: &Parameter| at < unnamed || arguments.contains(&Some(p.name.as_str()));
        // Behind a named argument, and for what is no tensor, names are what is wanted.
        for (at, parameter) in callable.parameters.iter().enumerate() {
            if said(at, parameter) || parameter.values == Values::Generator {
                continue;
            }
            let detail = match &parameter.default {
                Some(default) => format!("{} = {default}", parameter.ty),
                None => parameter.ty.clone(),
            };
            let offer = Offer::new(format!("{}=", parameter.name), CompletionKind::Argument)
                .detail(detail.trim().to_string())
                .doc(parameter.doc.clone())
                .order(if parameter.required { 0 } else { 1 });
            self.push(offer);
        }
    }

    /// Values of the argument under way.
    pub(super) fn argument_values(&mut self) {
        let Some((found, arguments)) = called(self.analysis, self.place) else {
            return self.values(Role::Value);
        };
        let parameter = match arguments.last() {
            Some(Some(name)) => found.parameters.iter().find(|p| p.name == *name),
            Some(None) => {
                let at = arguments.iter().filter(|a| a.is_none()).count() - 1;
                found.parameters.get(at)
            }
            None => None,
        };
        match parameter.map_or(Values::Any, |p| p.values) {
            Values::Any if parameter.is_some_and(|p| !p.tensor) => self.constants(),
            Values::Any => self.values(value_role(role_at(self.place))),
            Values::Flag => self.choices(&["true", "false"]),
            Values::Words(words) => self.choices(words),
            Values::Activation => {
                for name in self.pointwise() {
                    let function = callable(self.analysis, NameKind::Function, &name);
                    let doc = function.map_or(String::new(), |f| f.summary().to_string());
                    self.push(Offer::new(name, CompletionKind::Function).doc(doc).order(2));
                }
                self.push(Offer::new("none", CompletionKind::Choice).doc("No activation.").order(3));
                for known in globals(self.analysis).into_iter().filter(|k| k.kind == NameKind::Op) {
                    self.push(Offer::new(known.name, CompletionKind::Function).order(1));
                }
            }
            Values::Initialiser => self.values(Role::Initialiser),
            Values::Monitor => self.monitors(),
            Values::Weights => self.weights(),
            Values::Generator => {
                for made in sema::generators() {
                    self.push(Offer::new(made.name, CompletionKind::Choice).doc(made.doc).order(0));
                }
            }
        }
    }

    /// What is known before training: params, dims, settings, sizes of data.
    fn constants(&mut self) {
        for known in locals(self.analysis, self.place).into_iter().filter(|k| k.kind == NameKind::Setting) {
            self.push(Offer::new(known.name, CompletionKind::Constant).detail(known.detail).order(1));
        }
        self.named(|kind| matches!(kind, NameKind::Param | NameKind::Dim), 2);
        if self.place.item().is_some_and(|(word, _)| matches!(word, "model" | "block")) {
            self.named(|kind| kind == NameKind::Data, 3);
        }
    }

    fn choices(&mut self, words: &[&str]) {
        for word in words {
            self.push(Offer::new(*word, CompletionKind::Choice).order(0));
        }
    }
}

/// What a value inside a call may name: not another source, optimizer or metric.
fn value_role(role: Role) -> Role {
    match role {
        Role::Column => Role::Column,
        Role::Value
        | Role::Optimizer
        | Role::Schedule
        | Role::Clip
        | Role::Stop
        | Role::Metric
        | Role::Source
        | Role::WeightFile
        | Role::Generator
        | Role::How
        | Role::Weights
        | Role::Monitor
        | Role::Activation
        | Role::Initialiser
        | Role::Choice
        | Role::Columns => Role::Value,
    }
}
