//! Which argument fills which parameter: by place from the left, then by name.

use super::item::Given;
use super::{Checked, Reported};
use crate::base::Span;
use crate::diag::{Diagnostic, Diagnostics, did_you_mean};

/// A parameter as a call sees it.
#[derive(Clone, Copy, Debug)]
pub struct Slot<'a> {
    pub name: &'a str,
    /// Without a default.
    pub required: bool,
}

/// Sorts the arguments of a call into the slots of `callee`, in their order. All mistakes are
/// reported: too many, unknown, given twice, missing.
pub fn bind<T>(
    callee: &str,
    call: Span,
    slots: &[Slot],
    given: Vec<Given<T>>,
    diags: &mut Diagnostics,
) -> Checked<Vec<Option<Given<T>>>> {
    let mut filled: Vec<Option<Given<T>>> = slots.iter().map(|_| None).collect();
    let mut ok = true;
    let mut place = 0;
    for arg in given {
        let at = match &arg.name {
            Some(name) => slots.iter().position(|s| s.name == &*name.name),
            None => {
                place += 1;
                (place <= slots.len()).then_some(place - 1)
            }
        };
        match at {
            Some(i) if filled[i].is_none() => filled[i] = Some(arg),
            Some(i) => {
                let first = filled[i].as_ref().map_or(call, |g| g.span);
                diags.push(twice(callee, slots[i].name, arg.span, first));
                ok = false;
            }
            None => {
                diags.push(misplaced(callee, slots, &arg));
                ok = false;
            }
        }
    }
    let missing: Vec<&str> =
        slots.iter().zip(&filled).filter(|(s, f)| s.required && f.is_none()).map(|(s, _)| s.name).collect();
    if ok && !missing.is_empty() {
        diags.push(absent(callee, slots, &missing, call));
        ok = false;
    }
    if ok { Ok(filled) } else { Err(Reported) }
}

fn signature(callee: &str, slots: &[Slot]) -> String {
    let names: Vec<&str> = slots.iter().map(|s| s.name).collect();
    format!("{callee}({})", names.join(", "))
}

fn twice(callee: &str, name: &str, second: Span, first: Span) -> Diagnostic {
    Diagnostic::error("call::twice", format!("`{callee}` gets `{name}` twice"), second, "given again")
        .label(first, "given here")
        .help("remove one of them")
}

fn absent(callee: &str, slots: &[Slot], missing: &[&str], call: Span) -> Diagnostic {
    let names: Vec<String> = missing.iter().map(|n| format!("`{n}`")).collect();
    Diagnostic::error("call::missing", format!("`{callee}` needs {}", names.join(", ")), call, "missing here")
        .help(format!("it is called as `{}`", signature(callee, slots)))
}

fn misplaced<T>(callee: &str, slots: &[Slot], arg: &Given<T>) -> Diagnostic {
    let Some(name) = &arg.name else {
        let takes = match slots.len() {
            0 => "no arguments".to_string(),
            1 => "one argument".to_string(),
            n => format!("at most {n} arguments"),
        };
        return Diagnostic::error(
            "call::many",
            format!("`{callee}` takes {takes}"),
            arg.span,
            "one too many",
        )
        .help(format!("it is called as `{}`", signature(callee, slots)));
    };
    let d = Diagnostic::error(
        "call::unknown",
        format!("`{callee}` has no argument `{}`", name.name),
        name.span,
        "not an argument",
    );
    match did_you_mean(&name.name, slots.iter().map(|s| s.name)) {
        Some(near) => {
            d.help(format!("did you mean `{near}`?")).fix(format!("write `{near}`"), name.span, near)
        }
        None => d.help(format!("it is called as `{}`", signature(callee, slots))),
    }
}
