//! Files of SQLite. Values have their own types there; a column's declared one is what a glance goes by.

use super::{Failure, Gathered, Heading, Value, headings, refused};
use crate::base::DType;
use crate::diag::Diagnostic;
use crate::runtime::data::files::{problem, short_name};
use crate::runtime::data::table::Table;
use crate::sema::job::SourcePlan;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags, Statement};
use std::path::Path;

/// Rows to look at for the type of a column that has none declared, as a sum has not, and for what texts are.
const LOOKED_AT: usize = 100;

/// Texts are looked at in files of so many bytes at most: a query may have to read all of a file for its first row.
const SMALL: u64 = 8 << 20;

pub fn glance(
    path: &Path,
    query: &str,
    source: &SourcePlan,
) -> Result<(Vec<Heading>, Option<Table>), Failure> {
    let name = short_name(path);
    let connection = open(path, &name, source)?;
    let mut statement = prepare(&connection, query, &name, source)?;
    let declared: Vec<Option<Option<DType>>> =
        statement.columns().map(|c| c.decl_type().map(affinity)).collect();
    let mut names = header(&statement, &name, source)?;
    let mut gathered = Gathered::new(name.clone(), names.clone(), source);
    let mut seen: Vec<Option<Option<DType>>> = vec![None; names.len()];
    let small = path.metadata().is_ok_and(|m| m.len() <= SMALL);
    let known = |declared: &Option<Option<DType>>| match declared {
        Some(Some(_)) => true,
        Some(None) => !small,
        None => false,
    };
    let looks = !declared.iter().all(known);
    let mut rows = statement.query([]).map_err(|e| broken_off(&name, &e, 1, source))?;
    for at in 1..=if looks { LOOKED_AT } else { 0 } {
        let wrong = |e: rusqlite::Error| broken_off(&name, &e, at, source);
        let Some(row) = rows.next().map_err(wrong)? else { break };
        for (i, seen) in seen.iter_mut().enumerate() {
            let found = row.get_ref(i).map_err(wrong)?;
            *seen = match (*seen, found) {
                (seen, ValueRef::Null) => seen,
                (None | Some(Some(DType::I32)), ValueRef::Integer(_)) => Some(Some(DType::I32)),
                (Some(Some(_)) | None, ValueRef::Integer(_) | ValueRef::Real(_)) => Some(Some(DType::F32)),
                (_, ValueRef::Integer(_) | ValueRef::Real(_) | ValueRef::Text(_) | ValueRef::Blob(_)) => {
                    Some(None)
                }
            };
            // Bytes that are no text are for loading to name.
            gathered.push(i, value(found).unwrap_or(Value::Null))?;
        }
    }
    for ((heading, declared), seen) in names.iter_mut().zip(declared).zip(seen) {
        heading.dtype = declared.or(seen).flatten();
    }
    let first = (looks && small).then(|| gathered.table());
    Ok((names, first))
}

/// A value as it is; `None` of bytes that are no text.
fn value(found: ValueRef) -> Option<Value> {
    Some(match found {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(n) => Value::Whole(n),
        ValueRef::Real(x) => Value::Real(x),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => Value::Text(std::str::from_utf8(bytes).ok()?),
    })
}

pub fn load(path: &Path, query: &str, source: &SourcePlan) -> Result<Table, Failure> {
    let name = short_name(path);
    let connection = open(path, &name, source)?;
    let mut statement = prepare(&connection, query, &name, source)?;
    let headings = header(&statement, &name, source)?;
    let columns = headings.len();
    let mut gathered = Gathered::new(name.clone(), headings, source);
    let refuse = |e: rusqlite::Error| refused(&name, &e.to_string(), source);
    let mut rows = statement.query([]).map_err(refuse)?;
    let mut at = 0;
    while let Some(row) = rows.next().map_err(|e| broken_off(&name, &e, at + 1, source))? {
        at += 1;
        for column in 0..columns {
            let value = value(row.get_ref(column).map_err(refuse)?);
            gathered.push(column, value.ok_or_else(|| no_text(&gathered, column, at))?)?;
        }
    }
    Ok(gathered.table())
}

/// A row that the database does not give: its file is damaged, or the query cannot be worked out.
fn broken_off(name: &str, e: &rusqlite::Error, row: usize, source: &SourcePlan) -> Failure {
    match is_damage(e) {
        true => damaged(&format!("{name}:{row}"), e, source),
        false => refused(name, &e.to_string(), source),
    }
}

fn is_damage(e: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{DatabaseCorrupt, SystemIoFailure};
    matches!(e.sqlite_error_code(), Some(DatabaseCorrupt | SystemIoFailure))
}

fn damaged(place: &str, e: &rusqlite::Error, source: &SourcePlan) -> Failure {
    let message = format!("{place}: the database is damaged or cut off: {e}");
    let help = "copy the file again; `PRAGMA integrity_check` says what is left of it";
    Failure::Wrong(Box::new(problem("data::sql", message, source).help(help)))
}

fn no_text(gathered: &Gathered, column: usize, row: usize) -> Box<Diagnostic> {
    let column = &gathered.headings[column].name;
    let message = format!("{}:{row}: `{column}` is not UTF-8 text in this row", gathered.name);
    let wrong = problem("data::encoding", message, gathered.source);
    Box::new(wrong.help("leave the column out of `query`, or convert it: `hex(column)`"))
}

fn open(path: &Path, name: &str, source: &SourcePlan) -> Result<Connection, Failure> {
    let wrong = |code, why: String, help: &str| {
        Failure::Wrong(Box::new(problem(code, format!("{name}: {why}"), source).help(help)))
    };
    if path.metadata().is_ok_and(|m| m.len() == 0) {
        return Err(wrong("data::empty", "the file is empty".into(), "name a database that has tables"));
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let opened = Connection::open_with_flags(path, flags).and_then(|connection| {
        // A file that is none is noticed when it is first read.
        connection.query_row("SELECT count(*) FROM sqlite_master", [], |_| Ok(()))?;
        Ok(connection)
    });
    opened.map_err(|e| match e.sqlite_error_code() {
        Some(rusqlite::ErrorCode::NotADatabase) => wrong(
            "data::magic",
            "this is no database of SQLite".into(),
            "name a file that SQLite wrote; other formats have sources of their own",
        ),
        _ if is_damage(&e) => damaged(name, &e, source),
        _ => wrong(
            "data::sql",
            format!("the database cannot be read: {e}"),
            "check it with `PRAGMA integrity_check`",
        ),
    })
}

fn prepare<'c>(
    connection: &'c Connection,
    query: &str,
    name: &str,
    source: &SourcePlan,
) -> Result<Statement<'c>, Failure> {
    let statement = connection.prepare(query).map_err(|e| {
        if is_damage(&e) {
            return damaged(name, &e, source);
        }
        // The error repeats the query, which is in the spec.
        let text = e.to_string();
        refused(name, text.split(" in ").next().unwrap_or(&text), source)
    })?;
    match statement.readonly() && statement.column_count() > 0 {
        true => Ok(statement),
        false => Err(refused(name, "it does not read rows", source)),
    }
}

fn header(statement: &Statement, name: &str, source: &SourcePlan) -> Result<Vec<Heading>, Failure> {
    let names = statement.column_names().map(|n| (n.to_string(), None));
    Ok(headings(names, name, source)?)
}

/// What SQLite makes of a declared type (<https://www.sqlite.org/datatype3.html>, 3.1): none of text.
fn affinity(declared: &str) -> Option<DType> {
    let declared = declared.to_uppercase();
    let has = |words: &[&str]| words.iter().any(|w| declared.contains(w));
    if has(&["INT", "BOOL"]) {
        Some(DType::I32)
    } else if has(&["CHAR", "CLOB", "TEXT", "BLOB", "DATE", "TIME"]) {
        None
    } else {
        Some(DType::F32)
    }
}
