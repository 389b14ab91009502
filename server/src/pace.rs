//! How slowly an upload may arrive. Uploads have no limit of time, because large ones take long on poor lines; instead
//! they may not fall silent, and not trickle.

use std::fmt::Display;
use std::time::{Duration, Instant};

/// Longest silence within an upload.
pub(crate) const IDLE: Duration = Duration::from_secs(30);
/// Time before the pace is looked at.
const GRACE: Duration = Duration::from_secs(30);
/// Slowest pace after that, bytes per second of the whole upload.
const BYTES_PER_S_MIN: u64 = 4096;

/// The pace of one upload.
pub(crate) struct Pace {
    started: Instant,
    bytes: u64,
}

impl Pace {
    /// An upload begins.
    pub(crate) fn start() -> Self {
        Self { started: Instant::now(), bytes: 0 }
    }

    /// The next part of an upload, or why it has to end.
    pub(crate) async fn next<T: AsRef<[u8]>, E: Display>(
        &mut self,
        next: impl Future<Output = Result<Option<T>, E>>,
    ) -> Result<Option<T>, String> {
        let part = in_time(next).await?;
        if let Some(part) = &part {
            self.bytes = self.bytes.saturating_add(part.as_ref().len() as u64);
            if is_too_slow(self.bytes, self.started.elapsed()) {
                return Err(format!("less than {BYTES_PER_S_MIN} bytes arrived per second"));
            }
        }
        Ok(part)
    }
}

fn is_too_slow(bytes: u64, elapsed: Duration) -> bool {
    bytes < elapsed.saturating_sub(GRACE).as_secs().saturating_mul(BYTES_PER_S_MIN)
}

/// What comes next, unless nothing comes for too long.
pub(crate) async fn in_time<T, E: Display>(next: impl Future<Output = Result<T, E>>) -> Result<T, String> {
    match tokio::time::timeout(IDLE, next).await {
        Ok(part) => part.map_err(|e| e.to_string()),
        Err(_) => Err(format!("nothing came for {} seconds", IDLE.as_secs())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upload_may_be_slow_but_not_trickle() {
        let hour = Duration::from_hours(1);
        assert!(!is_too_slow(1, Duration::from_secs(30)), "the first half minute is free");
        assert!(is_too_slow(31, Duration::from_secs(31)), "a byte a second is a trickle");
        assert!(!is_too_slow(16 << 20, hour), "16 MiB in an hour");
        assert!(is_too_slow(10 << 20, hour), "10 MiB in an hour");
    }
}
