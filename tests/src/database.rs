//! Databases of tests: PostgreSQL where `FIEL_TEST_DATABASE_URL` names a server, else SQLite.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

/// A PostgreSQL database of a test's own, dropped when this goes out of scope.
#[derive(Debug)]
pub struct Database {
    /// `postgres://...`, for `--database-url`.
    pub url: String,
    server: String,
    name: String,
}

impl Database {
    /// Makes a database on the server that `FIEL_TEST_DATABASE_URL` names; `None` where it names none, which means
    /// SQLite in the data folder of the hub.
    ///
    /// # Panics
    /// When the server does not make it.
    #[must_use]
    pub fn own() -> Option<Self> {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let server = std::env::var("FIEL_TEST_DATABASE_URL").ok()?;
        let since_1970 = std::time::UNIX_EPOCH.elapsed().expect("the clock is right").as_nanos();
        let name =
            format!("fiel_{}_{since_1970}_{}", std::process::id(), MADE.fetch_add(1, Ordering::Relaxed));
        psql(&server, &format!("create database {name}")).unwrap_or_else(|e| panic!("{name}: {e}"));
        let base = server.rsplit_once('/').expect("a database address ends with a name").0;
        Some(Self { url: format!("{base}/{name}"), server, name })
    }

    /// The first row that a query gives, fields joined by `|`.
    ///
    /// # Panics
    /// When the server does not answer it.
    #[must_use]
    pub fn query(&self, sql: &str) -> String {
        psql(&self.url, sql).unwrap_or_else(|e| panic!("{sql}: {e}"))
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // A hub that is still connected is cut off. What cannot be dropped goes with the server.
        if let Err(error) = psql(&self.server, &format!("drop database if exists {} with (force)", self.name))
        {
            eprintln!("{}: {error}", self.name);
        }
    }
}

/// Fails unless the hub that started on `data` keeps its rows where the test wanted them: in `database`, and not in
/// SQLite beside it, or in SQLite where there is none. Whatever starts hubs in tests calls this, so that a pass on
/// PostgreSQL cannot quietly be one on SQLite.
///
/// # Panics
/// When the rows are elsewhere.
pub fn assert_used(database: Option<&Database>, data: &Path) {
    let offered = std::env::var_os("FIEL_TEST_DATABASE_URL").is_some();
    assert_eq!(database.is_some(), offered, "a test offered a PostgreSQL runs on it, and only then");
    let sqlite = data.join("hub.sqlite").exists();
    assert_eq!(sqlite, !offered, "SQLite in {}, PostgreSQL offered: {offered}", data.display());
    if let Some(database) = database {
        let admins = database.query("select count(*) from accounts where name = 'admin'");
        assert_eq!(admins, "1", "the hub on {} made its administrator in PostgreSQL", data.display());
    }
}

fn psql(url: &str, sql: &str) -> Result<String, String> {
    let output = Command::new("psql").args([url, "-X", "-q", "-At", "-c", sql]).output();
    let output = output.map_err(|e| format!("psql, a part of PostgreSQL, does not start: {e}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
    }
    Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
}
