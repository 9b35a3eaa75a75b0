//! Within the parentheses of a call: arguments that are still missing, and values of the one under way.

use super::{CompletionKind, Gather, Offer};
use crate::ops::attrs;
use crate::sema;
use crate::sema::facts::Role;
use crate::tools::ide::callable::{Callable, Parameter, Values};
use crate::tools::ide::place::Part;
use crate::tools::ide::signature::called;
use crate::tools::ide::values::role_at;

impl Gather<'_> {
    pub(super) fn call(&mut self) {
        let place = self.place;
        if place.sign_before() == "|>" {
            return self.stages();
        }
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
        let Some((callable, arguments)) = called(self.analysis, self.place) else {
            return self.values(Role::Value);
        };
        let parameter = match arguments.last() {
            Some(Some(name)) => callable.parameters.iter().find(|p| p.name == *name),
            Some(None) => {
                let at = arguments.iter().filter(|a| a.is_none()).count() - 1;
                callable.parameters.get(at)
            }
            None => None,
        };
        match parameter.map_or(Values::Any, |p| p.values) {
            Values::Any => self.values(value_role(role_at(self.place))),
            Values::Flag => self.choices(&["true", "false"]),
            Values::Words(words) => self.choices(words),
            Values::Activation => {
                for name in attrs::activations(&self.analysis.library) {
                    self.push(Offer::new(name, CompletionKind::Function).order(2));
                }
                self.named(|kind| kind == sema::facts::NameKind::Op, 2);
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
