//! `import "layers.mlspec"`: params, dims, blocks and ops of other files, put where the import stands.
//!
//! What is imported means what it would mean if it stood in the spec itself: overrides and variants reach its params, a
//! name that both have is named twice. Other sections of an imported file are left out, so a whole spec can be
//! imported, too, and so are params and dims that nothing here uses. A file is taken once, however many ways lead to
//! it. Spans stay those of the file that the text is from; what is wrong there carries a label at the import.

use super::{DataProbe, framework, walk};
use crate::base::{FileId, Sources, Span};
use crate::diag::{Diagnostic, Diagnostics};
use crate::syntax::{self, ast};
use ast::{Item, ItemKind};
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

/// Longer chains of files that import files are a slip of the pen.
const DEEP: usize = 64;

/// Whether a spec imports anything.
pub fn any(ast: &ast::File) -> bool {
    ast.items.iter().any(|item| matches!(item.kind, ItemKind::Import { .. }))
}

/// Whether a spec holds items of other files.
pub fn mixed(file: FileId, ast: &ast::File) -> bool {
    ast.items.iter().any(|item| item.span.file != file)
}

/// The spec with what it imports; the texts of imported files are added to `sources`.
pub fn imported<'a>(
    sources: &mut Sources,
    file: FileId,
    ast: &'a ast::File,
    probe: &dyn DataProbe,
) -> (Cow<'a, ast::File>, Diagnostics) {
    if !any(ast) {
        return (Cow::Borrowed(ast), Diagnostics::new());
    }
    let path = path_of(sources, file);
    let mut reader = Reader {
        probe,
        spec: ast,
        open: vec![path.clone()],
        seen: BTreeSet::from([path]),
        found: Diagnostics::new(),
    };
    let mut spliced = ast.clone();
    spliced.items = reader.items(sources, file, ast.items.clone());
    leave_unused(file, &mut spliced.items);
    (Cow::Owned(spliced), reader.found)
}

/// Leaves out params and dims of other files that nothing here needs: such a file has more than one spec takes.
fn leave_unused(file: FileId, items: &mut Vec<Item>) {
    loop {
        let used = walk::names_in(|f| items.iter().for_each(|item| walk::item(item, f)));
        let used: BTreeSet<String> = used.into_iter().map(str::to_string).collect();
        let before = items.len();
        items.retain(|item| match &item.kind {
            ItemKind::Param { name, .. } | ItemKind::Dim { name, .. } => {
                item.span.file == file || used.contains(&*name.name)
            }
            ItemKind::Op(_)
            | ItemKind::Block(_)
            | ItemKind::Import { .. }
            | ItemKind::Section(_)
            | ItemKind::Broken => true,
        });
        // What was left out may have been all that needed another.
        if items.len() == before {
            return;
        }
    }
}

/// What is wrong in imported files is also shown where they are imported.
pub fn with_places(file: FileId, ast: &ast::File, found: Diagnostics) -> Diagnostics {
    if !any(ast) {
        return found;
    }
    let here = |d: &Diagnostic| d.labels.iter().any(|label| label.span.file == file);
    let imports = ast.items.iter().filter_map(|item| match &item.kind {
        ItemKind::Import { path } => Some(path.span),
        _ => None,
    });
    let imports: Vec<Span> = imports.collect();
    let placed = found.iter().map(|d| match imports.as_slice() {
        [at, ..] if !here(d) => d.clone().label(*at, "imported here, or by what is"),
        _ => d.clone(),
    });
    placed.collect()
}

/// The text that an import in a file has led to.
pub fn imported_file(sources: &Sources, from: FileId, path: &ast::StrLit) -> Option<FileId> {
    let name = beside(&sources.get(from).name, &path.value);
    sources.iter().find(|(file, source)| *file != from && source.name == name).map(|(file, _)| file)
}

struct Reader<'a> {
    probe: &'a dyn DataProbe,
    /// The spec that imports all.
    spec: &'a ast::File,
    /// The files that import the one at hand, the spec first.
    open: Vec<PathBuf>,
    seen: BTreeSet<PathBuf>,
    found: Diagnostics,
}

impl Reader<'_> {
    /// Items with those of files in the place of their imports.
    fn items(&mut self, sources: &mut Sources, file: FileId, items: Vec<Item>) -> Vec<Item> {
        let mut all = Vec::new();
        for item in items {
            match &item.kind {
                ItemKind::Import { path } => all.extend(self.file(sources, file, path)),
                ItemKind::Param { .. }
                | ItemKind::Dim { .. }
                | ItemKind::Op(_)
                | ItemKind::Block(_)
                | ItemKind::Section(_)
                | ItemKind::Broken => all.push(item),
            }
        }
        all
    }

    /// What a file gives to the one that imports it; what is wrong is noted.
    fn file(&mut self, sources: &mut Sources, from: FileId, path: &ast::StrLit) -> Vec<Item> {
        let importer = sources.get(from);
        let folder = importer.folder.clone().unwrap_or_default();
        let name = beside(&importer.name, &path.value);
        let whole = plain(&folder.join(&path.value));
        if self.open.contains(&whole) || self.open.len() > DEEP {
            self.found.push(self.cycle(path, &whole));
            return Vec::new();
        }
        if !self.seen.insert(whole.clone()) {
            return Vec::new();
        }
        let bytes = match self.probe.text(&whole) {
            Ok(bytes) => bytes,
            Err(why) => {
                let message = format!("`{}` cannot be imported: {why}", path.value);
                let wrong =
                    Diagnostic::error("import::missing", message, path.span, "looked for beside this file");
                self.found.push(
                    wrong.help("write the path from this file's folder, as in `import \"layers.mlspec\"`"),
                );
                return Vec::new();
            }
        };
        let (file, wrong) = syntax::decode(sources, name, whole.parent().map(Path::to_path_buf), &bytes);
        if wrong.has_errors() {
            self.found.extend(wrong.sorted());
            return Vec::new();
        }
        let (ast, wrong) = syntax::parse(sources, file);
        self.found.extend(wrong.sorted());
        self.defaults(path, &ast);
        self.open.push(whole);
        let items = self.items(sources, file, ast.items.into_iter().filter(is_shared).collect());
        self.open.pop();
        items
    }

    /// A layer of Keras' defaults would not be the one that a file for PyTorch's means.
    fn defaults(&mut self, path: &ast::StrLit, imported: &ast::File) {
        let (here, there) = (framework(self.spec), framework(imported));
        let shared = imported.items.iter().any(|item| matches!(item.kind, ItemKind::Block(_)));
        if here == there || !shared || imported.header.is_none() {
            return;
        }
        let (here, there) = (here.name(), there.name());
        let message =
            format!("`{}` is written for the defaults of {there}, this spec for those of {here}", path.value);
        let wrong =
            Diagnostic::error("import::defaults", message, path.span, format!("has the defaults of {there}"));
        let wrong = match imported.header.as_ref().and_then(|header| header.defaults.as_ref()) {
            Some(word) => wrong.label(word.span, "said here"),
            None => wrong,
        };
        self.found.push(wrong.help(format!(
            "its layers would be others here: say the same in line one of both, such as `mlspec 1 defaults {there}`"
        )));
    }

    fn cycle(&self, path: &ast::StrLit, whole: &Path) -> Diagnostic {
        let from = self.open.iter().position(|open| open == whole).unwrap_or(0);
        let file =
            |path: &PathBuf| path.file_name().map_or(String::new(), |n| n.to_string_lossy().into_owned());
        let chain: Vec<String> =
            self.open[from..].iter().map(file).chain([file(&whole.to_path_buf())]).collect();
        let message = format!("files import each other in a circle: {}", chain.join(" -> "));
        Diagnostic::error("import::cycle", message, path.span, "leads back")
            .help("move what both need to a file of its own, and import that in both")
    }
}

/// Data, models and trainings are a spec's own.
fn is_shared(item: &Item) -> bool {
    match &item.kind {
        ItemKind::Param { .. }
        | ItemKind::Dim { .. }
        | ItemKind::Op(_)
        | ItemKind::Block(_)
        | ItemKind::Import { .. } => true,
        ItemKind::Section(_) | ItemKind::Broken => false,
    }
}

/// Where a text lies, as far as its name and folder tell.
fn path_of(sources: &Sources, file: FileId) -> PathBuf {
    let source = sources.get(file);
    let name = Path::new(&source.name).file_name().map(PathBuf::from).unwrap_or_default();
    plain(&source.folder.clone().unwrap_or_default().join(name))
}

/// As diagnostics name a file that is named by another.
fn beside(importer: &str, path: &str) -> String {
    let folder = Path::new(importer).parent().unwrap_or(Path::new(""));
    plain(&folder.join(path)).display().to_string()
}

/// A path without `.`, and without `..` where that undoes a folder.
fn plain(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if matches!(out.components().next_back(), Some(Component::Normal(_))) => {
                out.pop();
            }
            Component::ParentDir | Component::Normal(_) | Component::RootDir | Component::Prefix(_) => {
                out.push(part)
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_one_path() {
        let same = |a: &str, b: &str| assert_eq!(plain(Path::new(a)), PathBuf::from(b));
        same("./a/../b/./c.mlspec", "b/c.mlspec");
        same("../a.mlspec", "../a.mlspec");
        same("/x/../../a", "/../a");
        assert_eq!(beside("specs/net.mlspec", "parts/a.mlspec"), "specs/parts/a.mlspec");
        assert_eq!(beside("standard input", "a.mlspec"), "a.mlspec");
    }
}
