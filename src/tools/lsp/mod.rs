//! The language server: checking as you type, for every editor that speaks the protocol.
//!
//! ```text
//! stdin ──transport──▶ queue ──server──▶ stdout
//!                        ▲
//!                 headers, when files were read
//! ```
//!
//! One thread reads messages, one after another takes them in, checks and answers; files are read in
//! threads of their own. What came together is taken in together, so a burst of keystrokes is
//! checked once. What an editor shows is made in [`ide`](super::ide); here it becomes the protocol's.

mod capabilities;
mod client;
mod disk;
mod document;
mod features;
mod headers;
mod place;
mod publish;
mod routes;
mod server;
mod tokens;
mod transport;
mod uri;

pub use server::{News, Server, Wake};

use lsp_server::Message;
use serde_json::Value;
use std::io::{self, BufRead, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};
use std::thread;

/// What wakes the server.
enum Event {
    Message(Message),
    Malformed {
        id: Value,
        code: i32,
        why: String,
    },
    News(News),
    /// The client hung up.
    Closed,
}

/// Serves one client until it says `exit` or hangs up; whether it asked for `shutdown` before. `data` is where
/// paths are looked up that are not beside a spec.
///
/// Fails when nothing can be written any more.
pub fn serve(
    input: impl BufRead + Send + 'static,
    mut output: impl Write,
    data: Option<PathBuf>,
) -> io::Result<bool> {
    let (queue, events) = mpsc::channel();
    let waker = queue.clone();
    // A server that has ended needs no waking.
    let wake: Wake = Arc::new(move |news| drop(waker.send(Event::News(news))));
    thread::Builder::new().name("reader".into()).spawn(move || listen(input, &queue))?;
    let mut server = Server::new(data, wake);
    loop {
        let Ok(first) = events.recv() else { return Ok(false) };
        let (messages, closed) = taken(first, &events, &mut server, &mut output)?;
        server.receive(messages);
        // Answers first: who asked waits.
        flush(&mut server, &mut output)?;
        if let Some(clean) = server.ended() {
            return Ok(clean);
        }
        if closed {
            return Ok(false);
        }
        server.settle();
        flush(&mut server, &mut output)?;
        server.rest();
    }
}

/// Everything that has come by now, in order; and whether the pipe has ended.
fn taken(
    first: Event,
    events: &Receiver<Event>,
    server: &mut Server,
    output: &mut impl Write,
) -> io::Result<(Vec<Message>, bool)> {
    let (mut messages, mut closed) = (Vec::new(), false);
    for event in std::iter::once(first).chain(events.try_iter()) {
        match event {
            Event::Message(message) => messages.push(message),
            Event::Malformed { id, code, why } => transport::refuse(output, &id, code, &why)?,
            Event::News(news) => server.hear(news),
            Event::Closed => closed = true,
        }
    }
    Ok((messages, closed))
}

fn flush(server: &mut Server, output: &mut impl Write) -> io::Result<()> {
    server.sent().iter().try_for_each(|message| transport::write(output, message))
}

/// What the reading thread does: hands on what comes until nobody takes it.
fn listen(mut input: impl BufRead, queue: &mpsc::Sender<Event>) {
    loop {
        let event = match transport::read(&mut input) {
            Ok(Some(transport::Incoming::Message(message))) => Event::Message(message),
            Ok(Some(transport::Incoming::Malformed { id, code, why })) => Event::Malformed { id, code, why },
            Ok(None) | Err(_) => Event::Closed,
        };
        let last = matches!(event, Event::Closed);
        if queue.send(event).is_err() || last {
            return;
        }
    }
}
