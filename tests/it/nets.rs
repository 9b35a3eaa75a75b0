//! Small trainings that reach every kind of kernel, with sizes that fill no vector.

use std::path::{Path, PathBuf};

/// By name, as whole specs. Twelve steps of each are a second's work even where a fused multiply-add is a call.
pub const NETS: [(&str, &str); 4] = [("mlp", MLP), ("cnn", CNN), ("lstm", LSTM), ("attention", ATTENTION)];

/// Writes the specs into a folder; gives their names and paths.
pub fn write(folder: &Path) -> Vec<(&'static str, PathBuf)> {
    let write = |(name, text): (&'static str, &str)| {
        let file = folder.join(format!("{name}.mlspec"));
        std::fs::write(&file, text).expect("the folder is writable");
        (name, file)
    };
    NETS.map(write).into()
}

/// Products with epilogues, random masks, functions of all kinds, a softmax, an optimizer with roots and quotients.
const MLP: &str = "mlspec 1

data made {
  source = synthetic(images, height=11, width=9, channels=1, classes=7, rows=410)
  split  { train = 80%  valid = 20% }
  batch  = 50
}

op waves(x: f32[..s]) -> f32[..s] = sin(3 * x) + floor(2 * x) * (abs(x) + 0.5) ^ 1.3 + log1p(abs(x))

model Mlp {
  input image: f32[B, 11, 9, 1]
  output logits: f32[B, 7] =
    image |> Flatten |> waves |> Dense(67, activation=gelu) as fc1 |> Dropout(0.2)
          |> Dense(33, activation=tanh) as fc2 |> Dense(7) as fc3
}

train {
  feed      { image = made.image  label = made.label }
  loss      = CrossEntropy(Mlp.logits, label)
  optimizer = Adam(lr=1e-2)
  metrics   = [accuracy]
  epochs    = 2
}
";

/// Products through windows, forward and backward, norms over batches, pools.
const CNN: &str = "mlspec 1

data made {
  source = synthetic(images, height=13, width=11, channels=3, classes=5, rows=120)
  split  { train = 80%  valid = 20% }
  batch  = 16
}

model Cnn {
  input image: f32[B, 13, 11, 3]
  output logits: f32[B, 5] =
    image |> Conv2D(9, 3, padding=same, bias=false) as conv1 |> BatchNorm as bn |> ReLU
          |> Conv2D(18, 3, strides=2, activation=silu) as conv2
          |> MaxPooling2D(2)
          |> Flatten
          |> Dense(5) as fc
}

train {
  feed      { image = made.image  label = made.label }
  loss      = CrossEntropy(Cnn.logits, label)
  optimizer = SGD(lr=0.05, momentum=0.9, nesterov=true)
  epochs    = 2
}
";

/// A loop over time and its gradient, rows gathered and scattered.
const LSTM: &str = "mlspec 1

param T: int = 19

data made {
  source = synthetic(tokens, length=T, vocab=50, rows=120)
  label  = tokens[0] < 25
  allow  = [target]
  split  { train = 80%  valid = 20% }
  batch  = 16
}

model Lstm {
  input tokens: i32[B, T]
  output logit: f32[B] = tokens |> Embedding(50, 10) as words |> LSTM(21) as lstm |> Dense(1) as out |> Squeeze
}

train {
  feed      { tokens = made.tokens  label = made.label }
  loss      = BinaryCrossEntropy(Lstm.logit, label)
  optimizer = RMSprop(lr=1e-2)
  epochs    = 2
}
";

/// Products over heads, a softmax under a mask, norms over rows.
const ATTENTION: &str = "mlspec 1

param d: int = 36
param T: int = 21

data made {
  source = synthetic(tokens, length=T + 1, vocab=30, rows=120)
  split  { train = 80%  valid = 20% }
  batch  = 16
}

model Gpt {
  input tokens: i32[B, T]
  let wte = Embedding(30, d)
  let wpe = Embedding(T, d)
  let x = wte(tokens) + wpe(positions(tokens))
  let q, k, v = x |> LayerNorm as ln_1 |> Dense(3 * d) as qkv |> split(3, axis=-1)
  let h = x + (attend(q, k, v, heads=3, mask=causal) |> Dense(d) as proj)
  let y = h + (h |> LayerNorm as ln_2 |> Dense(2 * d, activation=gelu) as fc1 |> Dense(d) as fc2)
  output logits: f32[B, T, 30] = y |> LayerNorm as ln_f |> Dense(30, bias=false) as head
}

train {
  feed      { tokens = made.tokens[:-1]  next = made.tokens[1:] }
  loss      = CrossEntropy(Gpt.logits, next)
  optimizer = AdamW(lr=1e-3, weight_decay=0.01)
  epochs    = 2
}
";
