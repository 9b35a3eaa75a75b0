//! The largest graph that is built.
//!
//! Uses of ops and blocks and the copies of a `repeat` are written out, so a few lines can ask for
//! more nodes than any machine has memory for. Checking has to end soon all the same.

use super::{Checked, Reported};
use crate::base::Span;
use crate::diag::{Code, Diagnostic, Diagnostics, Label};
use crate::graph::Builder;

/// No graph has more. The largest published networks have some ten thousand.
pub const MOST_NODES: usize = 50_000;

const TOO_LARGE: Code = "graph::too_large";

/// Steps of expressions, blocks and ops inside one another. Checking goes down all of them on one stack: that of a
/// thread (2 MiB) carries twice as many. Networks as published have some twenty.
pub const MOST_NESTED: usize = 480;

/// What entering a block counts as: it takes as much of the stack as so many steps of an expression.
pub const BLOCK: usize = 8;

/// What entering an op counts as.
pub const OP: usize = 4;

/// So many uses around a graph that is too large are shown.
const SHOWN: usize = 4;

/// Behind so many labels nobody reads on: deep uses inside others stop adding theirs.
const MOST_LABELS: usize = 16;

/// What writing out a use counts as, beside its nodes: binding its arguments takes so much longer than making one.
pub const USE: usize = 4;

/// How much of [`MOST_NODES`] a graph in the making has taken.
pub fn written(b: &Builder) -> usize {
    b.graph().nodes.len() + b.uses * USE
}

/// Whether there is room for the nodes of a use of `name` at `span`, which is counted.
pub fn room(b: &mut Builder, diags: &mut Diagnostics, name: &str, span: Span) -> Checked<()> {
    b.uses += 1;
    if written(b) <= MOST_NODES {
        return Ok(());
    }
    let label = format!("the limit is met at this `{name}`");
    let d = Diagnostic::error(TOO_LARGE, message(&format!("`{name}`")), span, label);
    diags.push(d.help(
        "every use of an op or block and every copy of a `repeat` is written out: take fewer copies or \
         levels, or bind what is used several times by `let`",
    ));
    Err(Reported)
}

/// Whether `steps` more fit inside all that is around `what`; [`Builder::nesting`] counts those.
pub fn depth(b: &Builder, diags: &mut Diagnostics, steps: usize, what: &str, span: Span) -> Checked<()> {
    if b.nesting + steps <= MOST_NESTED {
        return Ok(());
    }
    let message = format!("{what} lies inside too many others");
    let d = Diagnostic::error("graph::too_deep", message, span, "the limit is met here");
    diags.push(d.help(
        "blocks and ops that use others which use others cannot go on so far: chain equal layers by \
         `repeat(n)`, and bind what is in between by `let`",
    ));
    Err(Reported)
}

fn message(what: &str) -> String {
    format!("written out, {what} takes more than {MOST_NODES} operations")
}

/// Mistakes inside of something that is used at `span`: says so where `of_use` holds. A graph that is
/// too large is the fault of the outermost use, which therefore comes first, and one report is enough.
pub fn in_use(
    found: Diagnostics,
    what: &str,
    span: Span,
    of_use: impl Fn(&Diagnostic) -> bool,
) -> impl Iterator<Item = Diagnostic> {
    let mut too_large = false;
    let mut fresh = move |d: &Diagnostic| d.code != TOO_LARGE || !std::mem::replace(&mut too_large, true);
    let text = format!("in this use of {what}");
    let message = message(what);
    found.sorted().into_iter().filter(move |d| fresh(d)).map(move |mut d| {
        if d.code == TOO_LARGE {
            d.message = message.clone();
            d.labels.insert(0, Label { span, text: text.clone() });
            d.labels.truncate(SHOWN);
        } else if of_use(&d) && d.labels.len() < MOST_LABELS {
            d.labels.push(Label { span, text: text.clone() });
        }
        d
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Sources;
    use crate::ops::formula::{Given, Item, apply};
    use crate::ops::{Framework, Library};
    use crate::syntax;

    /// A library with a chain of ops, `f0` to `f{n}`, each made of the one before.
    fn chain(n: usize, each: impl Fn(usize) -> String) -> (Library, Vec<Diagnostic>) {
        let ops = (1..=n).map(|i| format!("op f{i}(x: f32[..s]) -> f32[..s] = {}\n", each(i - 1)));
        // The first comes last: order is no help.
        let ops: Vec<String> = ops.rev().collect();
        let text = format!("mlspec 1\n\n{}op f0(x: f32[..s]) -> f32[..s] = x * x\n", ops.concat());
        let mut sources = Sources::new();
        let file = sources.add("chain", None, text);
        let (ast, mut diags) = syntax::parse(&sources, file);
        let mut lib = Library::std(Framework::Keras, &mut sources);
        lib.declare(&ast, &mut diags);
        (lib, diags.sorted())
    }

    fn applied(lib: &Library, name: &str, b: &mut Builder) -> Result<usize, Vec<Diagnostic>> {
        let ids = b.iota([4], 0);
        let (x, before) = (b.to_f32(ids), b.graph().nodes.len());
        let made = apply(lib, b, name, vec![Given::new(Item::Tensor(x), Span::default())], Span::default());
        made.map(|_| b.graph().nodes.len() - before)
    }

    #[test]
    fn what_is_used_twice_is_made_once() {
        let (lib, found) = chain(60, |i| format!("f{i}(x) + f{i}(x)"));
        assert!(found.is_empty(), "{found:?}");
        // One addition a level, and what f0 needs.
        assert!(applied(&lib, "f60", &mut Builder::new("b")).unwrap() < 70);
    }

    #[test]
    fn a_mistake_at_the_end_of_a_chain_is_said_once() {
        let (_, found) = chain(40, |i| match i {
            0 => "nothing(x)".to_string(),
            _ => format!("f{i}(x) + f{i}(x * 2)"),
        });
        let codes: Vec<Code> = found.iter().map(|d| d.code).collect();
        assert_eq!(codes, ["name::unknown"]);
    }

    #[test]
    fn a_full_graph_takes_no_more() {
        let (lib, found) = chain(3, |i| format!("f{i}(x) + f{i}(x * 2)"));
        assert!(found.is_empty(), "{found:?}");
        let mut b = Builder::new("b");
        while b.graph().nodes.len() < MOST_NODES - 5 {
            b.iota([1], 0);
        }
        let wrong = applied(&lib, "f3", &mut b).unwrap_err();
        assert_eq!(wrong.len(), 1, "{wrong:?}");
        assert_eq!(wrong[0].code, TOO_LARGE);
        assert!(wrong[0].message.contains("`f3`") && wrong[0].labels.len() <= SHOWN, "{wrong:?}");
    }
}
