//! Files of text under names that the author chooses: columns of `parallel`, labels of `lines`.

use super::Call;
use crate::diag::Diagnostic;
use crate::sema::job::LinesFile;
use crate::sema::names::duplicate;

impl Call<'_, '_> {
    /// `en="a", de="b"`: two files at least, each under a name of its own.
    pub(super) fn named_files(&self) -> Option<Vec<LinesFile>> {
        let mut files: Vec<LinesFile> = Vec::new();
        let mut right = true;
        for (at, arg) in self.args.iter().enumerate() {
            let Some(name) = &arg.name else {
                let message = "a file has no name here";
                let d = Diagnostic::error("data::files", message, arg.value.span, "of which name?");
                self.cx.report(d.help("write `name=\"file\"` for each file"));
                right = false;
                continue;
            };
            let first = self.args[..at].iter().filter_map(|a| a.name.as_ref()).find(|n| n.name == name.name);
            if let Some(first) = first {
                self.cx.report(duplicate(name, first.span));
                right = false;
                continue;
            }
            match self.cx.string(&name.name, &arg.value) {
                Some(path) => files.push(LinesFile { name: name.name.to_string(), path }),
                None => right = false,
            }
        }
        if right && files.len() < 2 {
            let message = "this takes two files or more";
            let d = Diagnostic::error("data::files", message, self.span, "too few files");
            self.cx.report(
                d.help("write `parallel(en=\"a.en\", de=\"a.de\")`; one file alone is `lines(\"a.en\")`"),
            );
            return None;
        }
        right.then_some(files)
    }
}
