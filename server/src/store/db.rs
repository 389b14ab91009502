//! Connections: one writer and several readers on SQLite, a pool on PostgreSQL.

use crate::config::HubConfig;
use crate::error::{Code, Error};
use crate::migrations::Migrator;
use sea_orm::sqlx::sqlite::{SqliteJournalMode, SqliteSynchronous};
use sea_orm::{
    ConnectOptions, Database, DatabaseConnection, DatabaseTransaction, DbErr, SqliteTransactionMode,
    TransactionOptions, TransactionTrait,
};
use sea_orm_migration::MigratorTrait;
use std::time::Duration;

/// The connections of a hub.
#[derive(Debug, Clone)]
pub(crate) struct Db {
    write: DatabaseConnection,
    /// For queries outside transactions.
    pub(crate) read: DatabaseConnection,
}

impl Db {
    /// Connects and brings the schema up to date.
    pub(crate) async fn open(config: &HubConfig) -> Result<Self, Error> {
        let db = match &config.database_url {
            Some(url) => postgres(url).await,
            None => sqlite(&config.data_dir.join("hub.sqlite")).await,
        }
        .map_err(|e| {
            Error::startup(format!("The database cannot be opened: {e}. Check its address and rights."))
        })?;
        Migrator::up(&db.write, None).await.map_err(|e| {
            Error::startup(format!("The database's schema cannot be brought up to date: {e}."))
        })?;
        Ok(db)
    }

    /// Begins a write transaction; on SQLite it holds the one write lock from the start.
    pub(crate) async fn begin(&self) -> Result<DatabaseTransaction, Error> {
        let options = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..Default::default()
        };
        Ok(self.write.begin_with_options(options).await?)
    }

    /// Closes the connections, which folds SQLite's log into the database file.
    pub(crate) async fn close(self) {
        for connection in [self.read, self.write] {
            if let Err(error) = connection.close().await {
                tracing::warn!(%error, "closing a database connection");
            }
        }
    }
}

async fn sqlite(path: &std::path::Path) -> Result<Db, DbErr> {
    let file = path.to_path_buf();
    let options = |max: u32, create: bool| {
        let file = file.clone();
        let mut options = ConnectOptions::new("sqlite::memory:");
        options
            .max_connections(max)
            .min_connections(1)
            .sqlx_logging(false)
            .acquire_timeout(Duration::from_secs(10))
            .idle_timeout(None)
            .max_lifetime(None)
            .test_before_acquire(false)
            .map_sqlx_sqlite_opts(move |o| {
                o.filename(&file)
                    .in_memory(false)
                    .shared_cache(false)
                    .create_if_missing(create)
                    .journal_mode(SqliteJournalMode::Wal)
                    .synchronous(SqliteSynchronous::Full)
                    .foreign_keys(true)
                    .busy_timeout(Duration::from_secs(5))
                    .pragma("wal_autocheckpoint", "1000")
                    .pragma("trusted_schema", "OFF")
            });
        options
    };
    let write = Database::connect(options(1, true)).await?;
    let read = Database::connect(options(4, false)).await?;
    Ok(Db { write, read })
}

async fn postgres(url: &str) -> Result<Db, DbErr> {
    let mut options = ConnectOptions::new(url);
    options
        .max_connections(8)
        .min_connections(1)
        .sqlx_logging(false)
        .acquire_timeout(Duration::from_secs(10))
        .test_before_acquire_if_idle_for(Duration::from_secs(5));
    let write = Database::connect(options).await?;
    Ok(Db { read: write.clone(), write })
}

/// Turns a breach of a unique index into the error the person can act on.
pub(crate) fn unique_or(code: Code, detail: &str) -> impl FnOnce(DbErr) -> Error + '_ {
    move |e| match e.sql_err() {
        Some(sea_orm::SqlErr::UniqueConstraintViolation(_)) => Error::new(code, detail),
        _ => e.into(),
    }
}
