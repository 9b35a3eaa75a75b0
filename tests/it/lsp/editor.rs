//! An editor that speaks to the binary over pipes.

use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

/// Longer than any answer takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

pub struct Editor {
    server: Child,
    input: Option<ChildStdin>,
    messages: Receiver<Value>,
    /// What came while something else was waited for.
    passed: Vec<Value>,
    asked: i64,
    /// The server's answer to `initialize`.
    pub hello: Value,
}

impl Editor {
    /// A running server that has heard of nothing.
    pub fn spawn(env: &[(&str, &str)]) -> Editor {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mlc"));
        command.arg("lsp").env_remove("MLC_DATA").envs(env.iter().copied());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut server = command.spawn().expect("mlc starts");
        let mut output = BufReader::new(server.stdout.take().expect("a pipe"));
        let (sender, messages) = mpsc::channel();
        thread::spawn(move || {
            while let Some(message) = read(&mut output) {
                if sender.send(message).is_err() {
                    return;
                }
            }
        });
        let input = server.stdin.take();
        Editor { server, input, messages, passed: Vec::new(), asked: 0, hello: Value::Null }
    }

    /// After `initialize`, with these capabilities and options.
    pub fn start(capabilities: Value, options: Value) -> Editor {
        let mut editor = Editor::spawn(&[]);
        let params = json!({ "capabilities": capabilities, "initializationOptions": options });
        editor.hello = editor.request("initialize", params).expect("a server that starts");
        editor.notify("initialized", json!({}));
        editor
    }

    pub fn raw(&mut self, bytes: &[u8]) {
        let input = self.input.as_mut().expect("a server that still reads");
        input.write_all(bytes).and_then(|()| input.flush()).expect("the server reads");
    }

    fn send(&mut self, mut message: Value) {
        message["jsonrpc"] = "2.0".into();
        let text = message.to_string();
        self.raw(format!("Content-Length: {}\r\n\r\n{text}", text.len()).as_bytes());
    }

    pub fn notify(&mut self, method: &str, params: Value) {
        self.send(json!({ "method": method, "params": params }));
    }

    /// Sends a request and does not wait.
    pub fn ask(&mut self, method: &str, params: Value) -> i64 {
        self.asked += 1;
        self.send(json!({ "id": self.asked, "method": method, "params": params }));
        self.asked
    }

    pub fn answer(&mut self, id: i64) -> Result<Value, Value> {
        let message = self.wait(|m| m["id"] == id && m.get("method").is_none());
        match message.get("error") {
            Some(error) => Err(error.clone()),
            None => Ok(message["result"].clone()),
        }
    }

    pub fn request(&mut self, method: &str, params: Value) -> Result<Value, Value> {
        let id = self.ask(method, params);
        self.answer(id)
    }

    /// The next message that is as wanted; others are kept.
    pub fn wait(&mut self, wanted: impl Fn(&Value) -> bool) -> Value {
        if let Some(i) = self.passed.iter().position(&wanted) {
            return self.passed.remove(i);
        }
        loop {
            let message = self.messages.recv_timeout(PATIENCE).expect("the server answers");
            if wanted(&message) {
                return message;
            }
            self.passed.push(message);
        }
    }

    pub fn open(&mut self, uri: &str, text: &str) {
        let document = json!({ "uri": uri, "languageId": "mlspec", "version": 1, "text": text });
        self.notify("textDocument/didOpen", json!({ "textDocument": document }));
    }

    pub fn change(&mut self, uri: &str, version: i64, changes: Value) {
        let document = json!({ "uri": uri, "version": version });
        self.notify("textDocument/didChange", json!({ "textDocument": document, "contentChanges": changes }));
    }

    /// The next diagnostics of a version of a text.
    pub fn diagnostics(&mut self, uri: &str, version: i64) -> Vec<Value> {
        let message = self.wait(|m| {
            let params = &m["params"];
            m["method"] == "textDocument/publishDiagnostics"
                && params["uri"] == uri
                && params["version"] == version
        });
        message["params"]["diagnostics"].as_array().expect("a list").clone()
    }

    /// Ends in order.
    pub fn stop(mut self) -> ExitStatus {
        self.request("shutdown", Value::Null).expect("a server that ends");
        self.notify("exit", Value::Null);
        self.server.wait().expect("a server that ended")
    }

    /// Hangs up.
    pub fn hang_up(mut self) -> ExitStatus {
        drop(self.input.take());
        self.server.wait().expect("a server that ended")
    }
}

impl Drop for Editor {
    fn drop(&mut self) {
        // A test that failed leaves no process behind; one that has ended needs no killing.
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

fn read(pipe: &mut impl BufRead) -> Option<Value> {
    let mut length = None;
    loop {
        let mut line = String::new();
        if pipe.read_line(&mut line).ok()? == 0 {
            return None;
        }
        match line.trim().split_once(": ") {
            Some(("Content-Length", n)) => length = n.parse::<usize>().ok(),
            Some(_) => {}
            None => break,
        }
    }
    let mut body = vec![0; length?];
    pipe.read_exact(&mut body).ok()?;
    serde_json::from_slice(&body).ok()
}
