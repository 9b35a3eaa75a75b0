//! Codes of expressions, formulas and layers.

use super::CodeInfo;

pub const CODES: &[CodeInfo] = &[
    CodeInfo {
        code: "name::unknown",
        title: "nothing bears this name here",
        explain: "Names are looked up in the block, model or section, then in the file, then in the \
                  library. This one is in none of them: a typo, or something that is declared elsewhere.\n\n\
                  Before:\n\n    \
                  op soft(x: f32[..s]) -> f32[..s] = tahn(x)\n\n\
                  After:\n\n    \
                  op soft(x: f32[..s]) -> f32[..s] = tanh(x)",
    },
    CodeInfo {
        code: "name::twice",
        title: "two things bear one name",
        explain: "A name means one thing in its place, so that a reader need not ask which. Rename one of \
                  the two.",
    },
    CodeInfo {
        code: "name::shadowed",
        title: "a name hides another",
        explain: "A `let` or `output` in an op may not take the name of a parameter or of an earlier \
                  `let`: a reader would have to know which one is meant.\n\n\
                  Before:\n\n    \
                  op f(x: f32[..s]) -> f32[..s] {\n      \
                  let x = x + 1\n      \
                  output y = x\n    \
                  }\n\n\
                  After:\n\n    \
                  op f(x: f32[..s]) -> f32[..s] {\n      \
                  let more = x + 1\n      \
                  output y = more\n    \
                  }",
    },
    CodeInfo {
        code: "name::unused",
        title: "something is named and never used",
        explain: "What is never used is a leftover or a typo of what should have been used: use it, or \
                  remove it.",
    },
    CodeInfo {
        code: "name::activation",
        title: "there is no activation of that name",
        explain: "`activation=` takes the name of a function of one tensor: one of the library (`relu`, \
                  `gelu`, `silu`, `tanh`, `sigmoid`, `softmax`, …), an `op` of your own, or `none`. An \
                  activation with settings stands as a layer behind: `Dense(64) |> LeakyReLU(0.2)`.",
    },
    CodeInfo {
        code: "name::init",
        title: "there is no initialiser of that name",
        explain: "Initialisers are `zeros`, `ones`, `Constant(value)`, `Normal(std=…)`, \
                  `TruncatedNormal(std=…)`, `Uniform(bound)`, and `glorot_`, `he_`, `lecun_` with \
                  `uniform` or `normal` behind.",
    },
    CodeInfo {
        code: "value::kind",
        title: "something else is needed here",
        explain: "An expression is made of numbers, tensors, arithmetic and calls. Here stands something \
                  of another kind, such as a layer without an input, a function without arguments, or a \
                  text.\n\n\
                  Before:\n\n    \
                  output y: f32[B, 8] = relu\n\n\
                  After:\n\n    \
                  output y: f32[B, 8] = x |> relu",
    },
    CodeInfo {
        code: "value::constant",
        title: "this must be known before training",
        explain: "Sizes and settings are part of the program and fixed when it is compiled. A tensor has \
                  its value only while training runs. Write a number, or the name of a `param` or `dim`.",
    },
    CodeInfo {
        code: "call::callee",
        title: "this cannot be called",
        explain: "Parentheses behind a name call a function, an op or a layer. This name is a value. To \
                  multiply, write `*`.",
    },
    CodeInfo {
        code: "call::missing",
        title: "an argument is missing",
        explain: "A parameter without a default has to be given.\n\n\
                  Before:\n\n    \
                  x |> Dense(activation=relu)\n\n\
                  After:\n\n    \
                  x |> Dense(128, activation=relu)",
    },
    CodeInfo {
        code: "call::many",
        title: "too many arguments",
        explain: "Arguments without a name fill the parameters from left to right, and there are more of \
                  them than parameters. A pipe fills the first: in `x |> leaky_relu(0.1)` the 0.1 is the \
                  second.",
    },
    CodeInfo {
        code: "call::unknown",
        title: "no such argument",
        explain: "What is called has no parameter of this name: a typo, or an argument of another \
                  framework. The help shows how it is called.",
    },
    CodeInfo {
        code: "call::twice",
        title: "an argument is given twice",
        explain: "Once by its place and once by its name, or twice by name.\n\n\
                  Before:\n\n    \
                  x |> Dense(128, units=64)\n\n\
                  After:\n\n    \
                  x |> Dense(64)",
    },
    CodeInfo {
        code: "call::type",
        title: "an argument is of another kind",
        explain: "A setting is a number, a whole number, `true` or `false`, a word or a text; a tensor has \
                  a type and a shape. What stands here is of another kind than the signature says.",
    },
    CodeInfo {
        code: "call::range",
        title: "a setting is out of its range",
        explain: "Each setting has a range in which it means something: a rate lies from 0 to below 1, a \
                  size is at least 1.\n\n\
                  Before:\n\n    \
                  x |> Dropout(20)\n\n\
                  After:\n\n    \
                  x |> Dropout(0.2)",
    },
    CodeInfo {
        code: "call::choice",
        title: "not one of the words that may stand here",
        explain: "This setting is one of a few words; the message lists them. Words are bare.\n\n\
                  Before:\n\n    \
                  x |> Dense(64, init=VarianceScaling(2, mode=\"in\")) as fc\n\n\
                  After:\n\n    \
                  x |> Dense(64, init=VarianceScaling(2, mode=fan_in)) as fc",
    },
    CodeInfo {
        code: "call::foreign",
        title: "an argument of another framework",
        explain: "Names are Keras', a few of them shorter (`lr`, `init`, `bias`). What PyTorch or Keras \
                  call otherwise is answered with the name it has here. The width of an input is never an \
                  argument: it is known from the shape before.\n\n\
                  Before:\n\n    \
                  x |> Dense(in_features=784, out_features=128)\n\n\
                  After:\n\n    \
                  x |> Dense(128)",
    },
    CodeInfo {
        code: "call::constant",
        title: "a setting must not depend on the data",
        explain: "This setting shapes the program itself, so it must be a number before the data are read.",
    },
    CodeInfo {
        code: "shape::mismatch",
        title: "two shapes do not combine",
        explain: "Arithmetic matches axes from the right, as NumPy does. Each pair must be equal, or one \
                  of the two 1; missing axes count as 1. `f32[B, 3] + f32[3]` is right, `f32[B, 3] + \
                  f32[B]` is not: write `keep=true` in the fold that made the second, and it is `f32[B, \
                  1]`.",
    },
    CodeInfo {
        code: "shape::matmul",
        title: "two shapes do not multiply",
        explain: "`a @ b` sums over the last axis of `a` and the last but one of `b`, which must be equal: \
                  `f32[B, 64] @ f32[64, 10]` is `f32[B, 10]`. `transpose(b)` swaps the last two axes.",
    },
    CodeInfo {
        code: "shape::axis",
        title: "there is no such axis",
        explain: "Axes are counted from 0 at the front, or from -1 at the end. A tensor of two axes has 0 \
                  and 1, or -2 and -1.",
    },
    CodeInfo {
        code: "shape::index",
        title: "a place or stretch that an axis does not have",
        explain: "`x[:, 0]` takes a place, `x[:, 1:]` a stretch, counted from 0 or negative from the end, as in NumPy. The \
                  first axis is the batch: its rows stand apart, so it is kept whole.",
    },
    CodeInfo {
        code: "shape::split",
        title: "parts that do not come out even",
        explain: "`x |> split(3)` makes three equal parts, `split([2, 4])` parts of these sizes. They take the whole axis, the \
                  last unless `axis` says another.",
    },
    CodeInfo {
        code: "shape::attend",
        title: "queries, keys and values that do not fit",
        explain: "`attend(q, k, v, heads=n)` takes sequences `f32[B, T, n]`: queries and keys are equally wide by head, keys and \
                  values have the same steps, and `heads` divides the features.",
    },
    CodeInfo {
        code: "call::einsum",
        title: "an equation that does not fit its tensors",
        explain: "`einsum(\"bij,bjk->bik\", a, b)` names each axis of each tensor by one letter; `...` stands for axes in front. \
                  Letters that the result lacks are summed.",
    },
    CodeInfo {
        code: "shape::argument",
        title: "an argument has another shape than the signature",
        explain: "A signature such as `CrossEntropy(logits: f32[..s, c], label: i32[..s])` says how shapes \
                  hang together: `..s` stands for the same axes in both, `c` for one more. Names are bound \
                  anew at each use, and here they would have to be two things at once.",
    },
    CodeInfo {
        code: "shape::layer",
        title: "a layer does not fit its input",
        explain: "The layer wants an input of another shape. The labels show the chain of shapes that led \
                  here; change the layer, or put `Flatten`, `Reshape` or `Dense` before it.",
    },
    CodeInfo {
        code: "shape::shared",
        title: "one weight, two shapes",
        explain: "Two layers of one name share their weights, and a weight has one shape. Give them names \
                  of their own with `as`, or inputs and units of equal size.",
    },
    CodeInfo {
        code: "dtype::argument",
        title: "whole numbers and fractions are mixed up",
        explain: "Class ids and word ids are `i32`, all else is `f32`. Often two arguments are swapped: a \
                  loss takes the prediction first, then the label. `cast(x, f32)` and `cast(x, i32)` \
                  convert.",
    },
    CodeInfo {
        code: "dtype::layer",
        title: "a layer needs fractions",
        explain: "Layers compute with `f32`. Scale pixels in the `data` section (`image = image / 255`), \
                  which also makes them `f32`; ids of words or classes go through an embedding or \
                  `one_hot`.",
    },
    CodeInfo {
        code: "number::zero",
        title: "division by zero",
        explain: "The divisor is 0 whatever the data are. Divide by something else; where a tensor may be 0, add a small number.",
    },
    CodeInfo {
        code: "number::large",
        title: "a number is too large",
        explain: "Whole numbers have 64 bits. Write one of the operands with a point to compute with \
                  fractions.",
    },
    CodeInfo {
        code: "graph::too_large",
        title: "written out, a spec has more operations than any machine trains",
        explain: "Uses of ops and blocks and the copies of a `repeat` are written out, each with nodes of its own, and a \
                  graph has at most 50000. Nested copies multiply: `repeat(30)` of a block that has `repeat(30)` of \
                  another is 900 of those. Take fewer copies or levels; a value that several places need is made once \
                  by `let`:\n\n    let y = f(x)\n    output z = y + y",
    },
    CodeInfo {
        code: "graph::too_deep",
        title: "blocks or ops use each other through too many levels",
        explain: "A block that uses another, which uses a third, and so on: every level is written out inside the one \
                  before, and some fifty of them are read. Networks are wide and long, not deep in this sense: chain \
                  equal layers side by side instead of one inside the other:\n\n    x |> repeat(100) Layer as h",
    },
    CodeInfo {
        code: "size::inexact",
        title: "a size does not divide",
        explain: "A size is a whole number, so a division in it must be exact: `d / heads` with `d = 384` \
                  works for 6 heads, not for 5. Choose sizes that divide.",
    },
    CodeInfo {
        code: "size::whole",
        title: "a size is not whole",
        explain: "Shapes, units and counts are whole numbers.",
    },
    CodeInfo {
        code: "type::shape",
        title: "a type has no or a wrong shape",
        explain: "A tensor's type has its shape in brackets: `f32[]` is one number, `f32[B, 10]` a row of \
                  10 for each of the batch, `f32[..s]` any shape; at most one `..` stands in a shape. A \
                  number that is known before training is a setting: `int` or `float`.",
    },
    CodeInfo {
        code: "type::unknown",
        title: "there is no such type",
        explain: "Tensors are `f32[…]` or `i32[…]`, with `number[…]` for either; `logits`, `prob`, `mask` \
                  and `class` say what their numbers mean. Settings are `int`, `float` and `bool`.",
    },
    CodeInfo {
        code: "let::count",
        title: "the names do not match the results",
        explain: "Each result of a call with several gets one name: `let a, b = f(x)`.",
    },
    CodeInfo {
        code: "op::unused",
        title: "a parameter of an op is never used",
        explain: "A parameter that does not change the result misleads who calls the op. Use it in the \
                  formula, or remove it.",
    },
    CodeInfo {
        code: "op::cycle",
        title: "an op uses itself",
        explain: "The language is total: checking and training a spec always end. So a formula may use \
                  other formulas, never itself, not even through others.",
    },
    CodeInfo {
        code: "op::result",
        title: "an op gives something else than it promises",
        explain: "The type behind `->` is a promise that each use relies on. The formula gives another \
                  shape or type, or a body lacks an `output`.\n\n\
                  Before:\n\n    \
                  op size2(x: f32[..s]) -> f32[..s] = sum(x^2)\n\n\
                  After:\n\n    \
                  op size2(x: f32[..s]) -> f32[] = sum(x^2)",
    },
    CodeInfo {
        code: "op::entry",
        title: "this cannot stand in an op",
        explain: "The body of an op is a list of `let name = …` and `output name = …`. Types stand in its \
                  signature.",
    },
    CodeInfo {
        code: "op::broken",
        title: "an op with a mistake is used",
        explain: "The op has a mistake of its own, shown where it is declared. Correct that first.",
    },
];
