//! Latency of the language server: from a keystroke to published diagnostics, over stdio.
//!
//! `cargo bench --bench lsp` starts the binary as an editor does, types a line into the middle of a
//! text key by key, and prints the median and the 95th percentile of the time from sending
//! `didChange` to reading `publishDiagnostics` of that version.

use serde_json::{Value, json};
use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

/// What is typed, again and again; most of its prefixes do not parse.
const TYPED: &str = "  let more = image |> Flatten |> Dense(hidden, activation=relu) as more\n";

/// Keystrokes for each text.
const KEYS: usize = 600;

/// The goal at the 95th percentile.
const GOAL: Duration = Duration::from_millis(20);

fn main() {
    // `cargo test --benches` only wants to know that it runs.
    let keys = if std::env::args().any(|arg| arg == "--bench") { KEYS } else { 5 };
    let (largest, text) = largest();
    let generated = generated(2000);
    let texts = [(largest, text), ("generated, 2,000 lines".to_string(), generated)];
    let mut held = true;
    for (name, text) in texts {
        let mut times = typed(&text, keys);
        times.sort();
        let at = |percent: usize| times[(times.len() * percent / 100).min(times.len() - 1)];
        let (median, p95) = (at(50), at(95));
        held &= p95 < GOAL;
        let ms = |time: Duration| time.as_secs_f64() * 1e3;
        println!(
            "{name}: {} lines, median {:.1} ms, p95 {:.1} ms",
            text.lines().count(),
            ms(median),
            ms(p95)
        );
    }
    println!("goal, p95 under {} ms: {}", GOAL.as_millis(), if held { "held" } else { "missed" });
}

/// The longest spec of `specs/`.
fn largest() -> (String, String) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("specs");
    let files = fs::read_dir(folder).expect("specs are there");
    let mut files: Vec<PathBuf> = files.map(|f| f.expect("specs are readable").path()).collect();
    files.retain(|f| f.extension().is_some_and(|e| e == "mlspec"));
    files.sort();
    let texts = files.iter().map(|f| (f, fs::read_to_string(f).expect("specs are text")));
    let (path, text) = texts.max_by_key(|(_, text)| text.len()).expect("there are specs");
    (path.file_name().expect("a file has a name").to_string_lossy().into_owned(), text)
}

/// A right spec of about so many lines: params, ops, blocks and models as people write them.
fn generated(lines: usize) -> String {
    let mut text = String::from("mlspec 1\n\nparam hidden: int = 32\n\n");
    text.push_str(
        "data shapes {\n  source = synthetic(images, height=8, width=8, channels=1, classes=10, rows=1000)\n",
    );
    text.push_str("  image  = image / 255\n  split  { train = 80%  valid = 20% }\n  batch  = 32\n}\n\n");
    let mut n = 0;
    while text.lines().count() + 12 < lines {
        let _ = write!(
            text,
            "/// A smooth bend, number {n}.\nop bend_{n}(x: f32[..s]) -> f32[..s] = x / (1 + exp(-{n} * x))\n\n\
             block Mix{n}(units: int, p: float = 0.1) (x: f32[B, units]) -> (y: f32[B, units]) {{\n\
             \x20 let h = x |> Dense(units) as first |> bend_{n} |> Dropout(p)\n\
             \x20 output y = x + (h |> LayerNorm as norm |> Dense(units) as second)\n}}\n\n\
             /// Model number {n}.\nmodel Net{n} {{\n  input image: f32[B, 8, 8, 1]\n\
             \x20 let wide = image |> Flatten\n    |> Dense(hidden, activation=relu) as fc1\n\
             \x20   |> Mix{n}(hidden) as mix\n    |> BatchNorm as norm\n\
             \x20 output logits: f32[B, 10] =\n    wide |> Dense(10) as fc2\n}}\n\n"
        );
        n += 1;
    }
    let _ = write!(
        text,
        "train {{\n  feed      {{ image = shapes.image  label = shapes.label }}\n\
         \x20 loss      = CrossEntropy(Net0.logits, label)\n  optimizer = Adam(lr=1e-3)\n\
         \x20 metrics   = [accuracy]\n  epochs    = 5\n}}\n"
    );
    text
}

/// Types into the first model behind the middle of the text; the times of all keys.
fn typed(text: &str, keys: usize) -> Vec<Duration> {
    let middle = text.len() / 2;
    let model = text[middle..]
        .find("\nmodel ")
        .map(|n| middle + n + 1)
        .or_else(|| text.find("\nmodel ").map(|n| n + 1));
    let model = model.expect("a spec with a model");
    let entry = model + text[model..].find('\n').expect("a body") + 1;
    let line = text[..entry].matches('\n').count();
    let mut server = Server::start();
    server.open(text);
    // Data files are read once, in a thread: what is measured is typing.
    std::thread::sleep(Duration::from_millis(200));
    let (mut times, mut version, mut column) = (Vec::new(), 1, 0);
    for key in TYPED.chars().cycle().take(keys) {
        version += 1;
        let at = json!({ "line": line, "character": column });
        let change = json!([{ "range": { "start": at, "end": at }, "text": key.to_string() }]);
        times.push(server.key(version, change));
        column += 1;
        if key == '\n' {
            // The whole line goes, and typing starts anew.
            version += 1;
            let range = json!({ "start": { "line": line, "character": 0 }, "end": { "line": line + 1, "character": 0 } });
            server.key(version, json!([{ "range": range, "text": "" }]));
            column = 0;
        }
    }
    times
}

const URI: &str = concat!("file://", env!("CARGO_MANIFEST_DIR"), "/specs/typed.mlspec");

struct Server {
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Server {
    fn start() -> Server {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mlc"));
        command.arg("lsp").stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().expect("mlc starts");
        let input = process.stdin.take().expect("a pipe");
        let output = BufReader::new(process.stdout.take().expect("a pipe"));
        let mut server = Server { process, input, output };
        server.send(json!({ "id": 1, "method": "initialize", "params": { "capabilities": {} } }));
        server.read();
        server.send(json!({ "method": "initialized", "params": {} }));
        server
    }

    fn send(&mut self, mut message: Value) {
        message["jsonrpc"] = "2.0".into();
        let text = message.to_string();
        let framed = format!("Content-Length: {}\r\n\r\n{text}", text.len());
        self.input.write_all(framed.as_bytes()).and_then(|()| self.input.flush()).expect("the server reads");
    }

    fn read(&mut self) -> Value {
        let mut length = 0;
        loop {
            let mut line = String::new();
            assert!(self.output.read_line(&mut line).expect("the server writes") > 0, "the server is there");
            match line.trim().split_once(": ") {
                Some(("Content-Length", n)) => length = n.parse().expect("a length"),
                Some(_) => {}
                None => break,
            }
        }
        let mut body = vec![0; length];
        self.output.read_exact(&mut body).expect("a whole message");
        serde_json::from_slice(&body).expect("JSON")
    }

    fn open(&mut self, text: &str) {
        let document = json!({ "uri": URI, "languageId": "mlspec", "version": 1, "text": text });
        self.send(json!({ "method": "textDocument/didOpen", "params": { "textDocument": document } }));
        self.published(1);
    }

    /// The time of one change.
    fn key(&mut self, version: i64, changes: Value) -> Duration {
        let document = json!({ "uri": URI, "version": version });
        let params = json!({ "textDocument": document, "contentChanges": changes });
        let start = Instant::now();
        self.send(json!({ "method": "textDocument/didChange", "params": params }));
        self.published(version);
        start.elapsed()
    }

    fn published(&mut self, version: i64) {
        loop {
            let message = self.read();
            if message["method"] == "textDocument/publishDiagnostics"
                && message["params"]["version"] == version
            {
                return;
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The measurements are done; nothing of the process is wanted any more.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
