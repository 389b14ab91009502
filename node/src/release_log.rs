//! The release log: everything that was released, in order, hash-chained, written and synced before it is sent.

use crate::{NodeError, folder};
use chrono::{DateTime, SubsecRound as _, Utc};
use fiel_schemas::digest;
use fiel_schemas::dsse::Envelope;
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

const FILE_NAME: &str = "release-log.jsonl";
/// What the first entry names as its predecessor.
const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// One line of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Position, from 1.
    pub seq: u64,
    /// When it was written.
    pub at: DateTime<Utc>,
    /// Run id.
    pub run: String,
    /// SHA-256 of the envelope in canonical JSON.
    pub envelope_sha256: String,
    /// What was released.
    pub envelope: Envelope,
    /// Hash of the entry before; zeros for the first.
    pub previous: String,
    /// SHA-256 of this entry in canonical JSON without this field.
    pub hash: String,
}

impl Entry {
    fn expected_hash(&self) -> String {
        let mut value = serde_json::to_value(self).unwrap_or_default();
        if let Some(fields) = value.as_object_mut() {
            fields.remove("hash");
        }
        digest::sha256_hex(&digest::canonical_json(&value))
    }
}

/// An envelope that stands in the release log; the only thing [`crate::gate::report`] accepts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedEnvelope(Envelope);

impl LoggedEnvelope {
    /// The envelope.
    pub fn envelope(&self) -> &Envelope {
        &self.0
    }

    /// Reads `envelope.json` of a run; it is written only after the log entry was synced.
    pub(crate) fn load(run_dir: &Path) -> Result<Option<Self>, NodeError> {
        let path = run_dir.join("envelope.json");
        if path.exists() { folder::read_json(&path).map(|e| Some(Self(e))) } else { Ok(None) }
    }
}

/// The log, open for appending.
#[derive(Debug)]
pub struct ReleaseLog {
    path: PathBuf,
    seq: u64,
    head: String,
}

impl ReleaseLog {
    /// Opens the log of a data folder. A torn last line (the process died while writing it; nothing of it was sent)
    /// is cut off.
    pub fn open(data_dir: &Path) -> Result<Self, NodeError> {
        let path = data_dir.join(FILE_NAME);
        let mut log = Self { path, seq: 0, head: GENESIS.to_owned() };
        if !log.path.exists() {
            return Ok(log);
        }
        let Some(line) = last_whole_line(&log.path)? else { return Ok(log) };
        let entry: Entry = serde_json::from_slice(&line).map_err(|e| NodeError::Document {
            path: log.path.clone(),
            message: format!(
                "the last entry is not readable ({e}); run `fiel node verify-log` and restore a backup"
            ),
        })?;
        (log.seq, log.head) = (entry.seq, entry.hash);
        Ok(log)
    }

    /// Appends an envelope, syncs it to disk, and stores it as `envelope.json` of its run.
    pub fn append(
        &mut self,
        run: &str,
        run_dir: &Path,
        envelope: Envelope,
    ) -> Result<LoggedEnvelope, NodeError> {
        let mut entry = Entry {
            seq: self.seq + 1,
            at: Utc::now().trunc_subsecs(3),
            run: run.to_owned(),
            envelope_sha256: digest::sha256_hex(&digest::canonical_json(&envelope)),
            envelope: envelope.clone(),
            previous: self.head.clone(),
            hash: String::new(),
        };
        entry.hash = entry.expected_hash();
        let mut line =
            serde_json::to_vec(&entry).map_err(|e| NodeError::Task(format!("release log: {e}")))?;
        line.push(b'\n');
        let mut file = OpenOptions::new().create(true).append(true).open(&self.path)?;
        file.write_all(&line)?;
        file.sync_all()?;
        (self.seq, self.head) = (entry.seq, entry.hash);
        folder::write_json(&run_dir.join("envelope.json"), &envelope, folder::Access::Shared)?;
        Ok(LoggedEnvelope(envelope))
    }
}

/// The last line that ends with a newline, cutting off what follows it.
fn last_whole_line(path: &Path) -> Result<Option<Vec<u8>>, NodeError> {
    const STEP: u64 = 64 * 1024;
    let mut file = File::options().read(true).write(true).open(path)?;
    let length = file.metadata()?.len();
    let mut start = length;
    let mut tail: Vec<u8> = Vec::new();
    loop {
        let end_of_line = tail.iter().rposition(|b| *b == b'\n');
        let begin = end_of_line.and_then(|end| tail[..end].iter().rposition(|b| *b == b'\n'));
        if let (Some(end), true) = (end_of_line, begin.is_some() || start == 0) {
            let whole = start + end as u64 + 1;
            if whole < length {
                tracing::warn!(path = %path.display(), "cut off a torn last line of the release log");
                file.set_len(whole)?;
                file.sync_all()?;
            }
            return Ok(Some(tail[begin.map_or(0, |b| b + 1)..end].to_vec()));
        }
        if start == 0 {
            if length > 0 {
                file.set_len(0)?;
                file.sync_all()?;
            }
            return Ok(None);
        }
        let step = STEP.min(start);
        start -= step;
        let mut chunk = vec![0_u8; usize::try_from(step).unwrap_or(usize::MAX)];
        file.seek(SeekFrom::Start(start))?;
        file.read_exact(&mut chunk)?;
        chunk.extend_from_slice(&tail);
        tail = chunk;
    }
}

/// Verifies the whole chain of a data folder's log and gives the number of entries. Any edited, removed, inserted or
/// reordered entry is named by its line.
pub fn verify_log(data_dir: &Path) -> Result<u64, NodeError> {
    let path = data_dir.join(FILE_NAME);
    if !path.exists() {
        return Ok(0);
    }
    let (mut head, mut line_number) = (GENESIS.to_owned(), 0_u64);
    for line in BufReader::new(fs_err::File::open(&path)?).lines() {
        line_number += 1;
        let broken = |message: String| NodeError::ReleaseLog { line: line_number, message };
        let entry: Entry = serde_json::from_str(&line?).map_err(|e| broken(format!("not an entry: {e}")))?;
        if entry.seq != line_number {
            return Err(broken(format!("has number {}: an entry was removed or inserted", entry.seq)));
        }
        if entry.previous != head {
            return Err(broken("does not follow the entry before it".to_owned()));
        }
        if entry.hash != entry.expected_hash() {
            return Err(broken("was changed after it was written: its hash does not match".to_owned()));
        }
        if entry.envelope_sha256 != digest::sha256_hex(&digest::canonical_json(&entry.envelope)) {
            return Err(broken("its envelope does not match its digest".to_owned()));
        }
        head = entry.hash;
    }
    Ok(line_number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn envelope(text: &str) -> Envelope {
        Envelope { payload_type: "t".to_owned(), payload: text.to_owned(), signatures: Vec::new() }
    }

    fn filled(dir: &Path) -> PathBuf {
        let mut log = ReleaseLog::open(dir).unwrap();
        for i in 0..5 {
            log.append(&format!("run-{i}"), dir, envelope(&"x".repeat(i * 40_000))).unwrap();
        }
        dir.join(FILE_NAME)
    }

    #[test]
    fn a_log_continues_its_chain_after_reopening() {
        let dir = tempfile::tempdir().unwrap();
        filled(dir.path());
        let mut log = ReleaseLog::open(dir.path()).unwrap();
        log.append("again", dir.path(), envelope("y")).unwrap();
        assert_eq!(verify_log(dir.path()).unwrap(), 6);
    }

    #[test]
    fn a_torn_last_line_is_cut_off_and_the_chain_holds() {
        let dir = tempfile::tempdir().unwrap();
        let path = filled(dir.path());
        let mut bytes = std::fs::read(&path).unwrap();
        bytes.extend_from_slice(&vec![b'{'; 100_000]);
        std::fs::write(&path, bytes).unwrap();
        let mut log = ReleaseLog::open(dir.path()).unwrap();
        log.append("again", dir.path(), envelope("y")).unwrap();
        assert_eq!(verify_log(dir.path()).unwrap(), 6);
    }

    #[test]
    fn a_log_that_is_nothing_but_a_torn_line_starts_anew() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(FILE_NAME), "{\"seq\":1").unwrap();
        ReleaseLog::open(dir.path()).unwrap().append("a", dir.path(), envelope("y")).unwrap();
        assert_eq!(verify_log(dir.path()).unwrap(), 1);
    }

    #[test]
    fn every_kind_of_tampering_is_named_by_its_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = filled(dir.path());
        let text = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        let edited = lines[1].replace("run-1", "run-9");
        let cases: Vec<(Vec<&str>, u64)> = vec![
            (vec![lines[0], &edited, lines[2]], 2),
            (vec![lines[0], lines[2]], 2),
            (vec![lines[1], lines[0]], 1),
            (vec![lines[0], lines[0]], 2),
            (vec![lines[0], "not json"], 2),
        ];
        for (kept, line) in cases {
            std::fs::write(&path, kept.join("\n") + "\n").unwrap();
            match verify_log(dir.path()) {
                Err(NodeError::ReleaseLog { line: named, .. }) => assert_eq!(named, line),
                other => panic!("{other:?}"),
            }
        }
    }
}
