//! Codes of the `sema` stage: names, sections, columns, feeds, losses. Those of calls, shapes and
//! formulas stand with the library's.

use super::CodeInfo;

pub const CODES: &[CodeInfo] = &[
    CodeInfo {
        code: "name::unnamed",
        title: "a layer with weights has no name",
        explain: "Weights are named by the author, so that checkpoints can be read by people and by other \
                  programs. Say the name behind the layer:\n\n    x |> Dense(10)            // whose weights \
                  are these?\n    x |> Dense(10) as fc1     // fc1.weight, fc1.bias",
    },
    CodeInfo {
        code: "name::weightless",
        title: "`as` names something that has no weights",
        explain: "`as` names the weights of a layer or block. A function such as `relu` has none; a value is \
                  named by `let`.",
    },
    CodeInfo {
        code: "name::foreign",
        title: "the name that another framework gives it",
        explain: "Names are Keras' here. What PyTorch and others call it is known, and the message says what \
                  it is called:\n\n    x |> Linear(10)     // PyTorch\n    x |> Dense(10)      // here",
    },
    CodeInfo {
        code: "name::member",
        title: "there is nothing of that name behind the point",
        explain: "`M.out` is an output of a model, `fc.weight` a weight of a layer that `let` named, \
                  `d.column` a column of a data section (in `feed`). A weight exists once its layer has been \
                  used, since its shape follows from its input.",
    },
    CodeInfo {
        code: "name::output",
        title: "a model has no output of that name",
        explain: "`M.out` names one of the `output` entries of model `M`. The message proposes the nearest.",
    },
    CodeInfo {
        code: "section::unknown",
        title: "a section word that the language does not have",
        explain: "Sections are `data`, `model`, `train`, `variant` and a few more; the message proposes the \
                  nearest. What is inside is checked all the same.",
    },
    CodeInfo {
        code: "section::name",
        title: "a section that needs a name has none",
        explain: "`data`, `model` and `variant` sections are referred to by name:\n\n    data { … }          \
                  // how would `feed` say it?\n    data digits { … }   // digits.image",
    },
    CodeInfo {
        code: "section::twice",
        title: "two `train` sections without a name",
        explain: "Several `train` sections run in turn; then each has a name, such as `train warmup { … }`.",
    },
    CodeInfo {
        code: "section::defaults",
        title: "no table of defaults bears that name",
        explain: "The first line may say whose defaults hold: `mlspec 1` (Keras 3) or `mlspec 1 defaults \
                  torch` (PyTorch).",
    },
    CodeInfo {
        code: "key::unknown",
        title: "a key that the section does not have",
        explain: "Keys are checked strictly, since a key that is silently ignored is the worst kind of \
                  mistake. The message proposes the nearest, or lists all.",
    },
    CodeInfo {
        code: "key::missing",
        title: "a key that must be there is not",
        explain: "A `data` section needs `source`; a `train` section needs `feed`, `loss`, `optimizer`, and \
                  one of `epochs` and `steps`.",
    },
    CodeInfo {
        code: "key::twice",
        title: "a key is given twice",
        explain: "Only one of the two could be obeyed, and a reader would not know which. Take one out.",
    },
    CodeInfo {
        code: "key::form",
        title: "a section is written as a value, or the other way round",
        explain: "`split { train = 80% }` is a section, with braces; `batch = 32` a value, with `=`.",
    },
    CodeInfo {
        code: "key::misplaced",
        title: "an entry that has no place in its section",
        explain: "`let`, `input` and `output` stand in models and blocks, `name : how` in `data`, `key = \
                  value` in the others.",
    },
    CodeInfo {
        code: "key::conflict",
        title: "two keys say different things about one matter",
        explain: "Training lasts for `epochs` or for `steps`, never for both; the weights that a run ends with are chosen by \
                  one value, whether early stopping restores them or `checkpoint` keeps the best. Keep one of the two.",
    },
    CodeInfo {
        code: "param::type",
        title: "a param's value is not of its type",
        explain: "Types are `int`, `float`, `bool` and `str`; a whole number is a float too.\n\n    param \
                  hidden: int = 1.5     // no\n    param hidden: int = 128",
    },
    CodeInfo {
        code: "param::cycle",
        title: "a param or dim needs its own value",
        explain: "Params and dims may use each other in any order, but none may need itself, not even \
                  through others. Write the value of one of them.",
    },
    CodeInfo {
        code: "param::domain",
        title: "a value outside the domain of its param or dim",
        explain: "`in [32, 64]` lists the values that a param may take, `in 0..1` bounds them, `dim T <= 256` \
                  bounds a size. Overrides and variants obey them too. Choose another value, or widen the \
                  domain.",
    },
    CodeInfo {
        code: "override::unknown",
        title: "an override of something that is not there",
        explain: "`--set` and variants reach params, dims and keys: `hidden=64`, `train.epochs=1`, \
                  `train.optimizer.lr=0.01`, `digits.batch=64`.",
    },
    CodeInfo {
        code: "override::entry",
        title: "a variant holds something other than values",
        explain: "A variant is a named list of overrides: `variant tiny { hidden = 32  train.epochs = 1 }`.",
    },
    CodeInfo {
        code: "variant::unknown",
        title: "there is no variant of that name",
        explain: "`--variant` takes the name of a `variant` section of the spec; the message proposes the \
                  nearest.",
    },
    CodeInfo {
        code: "value::type",
        title: "a value of another type is needed",
        explain: "Keys and arguments are typed: `batch` takes a whole number, `shuffle` takes `true` or \
                  `false`, a path stands in quotes.",
    },
    CodeInfo {
        code: "value::range",
        title: "a value is out of range",
        explain: "The message says which values are possible. Counts are whole and at least 1, shares lie \
                  between 0 and 1.",
    },
    CodeInfo {
        code: "call::stage",
        title: "a pipe flows into something that takes nothing",
        explain: "Behind `|>` stands a layer, a block, a model or a function: something that takes what flows \
                  in.",
    },
    CodeInfo {
        code: "call::inputs",
        title: "another number of tensors is needed",
        explain: "One tensor flows into most layers; several are written `(a, b) |> Mix(4)`.",
    },
    CodeInfo {
        code: "shape::declared",
        title: "a value does not have its declared shape",
        explain: "The labels show how the shape came about, stage by stage. Change the layer that makes the \
                  difference, or the type:\n\n    output logits: f32[B, 10] = image |> Flatten |> Dense(12) \
                  as fc     // f32[B, 12]",
    },
    CodeInfo {
        code: "dtype::declared",
        title: "a value does not have its declared element type",
        explain: "`f32` are numbers, `i32` are ids and counts. `cast(x, f32)` converts.",
    },
    CodeInfo {
        code: "data::source",
        title: "this is not a source of data",
        explain: "`csv(\"table.csv\")`, `idx(\"mnist\")` and `synthetic(xor)` are built; the language has \
                  more.",
    },
    CodeInfo {
        code: "column::ids",
        title: "a table of weights with fewer rows than its column has ids",
        explain: "Ids pick rows of an `Embedding`, counted from 0, so it has as many rows as the column has ids: those of words, \
                  and before them 0 for padding, 1 for unknown words, and the ends of a text where they are asked for. \
                  `d.col.vocab` says the number whatever it is.",
    },
    CodeInfo {
        code: "column::unknown",
        title: "the source has no column of that name",
        explain: "Columns come from the header of the file, or from `columns=[…]`. Signs in a header read as \
                  `_`: `emp.var.rate` is `emp_var_rate`.",
    },
    CodeInfo {
        code: "column::untyped",
        title: "nothing says what the cells of a column are",
        explain: "Without `name : how` a column is a number, if the first rows hold nothing else. Words become numbers as \
                  the spec says:\n\n    town   : one_hot(unknown=other)\n    income : class(\"<=50K\", \">50K\")",
    },
    CodeInfo {
        code: "column::text",
        title: "a transform of numbers stands at a column of words",
        explain: "`standardize`, `log` and their like take numbers, and the first rows of the file hold words. `one_hot`, \
                  `category`, `hashed`, `date` and `class` make numbers of words; what stands for a missing value is named \
                  in the source: `csv(\"t.csv\", missing=[\"?\", \"n/a\"])`.",
    },
    CodeInfo {
        code: "column::typed",
        title: "a column that has a type already is given one",
        explain: "`name : how` reads cells of a table. Columns of `idx` and `synthetic` are numbers; use \
                  arithmetic: `image = image / 255`.",
    },
    CodeInfo {
        code: "column::transform",
        title: "this is not a transform",
        explain: "Behind `name :` stands a transform, or a chain of them; the same makes a column of another:\n\n    \
                  age   : impute(median) |> standardize\n    label = sentiment |> class(negative, positive)\n\n\
                  Numbers: float, int, standardize, minmax, robust, quantile, log, log1p, clip, bins. Values: one_hot, \
                  category, hashed, date, class. Gaps: impute.",
    },
    CodeInfo {
        code: "column::chain",
        title: "a transform stands where it cannot",
        explain: "Each step takes what the one before gives. `one_hot`, `category`, `hashed`, `date` and `class` take one value \
                  a row; scalers take numbers, not ids; `class` and `category` end a chain, unless `one_hot` follows:\n\n    \
                  age : bins(5) |> one_hot",
    },
    CodeInfo {
        code: "column::rows",
        title: "a column that is transformed is not computed row by row",
        explain: "What a transform decides, it decides on training rows, and applies to rows that come one at a time. So a \
                  column that is computed and then transformed is made of its own row alone:\n\n    \
                  bmi = weight / height^2\n    bmi : standardize\n\nWhat all training rows decide, their mean among others, is \
                  the transform's: `standardize`, `minmax`, `quantile`.",
    },
    CodeInfo {
        code: "column::setting",
        title: "settings of a transform that do not go together",
        explain: "`clip` needs a bound, the lower not above the upper; a constant of `impute` needs its value, and nothing else \
                  has one; a form of `date` uses the signs %Y %y %m %b %B %d %e %j %H %M %S %f %T.",
    },
    CodeInfo {
        code: "column::length",
        title: "rows of a column are of different lengths",
        explain: "`words`, `chars` and `bpe` give as many ids as a text has pieces. A batch wants rows of one length: \
                  `pad(n)` fills up and cuts, `windows(n)` makes rows of one long text.\n\n    tokens = review |> words |> \
                  pad(200)",
    },
    CodeInfo {
        code: "column::augment",
        title: "training rows cannot be changed so",
        explain: "`augment { image = image |> flip |> crop(32, pad=4) }` changes a column that is fed, in its place, in training \
                  rows alone; validation and test see images as they are, so `crop` keeps their size. The column is the \
                  source's: arithmetic on it comes after. `jitter` takes images of bytes, and `saturation` three channels: \
                  `image |> jitter(0.2, 0.2)` is for grey ones.",
    },
    CodeInfo {
        code: "feed::cut",
        title: "a cut of a column that cannot be",
        explain: "`d.tokens[:-1]` leaves the last step of each row out, `d.tokens[-1]` takes it alone. Shapes in `feed` and `data` are of \
                  one row: the batch is not counted. Places count from 0, or from the end with a minus; the end of a range is \
                  left out, as in Python.",
    },
    CodeInfo {
        code: "column::size",
        title: "a column has no such size",
        explain: "`d.col.vocab` counts the ids of a text, `category`, `hashed` or `class` column; `d.vocab` those of the only \
                  text, `d.col.features` the numbers that a \
                  row has of it. What is computed has the shape that the model sees.",
    },
    CodeInfo {
        code: "column::classes",
        title: "the classes of a column are wrong",
        explain: "`class(n)` means the ids 0 to n-1, `class(no, yes)` lists the values in order, `class` \
                  alone takes those of the training rows.",
    },
    CodeInfo {
        code: "column::row",
        title: "no column is left for `row`",
        explain: "`d.row` is every `name : how` column in order, less classes and those that something else \
                  uses.",
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
        explain: "Losses take logits and apply their own softmax or sigmoid. One trailing `Softmax` is folded \
                  in; a second one, or one in the middle, makes training slow and wrong without any \
                  error:\n\n    x |> Dense(10) as fc |> Softmax |> Softmax     // no\n    x |> Dense(10) as fc",
    },
    CodeInfo {
        code: "loss::logits",
        title: "a loss gets probabilities of another kind",
        explain: "`CrossEntropy` goes with `Softmax`, `BinaryCrossEntropy` with `Sigmoid`. Take the \
                  activation out, or choose the other loss.",
    },
    CodeInfo {
        code: "loss::meaning",
        title: "a value is declared logits and is none",
        explain: "`logits` are what comes before a softmax or sigmoid, `prob` what comes behind.",
    },
    CodeInfo {
        code: "loss::classes",
        title: "as many logits as classes are needed",
        explain: "`CrossEntropy` takes one logit for each class, `BinaryCrossEntropy` one logit for two \
                  classes.",
    },
    CodeInfo {
        code: "train::weights",
        title: "a word chooses no weight",
        explain: "`freeze`, `no_decay` and the `weights` of a group name weights: the last part of a path \
                  (`bias`), a kind of layer (`LayerNorm`), a layer or all below a path (`fc1`, `h.0`), one \
                  weight (`fc1.weight`), a model, or `all`.\n\n    freeze = [wte, h.0]",
    },
    CodeInfo {
        code: "weights::source",
        title: "what a model starts from is no file of weights",
        explain: "`pretrained` names a file in the format safetensors, which any framework can save. Names in the file \
                  are those of the model, with `prefix` before them; `layout=torch` turns the axes of PyTorch's \
                  modules:\n\n    pretrained = safetensors(\"bert.safetensors\", prefix=\"bert.\", layout=torch)",
    },
    CodeInfo {
        code: "weights::missing",
        title: "a file of weights lacks some of the model's",
        explain: "Each weight of a model with `pretrained` is in the file by its name, so call layers as the file does: \
                  `as encoder.layer.0.output.dense`. What is to be trained anew, such as the last layer for another \
                  task, is said, and keeps its initial values:\n\n    fresh = [out]\n\nWhat the file has beyond that is \
                  left alone.",
    },
    CodeInfo {
        code: "weights::shape",
        title: "a weight of a file has another shape than the model's",
        explain: "Here a `Dense` has its weight as [in, out] and a convolution as [height, width, in, out], as Keras \
                  does. PyTorch's modules have the axes otherwise, which `layout=torch` turns; GPT-2's `Conv1D` is \
                  the exception, which has them as here. If it is not the axes, the layer is of another size.",
    },
    CodeInfo {
        code: "weights::dtype",
        title: "a weight of a file is of a type that is not read",
        explain: "Weights are read from F32, F16 and BF16 and are f32 from there on. Quantised weights must be expanded \
                  by the program that made them.",
    },
    CodeInfo {
        code: "weights::unreadable",
        title: "a file of weights cannot be read",
        explain: "The file is there, but it is not in the format safetensors, or ends too early. A checkpoint of PyTorch \
                  (`.pt`, `.bin`) is turned into one by `safetensors.torch.save_file(model.state_dict(), \"f\")`.",
    },
    CodeInfo {
        code: "weights::layer",
        title: "a layer that the program behind a file of weights does not have",
        explain: "PyTorch's `GRU` multiplies the state by its weights and then resets it, as ours does by default; with \
                  `reset_after=false`, as in the first paper, the same weights would mean something else.",
    },
    CodeInfo {
        code: "weights::fresh",
        title: "weights are fresh where none are pretrained",
        explain: "`fresh` names weights that keep their initial values though the model starts from a file. Without \
                  `pretrained` all weights do.",
    },
    CodeInfo {
        code: "train::every",
        title: "the steps of a training have no common rhythm",
        explain: "Of several steps one at least acts on every batch, and `every` makes others rarer. After at most \
                  10,000 batches all must act as they did at the start:\n\n    step critic    { … }\n    step \
                  generator { every = 5  … }",
    },
    CodeInfo {
        code: "generate::output",
        title: "what is generated has nothing for each sample",
        explain: "Samples are counted by `B`, the first size of what is drawn and of what the model makes of \
                  it:\n\n    draw { noise = Normal(shape=[B, 64]) }",
    },
    CodeInfo {
        code: "generate::model",
        title: "a model cannot generate what is asked for",
        explain: "A text goes on with a model that says what follows each token: one input `tokens: i32[B, T]`, one \
                  output `logits: f32[B, T, ids]`. Samples are made with a model that was trained.",
    },
    CodeInfo {
        code: "generate::tokens",
        title: "nobody knows how a prompt becomes tokens",
        explain: "A prompt is cut as the training's texts are, by the transform of the column that feeds the \
                  model:\n\n    tokens = text |> chars |> windows(T + 1)\n    …\n    feed { tokens = \
                  plays.tokens[:-1]  next = plays.tokens[1:] }",
    },
    CodeInfo {
        code: "generate::prompt",
        title: "a prompt cannot be read",
        explain: "A model of characters knows those of its training texts. Leave others out of the prompt, or train \
                  with `chars(pad=true)`, which keeps an id for what is unknown.",
    },
    CodeInfo {
        code: "generate::ahead",
        title: "a model of texts looks ahead",
        explain: "A text goes on token by token, so what a model says of a token must depend on that token and those before it \
                  alone. Hide later steps in every layer that mixes steps:\n\n    attend(q, k, v, heads=4, mask=causal)\n    \
                  MultiHeadAttention(4, 32, causal=true)\n    Conv1D(64, 3, padding=causal)",
    },
    CodeInfo {
        code: "train::groups",
        title: "a weight is in two groups",
        explain: "A group gives its weights settings of their own, so a weight is in one group at \
                  most:\n\n    groups {\n      head  { weights = [fc2]  lr = 1e-2 }\n      norms { weights = \
                  [ln_1, ln_2]  weight_decay = 0 }\n    }",
    },
    CodeInfo {
        code: "loss::scalar",
        title: "a loss is not one number",
        explain: "A loss is a scalar. Compare with a target (`MeanSquaredError(y, target)`), or take the \
                  `mean`.",
    },
    CodeInfo {
        code: "loss::constant",
        title: "a loss depends on no weight",
        explain: "Then there is nothing to train. Compare the output of a model with a label.",
    },
    CodeInfo {
        code: "metric::pair",
        title: "a metric does not know what to compare",
        explain: "Metrics take the pair of the loss. With a loss of your own, or one of several terms, say the pair: \
                  `accuracy(M.logits, label)`.",
    },
    CodeInfo {
        code: "metric::target",
        title: "a metric of numbers on a target of classes",
        explain: "`mse`, `mae` and their like compare a number with a number. A classifier gives a logit for each class, and its \
                  target is the place of the right one:\n\n    \
                  loss    = CrossEntropy(Net.logits, label)\n    \
                  metrics = [mse]           // of what?\n    \
                  metrics = [accuracy]",
    },
    CodeInfo {
        code: "metric::scaled",
        title: "a share of a target that is scaled",
        explain: "`mape` divides by the target, and `standardize` moves its 0. `mae`, `mse` and `rmse` of a target that only \
                  `standardize`, `minmax` or `robust` scale are reported in the unit of the source: dollars stay dollars. Of \
                  a target behind `log` or arithmetic they are those of the numbers that the loss sees, as is the loss \
                  itself always.",
    },
    CodeInfo {
        code: "metric::masked",
        title: "a metric that would count padding",
        explain: "A mask (`Embedding(mask_zero=true)`) says which steps of a sequence count, `ignore` of the loss which labels do. Losses, and metrics that are means or \
                  rates, leave the others out; `auc`, `confusion` and `r2` need every element and cannot.",
    },
    CodeInfo {
        code: "metric::by",
        title: "a metric cannot be grouped so",
        explain: "`f1 by sex` gives the metric of each group of rows, and how far the best and the worst are apart. \
                  Groups are made by a column with classes, fed or not, and what is grouped is one number, judged \
                  row by row:\n\n    \
                  age : standardize\n    \
                  sex : class\n\n    \
                  metrics = [f1 by age]     // every age is another\n    \
                  metrics = [f1 by sex]",
    },
    CodeInfo {
        code: "schedule::warmup",
        title: "a warm-up that is longer than the run",
        explain: "During a warm-up the learning rate rises to the `lr` of the optimizer; in a run that ends before, \
                  it never gets there. Lengths count steps unless `per=epoch` says otherwise:\n\n    \
                  schedule = cosine(warmup=1000)\n    \
                  steps    = 500                                  // all of it warm-up\n    \
                  schedule = cosine(warmup=50)                    // a tenth",
    },
    CodeInfo {
        code: "schedule::end",
        title: "a falling schedule ends above where it starts",
        explain: "`polynomial`, `cosine` and `cosine_restarts` fall from the `lr` of the optimizer to `end`. `linear` \
                  goes either way.\n\n    \
                  optimizer = Adam(lr=1e-4)\n    \
                  schedule  = cosine(end=1e-3)    // upwards?\n    \
                  schedule  = cosine(end=1e-5)",
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
        code: "train::monitor",
        title: "a value to watch that no evaluation gives",
        explain: "Early stopping and checkpoints watch `valid.loss`, a metric of the list such as `valid.accuracy`, or \
                  `train.loss`. The test split is evaluated once, when all is chosen:\n\n    \
                  monitor=val_accuracy        // Keras' name\n    monitor=valid.accuracy      // with `metrics = \
                  [accuracy]` and `valid` in `split`",
    },
    CodeInfo {
        code: "import::missing",
        title: "a file that is imported cannot be read",
        explain: "The path of an import starts at the folder of the file that it stands in:\n\n    import \"layers.mlspec\"      \
                  // beside this file\n    import \"../parts/norms.mlspec\"",
    },
    CodeInfo {
        code: "import::cycle",
        title: "files import each other",
        explain: "What is imported stands as if it were written in the place of the import, so a file cannot contain \
                  itself, directly or through others. Put what two files share in a third, and import that in both: a \
                  file is taken once, however many ways lead to it.",
    },
    CodeInfo {
        code: "import::defaults",
        title: "an imported file is written for other defaults",
        explain: "`mlspec 1 defaults torch` changes what `Dense(10)` means: its first weights, the epsilon of norms. \
                  Blocks that are written for one table are others in a spec with the other, so both files say the same.",
    },
    CodeInfo {
        code: "later::section",
        title: "a section that is not built yet",
        explain: "It is part of the language, and this program cannot do it yet. It is an error rather than \
                  silence, so that no run does less than its spec says.",
    },
    CodeInfo {
        code: "later::source",
        title: "a source that is not built yet",
        explain: "`voc`, `coco` and `json` are part of the language, and not built yet. `docs/sources.md` has those that are; \
                  convert the file to one of them, or wait.",
    },
    CodeInfo {
        code: "later::transform",
        title: "a transform that is not built yet",
        explain: "`docs/transforms.md` has those that are built, and arithmetic on columns is; those that change images will \
                  follow.",
    },
    CodeInfo {
        code: "later::layer",
        title: "a layer that is not built yet",
        explain: "It is part of the language; `Dense`, `Flatten`, `Reshape`, `Squeeze`, `Dropout` and the \
                  activations are built.",
    },
    CodeInfo {
        code: "later::metric",
        title: "a metric that is not built yet",
        explain: "Metrics of classes and of numbers are built; those of boxes or texts (`iou`, `bleu`) will follow.",
    },
    CodeInfo {
        code: "later::optimizer",
        title: "an optimizer that is not built yet",
        explain: "`SGD`, `Adam`, `AdamW`, `Adamax`, `Nadam`, `Lion`, `RMSprop`, `Adagrad` and `Adadelta` are \
                  built; the others of the language will follow.",
    },
    CodeInfo {
        code: "type::box",
        title: "a box that is not four corners",
        explain: "`box(xyxy)[B, 4]` is `f32` whose last axis holds left, top, right and bottom, as the loss `GIoU` and the \
                  source `voc` have them. Other ways to write a box, by its middle and its size, are turned into corners by \
                  arithmetic.",
    },
    CodeInfo {
        code: "later::feed",
        title: "a feed from several data sections",
        explain: "One `train` section reads one data section for now. Put the columns into one source.",
    },
];
