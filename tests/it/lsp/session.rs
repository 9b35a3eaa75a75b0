//! A server in this process, for cases too many for processes.

use lsp_server::{Message, Notification, Request, RequestId};
use mlc::tools::lsp::{News, Server};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

pub struct Session {
    server: Server,
    news: Receiver<News>,
    asked: i32,
    version: i32,
    pub uri: String,
    pub text: String,
    /// As last published.
    pub diagnostics: Vec<Value>,
}

impl Session {
    /// A text that is open; its paths are looked up beside `specs/`.
    pub fn open(text: &str) -> Session {
        let folder = super::super::support::root().join("specs");
        Session::open_as(&format!("file://{}/fixture.mlspec", folder.display()), text)
    }

    pub fn open_as(uri: &str, text: &str) -> Session {
        let (sender, news) = mpsc::channel();
        // A session that is over wants no news.
        let server = Server::new(None, Arc::new(move |n| drop(sender.send(n))));
        let diagnostics = Vec::new();
        let mut session =
            Session { server, news, asked: 0, version: 1, uri: uri.into(), text: text.into(), diagnostics };
        let capabilities = json!({ "general": { "positionEncodings": ["utf-16"] } });
        session.request("initialize", json!({ "capabilities": capabilities })).expect("a server that starts");
        let document = json!({ "uri": uri, "languageId": "mlspec", "version": 1, "text": text });
        session.notify("textDocument/didOpen", json!({ "textDocument": document }));
        session
    }

    pub fn notify(&mut self, method: &str, params: Value) {
        self.take(vec![Message::Notification(Notification { method: method.into(), params })]);
    }

    fn take(&mut self, messages: Vec<Message>) -> Vec<Message> {
        self.server.receive(messages);
        self.server.settle();
        let mut sent = self.server.sent();
        self.server.rest();
        // What files hold is to be known, however busy the machine is.
        while self.server.awaits_data() {
            if let Ok(news) = self.news.recv_timeout(Duration::from_millis(100)) {
                self.hear(news, &mut sent);
            }
        }
        while let Ok(news) = self.news.try_recv() {
            self.hear(news, &mut sent);
        }
        for message in &sent {
            if let Message::Notification(n) = message {
                assert_ne!(n.method, "window/logMessage", "{}", n.params);
                if n.method == "textDocument/publishDiagnostics" {
                    self.diagnostics = n.params["diagnostics"].as_array().expect("a list").clone();
                }
            }
        }
        sent
    }

    fn hear(&mut self, news: News, sent: &mut Vec<Message>) {
        self.server.hear(news);
        self.server.settle();
        sent.extend(self.server.sent());
    }

    pub fn request(&mut self, method: &str, params: Value) -> Result<Value, String> {
        self.asked += 1;
        let id = RequestId::from(self.asked);
        let request = Request { id: id.clone(), method: method.into(), params };
        let sent = self.take(vec![Message::Request(request)]);
        let answer = sent.into_iter().find_map(|m| match m {
            Message::Response(response) if response.id == id => Some(response.response_result),
            Message::Response(_) | Message::Request(_) | Message::Notification(_) => None,
        });
        answer.expect("every request is answered").map_err(|error| error.message)
    }

    /// A request about the whole text.
    pub fn whole(&mut self, method: &str) -> Value {
        let params = json!({ "textDocument": { "uri": self.uri } });
        self.request(method, params).unwrap_or_else(|why| panic!("{method}: {why}"))
    }

    /// A request about a place, given as a byte.
    pub fn at(&mut self, method: &str, at: usize, more: Value) -> Result<Value, String> {
        let mut params = json!({ "textDocument": { "uri": self.uri }, "position": self.position(at) });
        for (key, value) in more.as_object().into_iter().flatten() {
            params[key] = value.clone();
        }
        self.request(method, params)
    }

    /// Puts `new` in the place of some bytes.
    pub fn edit(&mut self, range: std::ops::Range<usize>, new: &str) {
        self.version += 1;
        let change = json!({ "range": self.range(range.clone()), "text": new });
        self.text.replace_range(range, new);
        let document = json!({ "uri": self.uri, "version": self.version });
        let params = json!({ "textDocument": document, "contentChanges": [change] });
        self.notify("textDocument/didChange", params);
    }

    pub fn position(&self, at: usize) -> Value {
        let before = &self.text[..at];
        let line = before.matches('\n').count();
        let column = before.rsplit('\n').next().expect("a line").encode_utf16().count();
        json!({ "line": line, "character": column })
    }

    pub fn range(&self, range: std::ops::Range<usize>) -> Value {
        json!({ "start": self.position(range.start), "end": self.position(range.end) })
    }

    /// The byte of a position.
    pub fn byte(&self, position: &Value) -> usize {
        let n = |key: &str| position[key].as_u64().expect("a number") as usize;
        let start: usize = self.text.split_inclusive('\n').take(n("line")).map(str::len).sum();
        let mut column = 0;
        for (i, c) in self.text[start..].char_indices() {
            if column >= n("character") || c == '\n' {
                return start + i;
            }
            column += c.len_utf16();
        }
        self.text.len()
    }

    /// What a range covers.
    pub fn slice(&self, range: &Value) -> &str {
        &self.text[self.byte(&range["start"])..self.byte(&range["end"])]
    }

    /// The text with edits that do not overlap.
    pub fn edited(&self, edits: &Value) -> String {
        let mut all: Vec<(usize, usize, &str)> = edits
            .as_array()
            .expect("edits are a list")
            .iter()
            .map(|e| {
                let range = &e["range"];
                (self.byte(&range["start"]), self.byte(&range["end"]), e["newText"].as_str().expect("a text"))
            })
            .collect();
        all.sort_by_key(|(lo, hi, _)| (*lo, *hi));
        let (mut out, mut at) = (String::new(), 0);
        for (lo, hi, new) in all {
            assert!(at <= lo, "edits overlap");
            out.push_str(&self.text[at..lo]);
            out.push_str(new);
            at = hi;
        }
        out + &self.text[at..]
    }

    /// The text with a workspace edit of this document alone.
    pub fn applied(&self, edit: &Value) -> String {
        let changes = edit["changes"].as_object().expect("changes by document");
        assert_eq!(changes.len(), 1, "one document");
        self.edited(&changes[&self.uri])
    }

    /// `code: message` of each diagnostic.
    pub fn codes(&self) -> Vec<String> {
        self.diagnostics.iter().map(|d| d["code"].as_str().unwrap_or_default().to_string()).collect()
    }
}

/// A text with a mark for the cursor, which is taken out.
pub fn cursor(marked: &str) -> (String, usize) {
    let at = marked.find('‸').expect("a fixture has a cursor");
    (marked.replacen('‸', "", 1), at)
}

/// The lines in which two texts differ, `-` and `+` before them.
pub fn changes(before: &str, after: &str) -> String {
    let (a, b): (Vec<&str>, Vec<&str>) = (before.lines().collect(), after.lines().collect());
    let head = a.iter().zip(&b).take_while(|(x, y)| x == y).count();
    let tail = a[head..].iter().rev().zip(b[head..].iter().rev()).take_while(|(x, y)| x == y).count();
    let gone = a[head..a.len() - tail].iter().filter(|l| !b[head..b.len() - tail].contains(l));
    let new = b[head..b.len() - tail].iter().filter(|l| !a[head..a.len() - tail].contains(l));
    let gone = gone.map(|l| format!("- {l}\n"));
    gone.chain(new.map(|l| format!("+ {l}\n"))).collect()
}
