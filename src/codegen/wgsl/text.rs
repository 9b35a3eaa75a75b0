//! What `mlc dump --stage wgsl` shows: every dispatch in order, each module where it runs first.

use super::{Dispatch, Heap, Shaders};
use crate::loops::Program;
use std::fmt::{self, Write as _};

impl fmt::Display for Heap {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Heap::Weights(n) => write!(f, "weights {n}"),
            Heap::Arena(n) => write!(f, "arena {n}"),
            Heap::Inputs => write!(f, "inputs"),
            Heap::Results => write!(f, "results"),
        }
    }
}

/// Of a loop, the parameters of so many steps are shown.
const SHOWN: usize = 2;

/// The shaders of a program as text that is WGSL itself: what is not in a module stands in comments.
pub fn text(shaders: &Shaders, program: &Program) -> String {
    let (dispatches, modules) = (shaders.dispatches.len(), shaders.texts.len());
    let mut text = format!("// {}: {dispatches} dispatches of {modules} modules\n", program.name);
    for (number, dispatch) in shaders.dispatches.iter().enumerate() {
        let first = shaders.dispatches.iter().position(|d| d.text == dispatch.text).unwrap_or(number);
        text += &head(number, dispatch);
        match first == number {
            true => _ = writeln!(text, "\n{}", shaders.texts[dispatch.text].trim_end()),
            false => _ = writeln!(text, "// the module of dispatch {first}"),
        }
    }
    text
}

/// Everything about a dispatch but its module, a comment on each line.
fn head(number: usize, dispatch: &Dispatch) -> String {
    let Dispatch { label, kernels, how, grid: [x, y, z], params, heaps, .. } = dispatch;
    let mut text = format!("\n// dispatch {number}: {label}\n//   grid {x} x {y} x {z}\n");
    for (kernel, how) in kernels.iter().zip(how) {
        _ = writeln!(text, "//   {kernel}: {how}");
    }
    let heap =
        |(heap, writes): &(Heap, bool)| format!("{heap} {}", if *writes { "read_write" } else { "read" });
    _ = writeln!(text, "//   heaps {}", heaps.iter().map(heap).collect::<Vec<_>>().join(", "));
    for params in params.iter().take(SHOWN) {
        let params: Vec<String> = params.iter().map(u32::to_string).collect();
        _ = writeln!(text, "//   params {}", params.join(" "));
    }
    if params.len() > SHOWN {
        _ = writeln!(text, "//   and so on, {} times", params.len());
    }
    text
}
