//! How a hub is configured.

use crate::error::Error;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// A clock: milliseconds since 1970 in UTC. Tests inject one that they move themselves.
#[derive(Clone)]
pub struct Clock(pub Arc<dyn Fn() -> i64 + Send + Sync>);

impl Clock {
    /// The system's clock.
    pub fn system() -> Self {
        Self(Arc::new(|| chrono::Utc::now().timestamp_millis()))
    }
}

impl std::fmt::Debug for Clock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Clock")
    }
}

/// A source of ids: time-ordered UUIDs in production.
pub type Ids = fn() -> String;

/// Everything a hub needs to know before it starts. Not `Debug`: addresses and keys hold secrets.
#[derive(Clone)]
pub struct HubConfig {
    /// Folder of the database, the blobs and the administrator's token.
    pub data_dir: PathBuf,
    /// Address to listen on; port 0 takes a free one.
    pub listen: SocketAddr,
    /// `postgres://...`; SQLite in the data folder when absent.
    pub database_url: Option<String>,
    /// `s3://bucket?endpoint=http://host:port&region=name`; a folder in the data folder when absent.
    /// The keys come from `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`.
    pub blobs_url: Option<String>,
    /// Access key and secret key of the store, instead of those of the environment.
    pub blobs_keys: Option<(String, String)>,
    /// Seconds a run stays leased without a heartbeat.
    pub lease_s: u64,
    /// Address under which people reach the hub; makes cookies `Secure` when it is https.
    pub public_url: Option<String>,
    /// Largest artifact, bytes.
    pub artifact_bytes_max: u64,
    /// Longest time of a request that neither uploads nor waits by design.
    pub request_time: Duration,
    /// Threads that serve requests.
    pub workers: usize,
    /// Current time in milliseconds.
    pub clock: Clock,
    /// Next id.
    pub ids: Ids,
}

impl HubConfig {
    /// Embedded defaults: SQLite and local blobs in `data_dir`, a free port of the loopback interface.
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self {
            data_dir: data_dir.into(),
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            database_url: None,
            blobs_url: None,
            blobs_keys: None,
            lease_s: 60,
            public_url: None,
            artifact_bytes_max: 256 << 20,
            request_time: Duration::from_secs(30),
            workers: 2,
            clock: Clock::system(),
            ids: new_id,
        }
    }

    /// Lease in milliseconds.
    pub fn lease_ms(&self) -> i64 {
        i64::try_from(self.lease_s.saturating_mul(1000)).unwrap_or(i64::MAX / 4)
    }

    /// True where people reach the hub over https.
    pub fn is_https(&self) -> bool {
        self.public_url.as_deref().is_some_and(|u| u.starts_with("https://"))
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        if self.lease_s == 0 {
            return Err(Error::startup("the lease must last at least one second; set it to 60"));
        }
        Ok(())
    }
}

/// A new time-ordered UUID.
pub fn new_id() -> String {
    uuid::Uuid::now_v7().to_string()
}
