//! Servers of PostgreSQL. Rows come by `COPY … TO STDOUT` as CSV, where all but NULL is in quotes.

use super::{Failure, Gathered, Heading, Value, headings, refused};
use crate::base::DType;
use crate::runtime::data::files::problem;
use crate::runtime::data::scan::Scan;
use crate::runtime::data::table::Table;
use crate::sema::job::{Dialect, SourcePlan};
use postgres::types::Type;
use postgres::{Client, Config, NoTls, Transaction};
use std::io::Read;
use std::time::Duration;

/// How long a server has to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// What makes values the same text on every server.
const SETTINGS: &str = "SET LOCAL datestyle = 'ISO, YMD'; SET LOCAL timezone = 'UTC'; \
                        SET LOCAL extra_float_digits = 3; SET LOCAL bytea_output = 'hex'";

/// What stands for NULL: a line of it is never blank.
const NULL: &str = "\\N";

/// Bytes to read before they are cut into rows.
const PIECE: u64 = 1 << 20;

pub fn glance(url: &str, query: &str, source: &SourcePlan) -> Result<Vec<Heading>, Failure> {
    let mut client = connect(url, source)?;
    let mut transaction = begin(&mut client, url, source)?;
    columns(&mut transaction, url, query, source)
}

pub fn load(url: &str, query: &str, source: &SourcePlan) -> Result<Table, Failure> {
    let mut client = connect(url, source)?;
    let mut transaction = begin(&mut client, url, source)?;
    let headings = columns(&mut transaction, url, query, source)?;
    let kinds: Vec<Option<DType>> = headings.iter().map(|h| h.dtype).collect();
    let mut gathered = Gathered::new(url.to_string(), headings, source);
    let copy = format!("COPY ({query}) TO STDOUT (FORMAT csv, NULL '{NULL}', FORCE_QUOTE *)");
    let mut rows = transaction.copy_out(&copy).map_err(|e| refused(url, &words(&e), source))?;
    let dialect = Dialect::default();
    let mut bytes = Vec::new();
    loop {
        let read = rows.by_ref().take(PIECE).read_to_end(&mut bytes);
        let read = read.map_err(|e| refused(url, &e.to_string(), source))?;
        // Nothing may be asked of a reader behind its end.
        let ended = (read as u64) < PIECE;
        let mut scan = Scan::new(&mut bytes, &dialect, ended);
        while scan.record().map_err(|_| refused(url, "its rows cannot be told apart", source))? {
            for (column, kind) in kinds.iter().enumerate() {
                let Some(field) = scan.fields.get(column).copied() else { break };
                let value = value(scan.text(field), !field.quoted, *kind);
                gathered.push(column, value)?;
            }
        }
        let end = scan.at.min(bytes.len());
        bytes.drain(..end);
        if ended {
            return Ok(gathered.table());
        }
    }
}

fn value(text: &str, missing: bool, kind: Option<DType>) -> Value<'_> {
    if missing {
        return Value::Null;
    }
    match (kind, text) {
        (None, text) => Value::Text(text),
        (Some(DType::I32), "t") => Value::Whole(1),
        (Some(DType::I32), "f") => Value::Whole(0),
        (Some(DType::I32), text) => text.parse().map_or(Value::Text(text), Value::Whole),
        (Some(DType::F32 | DType::U8), text) => text.parse().map_or(Value::Text(text), Value::Real),
    }
}

fn connect(url: &str, source: &SourcePlan) -> Result<Client, Failure> {
    let mut config: Config = url.parse().map_err(|e| {
        let message = format!("{url}: this is no address of a database: {e}");
        let help = "write `postgres://user@host:5432/database`";
        Failure::Wrong(Box::new(problem("data::sql", message, source).help(help)))
    })?;
    config.connect_timeout(PATIENCE);
    config.application_name("mlc");
    if let Ok(password) = std::env::var("PGPASSWORD") {
        config.password(password);
    }
    config.connect(NoTls).map_err(|e| {
        let reached = e.as_db_error().is_some() || !is_io(&e);
        let message = format!("{url}: cannot connect: {}", words(&e));
        let wrong = problem("data::sql", message, source);
        if reached {
            let help = "check user and database; the password is taken from `PGPASSWORD`";
            Failure::Wrong(Box::new(wrong.help(help)))
        } else {
            let help = "start the server, or correct host and port";
            Failure::Unreachable(Box::new(wrong.help(help)))
        }
    })
}

/// Whether nobody answered.
fn is_io(error: &postgres::Error) -> bool {
    std::error::Error::source(error).is_some_and(|e| e.is::<std::io::Error>())
}

/// An error in the server's words, or in those of what caused it.
fn words(error: &postgres::Error) -> String {
    match error.as_db_error() {
        Some(db) => db.message().to_string(),
        None => std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string),
    }
}

fn begin<'c>(client: &'c mut Client, url: &str, source: &SourcePlan) -> Result<Transaction<'c>, Failure> {
    let refuse = |e: postgres::Error| refused(url, &words(&e), source);
    let mut transaction = client.build_transaction().read_only(true).start().map_err(refuse)?;
    transaction.batch_execute(SETTINGS).map_err(|e| refused(url, &words(&e), source))?;
    Ok(transaction)
}

fn columns(
    transaction: &mut Transaction,
    url: &str,
    query: &str,
    source: &SourcePlan,
) -> Result<Vec<Heading>, Failure> {
    let statement = transaction.prepare(query).map_err(|e| refused(url, &words(&e), source))?;
    if statement.columns().is_empty() || !statement.params().is_empty() {
        return Err(refused(url, "it does not read rows", source));
    }
    let named = statement.columns().iter().map(|c| (c.name().to_string(), dtype(c.type_())));
    Ok(headings(named, url, source)?)
}

/// Numbers and booleans are numbers, all else is text.
fn dtype(of: &Type) -> Option<DType> {
    match *of {
        Type::BOOL | Type::INT2 | Type::INT4 | Type::INT8 | Type::OID => Some(DType::I32),
        Type::FLOAT4 | Type::FLOAT8 | Type::NUMERIC => Some(DType::F32),
        _ => None,
    }
}
