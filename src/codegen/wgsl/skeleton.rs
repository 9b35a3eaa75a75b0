//! The WGSL that people wrote, and how generated code takes part of it.
//!
//! Files of `kernels/wgsl` are lists of items (`const`, `var<workgroup>`, `struct`, `fn`), each starting at column 0
//! under its comment. Two kinds of files:
//!
//! - the *library* ([`needed`]): functions that any shader may call, taken one by one;
//! - *skeletons* ([`Skeleton`]): a kernel for one shape with neutral holes, valid as it stands. An instance has other
//!   constants, other functions in the holes, a prefix before every name of the module scope, and loops unrolled.
//!
//! Texts are changed token by token; nothing here knows more of WGSL than where a word, a comment or an item begins.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::LazyLock;

/// The files that any shader may use, in the order in which their items are written.
pub const LIBRARY: &[(&str, &str)] = &[
    ("math", include_str!("../../../kernels/wgsl/math.wgsl")),
    ("philox", include_str!("../../../kernels/wgsl/philox.wgsl")),
    ("fold", include_str!("../../../kernels/wgsl/fold.wgsl")),
    ("scatter", include_str!("../../../kernels/wgsl/scatter.wgsl")),
];

/// One declaration of the module scope with the comment above it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Item {
    name: String,
    text: String,
    /// Its comment says `// hole`: instances bring their own.
    hole: bool,
}

/// The items of a file. A comment with a blank line under it belongs to none.
fn items(file: &str) -> Vec<Item> {
    let mut items: Vec<Item> = Vec::new();
    let mut comment = String::new();
    // Blank lines of a function count only if it goes on.
    let mut blank = String::new();
    for line in file.lines() {
        if line.is_empty() {
            comment.clear();
            blank += "\n";
            continue;
        }
        if line.starts_with("//") {
            comment += &format!("{line}\n");
        } else if let Some(name) = declared(line) {
            let hole = comment.lines().any(|c| c.starts_with("// hole"));
            items.push(Item {
                name: name.into(),
                text: format!("{}{line}\n", std::mem::take(&mut comment)),
                hole,
            });
        } else {
            let item = items.last_mut().expect("wgsl: a file starts with a declaration");
            item.text += &format!("{blank}{line}\n");
        }
        blank.clear();
    }
    items
}

/// The name that a line at column 0 declares.
fn declared(line: &str) -> Option<&str> {
    let keyword = ["const ", "var<workgroup> ", "struct ", "fn "].iter().find(|k| line.starts_with(**k))?;
    let rest = &line[keyword.len()..];
    Some(&rest[..rest.find(|c: char| !is_word(c)).unwrap_or(rest.len())])
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// Where the names of a text stand: words that are neither numbers, nor members after a point, nor comments.
fn names(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        if text[at..].starts_with("//") {
            at += text[at..].find('\n').unwrap_or(text.len() - at);
        } else if is_word(bytes[at] as char) {
            let end = at + text[at..].find(|c: char| !is_word(c)).unwrap_or(text.len() - at);
            let member = at > 0 && bytes[at - 1] == b'.';
            if !member && !bytes[at].is_ascii_digit() {
                found.push(at..end);
            }
            at = end;
        } else {
            at += text[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    found
}

/// The text with some of its names said otherwise.
fn rename(text: &str, with: impl Fn(&str) -> Option<String>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut done = 0;
    for name in names(text) {
        if let Some(new) = with(&text[name.clone()]) {
            out += &text[done..name.start];
            out += &new;
            done = name.end;
        }
    }
    out + &text[done..]
}

/// The library's items in the order of the files, and by name.
static ITEMS: LazyLock<(Vec<Item>, BTreeMap<String, usize>)> = LazyLock::new(|| {
    let all: Vec<Item> = LIBRARY.iter().flat_map(|(_, file)| items(file)).collect();
    let by_name = all.iter().enumerate().map(|(at, item)| (item.name.clone(), at)).collect();
    (all, by_name)
});

/// The items of the library that a text uses, directly or not, in the order of the files.
pub fn needed(text: &str) -> String {
    let (all, by_name) = &*ITEMS;
    let uses = |text: &str| {
        names(text).into_iter().filter_map(|n| by_name.get(&text[n]).copied()).collect::<Vec<_>>()
    };
    let mut wanted = BTreeSet::new();
    let mut open = uses(text);
    while let Some(at) = open.pop() {
        if wanted.insert(at) {
            open.extend(uses(&all[at].text));
        }
    }
    wanted.into_iter().map(|at| format!("{}\n", all[at].text)).collect()
}

/// A kernel written by hand for one shape, with holes.
#[derive(Clone, Debug)]
pub struct Skeleton {
    items: Vec<Item>,
}

/// What makes an instance of a skeleton.
#[derive(Clone, Debug, Default)]
pub struct Fill {
    /// Of every name of the module scope.
    pub prefix: String,
    /// Values of constants, as WGSL writes them: `("M", "32u")`. Those not named keep theirs.
    pub constants: Vec<(&'static str, String)>,
    /// Functions for holes, their names with the prefix. Holes not named stay neutral.
    pub holes: Vec<(&'static str, String)>,
}

impl Skeleton {
    pub fn parse(file: &str) -> Skeleton {
        Skeleton { items: items(file) }
    }

    /// The text of an instance.
    ///
    /// # Panics
    /// If the skeleton has no such constant or hole.
    pub fn instance(&self, fill: &Fill) -> String {
        let mut items = self.items.clone();
        for (name, value) in &fill.constants {
            let item = find(&mut items, name);
            let end = item.text.find(" = ").expect("wgsl: a constant has a value");
            item.text.truncate(end);
            item.text += &format!(" = {value};\n");
        }
        let literals = literals(&items);
        let own: BTreeSet<&str> = self.items.iter().map(|i| i.name.as_str()).collect();
        let prefixed = |name: &str| own.contains(name).then(|| format!("{}{name}", fill.prefix));
        let mut text: Vec<String> =
            items.iter().map(|item| rename(&unroll(&item.text, &literals), prefixed)).collect();
        for (name, function) in &fill.holes {
            let at = items.iter().position(|i| i.hole && i.name == *name);
            text[at.unwrap_or_else(|| panic!("wgsl: the skeleton has no hole `{name}`"))] = function.clone();
        }
        lay_out(&text)
    }
}

/// Declarations one under the other: a blank line above each but a constant without a comment.
fn lay_out(declarations: &[String]) -> String {
    let mut out = String::new();
    for text in declarations {
        if !out.is_empty() && !text.starts_with("const ") {
            out += "\n";
        }
        out += text;
    }
    out
}

fn find<'a>(items: &'a mut [Item], name: &str) -> &'a mut Item {
    items
        .iter_mut()
        .find(|i| i.name == name)
        .unwrap_or_else(|| panic!("wgsl: the skeleton has no constant `{name}`"))
}

/// The constants that are plain whole numbers.
fn literals(items: &[Item]) -> BTreeMap<String, u32> {
    let value = |item: &Item| item.text.trim_end().split_once(" = ")?.1.strip_suffix("u;")?.parse().ok();
    items.iter().filter_map(|item| Some((item.name.clone(), value(item)?))).collect()
}

/// Writes out the loops under a line `// unroll`: `for (var i = 0u; i < N; i++) {`, where `N` is a number or a
/// constant that is one. Arrays that only such loops index are indexed by numbers, so they need no memory.
fn unroll(text: &str, literals: &BTreeMap<String, u32>) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let mut out = String::new();
    let mut at = 0;
    while at < lines.len() {
        if lines[at].trim() != "// unroll" {
            out += &format!("{}\n", lines[at]);
            at += 1;
            continue;
        }
        let head = lines[at + 1];
        let indent = &head[..head.len() - head.trim_start().len()];
        let end = (at + 2..lines.len())
            .find(|&l| lines[l] == format!("{indent}}}"))
            .expect("wgsl: an unrolled loop ends at its own column");
        let (counter, count) = counted(head.trim(), literals);
        out += &copies(&lines[at + 2..end], indent, counter, count, literals);
        at = end + 1;
    }
    out
}

/// The counter of a loop's head, and where it ends.
fn counted<'a>(head: &'a str, literals: &BTreeMap<String, u32>) -> (&'a str, u32) {
    let parts = head.strip_prefix("for (var ").and_then(|h| {
        let (counter, rest) = h.split_once(" = 0u; ")?;
        let bound = rest.strip_prefix(counter)?.strip_prefix(" < ")?;
        Some((counter, bound.split_once(';')?.0))
    });
    let (counter, bound) = parts.unwrap_or_else(|| panic!("wgsl: `{head}` is no loop to unroll"));
    let literal = || bound.strip_suffix('u')?.parse().ok();
    let count = literals.get(bound).copied().or_else(literal);
    (counter, count.unwrap_or_else(|| panic!("wgsl: `{bound}` is no number to unroll by")))
}

/// The body of an unrolled loop, once for each count; in braces where it declares names.
fn copies(
    body: &[&str],
    indent: &str,
    counter: &str,
    count: u32,
    literals: &BTreeMap<String, u32>,
) -> String {
    let inner = format!("{indent}    ");
    let declares = |l: &&str| {
        l.strip_prefix(inner.as_str()).is_some_and(|l| l.starts_with("let ") || l.starts_with("var "))
    };
    let braces = body.iter().any(declares);
    let text: String = body
        .iter()
        .map(|l| if braces { format!("{l}\n") } else { format!("{}\n", l.strip_prefix("    ").unwrap_or(l)) })
        .collect();
    let text = unroll(&text, literals);
    (0..count)
        .map(|i| {
            let copy = rename(&text, |name| (name == counter).then(|| format!("{i}u")));
            if braces { format!("{indent}{{\n{copy}{indent}}}\n") } else { copy }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codegen::wgsl::validate;

    #[test]
    fn every_file_is_valid_as_it_stands() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("kernels/wgsl");
        let mut files: Vec<_> = std::fs::read_dir(folder).expect("the folder is there").collect();
        files.sort_by_key(|f| f.as_ref().expect("an entry").path());
        assert!(files.len() >= LIBRARY.len());
        for file in files {
            let path = file.expect("an entry").path();
            let text = std::fs::read_to_string(&path).expect("a file");
            let own: BTreeSet<String> = items(&text).into_iter().map(|i| i.name).collect();
            let others: String = items(&needed(&text))
                .into_iter()
                .filter(|i| !own.contains(&i.name))
                .map(|i| i.text)
                .collect();
            if let Err(why) = validate(&format!("{others}{text}")) {
                panic!("{}\n{why}", path.display());
            }
        }
    }

    #[test]
    fn names_of_the_library_are_its_own() {
        let (all, by_name) = &*ITEMS;
        assert_eq!(all.len(), by_name.len(), "a name stands twice");
        for item in all {
            assert!(item.name.to_lowercase().starts_with("mlc_"), "{}", item.name);
        }
    }

    #[test]
    fn a_text_gets_what_it_uses_and_no_more() {
        let text = needed("fn f(x: f32) -> f32 { return mlc_sqrt(x); } // mlc_pow");
        let names: Vec<String> = items(&text).into_iter().map(|i| i.name).collect();
        assert_eq!(names, ["MLC_SMALL", "mlc_is_normal", "mlc_keep", "mlc_short", "mlc_rest", "mlc_sqrt"]);
        validate(&format!("{text}fn f(x: f32) -> f32 {{ return mlc_sqrt(x); }}")).expect("it stands alone");
        assert_eq!(needed("fn f() { let a = b.mlc_exp; }"), "");
    }

    const TOY: &str = "// About the file.\n\n\
        // How many.\nconst COUNT: u32 = 1u;\n\n\
        var<workgroup> shared: array<f32, COUNT>;\n\n\
        // hole: what is summed\nfn value(i: u32) -> f32 {\n    return 0.0;\n}\n\n\
        fn main(group: u32, local: u32) {\n    var sums: array<f32, COUNT>;\n    // unroll\n    \
        for (var i = 0u; i < COUNT; i++) {\n        sums[i] = value(i);\n    }\n    // unroll\n    \
        for (var i = 0u; i < 2u; i++) {\n        let part = sums[0u];\n        // unroll\n        \
        for (var j = 0u; j < COUNT; j++) {\n            shared[j] = part * f32(i);\n        }\n    }\n}\n";

    #[test]
    fn an_instance_has_other_constants_functions_names_and_no_loops() {
        let fill = Fill {
            prefix: "k0_".into(),
            constants: vec![("COUNT", "2u".into())],
            holes: vec![("value", "fn k0_value(i: u32) -> f32 {\n    return mlc_exp(1.0);\n}\n".into())],
        };
        let text = Skeleton::parse(TOY).instance(&fill);
        validate(&format!("{}{text}", needed(&text))).expect("valid");
        insta::assert_snapshot!(text, @r"
        // How many.
        const k0_COUNT: u32 = 2u;

        var<workgroup> k0_shared: array<f32, k0_COUNT>;

        fn k0_value(i: u32) -> f32 {
            return mlc_exp(1.0);
        }

        fn k0_main(group: u32, local: u32) {
            var sums: array<f32, k0_COUNT>;
            sums[0u] = k0_value(0u);
            sums[1u] = k0_value(1u);
            {
                let part = sums[0u];
                k0_shared[0u] = part * f32(0u);
                k0_shared[1u] = part * f32(0u);
            }
            {
                let part = sums[0u];
                k0_shared[0u] = part * f32(1u);
                k0_shared[1u] = part * f32(1u);
            }
        }
        ");
    }

    #[test]
    #[should_panic(expected = "no hole `values`")]
    fn a_hole_that_is_not_there_is_our_mistake() {
        let fill = Fill { holes: vec![("values", String::new())], ..Fill::default() };
        Skeleton::parse(TOY).instance(&fill);
    }
}
