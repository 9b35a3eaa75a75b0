//! `sql` against the real PostgreSQL: a server of its own, in a temporary folder.

use crate::support::{mlc, skipped, stderr, stdout};
use crate::tables::{Rows, spec, train};
use postgres::{Client, Config, NoTls};
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const PASSWORD: &str = "open-sesame-42";

/// A running server, gone with its folder when it is dropped.
struct Server {
    folder: tempfile::TempDir,
    process: Child,
    port: u16,
}

/// The newest server that Debian's packages installed.
fn programs() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").ok()?;
    let mut found: Vec<PathBuf> = versions.flatten().map(|v| v.path().join("bin")).collect();
    found.retain(|bin| bin.join("initdb").exists());
    found.sort();
    found.pop()
}

/// A server refuses to run as root, so root runs it as `nobody`.
const NOBODY: u32 = 65534;

impl Server {
    fn start(test: &str) -> Option<Server> {
        let Some(bin) = programs() else {
            let required = std::env::var("MLC_REQUIRE_POSTGRES").is_ok_and(|v| v == "1");
            assert!(!required, "{test} wants PostgreSQL in /usr/lib/postgresql");
            skipped(test, "PostgreSQL in /usr/lib/postgresql");
            return None;
        };
        let folder = tempfile::tempdir().expect("a temporary folder");
        let root = fs::metadata("/proc/self").expect("Linux").uid() == 0;
        if root {
            chown(folder.path(), Some(NOBODY), Some(NOBODY)).expect("root may");
        }
        let command = |program: &str| {
            let mut command = Command::new(bin.join(program));
            command.current_dir(folder.path()).stdout(Stdio::null()).stderr(Stdio::null());
            if root {
                command.uid(NOBODY).gid(NOBODY);
            }
            command
        };
        let (data, secret) = (folder.path().join("data"), folder.path().join("secret"));
        fs::write(&secret, PASSWORD).expect("the folder is writable");
        let made = command("initdb")
            .args(["-U", "ada", "-E", "UTF8", "--locale=C", "-A", "scram-sha-256", "-N"])
            .arg(format!("--pwfile={}", secret.display()))
            .arg("-D")
            .arg(&data)
            .status();
        assert!(made.expect("initdb starts").success(), "initdb makes a cluster");
        let port = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a free port").port();
        let process = command("postgres")
            .arg("-D")
            .arg(&data)
            .args(["-F", "-h", "127.0.0.1", "-p", &port.to_string(), "-k"])
            .arg(folder.path())
            .spawn()
            .expect("postgres starts");
        Some(Server { folder, process, port })
    }

    fn url(&self) -> String {
        format!("postgres://ada@127.0.0.1:{}/postgres", self.port)
    }

    fn client(&self) -> Client {
        let mut config: Config = self.url().parse().expect("an address");
        config.password(PASSWORD);
        let begun = Instant::now();
        loop {
            match config.connect(NoTls) {
                Ok(client) => return client,
                Err(e) => assert!(begun.elapsed() < Duration::from_secs(60), "the server answers: {e}"),
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Whatever becomes of it, the folder goes.
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = self.folder.path();
    }
}

/// The rows of [`Rows::good`], in no order, beside columns of other types.
fn fill(client: &mut Client, rows: &Rows) {
    client
        .batch_execute(
            "CREATE TABLE sides (id int PRIMARY KEY, x double precision, y boolean, price numeric(8, 2), born date, \
             note text)",
        )
        .expect("SQL");
    let insert =
        client.prepare("INSERT INTO sides VALUES ($1, $2, $3, 12.50, '2024-02-29', $4)").expect("SQL");
    let mut order: Vec<usize> = (0..rows.0.len()).collect();
    order.reverse();
    for i in order {
        let (x, y) = (rows.floats(0)[i], rows.floats(1)[i] == 1.0);
        let note = ["a \"b\",\n\\N", "", "é"].get(i % 4);
        client.execute(&insert, &[&(i as i32), &x, &y, &note]).expect("SQL");
    }
}

fn hash(folder: &Path) -> String {
    let text = fs::read_to_string(folder.join("run/run.yaml")).expect("run.yaml is there");
    assert!(!text.contains(PASSWORD), "a run keeps no password");
    let line = text.lines().find_map(|l| l.strip_prefix("weights_hash: "));
    line.expect("run.yaml names the hash of the weights").to_string()
}

#[test]
fn postgres_is_read_as_a_table() {
    let Some(server) = Server::start("postgres_is_read_as_a_table") else { return };
    let rows = Rows::good(60);
    let mut client = server.client();
    fill(&mut client, &rows);
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::write(folder.path().join("t.csv"), rows.text(',')).expect("the folder is writable");
    let typing = "x : standardize\n  y : class(2)";
    let secret = [("PGPASSWORD", PASSWORD)];
    let trained = |source: &str| {
        let output = train(folder.path(), &spec(source, typing), &secret);
        let said = stderr(&output);
        assert!(output.status.success(), "{source}\n{said}");
        assert!(!said.contains(PASSWORD) && !stdout(&output).contains(PASSWORD));
        let hash = hash(folder.path());
        fs::remove_dir_all(folder.path().join("run")).expect("a finished run");
        hash
    };
    let query = |text: &str| format!("sql(\"{}\", query=\"{text}\")", server.url());
    let first = trained("csv(\"t.csv\")");
    assert_eq!(trained(&query("SELECT x, y FROM sides ORDER BY id;")), first);
    assert_eq!(trained(&query("SELECT * FROM sides ORDER BY id")), first);
    // Without an order the rows are the same whichever way the server keeps them.
    let table = format!("sql(\"{}\", table=\"public.sides\")", server.url());
    let before = trained(&table);
    client.batch_execute("UPDATE sides SET note = note; CLUSTER sides USING sides_pkey").expect("SQL");
    assert_eq!(trained(&table), before);
    refusals(&server, folder.path(), &secret);
    types(&server, folder.path(), &secret);
}

/// What is wrong is said in the server's words, before anything runs, and without the password.
fn refusals(server: &Server, folder: &Path, secret: &[(&str, &str)]) {
    let url = server.url();
    let wrong_user = url.replace("ada@", "eve@");
    type Environment<'a> = &'a [(&'a str, &'a str)];
    let cases: [(&str, &str, Environment, &[&str]); 6] = [
        (&url, "SELECT z FROM sides", secret, &["column \"z\" does not exist"]),
        (&url, "DELETE FROM sides RETURNING *", secret, &["the database refuses the query"]),
        (&url, "SELECT 1 AS x; SELECT 2", secret, &["the database refuses the query"]),
        (&url, "SELECT x, x FROM sides", secret, &["two columns of the query are called `x`"]),
        (
            &url,
            "SELECT x, y FROM sides",
            &[("PGPASSWORD", "wrong-pass")],
            &["password authentication failed"],
        ),
        (&wrong_user, "SELECT x, y FROM sides", secret, &["password authentication failed", "PGPASSWORD"]),
    ];
    for (url, query, environment, says) in cases {
        let text = spec(&format!("sql(\"{url}\", query=\"{query}\")"), "x : float\n  y : class(2)");
        let output = train(folder, &text, environment);
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(1), "{query}\n{said}");
        let flat = said.split_whitespace().filter(|w| *w != "|").collect::<Vec<_>>().join(" ");
        says.iter().for_each(|part| assert!(flat.contains(part), "{part}\n{said}"));
        assert!(!said.contains(PASSWORD) && !said.contains("wrong-pass"), "{said}");
        assert!(!folder.join("run").exists());
    }
    // A password in the address is refused, and not shown again.
    let text =
        spec(&format!("sql(\"{}\", table=\"sides\")", url.replace("ada@", "ada:s3cret@")), "x : float");
    fs::write(folder.join("spec.mlspec"), text).expect("the folder is writable");
    let output = mlc(&["check", &folder.join("spec.mlspec").display().to_string()]);
    let said = stderr(&output) + &stdout(&output);
    assert!(said.contains("mlc::data::password") && said.contains("PGPASSWORD"), "{said}");
    assert!(!said.contains("s3cret"), "{said}");
}

/// Checking knows which columns there are, and that numbers need no type.
fn types(server: &Server, folder: &Path, secret: &[(&str, &str)]) {
    let source = format!("sql(\"{}\", table=\"sides\")", server.url());
    for (column, refused) in [("price", false), ("id", false), ("nothing", true)] {
        let text = spec(&source, "").replace("x = d.x", &format!("x = d.{column}"));
        fs::write(folder.join("spec.mlspec"), text).expect("the folder is writable");
        let output = Command::new(env!("CARGO_BIN_EXE_mlc"))
            .args(["check", &folder.join("spec.mlspec").display().to_string()])
            .envs(secret.iter().copied())
            .output()
            .expect("mlc starts");
        let said = stderr(&output) + &stdout(&output);
        let told = said.contains(&format!("`{column}`")) && said.contains("mlc::column::");
        assert_eq!(told, refused, "{column}\n{said}");
    }
}
