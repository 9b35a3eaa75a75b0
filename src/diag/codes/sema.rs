//! Codes of names, values, shapes, sections: what `sema` and the library find in a spec.

use super::CodeInfo;

pub const CODES: &[CodeInfo] = &[
    CodeInfo {
        code: "name::unknown",
        title: "a name that nothing bears",
        explain: "Names are looked up in the block, model or section, then in the file, then in the library. The message proposes the nearest one. Correct the spelling, or declare what is meant:\n\n    x |> Densee(10)     // no such layer\n    x |> Dense(10)      // right",
    },
    CodeInfo {
        code: "name::unused",
        title: "something is named and never used",
        explain: "An unused `param`, `dim`, `let`, `input` or setting is nearly always a slip: a number that one thinks is obeyed and is not. Use it, or take it out. A name that starts with `_` may stay unused.",
    },
    CodeInfo {
        code: "name::twice",
        title: "two things bear one name",
        explain: "Each name means one thing in its scope, and each weight path one layer. Rename one. To share weights on purpose, bind the layer once and use it twice:\n\n    let fc = Dense(10)\n    output a: f32[B, 10] = fc(x)\n    output b: f32[B, 10] = fc(y)",
    },
    CodeInfo {
        code: "name::shadowed",
        title: "a local name hides a name of the file",
        explain: "A name of the file means the same everywhere in it, so a `let`, `input` or setting may not take it over. (Names of the library may be taken over.) Rename one of the two.",
    },
    CodeInfo {
        code: "name::unnamed",
        title: "a layer with weights has no name",
        explain: "Weights are named by the author, so that checkpoints can be read by people and by other programs. Say the name behind the layer:\n\n    x |> Dense(10)            // whose weights are these?\n    x |> Dense(10) as fc1     // fc1.weight, fc1.bias",
    },
    CodeInfo {
        code: "name::weightless",
        title: "`as` names something that has no weights",
        explain: "`as` names the weights of a layer or block. A function such as `relu` has none; a value is named by `let`.",
    },
    CodeInfo {
        code: "name::foreign",
        title: "the name that another framework gives it",
        explain: "Names are Keras' here. What PyTorch and others call it is known, and the message says what it is called:\n\n    x |> Linear(10)     // PyTorch\n    x |> Dense(10)      // here",
    },
    CodeInfo {
        code: "name::member",
        title: "there is nothing of that name behind the point",
        explain: "`M.out` is an output of a model, `fc.weight` a weight of a layer that `let` named, `d.column` a column of a data section (in `feed`). A weight exists once its layer has been used, since its shape follows from its input.",
    },
    CodeInfo {
        code: "name::output",
        title: "a model has no output of that name",
        explain: "`M.out` names one of the `output` entries of model `M`. The message proposes the nearest.",
    },
    CodeInfo {
        code: "name::activation",
        title: "no function of one tensor bears that name",
        explain: "`activation=` takes the bare name of a function of one tensor: `relu`, `gelu`, `tanh`, or an `op` of your own. Functions with settings stand behind the layer: `|> LeakyReLU(0.2)`.",
    },
    CodeInfo {
        code: "name::init",
        title: "no initialiser bears that name",
        explain: "`init=` takes `glorot_uniform`, `he_normal`, `zeros` and their like, or a call such as `Normal(std=0.02)`.",
    },
    CodeInfo {
        code: "section::unknown",
        title: "a section word that the language does not have",
        explain: "Sections are `data`, `model`, `train`, `variant` and a few more; the message proposes the nearest. What is inside is checked all the same.",
    },
    CodeInfo {
        code: "section::name",
        title: "a section that needs a name has none",
        explain: "`data`, `model` and `variant` sections are referred to by name:\n\n    data { … }          // how would `feed` say it?\n    data digits { … }   // digits.image",
    },
    CodeInfo {
        code: "section::twice",
        title: "two `train` sections without a name",
        explain: "Several `train` sections run in turn; then each has a name, such as `train warmup { … }`.",
    },
    CodeInfo {
        code: "section::defaults",
        title: "no table of defaults bears that name",
        explain: "The first line may say whose defaults hold: `mlspec 1` (Keras 3) or `mlspec 1 defaults torch` (PyTorch).",
    },
    CodeInfo {
        code: "key::unknown",
        title: "a key that the section does not have",
        explain: "Keys are checked strictly, since a key that is silently ignored is the worst kind of mistake. The message proposes the nearest, or lists all.",
    },
    CodeInfo {
        code: "key::missing",
        title: "a key that must be there is not",
        explain: "A `data` section needs `source`; a `train` section needs `feed`, `loss`, `optimizer`, and one of `epochs` and `steps`.",
    },
    CodeInfo {
        code: "key::twice",
        title: "a key is given twice",
        explain: "Only one of the two could be obeyed. Take one out.",
    },
    CodeInfo {
        code: "key::form",
        title: "a section is written as a value, or the other way round",
        explain: "`split { train = 80% }` is a section, `batch = 32` a value.",
    },
    CodeInfo {
        code: "key::misplaced",
        title: "an entry that has no place in its section",
        explain: "`let`, `input` and `output` stand in models and blocks, `name : how` in `data`, `key = value` in the others.",
    },
    CodeInfo {
        code: "key::conflict",
        title: "two keys say different things about one matter",
        explain: "Training lasts for `epochs` or for `steps`: keep one.",
    },
    CodeInfo {
        code: "param::type",
        title: "a param's value is not of its type",
        explain: "Types are `int`, `float`, `bool` and `str`; a whole number is a float too.\n\n    param hidden: int = 1.5     // no\n    param hidden: int = 128",
    },
    CodeInfo {
        code: "param::domain",
        title: "a value outside the domain of its param or dim",
        explain: "`in [32, 64]` lists the values that a param may take, `in 0..1` bounds them, `dim T <= 256` bounds a size. Overrides and variants obey them too. Choose another value, or widen the domain.",
    },
    CodeInfo {
        code: "override::unknown",
        title: "an override of something that is not there",
        explain: "`--set` and variants reach params, dims and keys: `hidden=64`, `train.epochs=1`, `train.optimizer.lr=0.01`, `digits.batch=64`.",
    },
    CodeInfo {
        code: "override::entry",
        title: "a variant holds something other than values",
        explain: "A variant is a named list of overrides: `variant tiny { hidden = 32  train.epochs = 1 }`.",
    },
    CodeInfo {
        code: "variant::unknown",
        title: "there is no variant of that name",
        explain: "`--variant` takes the name of a `variant` section of the spec.",
    },
    CodeInfo {
        code: "value::type",
        title: "a value of another type is needed",
        explain: "Keys and arguments are typed: `batch` takes a whole number, `shuffle` takes `true` or `false`, a path stands in quotes.",
    },
    CodeInfo {
        code: "value::range",
        title: "a value is out of range",
        explain: "The message says which values are possible and why.",
    },
    CodeInfo {
        code: "value::kind",
        title: "something that is no number or tensor",
        explain: "Arithmetic and functions take numbers and tensors. A layer must be applied first (`Dense(10)(x)`, or `x |> Dense(10)`), a column must be fed, a function must be called.",
    },
    CodeInfo {
        code: "value::constant",
        title: "a tensor where a number must be known",
        explain: "Sizes, counts and rates are known before training starts: a number, or a `param` or `dim`.",
    },
    CodeInfo {
        code: "call::unknown",
        title: "an argument that the callee does not have",
        explain: "The message proposes the nearest argument, or shows how it is called.",
    },
    CodeInfo {
        code: "call::missing",
        title: "an argument that must be given is not",
        explain: "Arguments without a default must be given. The message shows how it is called.",
    },
    CodeInfo {
        code: "call::twice",
        title: "an argument is given twice",
        explain: "By place and by name, or by name twice: take one out.",
    },
    CodeInfo {
        code: "call::many",
        title: "too many arguments",
        explain: "The message shows how it is called.",
    },
    CodeInfo {
        code: "call::type",
        title: "an argument of another type is needed",
        explain: "The message says what is needed and what was found.",
    },
    CodeInfo {
        code: "call::range",
        title: "an argument is out of range",
        explain: "The message gives the range: a dropout rate is at least 0 and below 1, a size at least 1.",
    },
    CodeInfo {
        code: "call::choice",
        title: "an argument is none of the words that it may be",
        explain: "The message lists the words.",
    },
    CodeInfo {
        code: "call::constant",
        title: "an argument must be a known number",
        explain: "Some settings decide what is built, so they cannot depend on the data.",
    },
    CodeInfo {
        code: "call::foreign",
        title: "an argument that another framework has",
        explain: "Arguments are Keras', a little shorter. `in_features` and `input_dim` do not exist: the width of an input is known from the shape before it.",
    },
    CodeInfo {
        code: "call::callee",
        title: "this cannot be called",
        explain: "Layers, blocks, models, functions and ops can be called; numbers and tensors cannot. `2 (x)` is written `2 * x`.",
    },
    CodeInfo {
        code: "call::stage",
        title: "a pipe flows into something that takes nothing",
        explain: "Behind `|>` stands a layer, a block, a model or a function.",
    },
    CodeInfo {
        code: "call::inputs",
        title: "another number of tensors is needed",
        explain: "One tensor flows into most layers; several are written `(a, b) |> Mix(4)`.",
    },
    CodeInfo {
        code: "let::count",
        title: "names and values do not match in number",
        explain: "`let q, k, v = …` needs three values. One name takes one value.",
    },
    CodeInfo {
        code: "number::zero",
        title: "division by zero",
        explain: "The divisor is 0 once everything that is known is put in.",
    },
    CodeInfo {
        code: "number::large",
        title: "a number does not fit",
        explain: "Whole numbers are of 64 bits. Write one of them with a point to compute with floats.",
    },
    CodeInfo {
        code: "size::inexact",
        title: "a size is not a whole number",
        explain: "Division in a size must be exact: `d / heads` needs a `d` that `heads` divides.",
    },
    CodeInfo {
        code: "size::whole",
        title: "a size must be whole",
        explain: "Sizes are whole numbers, params of type `int`, and sums and products of them.",
    },
    CodeInfo {
        code: "type::unknown",
        title: "there is no type of that name",
        explain: "Tensors are `f32[…]` and `i32[…]`, with the meanings `logits`, `prob`, `mask`, `class(n)`; params and settings are `int`, `float`, `bool`, `str`.",
    },
    CodeInfo {
        code: "type::shape",
        title: "a shape is not written as one",
        explain: "A shape is a list of sizes: `f32[B, 28, 28]`. `..s` stands for any axes, `_` for any size, `f32[]` is one number.",
    },
    CodeInfo {
        code: "shape::declared",
        title: "a value does not have its declared shape",
        explain: "The labels show how the shape came about, stage by stage. Change the layer that makes the difference, or the type:\n\n    output logits: f32[B, 10] = image |> Flatten |> Dense(12) as fc     // f32[B, 12]",
    },
    CodeInfo {
        code: "shape::layer",
        title: "a layer does not fit its input",
        explain: "The labels show how the input's shape came about. Most layers want rows of features: `Flatten` makes them.",
    },
    CodeInfo {
        code: "shape::argument",
        title: "a tensor does not fit the signature of a function",
        explain: "The message shows the signature, the labels the shapes. Sizes of one name must be equal.",
    },
    CodeInfo {
        code: "shape::shared",
        title: "a shared layer meets another width",
        explain: "A layer that is used twice has one set of weights, so both inputs need the same last axis.",
    },
    CodeInfo {
        code: "shape::mismatch",
        title: "two shapes cannot be brought together",
        explain: "Arithmetic broadcasts as NumPy does: axes are compared from the right, and must be equal or 1.",
    },
    CodeInfo {
        code: "shape::matmul",
        title: "two shapes cannot be multiplied",
        explain: "`a @ b` sums over the last axis of `a` and the last but one of `b`; `transpose` swaps the last two.",
    },
    CodeInfo {
        code: "shape::axis",
        title: "there is no such axis",
        explain: "Axes count from 0; negative ones from the end.",
    },
    CodeInfo {
        code: "dtype::declared",
        title: "a value does not have its declared element type",
        explain: "`f32` are numbers, `i32` are ids and counts. `cast(x, f32)` converts.",
    },
    CodeInfo {
        code: "dtype::layer",
        title: "a layer gets whole numbers",
        explain: "Layers compute with `f32`. Scale columns in `data` (`image = image / 255`), or convert by `cast(x, f32)`.",
    },
    CodeInfo {
        code: "dtype::argument",
        title: "a function gets another element type",
        explain: "`CrossEntropy` takes logits first and class ids (`i32`) second; labels of a table are ids by `label : class`.",
    },
    CodeInfo {
        code: "data::source",
        title: "this is not a source of data",
        explain: "`csv(\"table.csv\")`, `idx(\"mnist\")` and `synthetic(xor)` are built; the language has more.",
    },
    CodeInfo {
        code: "column::unknown",
        title: "the source has no column of that name",
        explain: "Columns come from the header of the file, or from `columns=[…]`. Signs in a header read as `_`: `emp.var.rate` is `emp_var_rate`.",
    },
    CodeInfo {
        code: "column::untyped",
        title: "nothing says what the cells of a column are",
        explain: "Cells of a table are text until they are given a type:\n\n    age, hours : standardize\n    income     : class(\"<=50K\", \">50K\")",
    },
    CodeInfo {
        code: "column::typed",
        title: "a column that has a type already is given one",
        explain: "`name : how` reads cells of a table. Columns of `idx` and `synthetic` are numbers; use arithmetic: `image = image / 255`.",
    },
    CodeInfo {
        code: "column::transform",
        title: "this is not a transform",
        explain: "`standardize`, `minmax`, `float`, `int` and `class` are built; the language has more.",
    },
    CodeInfo {
        code: "column::classes",
        title: "the classes of a column are wrong",
        explain: "`class(n)` means the ids 0 to n-1, `class(no, yes)` lists the values in order, `class` alone takes those of the training rows.",
    },
    CodeInfo {
        code: "column::row",
        title: "no column is left for `row`",
        explain: "`d.row` is every `name : how` column in order, less classes and those that something else uses.",
    },
    CodeInfo {
        code: "column::place",
        title: "a column is read outside `feed`",
        explain: "Models and losses see what `feed` names: `feed { image = digits.image }`, then `image`.",
    },
    CodeInfo {
        code: "column::unused",
        title: "a column is made and never used",
        explain: "What is made in `data` and read by no `feed` is a slip. Feed it, or take it out.",
    },
    CodeInfo {
        code: "feed::missing",
        title: "an input of a model is not fed",
        explain: "Inputs are fed by name: model `input image` needs `feed { image = … }`.",
    },
    CodeInfo {
        code: "feed::unused",
        title: "something is fed and never used",
        explain: "A fed name is an input of a model that the loss reads, or stands in the loss or a metric.",
    },
    CodeInfo {
        code: "feed::data",
        title: "a feed reads no column",
        explain: "`feed` takes columns of one data section: `image = digits.image`.",
    },
    CodeInfo {
        code: "loss::double_softmax",
        title: "probabilities are squashed twice",
        explain: "Losses take logits and apply their own softmax or sigmoid. One trailing `Softmax` is folded in; a second one, or one in the middle, makes training slow and wrong without any error:\n\n    x |> Dense(10) as fc |> Softmax |> Softmax     // no\n    x |> Dense(10) as fc",
    },
    CodeInfo {
        code: "loss::logits",
        title: "a loss gets probabilities of another kind",
        explain: "`CrossEntropy` goes with `Softmax`, `BinaryCrossEntropy` with `Sigmoid`. Take the activation out, or choose the other loss.",
    },
    CodeInfo {
        code: "loss::meaning",
        title: "a value is declared logits and is none",
        explain: "`logits` are what comes before a softmax or sigmoid, `prob` what comes behind.",
    },
    CodeInfo {
        code: "loss::classes",
        title: "as many logits as classes are needed",
        explain: "`CrossEntropy` takes one logit for each class, `BinaryCrossEntropy` one logit for two classes.",
    },
    CodeInfo {
        code: "loss::scalar",
        title: "a loss is not one number",
        explain: "A loss is a scalar. Compare with a target (`MeanSquaredError(y, target)`), or take the `mean`.",
    },
    CodeInfo {
        code: "loss::constant",
        title: "a loss depends on no weight",
        explain: "Then there is nothing to train. Compare the output of a model with a label.",
    },
    CodeInfo {
        code: "metric::pair",
        title: "a metric has nothing to compare",
        explain: "Metrics take the pair of the loss. With a loss of your own, say the pair: `accuracy(M.logits, label)`.",
    },
    CodeInfo {
        code: "model::output",
        title: "a model has no output",
        explain: "A model computes its outputs: `output y: f32[B, 10] = x |> Dense(10) as fc`.",
    },
    CodeInfo {
        code: "block::output",
        title: "outputs of a block and its signature differ",
        explain: "Each result of the signature has one `output` in the body, and the other way round.",
    },
    CodeInfo {
        code: "block::cycle",
        title: "a block or model uses itself",
        explain: "The language has no recursion, so that checking always ends. `repeat(n)` chains copies.",
    },
    CodeInfo {
        code: "op::broken",
        title: "an op with a mistake is used",
        explain: "The op's own mistake is reported where it stands.",
    },
    CodeInfo {
        code: "op::cycle",
        title: "an op uses itself",
        explain: "Formulas are built of others, never of themselves, so that checking always ends.",
    },
    CodeInfo {
        code: "op::entry",
        title: "an entry that has no place in an op",
        explain: "An op's body has `let` and `output` alone; types stand in its signature.",
    },
    CodeInfo {
        code: "op::result",
        title: "an op does not give what it promises",
        explain: "The result of the formula must have the type behind `->`.",
    },
    CodeInfo {
        code: "op::unused",
        title: "an op does not use its parameter",
        explain: "Use it in the formula, or remove it.",
    },
    CodeInfo {
        code: "later::section",
        title: "a section that is not built yet",
        explain: "It is part of the language, and this program cannot do it yet. It is an error rather than silence, so that no run does less than its spec says.",
    },
    CodeInfo {
        code: "later::key",
        title: "a key that is not built yet",
        explain: "It is part of the language, and this program cannot do it yet. The help says what to do meanwhile.",
    },
    CodeInfo {
        code: "later::source",
        title: "a source that is not built yet",
        explain: "`csv`, `idx` and `synthetic` are built. Convert the file to a table, or wait.",
    },
    CodeInfo {
        code: "later::transform",
        title: "a transform that is not built yet",
        explain: "`standardize`, `minmax`, `float`, `int` and `class` are built, and arithmetic on columns.",
    },
    CodeInfo {
        code: "later::layer",
        title: "a layer that is not built yet",
        explain: "It is part of the language; `Dense`, `Flatten`, `Reshape`, `Squeeze`, `Dropout` and the activations are built.",
    },
    CodeInfo {
        code: "later::function",
        title: "a function that is not built yet",
        explain: "It is part of the language, and this program cannot do it yet.",
    },
    CodeInfo {
        code: "later::index",
        title: "indexing is not built yet",
        explain: "`x[0]` and `x[:, 1:]` are part of the language, and this program cannot do them yet.",
    },
    CodeInfo {
        code: "later::metric",
        title: "a metric that is not built yet",
        explain: "`accuracy`, `mae`, `mse` and `rmse` are built.",
    },
    CodeInfo {
        code: "later::optimizer",
        title: "an optimizer that is not built yet",
        explain: "`SGD` (with momentum) and `Adam` are built.",
    },
    CodeInfo {
        code: "later::size",
        title: "a size that is not built yet",
        explain: "Vocabularies come with text sources, which are not built yet.",
    },
    CodeInfo {
        code: "later::feed",
        title: "a feed from several data sections",
        explain: "One `train` section reads one data section for now.",
    },
];
