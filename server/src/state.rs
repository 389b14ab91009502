//! What every request shares.

use crate::blobs::Blobs;
use crate::config::HubConfig;
use crate::leaderboard::Boards;
use crate::sse::Events;
use crate::store::db::Db;
use crate::uploads::Uploads;
use chrono::{DateTime, Utc};
use tokio::sync::{Notify, Semaphore};

/// What every request shares; `web::Data<AppState>` in handlers.
pub struct AppState {
    /// Configuration.
    pub config: HubConfig,
    /// Artifacts and public files.
    pub blobs: Blobs,
    /// Cached leaderboards.
    pub boards: Boards,
    /// Announces submissions whose status changed.
    pub events: Events,
    pub(crate) db: Db,
    /// Wakes claims that wait for work.
    pub(crate) work: Notify,
    /// Bounds concurrent password hashing.
    pub(crate) passwords: Semaphore,
    /// Bounds concurrent uploads.
    pub(crate) uploads: Semaphore,
    /// Uploads in parts that are not finished.
    pub(crate) parts: Uploads,
}

impl AppState {
    pub(crate) fn new(config: HubConfig, db: Db, blobs: Blobs, parts: Uploads) -> Self {
        Self {
            config,
            db,
            blobs,
            boards: Boards::default(),
            events: Events::default(),
            work: Notify::new(),
            passwords: Semaphore::new(4),
            uploads: Semaphore::new(256),
            parts,
        }
    }

    /// Now, in milliseconds.
    pub fn now(&self) -> i64 {
        (self.config.clock.0)()
    }

    /// A new id.
    pub fn new_id(&self) -> String {
        (self.config.ids)()
    }
}

/// Milliseconds as a time.
pub fn time(ms: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(ms).unwrap_or(DateTime::UNIX_EPOCH)
}
