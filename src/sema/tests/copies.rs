//! What copies of a chain are written from: the first one, or their text.

use super::{Job, render, run};
use crate::graph::print;

/// Every kind of thing that a copy leaves behind: weights, states and their updates, draws, penalties, masks, layers
/// without a name; the model is used twice, with and without a mask.
const DEEP: &str = r#"mlspec 1

data table {
  source = synthetic(tokens, length=8, vocab=16, rows=100)
}

block Mix(p: float = 0.1) (x: f32[B, 6, d]) -> (y: f32[B, 6, d]) {
  let h = x |> Dense(2 * d, activation=relu, l2=1e-3) as up |> BatchNorm as bn |> Dropout(p) |> ReLU |> Dropout(p)
  output y = x + (h |> LayerNorm as ln |> LSTM(d, return_sequences=true, dropout=p) as lstm)
}

model Deep {
  input x: i32[B, 6]
  let h = x |> Embedding(16, 4, mask_zero=true) as wide |> repeat(i in 0..3) Mix as h
  output logits: f32[B, 4] = h |> GlobalAveragePooling1D |> Dense(4) as head
}

model Twice {
  input x: i32[B, 8]
  output logits: f32[B, 4] = Deep(x[:, :6]) + Deep(x[:, 2:])
}

train {
  feed { x = table.tokens }
  loss = MeanSquaredError(Twice.logits, 0.5)
  optimizer = Adam(lr=0.1)
  steps = 10
}
"#;

fn job(text: &str) -> Job {
    let (job, diags, sources) = run(text, &[], None);
    assert_eq!(render(&diags, &sources), "");
    job.expect("test: the spec is right")
}

#[test]
fn copies_are_what_their_text_would_give() {
    // A chain with an index reads its text for every copy.
    let (read, written) = (job(DEEP), job(&DEEP.replace("repeat(i in 0..3)", "repeat(4)")));
    let layers = |job: &Job| -> Vec<String> {
        let layers = job.models.iter().flat_map(|m| &m.layers);
        layers.map(|l| format!("{} {} {} {} {:?}", l.path, l.kind, l.input, l.output, l.params)).collect()
    };
    assert_eq!(layers(&read), layers(&written));
    let (read, written) = (&read.trains[0], &written.trains[0]);
    for (read, written) in read.steps.iter().zip(&written.steps) {
        assert!(print(&read.forward) == print(&written.forward), "the step is the same");
        assert!(print(&written.forward).contains("Deep.h.3.lstm"), "the copies are there");
    }
    assert!(print(&read.eval) == print(&written.eval), "the evaluation is the same");
}
