//! What the editor at the other end said of itself.
//!
//! Read leniently from its JSON: an editor that says something odd about one feature is not to
//! lose all the others.

use super::place::Encoding;
use serde_json::Value;
use std::path::PathBuf;

#[derive(Clone, Debug, Default)]
pub struct Client {
    pub encoding: Encoding,
    /// Answers `workspace/configuration`.
    pub configures: bool,
    /// Lets the server ask for `workspace/didChangeWatchedFiles`.
    pub watches: bool,
    /// Asks again when told so, for hints, tokens and lenses.
    pub refreshes: Vec<&'static str>,
    /// Takes `$1` in the texts of completions.
    pub snippets: bool,
    /// The data folder of its options.
    pub data: Option<PathBuf>,
}

/// The requests that make an editor ask again, and the capability that each belongs to.
const REFRESHES: [(&str, &str); 3] = [
    ("/capabilities/workspace/inlayHint/refreshSupport", "workspace/inlayHint/refresh"),
    ("/capabilities/workspace/semanticTokens/refreshSupport", "workspace/semanticTokens/refresh"),
    ("/capabilities/workspace/codeLens/refreshSupport", "workspace/codeLens/refresh"),
];

impl Client {
    /// From the parameters of `initialize`.
    pub fn of(params: &Value) -> Client {
        let says = |path: &str| params.pointer(path).and_then(Value::as_bool).unwrap_or(false);
        let offered = params.pointer("/capabilities/general/positionEncodings").and_then(Value::as_array);
        let offered = offered.into_iter().flatten().filter_map(Value::as_str);
        let refreshes = REFRESHES.iter().filter(|(path, _)| says(path)).map(|(_, method)| *method);
        Client {
            encoding: Encoding::best(offered),
            configures: says("/capabilities/workspace/configuration"),
            watches: says("/capabilities/workspace/didChangeWatchedFiles/dynamicRegistration"),
            refreshes: refreshes.collect(),
            snippets: says("/capabilities/textDocument/completion/completionItem/snippetSupport"),
            data: params.get("initializationOptions").and_then(data),
        }
    }
}

/// The data folder in options or settings: `{ "data": … }`, or the same inside `mlspec`.
pub fn data(options: &Value) -> Option<PathBuf> {
    let options = options.get("mlspec").unwrap_or(options);
    let folder = options.get("data")?.as_str()?;
    (!folder.is_empty()).then(|| PathBuf::from(folder))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn odd_clients_get_what_all_know() {
        for params in
            [json!(null), json!({}), json!({ "capabilities": { "general": { "positionEncodings": 7 } } })]
        {
            let client = Client::of(&params);
            assert_eq!(client.encoding, Encoding::Utf16);
            assert!(!client.configures && !client.watches && client.refreshes.is_empty());
        }
    }

    #[test]
    fn the_data_folder_is_found_in_both_forms() {
        for options in [json!({ "data": "/d" }), json!({ "mlspec": { "data": "/d", "path": "x" } })] {
            assert_eq!(data(&options), Some(PathBuf::from("/d")));
        }
        for options in [json!({ "data": "" }), json!({ "data": 1 }), json!(null), json!([])] {
            assert_eq!(data(&options), None);
        }
    }
}
