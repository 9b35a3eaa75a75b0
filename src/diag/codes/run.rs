//! Codes of the `run` stage: a run that is taken up again.

use super::CodeInfo;

pub const CODES: &[CodeInfo] = &[
    CodeInfo {
        code: "run::changed",
        title: "what a run trained on is not what it was",
        explain: "`run.yaml` holds the hash of every file that was read. `mlc train --like RUN` takes the files as they \
                  are now and warns, since it will not end at the same weights; `--resume RUN` refuses, since half of \
                  the training would be on other rows.",
    },
    CodeInfo {
        code: "run::no_rows",
        title: "a split to evaluate on is empty",
        explain: "`mlc eval RUN` takes the test split, or the validation split if there is none. `--split` names another; \
                  which there are says `split` in `data`, and `rows` in `run.yaml`.",
    },
    CodeInfo {
        code: "run::resume",
        title: "a run cannot be gone on with as asked",
        explain: "A run that was stopped and resumed ends at the same bits as one that was not, so what it trains must \
                  be what it was: the spec with its variant and `--set` values, the data, the seed. Only its length may \
                  change:\n\n    mlc train --resume runs/digits-1 --set train.epochs=60\n\nFor another training \
                  from the same text there is `mlc train --like runs/digits-1 --set …`.",
    },
    CodeInfo {
        code: "run::windows",
        title: "a run on windows of a text has no answers for rows",
        explain: "`mlc predict` answers row by row; where training had windows of a table, beside the last row of each window. \
                  Windows of a text are made of its pieces, which are no rows. `mlc generate RUN` goes on with a text, and \
                  `mlc eval RUN --input FILE` cuts a file into windows and judges them.",
    },
];
