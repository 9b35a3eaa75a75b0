//! `sql("sqlite:shop.db", table="orders")`: the address, and which rows.

use super::{Args, Call};
use crate::base::Span;
use crate::diag::Diagnostic;
use crate::sema::job::{Database, SourceKind, SqlRows};

const ADDRESSES: &str = "write `sqlite:file.db` or `postgres://user@host/database`";

impl Call<'_, '_> {
    pub(super) fn sql(&self, args: &Args) -> Option<SourceKind> {
        let [url, query, table] = args.as_slice() else { unreachable!("bind: one result for each slot") };
        let url = url.as_ref()?;
        let database = self.database(&self.cx.string("url", url.value)?, url.span);
        let rows = match (query, table) {
            (Some(query), None) => self.cx.string("query", query.value).map(SqlRows::Query),
            (None, Some(table)) => self.cx.string("table", table.value).map(SqlRows::Table),
            (Some(_), Some(table)) => {
                let message = "`sql` has both `query` and `table`";
                let d = Diagnostic::error("call::many", message, table.span, "one of them is enough");
                self.cx.report(d.help("keep `query`, or take all rows of the `table`"));
                None
            }
            (None, None) => {
                let message = "`sql` needs to know which rows";
                let d = Diagnostic::error("call::missing", message, self.span, "no `query`, no `table`");
                self.cx.report(d.help("add `table=\"orders\"`, or `query=\"SELECT … ORDER BY …\"`"));
                None
            }
        };
        Some(SourceKind::Sql { database: database?, rows: rows? })
    }

    fn database(&self, url: &str, span: Span) -> Option<Database> {
        if let Some(path) = url.strip_prefix("sqlite:") {
            // `sqlite:///tmp/a.db` is how others write an absolute path.
            let path = path.strip_prefix("//").unwrap_or(path);
            return Some(Database::Sqlite { path: path.to_string() });
        }
        let rest = url.strip_prefix("postgres://").or_else(|| url.strip_prefix("postgresql://"));
        let Some(rest) = rest else {
            let d = Diagnostic::error(
                "data::sql",
                "this is no address of a database that mlc reads",
                span,
                "neither SQLite nor PostgreSQL",
            );
            self.cx.report(d.help(ADDRESSES));
            return None;
        };
        if has_password(rest) {
            let message = "the address of the database holds a password";
            let d = Diagnostic::error("data::password", message, span, "not shown here");
            self.cx.report(d.help("take it out of the spec and set `PGPASSWORD` in the environment"));
            return None;
        }
        Some(Database::Postgres { url: url.to_string() })
    }
}

/// Whether an address, less its scheme, says more of a user than the name.
fn has_password(rest: &str) -> bool {
    let (authority, query) = rest.split_once('?').unwrap_or((rest, ""));
    let user = authority.split('/').next().unwrap_or_default().rsplit_once('@').map(|(user, _)| user);
    user.is_some_and(|user| user.contains(':')) || query.split('&').any(|p| p.starts_with("password="))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_seen_wherever_they_stand() {
        for url in ["ada:pw@host/db", "ada:p@w@host", "ada:@host/db", "host/db?sslmode=x&password=p"] {
            assert!(has_password(url), "{url}");
        }
        for url in ["ada@host:5432/db", "host/db?user=a", "/db?host=/tmp/a:b@c", ""] {
            assert!(!has_password(url), "{url}");
        }
    }
}
