//! Codes of the `syntax` stage.

use super::CodeInfo;

pub const CODES: &[CodeInfo] = &[
    CodeInfo {
        code: "syntax::not_utf8",
        title: "the file is not UTF-8 text",
        explain: "A spec is UTF-8 text. This file holds bytes that are no UTF-8: it was saved in another encoding \
                  (Latin-1, UTF-16), or it is no text at all.\n\n\
                  Save the file as UTF-8 in your editor, or convert it:\n\n    \
                  iconv -f latin1 -t utf-8 old.mlspec > new.mlspec",
    },
    CodeInfo {
        code: "syntax::empty",
        title: "the file holds no spec",
        explain: "There is nothing in the file but space and comments. The smallest spec that says something:\n\n    \
                  mlspec 1\n\n    \
                  param hidden: int = 128",
    },
    CodeInfo {
        code: "syntax::header",
        title: "the first line `mlspec 1` is missing",
        explain: "The first line names the version of the language, so that a spec of today means the same with the \
                  compilers of tomorrow. It may also choose a table of defaults.\n\n\
                  Before:\n\n    \
                  data digits { … }\n\n\
                  After:\n\n    \
                  mlspec 1\n\n    \
                  data digits { … }\n\n\
                  With the defaults of PyTorch instead of those of Keras: `mlspec 1 defaults torch`.",
    },
    CodeInfo {
        code: "syntax::version",
        title: "the spec asks for a version of the language that this compiler does not know",
        explain: "There is version 1. A larger number comes from a newer compiler: install that one, or write \
                  `mlspec 1` if the spec uses nothing new.",
    },
    CodeInfo {
        code: "syntax::item",
        title: "a word outside sections starts nothing",
        explain: "A spec is a list of items. An item is a section, `word name { … }`, or starts with one of `param`, \
                  `dim`, `op`, `block` and `import`.\n\n\
                  Before:\n\n    \
                  parm hidden: int = 128\n\n\
                  After:\n\n    \
                  param hidden: int = 128",
    },
    CodeInfo {
        code: "syntax::outside",
        title: "an entry stands outside of sections",
        explain: "`key = value`, `let`, `input` and `output` belong to something: they stand in the braces of a \
                  section, block or op.\n\n\
                  Before:\n\n    \
                  epochs = 5\n\n\
                  After:\n\n    \
                  train { epochs = 5 }\n\n\
                  A value that several sections use is a param: `param epochs: int = 5`.",
    },
    CodeInfo {
        code: "syntax::unexpected",
        title: "something else was expected here",
        explain: "The text does not go on as it could. The label shows where, the message what could stand there, \
                  and the help how the whole entry should look. Where a line ends too early the label is on the last \
                  word of that line.\n\n\
                  Before:\n\n    \
                  input image f32[B, 28, 28]\n\n\
                  After:\n\n    \
                  input image: f32[B, 28, 28]",
    },
    CodeInfo {
        code: "syntax::value",
        title: "an operator or `=` is left without a value",
        explain: "A line that ends in `=` or an operator goes on in the next one. If that starts an entry of its own, \
                  the value was forgotten.\n\n\
                  Before:\n\n    \
                  batch =\n    \
                  split { train = 80%  valid = 20% }\n\n\
                  After:\n\n    \
                  batch = 32\n    \
                  split { train = 80%  valid = 20% }",
    },
    CodeInfo {
        code: "syntax::comma",
        title: "a comma is missing in a list",
        explain: "Between the entries of braces commas may be left out, since each entry starts with its key. Inside \
                  `( )` and `[ ]` nothing tells where an element starts, so commas are required.\n\n\
                  Before:\n\n    \
                  Dense(10 activation=relu)\n\n\
                  After:\n\n    \
                  Dense(10, activation=relu)",
    },
    CodeInfo {
        code: "syntax::unbalanced",
        title: "a bracket has no partner",
        explain: "Every `(`, `[` and `{` is closed by its own kind. Where a bracket was forgotten is guessed from the \
                  lines: a list goes on in the next line only behind a comma, and what stands at the left margin and \
                  looks like a section is one.\n\n\
                  Before:\n\n    \
                  loss = CrossEntropy(Mlp.logits, label\n    \
                  epochs = 5\n\n\
                  After:\n\n    \
                  loss = CrossEntropy(Mlp.logits, label)\n    \
                  epochs = 5",
    },
    CodeInfo {
        code: "syntax::string",
        title: "a string does not end",
        explain: "A string starts and ends with `\"` on one line.\n\n\
                  Before:\n\n    \
                  source = csv(\"iris.csv)\n\n\
                  After:\n\n    \
                  source = csv(\"iris.csv\")\n\n\
                  A quote inside is written `\\\"`, a line break `\\n`.",
    },
    CodeInfo {
        code: "syntax::escape",
        title: "an unknown escape in a string",
        explain: "After a backslash only `n`, `t`, `\"` and another backslash have a meaning. Paths use `/` on every \
                  system.\n\n\
                  Before:\n\n    \
                  source = csv(\"data\\iris.csv\")\n\n\
                  After:\n\n    \
                  source = csv(\"data/iris.csv\")",
    },
    CodeInfo {
        code: "syntax::number",
        title: "a number that cannot be held",
        explain: "Whole numbers have 64 bits: up to 9,223,372,036,854,775,807. Real numbers are double precision: up to \
                  about 1.8e308.",
    },
    CodeInfo {
        code: "syntax::sign",
        title: "a sign of another language",
        explain: "Some habits from other languages, and what they are here:\n\n    \
                  x ** 2        x ^ 2\n    \
                  # comment     // comment\n    \
                  'text'        \"text\"\n    \
                  a = 1; b = 2  a = 1  b = 2\n    \
                  .5  1.        0.5  1.0\n    \
                  1_000         1000\n    \
                  a && b        a * b, as comparisons are masks of 0 and 1\n    \
                  a % b         there is no remainder; `80%` is a number",
    },
    CodeInfo {
        code: "syntax::reserved",
        title: "a reserved word is used as a name",
        explain: "`let`, `input`, `output`, `as`, `in`, `repeat`, `true` and `false` cannot be names. All other words \
                  can, even `model` and `train`.\n\n\
                  Before:\n\n    \
                  let input = x |> Dense(10)\n\n\
                  After:\n\n    \
                  let hidden = x |> Dense(10)",
    },
    CodeInfo {
        code: "syntax::braces",
        title: "braces stand where a value should",
        explain: "Braces hold the entries of a section and have no `=` before them; lists have square brackets.\n\n\
                  Before:\n\n    \
                  split = { train = 80%  valid = 20% }\n    \
                  metrics = {accuracy}\n\n\
                  After:\n\n    \
                  split { train = 80%  valid = 20% }\n    \
                  metrics = [accuracy]",
    },
    CodeInfo {
        code: "syntax::chain",
        title: "comparisons or ranges in a chain",
        explain: "`a < b < c` would compare a mask of 0 and 1 with c, which is hardly meant. A comparison is a mask, and \
                  masks are combined by arithmetic.\n\n\
                  Before:\n\n    \
                  let inside = 0 < x < 1\n\n\
                  After:\n\n    \
                  let inside = (0 < x) * (x < 1)",
    },
    CodeInfo {
        code: "syntax::deep",
        title: "the nesting is too deep",
        explain: "Brackets fit into each other 64 times and operators into one expression 400 times. That is far beyond \
                  what people can read, and it bounds what the compiler has to take.\n\n\
                  Give inner parts names with `let`, and write a chain of equal layers as `repeat(n) Layer(…) as h`.",
    },
];
