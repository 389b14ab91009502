//! What models print: kept at the site in a bounded ring per run, never sent.

use crate::{NodeError, folder};
use std::collections::VecDeque;
use std::path::Path;

/// Most bytes kept of one case; the last ones.
const CASE_BYTES_MAX: usize = 64 * 1024;
/// Most bytes kept of a run; older cases are dropped.
const RUN_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Output of a model for one case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaseLog {
    /// The site's case id.
    pub case: String,
    /// The name the model saw.
    pub pseudonym: String,
    /// What it printed.
    pub bytes: Vec<u8>,
}

/// A bounded ring of case logs.
#[derive(Debug, Default)]
pub struct LogRing {
    entries: VecDeque<CaseLog>,
    bytes: usize,
}

impl LogRing {
    /// Keeps a case's output; empty output takes no room.
    pub fn push(&mut self, case: &str, pseudonym: &str, mut bytes: Vec<u8>) {
        if bytes.is_empty() {
            return;
        }
        if bytes.len() > CASE_BYTES_MAX {
            bytes.drain(..bytes.len() - CASE_BYTES_MAX);
        }
        self.bytes += bytes.len();
        self.entries.push_back(CaseLog { case: case.to_owned(), pseudonym: pseudonym.to_owned(), bytes });
        while self.bytes > RUN_BYTES_MAX {
            let Some(oldest) = self.entries.pop_front() else { break };
            self.bytes -= oldest.bytes.len();
        }
    }

    /// The logs kept.
    pub fn into_entries(self) -> Vec<CaseLog> {
        self.entries.into()
    }
}

/// Writes logs as `logs/<pseudonym>.log` of a run's folder, replacing those of an earlier attempt.
pub(crate) fn write(run_dir: &Path, logs: &[CaseLog]) -> Result<(), NodeError> {
    let target = run_dir.join("logs");
    if target.exists() {
        fs_err::remove_dir_all(&target)?;
    }
    fs_err::create_dir_all(&target)?;
    for log in logs.iter().filter(|log| folder::is_plain_name(&log.pseudonym)) {
        fs_err::write(target.join(format!("{}.log", log.pseudonym)), &log.bytes)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ring_keeps_the_newest_and_stays_bounded() {
        let mut ring = LogRing::default();
        for i in 0..400 {
            ring.push(&format!("case-{i}"), &format!("c{i}"), vec![b'a'; 100_000]);
        }
        let kept = ring.into_entries();
        assert_eq!(kept.len(), RUN_BYTES_MAX / CASE_BYTES_MAX);
        assert_eq!(kept.last().map(|l| l.case.as_str()), Some("case-399"));
        assert!(kept.iter().all(|l| l.bytes.len() == CASE_BYTES_MAX));
    }
}
