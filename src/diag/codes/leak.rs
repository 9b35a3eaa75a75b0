//! Codes of leaks: rows for testing that training tells of. All but the last are warnings.

use super::CodeInfo;

pub const CODES: &[CodeInfo] = &[
    CodeInfo {
        code: "leak::duplicates",
        title: "parts of the data share rows",
        explain: "Rows of one part are, in every column, rows of another, so a model that learnt them by heart does well \
                  on what should be new to it. Take repeated rows out of the file, or keep them in one part by \
                  `split { group = column }`. One pair alone is no warning. Where repeated rows are what the \
                  world is like, say so:\n\n    data people {\n      source = csv(\"adult.data\")\n      \
                  allow  = [duplicates]\n    }",
    },
    CodeInfo {
        code: "leak::target",
        title: "an input tells the target",
        explain: "A column among the model's inputs is the column to be predicted, or has another value for each of \
                  its values: the model need not learn anything else. Such columns are often made from the target \
                  later on (`alive` beside `survived`). Leave it out of the inputs:\n\n    feed { row = d.row  y = d.y }   // \
                  `d.row` has no column that is fed by itself\n\nAn input that the loss compares with under its own \
                  name is to be rebuilt, and no leak. If it is meant: `allow = [target]`.",
    },
    CodeInfo {
        code: "leak::time",
        title: "rows with a time are shuffled into parts",
        explain: "The rows have dates, or times in order, and parts are drawn at random: the model trains on days after \
                  those that it is tested on, which it cannot do in use. Part them in order:\n\n    \
                  split { train = 80%  test = 20%  time = date }\n\nIf the order does not matter: `allow = [time]`.",
    },
    CodeInfo {
        code: "leak::groups",
        title: "rows of one id are in several parts",
        explain: "A column of ids, such as `patient_id`, repeats, and rows of one patient are trained on and tested on: \
                  the model may know the patient instead of the disease. Keep them together:\n\n    \
                  split { train = 80%  test = 20%  group = patient_id }\n\nIf new rows will be of known ids: \
                  `allow = [groups]`.",
    },
    CodeInfo {
        code: "leak::allow",
        title: "`allow` names no leak",
        explain: "`allow = [duplicates, target, time, groups]` in a data section silences warnings about leaks, each by the \
                  last word of its code. Name those that you looked into and found right.",
    },
];
