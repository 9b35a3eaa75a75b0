//! Codes of the `data` stage: what files can have wrong with them, and of the run that follows.

use super::CodeInfo;

pub const CODES: &[CodeInfo] = &[
    CodeInfo {
        code: "data::missing_file",
        title: "a file that the spec reads is not there",
        explain: "Paths are looked up beside the spec, then under the folder of `--data DIR` or `MLC_DATA`; \
                  the message lists every place. Correct the path, or say where your data lie:\n\n    \
                  mlc train mnist.mlspec --data ~/datasets",
    },
    CodeInfo {
        code: "data::unreadable",
        title: "a file is there but cannot be read",
        explain: "The operating system's reason is in the message: missing rights, a folder where a file should \
                  be, a failing disk. `idx` takes a folder, `csv` takes a file.",
    },
    CodeInfo {
        code: "data::gzip",
        title: "a compressed file is cut off or damaged",
        explain: "Gzip files end with a checksum; this one ends too early or does not match. Usually a download \
                  was interrupted: download it again, and compare with `gzip -t FILE`.",
    },
    CodeInfo {
        code: "data::encoding",
        title: "a text file is not UTF-8",
        explain: "The message names the first byte that is not part of UTF-8 text by line and character. Convert \
                  the file once:\n\n    iconv -f latin1 -t utf-8 old.csv > new.csv",
    },
    CodeInfo {
        code: "data::empty",
        title: "a source has no rows",
        explain: "The file is empty, or has only a header, or `skip` leaves nothing. A table without a header \
                  needs `columns=[…]`, or its first row is taken for one.",
    },
    CodeInfo {
        code: "data::ragged",
        title: "a row has more or fewer fields than the table",
        explain: "Every row needs as many fields as the header or `columns=[…]`. Often the separator is another \
                  (`sep=\";\"`), or a field that holds a separator lacks quotes:\n\n    1,Smith, John\n    \
                  1,\"Smith, John\"",
    },
    CodeInfo {
        code: "data::quote",
        title: "a quoted field does not end as it should",
        explain: "A field that starts with `\"` goes on to the next `\"`, over line ends if need be, and a separator \
                  or line end must follow. A quote that is meant is doubled: `\"12\"\" disk\"`.",
    },
    CodeInfo {
        code: "data::header",
        title: "two columns have one name",
        explain: "Signs other than letters, digits and `_` read as `_` in names, so `a-b` and `a.b` clash. Give names \
                  yourself and leave the header out:\n\n    source = csv(\"t.csv\", skip=1, columns=[a, b])",
    },
    CodeInfo {
        code: "data::column",
        title: "the file lacks a column that the spec uses",
        explain: "The spec types or feeds a column that the file does not have; files of `valid =` and `test =` need \
                  the same columns. The message lists what the file has.",
    },
    CodeInfo {
        code: "data::number",
        title: "a cell of a numeric column is not a number",
        explain: "`float`, `standardize` and `minmax` read numbers, `int` whole ones. Words that stand for missing values \
                  are named by `missing=\"?\"`, a decimal comma by `decimal=\",\"`; a column of words is \
                  `one_hot`, `category` or a `class`.",
    },
    CodeInfo {
        code: "data::not_finite",
        title: "a number is infinite, not a number, or too large for f32",
        explain: "One such value makes every weight NaN within a step. Correct the cell or remove the row.",
    },
    CodeInfo {
        code: "data::missing_value",
        title: "a cell is empty or marked as missing",
        explain: "A missing value is an error unless the column says what to do with it: `impute` fills it in, `one_hot` \
                  and `category` take it for a value of its own. Elsewhere it goes along the chain until something \
                  takes it:\n\n    age : impute(median) |> standardize\n\nWords that stand for missing values are \
                  named in the source: `csv(\"t.csv\", missing=\"?\")`.",
    },
    CodeInfo {
        code: "data::domain",
        title: "a number that a transform cannot take",
        explain: "`log` wants numbers above 0, `log1p` above -1. Correct the cells, or move them first:\n\n    \
                  gain : clip(lo=0) |> log1p",
    },
    CodeInfo {
        code: "data::unseen",
        title: "a value that no training row has",
        explain: "`one_hot` and `category` know the values of the training rows. What becomes of others is for the spec to \
                  say: `unknown=other` gives them one place together, `unknown=ignore` (of `one_hot`) all zeros. A \
                  stratified split keeps every value in every part.",
    },
    CodeInfo {
        code: "data::date",
        title: "a cell is no date of the form that the spec gives",
        explain: "`date(\"%Y-%m-%d\")` takes signs as `strftime` has them: %Y %y %m %b %B %d %e %j %H %M %S %f %T. Every other \
                  character must stand in the cells as it does in the form, and the calendar must have the day.",
    },
    CodeInfo {
        code: "data::one_class",
        title: "the training rows have one class only",
        explain: "Where every row has the same label there is nothing to tell apart: a model that always says so is right. \
                  Usually a file is sorted by class and `ordered = true` splits it; shuffle, or stratify by the label.",
    },
    CodeInfo {
        code: "data::constant",
        title: "a column has one value in all training rows",
        explain: "Nothing can be learnt from it: scaled, it is 0 in every training row, and another value in other rows meets \
                  weights that were never trained. Take it out of the spec.",
    },
    CodeInfo {
        code: "data::class",
        title: "a label is none of the classes",
        explain: "`class(n)` takes 0 to n-1, `class(a, b)` the listed values, and a bare `class` those of the training \
                  rows. Labels that count from 1 are listed: `class(1, 2, 3)`.",
    },
    CodeInfo {
        code: "data::range",
        title: "a label is no number that the loss understands",
        explain: "`CrossEntropy` counts classes from 0, one for each logit; `BinaryCrossEntropy` takes 0, 1 or a share \
                  between. Any other number would add nothing, or nonsense, in silence. Say which values are classes, and \
                  they are numbered for you:\n\n    quality : class(3, 4, 5, 6, 7, 8)",
    },
    CodeInfo {
        code: "data::magic",
        title: "a file is of another format than its source reads",
        explain: "Files of a format start with the same bytes: IDX with two zeros, the type 08 and the number of axes; \
                  arrays of NumPy with 93 4e 55 4d 50 59, archives of them (`npz`) with 50 4b. The message shows what \
                  the file starts with. Name the right file, or read it with the source for its format.",
    },
    CodeInfo {
        code: "data::json",
        title: "a line is no object of JSON",
        explain: "`jsonl` reads one object a line: strings, numbers, booleans, `null`, objects of these (a key inside \
                  one joins the outer key by `_`) and arrays of numbers, of one length in all rows. One array of \
                  objects becomes such a file by:\n\n    jq -c '.[]' all.json > all.jsonl",
    },
    CodeInfo {
        code: "data::npy",
        title: "an array of NumPy cannot be read",
        explain: "The header and the elements do not fit together, or the elements are neither numbers nor strings. \
                  Python objects are not read, since reading them would run code: save `array.astype(\"float32\")`. \
                  Arrays that one `data` section uses have as many rows.",
    },
    CodeInfo {
        code: "data::parquet",
        title: "a Parquet file is damaged or cut off",
        explain: "The footer at the end of a Parquet file says where its columns lie; here they do not lie there, or do \
                  not hold what it says. Copy the file again. Flat columns are read: numbers, booleans, strings, dates \
                  and timestamps (both as text); columns of lists and maps are left out.",
    },
    CodeInfo {
        code: "data::sql",
        title: "a database cannot be asked",
        explain: "The message has the database's own words. `sql` opens files of SQLite and servers of PostgreSQL, in \
                  transactions that may only read:\n\n    source = sql(\"postgres://ada@db.example/shop\", \
                  query=\"SELECT * FROM orders ORDER BY id\")\n\nWithout `ORDER BY` rows are sorted by their values: \
                  a database may give them in any order, and another order is another training.",
    },
    CodeInfo {
        code: "data::password",
        title: "a spec holds the password of a database",
        explain: "Specs are shared, and a run keeps a copy of its spec. Leave the password out of the address and give it \
                  by the environment:\n\n    PGPASSWORD=… mlc train orders.mlspec",
    },
    CodeInfo {
        code: "data::feature",
        title: "this build of mlc lacks a format",
        explain: "Parquet and SQL are features that a build may leave out: `cargo build --no-default-features` has \
                  neither. Build with `--features parquet` or `--features sql`, or convert the data to CSV once.",
    },
    CodeInfo {
        code: "data::idx",
        title: "IDX files do not fit together",
        explain: "A folder needs a file of images and one of labels with as many entries, `train` in both names or in \
                  none, `test` or `t10k` in those of the test pair; and each file as many bytes as its header says.",
    },
    CodeInfo {
        code: "data::split",
        title: "rows cannot be split as asked",
        explain: "The parts take more rows than there are, or leave a part without any, or a part is named twice: by the \
                  split and by a file of its own; there are fewer groups than parts; or a class of `stratify` has one \
                  row alone. Keys that exclude each other: an order (`ordered`, `time`) with `stratify` or `group`, \
                  and `kfold` with `train` or `test`.\n\n    split { train = 80%  valid = 20% }\n    \
                  split { kfold = 5  valid = 10%  stratify = label  seed = 1 }",
    },
    CodeInfo {
        code: "data::time",
        title: "a cell of the split's time column is no time",
        explain: "`split { time = column }` puts rows in order by numbers, or by dates such as `2024-01-31`, \
                  `2024-01-31 14:30:00`, `2024-01-31T12:30:00Z` or `31.01.2024`; all cells in one of the two. `01/31/2024` \
                  is refused, since half of such dates could be meant the other way round.",
    },
    CodeInfo {
        code: "data::shape",
        title: "data have another shape than the spec was checked with",
        explain: "Shapes are read from the files' headers when a spec is checked. If files change after that, check again.",
    },
    CodeInfo {
        code: "data::generator",
        title: "synthetic data of these sizes cannot be made",
        explain: "`classification` puts each class at corners of a cube with one side for each informative feature, so \
                  `classes <= 2^informative`, and `informative + redundant <= features`.",
    },
    CodeInfo {
        code: "run::not_finite",
        title: "the loss became infinite or not a number",
        explain: "Training stopped at the step that the message names; the run directory holds the weights as they were. \
                  Most often the learning rate is too large: try a tenth. Else look for unscaled inputs (`standardize`), \
                  a logarithm of 0, or a division by 0 in an `op` of your own.",
    },
    CodeInfo {
        code: "run::weights",
        title: "a file of weights does not fit the model",
        explain: "`--init` needs every weight by its name and shape, as f32, and nothing else. `mlc plan` lists the model's; \
                  `train --steps 0` writes a file of them.",
    },
    CodeInfo {
        code: "run::no_train",
        title: "there is nothing to train",
        explain: "A spec may only declare models and blocks, for others to import. To train, it needs a section:\n\n    \
                  train {\n      feed      { x = d.x  y = d.y }\n      loss      = MeanSquaredError(M.out, y)\n      \
                  optimizer = Adam(lr=1e-3)\n      epochs    = 5\n    }",
    },
    CodeInfo {
        code: "run::no_data",
        title: "there is no data to look at",
        explain: "`mlc data` shows what the `data` sections of a spec hold, and this one has none. A section for a table:\n\n    \
                  data table {\n      source = csv(\"table.csv\")\n    }",
    },
    CodeInfo {
        code: "run::several",
        title: "one train section of several is wanted",
        explain: "Several `train` sections run in turn, each on the weights that those before it ended with:\n\n    \
                  train head { … }\n    train whole { … }\n\n`mlc bench` times one of them, so name it: \
                  `--train head`. Where rows are cut into folds (`kfold`), sections are run on one fold, \
                  `--set table.split.fold=1`, for the weights of each fold are its own.",
    },
    CodeInfo {
        code: "run::no_batch",
        title: "an epoch has no batch",
        explain: "With `drop_last = true` an epoch is the whole batches of the training rows; with fewer rows than `batch` \
                  there is none. Make `batch` smaller, or keep the last one.",
    },
    CodeInfo {
        code: "run::not_timed",
        title: "kernels are timed on the processor only",
        explain: "`mlc bench --kernels` runs a step kernel by kernel and looks at the clock between them. A GPU runs \
                  them behind each other on its own, so there the step as a whole is timed: leave out `--kernels`, or \
                  bench with `--device cpu`.",
    },
    CodeInfo {
        code: "run::memory",
        title: "the training does not fit into memory",
        explain: "Weights and the optimizer's states are held in memory from the first step to the last; Adam keeps two \
                  numbers beside each weight. Make the widest layers narrower, or train with SGD, which keeps none. \
                  `mlc plan` tells what a training takes without taking it.",
    },
    CodeInfo {
        code: "run::limit",
        title: "the training takes more than `memory` allows",
        explain: "`memory` is the most that weights, the optimizer's states, batches and what a step computes may take. \
                  What the forward pass leaves for the gradient is let go and made again where that is needed to keep to \
                  it; the results are the same, to the bit. Some of it has to be there at once: a layer with its gradient, \
                  weights, states. Make `batch` smaller and `accumulate` over several, or allow more. `mlc plan` shows what \
                  takes how much, and what is made again.",
    },
    CodeInfo {
        code: "verify::differs",
        title: "compiled code or the GPU computes something else than the spec says",
        explain: "`mlc verify` runs one training step in a slow interpreter, on the processor and on the GPU. Here two \
                  of them differ by more than the rounding of 32-bit numbers can explain, first in this line. \
                  The spec is not at fault: it is a defect of mlc, of the driver or of the hardware. Report \
                  it with the spec and the table that `mlc verify` prints; if only the GPU differs, train with \
                  `--device cpu` until it is mended.",
    },
    CodeInfo {
        code: "data::windows",
        title: "steps cannot be cut into these windows",
        explain: "`windows(n)` makes rows of n neighbouring steps: pieces of a text, or rows of a table. They overlap, so the \
                  split cuts the steps in order (`ordered = true`) before windows are made, and a part needs n steps at \
                  least. All columns that are fed are windows of the same steps; `d.x[:-1]` in `feed` cuts what a model \
                  sees.",
    },
    CodeInfo {
        code: "data::bucket",
        title: "batches cannot have several lengths here",
        explain: "`bucket = tokens` lets training rows of like length meet, in batches that are as long as their longest row \
                  wants. The lengths are eighths of a dim or param that the column is padded to, and the spec is checked \
                  at each:\n\n    dim T = 400\n\n    data reviews {\n      …\n      tokens = text |> words(vocab=10000) |> \
                  pad(T)\n      bucket = tokens\n    }\n\n    model Net {\n      input tokens: i32[B, T]\n      …\n    \
                  }\n\nWhat may depend on `T` is how long rows are and all that is computed from them. Weights may \
                  not: learned positions of `[T, d]`, or a `Dense` behind `Flatten`, have other shapes at other lengths. \
                  A length at which the spec is wrong for another reason is left out.",
    },
    CodeInfo {
        code: "data::files",
        title: "files of text without their names",
        explain: "`parallel` and `lines` of several files take each under a name: of a column, or of a label.\n\n    \
                  parallel(en=\"train.en\", de=\"train.de\")\n    lines(neg=\"reviews.neg\", pos=\"reviews.pos\")",
    },
    CodeInfo {
        code: "data::lines",
        title: "files that belong together have different numbers of lines",
        explain: "Line 7 of one file of `parallel` stands beside line 7 of the other, so both have as many. Often one \
                  download is cut off, or a program has dropped empty lines.",
    },
    CodeInfo {
        code: "data::tokenizer",
        title: "a tokenizer cannot be used as the spec asks",
        explain: "`bpe` reads the `tokenizer.json` that Hugging Face's library writes. `pad` behind it needs an id that \
                  pads: the file's own padding, or a token called `[PAD]` or `<pad>`. GPT-2's has none: `windows(n)` takes \
                  one long text instead.",
    },
    CodeInfo {
        code: "data::image",
        title: "a folder of images is not as it should be",
        explain: "`images(\"photos\")` takes a folder with a folder for each class, PNG and JPEG inside. All images have one \
                  size, or `resize=[height, width]` brings them to one. The message names the file that cannot be read.",
    },
    CodeInfo {
        code: "data::voc",
        title: "a folder of Pascal VOC is not as it should be",
        explain: "`voc` reads Annotations/NAME.xml and JPEGImages, for the names in ImageSets/Main if there are such lists. \
                  Every image has an annotation, every class is listed in `classes` or `skip`, and boxes lie inside their \
                  image: pixels count from 1, and belong to a box at both ends. `clip=true` cuts boxes at the borders.",
    },
    CodeInfo {
        code: "data::xml",
        title: "a file is no XML",
        explain: "Annotations are read by a strict reader: every element that opens closes, `&` and `<` in text are written \
                  `&amp;` and `&lt;`, the text is UTF-8, and there is no document type. The message names file, line and \
                  character.",
    },
    CodeInfo {
        code: "data::cifar",
        title: "files of CIFAR are not as they should be",
        explain: "`cifar` reads the binary version: records of 3073 bytes (CIFAR-10) or 3074 (CIFAR-100), of which the first \
                  are labels. The versions for Python and Matlab are other formats.",
    },
];
