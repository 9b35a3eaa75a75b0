//! The server's state, and what each message does to it.
//!
//! Messages are taken in order; a request sees the text as it was when it was sent. Checking
//! waits until all that came together is taken in ([`Server::settle`]), or until a request needs it,
//! and happens once for each text. Answers gather in [`Server::sent`]; nothing here does IO but the
//! threads of [`Headers`].

use super::client::{self, Client};
use super::document::Document;
use super::headers::{Glance, Headers};
use super::{capabilities, features, publish, routes};
use crate::base::Span;
use crate::runtime::data::Places;
use crate::sema::Settings;
use crate::tools::ide::{self, Analysis, Memo};
use gen_lsp_types::*;
use gen_lsp_types::{Notification as _, Request as _};
use lsp_server::{ErrorCode, Message, Notification, Request, RequestId, Response};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

/// What a thread has to tell the server.
pub enum News {
    /// Files were read that a check did without, or that changed.
    Data,
    /// An answer that took long.
    Answer(Response),
}

/// Called from threads.
pub type Wake = Arc<dyn Fn(News) + Send + Sync>;

/// Why a request has no result.
#[derive(Clone, Debug)]
pub struct Refusal {
    pub code: ErrorCode,
    pub why: String,
}

impl Refusal {
    /// The user asked for what cannot be; editors show the reason.
    pub fn cannot(why: impl Into<String>) -> Refusal {
        Refusal { code: ErrorCode::RequestFailed, why: why.into() }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Before `initialize`.
    Starting,
    Running,
    /// Behind `shutdown`.
    Stopping,
    /// Behind `exit`; whether it was asked for in order.
    Ended {
        clean: bool,
    },
}

/// An open text and what is known of it.
struct Open {
    document: Document,
    /// Of the text as it is; none until somebody asks.
    analysis: Option<Arc<Analysis>>,
    memo: Memo,
    /// Whether the editor has yet to be told.
    unpublished: bool,
}

pub struct Server {
    phase: Phase,
    client: Client,
    /// `--data` or `MLC_DATA`; what the editor says goes over it.
    data: Option<PathBuf>,
    headers: Headers,
    wake: Wake,
    /// Whether a thread plans memory; one at a time is enough.
    planning: Arc<AtomicBool>,
    open: BTreeMap<String, Open>,
    cancelled: BTreeSet<RequestId>,
    /// Our own requests are numbered.
    asked: i32,
    /// The last request for settings; an answer to an earlier one is stale.
    settings: Option<RequestId>,
    sent: Vec<Message>,
    /// Checks of texts that are no more. Taking them apart takes a while, so it waits until the editor is told.
    stale: Vec<Arc<Analysis>>,
}

impl Server {
    pub fn new(data: Option<PathBuf>, wake: Wake) -> Server {
        Server {
            phase: Phase::Starting,
            client: Client::default(),
            data,
            headers: Headers::new(wake.clone()),
            wake,
            planning: Arc::default(),
            open: BTreeMap::new(),
            cancelled: BTreeSet::new(),
            asked: 0,
            settings: None,
            sent: Vec::new(),
            stale: Vec::new(),
        }
    }

    /// What is to be sent since the last call, in order.
    pub fn sent(&mut self) -> Vec<Message> {
        std::mem::take(&mut self.sent)
    }

    /// How the session ended, once it has: whether `shutdown` came before `exit`.
    pub fn ended(&self) -> Option<bool> {
        match self.phase {
            Phase::Ended { clean } => Some(clean),
            Phase::Starting | Phase::Running | Phase::Stopping => None,
        }
    }

    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Takes in messages that came together; requests that are cancelled among them are not begun.
    pub fn receive(&mut self, messages: Vec<Message>) {
        for message in &messages {
            if let Message::Notification(n) = message
                && n.method == CancelNotification::METHOD.as_str()
                && let Some(id) = n.params.get("id")
                && let Ok(id) = serde_json::from_value(id.clone())
            {
                self.cancelled.insert(id);
            }
        }
        for message in messages {
            match message {
                Message::Request(request) => self.request(request),
                Message::Notification(notification) => self.notification(notification),
                Message::Response(response) => self.response(response),
            }
        }
        // What is cancelled too late was answered before.
        self.cancelled.clear();
    }

    /// Tells the editor what is wrong in texts that changed.
    pub fn settle(&mut self) {
        let changed: Vec<String> =
            self.open.iter().filter(|(_, open)| open.unpublished).map(|(uri, _)| uri.clone()).collect();
        for uri in changed {
            let checked = self.guarded("checking", |server| server.analysis(&uri));
            let Some(open) = self.open.get_mut(&uri) else { continue };
            open.unpublished = false;
            let Ok(Some(analysis)) = checked else { continue };
            let document = &open.document;
            let params = PublishDiagnosticsParams {
                uri: document.uri.clone(),
                version: Some(document.version),
                diagnostics: publish::published(document, &analysis),
            };
            self.notify::<PublishDiagnosticsNotification>(params);
        }
    }

    /// Lets go of what is no longer needed, now that nobody waits.
    pub fn rest(&mut self) {
        self.stale.clear();
    }

    /// Whether files are still being read that a check did without: there will be [`News::Data`].
    pub fn awaits_data(&self) -> bool {
        self.headers.owes()
    }

    /// What a thread has to say.
    pub fn hear(&mut self, news: News) {
        match news {
            News::Data => self.data_changed(),
            News::Answer(response) => self.sent.push(Message::Response(response)),
        }
    }

    fn data_changed(&mut self) {
        self.check_again();
        for method in self.client.refreshes.clone() {
            self.ask(method, Value::Null);
        }
    }

    fn check_again(&mut self) {
        for open in self.open.values_mut() {
            self.stale.extend(open.analysis.take());
            open.unpublished = true;
        }
    }

    // ---- what features ask for ----

    pub fn document(&self, uri: &Uri) -> Option<&Document> {
        self.open.get(uri.as_ref()).map(|open| &open.document)
    }

    /// The check of an open text as it is now.
    pub fn analysis(&mut self, uri: &str) -> Option<Arc<Analysis>> {
        let places = self.places(&self.open.get(uri)?.document);
        let open = self.open.get_mut(uri)?;
        if let Some(analysis) = &open.analysis {
            return Some(analysis.clone());
        }
        let glance = self.headers.glance(places);
        let document = &open.document;
        let mut analysis =
            ide::analyse_again(document.name(), document.folder(), &document.text, &glance, &mut open.memo);
        hide_unread(&mut analysis, glance);
        let analysis = Arc::new(analysis);
        open.analysis = Some(analysis.clone());
        Some(analysis)
    }

    /// Another text in place of an open one, checked: what a change would do.
    pub fn checked_instead(&self, document: &Document, text: &str) -> Analysis {
        let glance = self.headers.glance(self.places(document));
        let mut analysis =
            ide::analyse(document.name(), document.folder(), text, &Settings::default(), &glance);
        hide_unread(&mut analysis, glance);
        analysis
    }

    pub fn places(&self, document: &Document) -> Places {
        let data = self.client.data.clone().or_else(|| self.data.clone());
        Places { spec: document.folder(), data }
    }

    // ---- messages in ----

    fn request(&mut self, request: Request) {
        let Request { id, method, params } = request;
        if self.phase == Phase::Running && method == CodeLensResolveRequest::METHOD.as_str() {
            return self.plan(id, params);
        }
        let refuse = |code, why: &str| Err(Refusal { code, why: why.into() });
        let answer = match (self.phase, method.as_str()) {
            _ if self.cancelled.contains(&id) => {
                refuse(ErrorCode::RequestCanceled, "cancelled by the client")
            }
            (Phase::Starting, "initialize") => Ok(self.initialize(&params)),
            (Phase::Starting, _) => refuse(ErrorCode::ServerNotInitialized, "`initialize` comes first"),
            (Phase::Running, "initialize") => refuse(ErrorCode::InvalidRequest, "`initialize` came already"),
            (Phase::Running, "shutdown") => {
                self.phase = Phase::Stopping;
                Ok(Value::Null)
            }
            (Phase::Running, _) => {
                self.guarded(&method, |server| routes::answer(server, &method, params)).unwrap_or_else(|_| {
                    refuse(ErrorCode::InternalError, "a defect in mlc: its standard error says more")
                })
            }
            (Phase::Stopping | Phase::Ended { .. }, _) => {
                refuse(ErrorCode::InvalidRequest, "`shutdown` came already")
            }
        };
        self.sent.push(Message::Response(match answer {
            Ok(result) => Response::new_ok(id, result),
            Err(refusal) => Response::new_err(id, refusal.code as i32, refusal.why),
        }));
    }

    /// Resolves a lens in a thread: planning a training's memory compiles it.
    fn plan(&mut self, id: RequestId, params: Value) {
        let lens = match serde_json::from_value(params) {
            Ok(lens) => lens,
            Err(error) => {
                let response = Response::new_err(id, ErrorCode::InvalidParams as i32, error.to_string());
                return self.sent.push(Message::Response(response));
            }
        };
        let free = !self.planning.swap(true, Ordering::SeqCst);
        let work = features::beside::lens(self, lens, free);
        let (wake, planning) = (self.wake.clone(), self.planning.clone());
        let refused = id.clone();
        let act = move || {
            let response = match catch_unwind(AssertUnwindSafe(work)) {
                Ok(lens) => Response::new_ok(id, lens),
                Err(_) => Response::new_err(id, ErrorCode::InternalError as i32, "a defect in mlc".into()),
            };
            if free {
                planning.store(false, Ordering::SeqCst);
            }
            wake(News::Answer(response));
        };
        if thread::Builder::new().name("memory".into()).spawn(act).is_err() {
            self.planning.store(false, Ordering::SeqCst);
            let response =
                Response::new_err(refused, ErrorCode::InternalError as i32, "no thread to be had".into());
            self.sent.push(Message::Response(response));
        }
    }

    /// A defect of ours must cost one answer and not the session. The panic itself is told on
    /// standard error, as all are.
    fn guarded<T>(&mut self, doing: &str, act: impl FnOnce(&mut Server) -> T) -> Result<T, ()> {
        catch_unwind(AssertUnwindSafe(|| act(self))).map_err(|_| {
            let message = format!("mlc: a defect while {doing}; the session goes on");
            self.notify::<LogMessageNotification>(LogMessageParams { kind: MessageType::Error, message });
        })
    }

    fn initialize(&mut self, params: &Value) -> Value {
        self.client = Client::of(params);
        self.phase = Phase::Running;
        let info = ServerInfo { name: "mlc".into(), version: Some(env!("CARGO_PKG_VERSION").into()) };
        let capabilities = capabilities::all(self.client.encoding);
        json!(InitializeResult { capabilities, server_info: Some(info) })
    }

    fn notification(&mut self, notification: Notification) {
        let Notification { method, params } = notification;
        match (self.phase, method.as_str()) {
            (_, "exit") => self.phase = Phase::Ended { clean: self.phase == Phase::Stopping },
            (Phase::Running, "initialized") => self.initialized(),
            (Phase::Running, "textDocument/didOpen") => self.with(params, Server::opened),
            (Phase::Running, "textDocument/didChange") => self.with(params, Server::changed),
            (Phase::Running, "textDocument/didClose") => self.with(params, Server::closed),
            (Phase::Running, "textDocument/didSave" | "workspace/didChangeWatchedFiles") => self.saved(),
            (Phase::Running, "workspace/didChangeConfiguration") => self.configured(&params),
            (Phase::Starting | Phase::Running | Phase::Stopping | Phase::Ended { .. }, _) => {}
        }
    }

    /// Notifications have no answer, so what cannot be read is only logged.
    fn with<P: DeserializeOwned>(&mut self, params: Value, act: fn(&mut Server, P)) {
        match serde_json::from_value(params) {
            Ok(params) => act(self, params),
            Err(error) => {
                let message = format!("mlc: a notification that cannot be read: {error}");
                self.notify::<LogMessageNotification>(LogMessageParams {
                    kind: MessageType::Warning,
                    message,
                });
            }
        }
    }

    fn initialized(&mut self) {
        if self.client.configures {
            self.ask_settings();
        }
        if self.client.watches {
            self.ask("client/registerCapability", watchers());
        }
    }

    fn ask_settings(&mut self) {
        let id = self.ask("workspace/configuration", json!({ "items": [{ "section": "mlspec" }] }));
        self.settings = Some(id);
    }

    fn opened(&mut self, params: DidOpenTextDocumentParams) {
        let TextDocumentItem { uri, version, text, .. } = params.text_document;
        let document = Document::new(uri, version, text, self.client.encoding);
        let key = document.uri.to_string();
        self.open.insert(key, Open { document, analysis: None, memo: Memo::default(), unpublished: true });
    }

    fn changed(&mut self, params: DidChangeTextDocumentParams) {
        let VersionedTextDocumentIdentifier { version, text_document_identifier: id } = params.text_document;
        let Some(open) = self.open.get_mut(id.uri.as_ref()) else { return };
        open.document.change(version, params.content_changes);
        self.stale.extend(open.analysis.take());
        open.unpublished = true;
    }

    fn closed(&mut self, params: DidCloseTextDocumentParams) {
        let uri = params.text_document.uri;
        if self.open.remove(uri.as_ref()).is_some() {
            // Nobody looks at it any more, so nothing is wrong with it.
            let params = PublishDiagnosticsParams { uri, version: None, diagnostics: Vec::new() };
            self.notify::<PublishDiagnosticsNotification>(params);
        }
    }

    /// A spec or a data file changed on disk: what files hold is looked at again.
    fn saved(&mut self) {
        self.headers.look_again();
        self.check_again();
    }

    fn configured(&mut self, params: &Value) {
        match self.client.configures {
            true => self.ask_settings(),
            false => self.data_folder(params.get("settings").and_then(client::data)),
        }
    }

    fn response(&mut self, response: Response) {
        if self.settings.as_ref() == Some(&response.id)
            && let Ok(Value::Array(items)) = response.response_result
        {
            self.data_folder(items.first().and_then(client::data));
        }
    }

    /// Settings that say nothing leave what was said at the start.
    fn data_folder(&mut self, folder: Option<PathBuf>) {
        if folder.is_some() && folder != self.client.data {
            self.client.data = folder;
            self.data_changed();
        }
    }

    // ---- messages out ----

    fn notify<N: gen_lsp_types::Notification>(&mut self, params: N::Params) {
        let notification = Notification::new(N::METHOD.as_str().to_string(), params);
        self.sent.push(Message::Notification(notification));
    }

    fn ask(&mut self, method: &str, params: Value) -> RequestId {
        self.asked += 1;
        let id = RequestId::from(format!("mlc-{}", self.asked));
        self.sent.push(Message::Request(Request { id: id.clone(), method: method.into(), params }));
        id
    }
}

/// A source that is still being read is no missing file.
fn hide_unread(analysis: &mut Analysis, glance: Glance) {
    let unread: Vec<Span> = glance.missing();
    analysis.diagnostics.retain(|d| d.code != "data::missing_file" || !unread.contains(&d.span()));
}

/// Files that data sections name, wherever they lie in the workspace.
fn watchers() -> Value {
    let glob = "**/*.{mlspec,csv,tsv,jsonl,parquet,npy,npz,gz,db,sqlite,data,safetensors}";
    let options = json!({ "watchers": [{ "globPattern": glob }] });
    let method = DidChangeWatchedFilesNotification::METHOD.as_str();
    json!({ "registrations": [{ "id": "data", "method": method, "registerOptions": options }] })
}
