//! Messages over two pipes: a header with the length, then JSON.
//!
//! Reading never ends for the sake of one bad message: what is no message becomes
//! [`Incoming::Malformed`], and reading goes on behind it. Only the end of the pipe ends it.

use lsp_server::Message;
use serde_json::{Value, json};
use std::io::{self, BufRead, Read, Write};

/// Longer messages are skipped: no editor sends them, and memory is not asked for on trust.
const LONGEST: u64 = 256 << 20;

/// Longer lines of a header are cut into several, which are no header either.
const LONGEST_LINE: u64 = 4096;

#[derive(Debug)]
pub enum Incoming {
    Message(Message),
    /// What to answer: the id if one was there, and why this is no message.
    Malformed {
        id: Value,
        code: i32,
        why: String,
    },
}

/// The next message; none at the end of the pipe.
pub fn read(pipe: &mut impl BufRead) -> io::Result<Option<Incoming>> {
    let Some(length) = header(pipe)? else { return Ok(None) };
    let Some(length) = length else {
        return Ok(Some(malformed("a message without `Content-Length`")));
    };
    let mut body = Vec::new();
    if length > LONGEST {
        io::copy(&mut pipe.take(length), &mut io::sink())?;
        return Ok(Some(malformed("a message of more than 256 MiB")));
    }
    pipe.take(length).read_to_end(&mut body)?;
    if body.len() as u64 != length {
        return Ok(None);
    }
    Ok(Some(parsed(&body)))
}

/// The length that a header says; `Some(None)` if it says none.
fn header(pipe: &mut impl BufRead) -> io::Result<Option<Option<u64>>> {
    let mut length = None;
    loop {
        let mut line = Vec::new();
        if pipe.take(LONGEST_LINE).read_until(b'\n', &mut line)? == 0 {
            return Ok(None);
        }
        let line = String::from_utf8_lossy(&line);
        let line = line.trim();
        if line.is_empty() {
            return Ok(Some(length));
        }
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().ok();
        }
    }
}

fn parsed(body: &[u8]) -> Incoming {
    let value: Value = match serde_json::from_slice(body) {
        Ok(value) => value,
        Err(error) => return malformed(&format!("this is not JSON: {error}")),
    };
    let id = value.get("id").cloned().unwrap_or(Value::Null);
    match serde_json::from_value(value) {
        // What has an id wants an answer, so it is no notification.
        Ok(Message::Notification(_)) | Err(_) if !id.is_null() => unheard(id),
        Err(_) => unheard(id),
        Ok(message) => Incoming::Message(message),
    }
}

fn unheard(id: Value) -> Incoming {
    let code = lsp_server::ErrorCode::InvalidRequest as i32;
    Incoming::Malformed { id, code, why: "neither a request nor a notification nor a response".into() }
}

fn malformed(why: &str) -> Incoming {
    let code = lsp_server::ErrorCode::ParseError as i32;
    Incoming::Malformed { id: Value::Null, code, why: why.into() }
}

/// Writes a message; `jsonrpc` is added.
pub fn write(pipe: &mut impl Write, message: &Message) -> io::Result<()> {
    message.write(pipe)
}

/// Answers what was no message; its id may be unknown, which [`Message`] cannot say.
pub fn refuse(pipe: &mut impl Write, id: &Value, code: i32, why: &str) -> io::Result<()> {
    let text = json!({ "jsonrpc": "2.0", "id": id, "error": { "code": code, "message": why } }).to_string();
    write!(pipe, "Content-Length: {}\r\n\r\n{text}", text.len())?;
    pipe.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(bytes: &[u8]) -> Vec<Incoming> {
        let mut pipe = bytes;
        std::iter::from_fn(|| read(&mut pipe).unwrap()).collect()
    }

    #[test]
    fn bad_messages_hide_no_good_one() {
        let good = r#"{"jsonrpc":"2.0","method":"exit"}"#;
        let framed = format!("Content-Length: {}\r\n\r\n{good}", good.len());
        let bad: [&[u8]; 6] = [
            b"Content-Length: 5\r\n\r\n{\"a\":",
            b"Content-Length: 2\r\n\r\n[]",
            b"Content-Length: 1\r\n\r\n\xff",
            b"Content-Length: x\r\n\r\n",
            b"garbage\r\n\r\n",
            b"Content-Length: 31\r\n\r\n{\"id\":99999999999,\"method\":\"x\"}",
        ];
        for bytes in bad {
            let both = [bytes, framed.as_bytes()].concat();
            let read = all(&both);
            assert_eq!(read.len(), 2, "{}: {read:?}", String::from_utf8_lossy(bytes));
            assert!(matches!(read[0], Incoming::Malformed { .. }));
            assert!(matches!(&read[1], Incoming::Message(Message::Notification(n)) if n.method == "exit"));
        }
    }

    #[test]
    fn a_pipe_that_ends_inside_a_message_ends() {
        assert!(all(b"Content-Length: 50\r\n\r\n{}").is_empty());
        assert!(all(b"Content-Le").is_empty());
        assert!(all(b"").is_empty());
    }

    #[test]
    fn lengths_are_not_believed() {
        let read = all(b"Content-Length: 99999999999999999\r\n\r\n{}");
        assert!(matches!(&read[0], Incoming::Malformed { why, .. } if why.contains("256 MiB")), "{read:?}");
    }

    #[test]
    fn the_id_of_a_bad_request_is_answered() {
        let text = r#"{"id":"seven","params":1}"#;
        let read = all(format!("Content-Length: {}\r\n\r\n{text}", text.len()).as_bytes());
        assert!(matches!(&read[0], Incoming::Malformed { id, .. } if id == "seven"), "{read:?}");
    }
}
