//! Which function answers which request.

use super::features;
use super::server::{Refusal, Server};
use gen_lsp_types::*;
use lsp_server::ErrorCode;
use serde_json::{Value, json};

type Answer = Result<Value, Refusal>;

struct Route {
    method: &'static str,
    answer: fn(&mut Server, Value) -> Answer,
}

/// A row of the table: the request's type says method, parameters and result.
macro_rules! route {
    ($request:ty, $answer:expr) => {
        Route {
            method: <$request as Request>::METHOD.as_str(),
            answer: |server, params| typed::<$request>(server, params, $answer),
        }
    };
}

const ROUTES: &[Route] = &[
    route!(DocumentSymbolRequest, features::outline::symbols),
    route!(FoldingRangeRequest, features::outline::folds),
    route!(SelectionRangeRequest, features::outline::selections),
    route!(SemanticTokensRequest, features::outline::tokens),
    route!(SemanticTokensRangeRequest, features::outline::tokens_within),
    route!(DefinitionRequest, features::names::definition),
    route!(ReferencesRequest, features::names::references),
    route!(DocumentHighlightRequest, features::names::highlights),
    route!(PrepareRenameRequest, features::names::prepare_rename),
    route!(RenameRequest, features::names::rename),
    route!(DocumentFormattingRequest, features::edits::format),
    route!(DocumentRangeFormattingRequest, features::edits::format_within),
    route!(CodeActionRequest, features::edits::actions),
    route!(InlayHintRequest, features::beside::hints),
    route!(HoverRequest, features::beside::hover),
    route!(SignatureHelpRequest, features::beside::signature),
    route!(CodeLensRequest, features::beside::lenses),
    route!(CompletionRequest, features::completion::complete),
];

/// Answers a request by its method.
pub fn answer(server: &mut Server, method: &str, params: Value) -> Answer {
    match ROUTES.iter().find(|route| route.method == method) {
        Some(route) => (route.answer)(server, params),
        None => {
            Err(Refusal { code: ErrorCode::MethodNotFound, why: format!("mlc does not know `{method}`") })
        }
    }
}

fn typed<R: Request>(
    server: &mut Server,
    params: Value,
    answer: fn(&mut Server, R::Params) -> Result<R::Result, Refusal>,
) -> Answer {
    let params = serde_json::from_value(params)
        .map_err(|error| Refusal { code: ErrorCode::InvalidParams, why: error.to_string() })?;
    answer(server, params).map(|result| json!(result))
}
