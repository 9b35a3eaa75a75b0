//! What the state of a recurrent layer starts as: 0, or what flows in behind the input.

use crate::base::Shape;
use crate::diag::Diagnostic;
use crate::graph::{Builder, Value};
use crate::ops::Call;

/// The first value of each carry, `f32[B, units]`.
pub(super) fn states(
    b: &mut Builder,
    call: &Call,
    carries: usize,
    shape: &Shape,
) -> Result<Vec<Value>, Diagnostic> {
    let given = call.inputs.len() - 1;
    if given == 0 {
        let zero = b.constant(0.0);
        return Ok(vec![b.broadcast_to(zero, shape); carries]);
    }
    if given != carries {
        let wanted = call.sig.inputs[1..=carries].join(" and ").replace('?', "");
        let message = format!("starts from {wanted}, but {given} of them come in");
        return Err(call.shape_error(
            &message,
            &format!("let all of them flow in behind x, or none: `({})`", all(call)),
        ));
    }
    (1..=carries).map(|i| state(b, call, i, shape)).collect()
}

fn state(b: &Builder, call: &Call, i: usize, shape: &Shape) -> Result<Value, Diagnostic> {
    let state = call.float_input(b, i)?;
    if b.shape(state) == shape {
        return Ok(state);
    }
    let name = call.sig.inputs[i].trim_end_matches('?');
    let message = format!("starts from {name} of f32{shape}, but what comes in is {}", b.ty(state));
    Err(call.shape_error(&message, "give a row for each row of x, as wide as the state"))
}

/// The inputs as they are written before the pipe.
fn all(call: &Call) -> String {
    call.sig.inputs.join(", ").replace('?', "")
}
