//! `file:` URIs and the paths that they name.

use std::path::{Path, PathBuf};

/// The path of a `file:` URI; none of other schemes, such as `untitled:`.
pub fn path(uri: &str) -> Option<PathBuf> {
    let rest = uri.strip_prefix("file://")?;
    // An authority is this machine's name or empty; the path starts at the slash behind it.
    let rest = &rest[rest.find('/')?..];
    let bytes = decoded(rest.split(['?', '#']).next().unwrap_or_default());
    let text = String::from_utf8(bytes).ok()?;
    Some(native(text))
}

/// The `file:` URI of an absolute path.
pub fn of(path: &Path) -> String {
    let text = path.to_string_lossy().replace('\\', "/");
    let slash = if text.starts_with('/') { "" } else { "/" };
    let mut uri = format!("file://{slash}");
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'.' | b'_' | b'~' | b':' => {
                uri.push(char::from(byte));
            }
            _other => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    uri
}

/// `/c:/specs` is a drive's path where there are drives.
#[cfg(windows)]
fn native(text: String) -> PathBuf {
    let drive = text.as_bytes().get(2) == Some(&b':');
    PathBuf::from(if drive { &text[1..] } else { &text[..] })
}

#[cfg(not(windows))]
fn native(text: String) -> PathBuf {
    PathBuf::from(text)
}

/// `%20` as the byte that it means; a `%` that starts no such pair means itself.
fn decoded(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let (mut out, mut at) = (Vec::with_capacity(bytes.len()), 0);
    while let Some(byte) = bytes.get(at) {
        let pair = bytes.get(at + 1..at + 3).and_then(|pair| std::str::from_utf8(pair).ok());
        match pair.and_then(|pair| u8::from_str_radix(pair, 16).ok()).filter(|_| *byte == b'%') {
            Some(meant) => {
                out.push(meant);
                at += 3;
            }
            None => {
                out.push(*byte);
                at += 1;
            }
        }
    }
    out
}

#[cfg(all(test, not(windows)))]
mod tests {
    use super::*;

    #[test]
    fn signs_in_paths_survive_both_ways() {
        let odd = Path::new("/home/me/ä b/100%/x#y.mlspec");
        assert_eq!(path(&of(odd)).as_deref(), Some(odd));
        assert_eq!(of(Path::new("/a b")), "file:///a%20b");
    }

    #[test]
    fn what_is_no_file_has_no_path() {
        for uri in ["untitled:Untitled-1", "http://x/y", "file:", "file://host", "", "file:///%ff"] {
            assert_eq!(path(uri), None, "{uri}");
        }
        assert_eq!(path("file:///a%2"), Some(PathBuf::from("/a%2")));
        assert_eq!(path("file://localhost/a"), Some(PathBuf::from("/a")));
    }
}
