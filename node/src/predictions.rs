//! A file of predictions: answers that were made elsewhere, for phases whose inputs are public.
//!
//! A plain tar archive of `<case id>/<path of the output>`, or of one `predictions.csv` with a row for each case. It
//! is read where it lies: entries are counted and placed first, each answer is read when its case is judged, and
//! nothing is unpacked. An answer too many makes the whole archive invalid, as it was not made for this set; an answer
//! too few is a case without output.
//!
//! Where several sites hold the cases of a phase, one archive answers all of them: it has a folder for each reference
//! set, named after it, and a site looks into its own only.

use crate::NodeError;
use crate::hub_client::file_digest;
use fiel_sandbox::{CaseResult, Model, Usage};
use fiel_schemas::api::FailureReason;
use fiel_schemas::assessment::EngineInfo;
use fiel_schemas::challenge::{Challenge, Port, PortKind};
use fiel_schemas::digest::sha256_hex;
use fiel_schemas::outcome::Outcome;
use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::PathBuf;
use tar::{Archive, EntryType, PaxExtensions};

/// Name of the table that may stand for all answers.
const TABLE: &str = "predictions.csv";
/// Largest such table.
const TABLE_BYTES_MAX: u64 = 64 << 20;
/// Largest record of a long name.
const RECORD_BYTES_MAX: u64 = 64 << 10;
/// Most entries of an archive, headers of long names included.
const ENTRIES_MAX: usize = 2_000_000;
/// Longest name of an entry.
const NAME_BYTES_MAX: usize = 4096;

/// What a statement says about the engine where no model ran.
pub(crate) fn engine() -> EngineInfo {
    EngineInfo {
        name: "predictions".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        config_digest: sha256_hex(b"fiel/predictions/v1"),
        confinement: Vec::new(),
        hardware: None,
    }
}

/// The answers of a checked archive.
#[derive(Debug)]
pub(crate) struct Answers<'a> {
    path: PathBuf,
    file: File,
    output: &'a str,
    case_ids: &'a [&'a str],
    bytes_max: u64,
    found: Found,
}

/// Where the answers are, by case.
#[derive(Debug)]
enum Found {
    /// Start and length of the file in the archive.
    Files(Vec<Option<(u64, u64)>>),
    /// A table of one row each.
    Rows(Vec<Option<String>>),
}

/// Checks an archive against the cases of a set.
pub(crate) fn open<'a>(
    model: &Model,
    challenge: &'a Challenge,
    set: &str,
    case_ids: &'a [&'a str],
) -> Result<Answers<'a>, NodeError> {
    if file_digest(&model.path)? != model.sha256 {
        let message = format!("{} has other bytes than its digest", model.path.display());
        return Err(NodeError::refused(FailureReason::DigestMismatch, message));
    }
    let [port] = challenge.interface.outputs.as_slice() else {
        return Err(invalid("a challenge of several outputs takes no file of predictions"));
    };
    let path = model.path.clone();
    let mut file = File::open(&path).map_err(|e| named(&path, &e))?;
    let found = find(&mut file, port, set, case_ids)?;
    let bytes_max = challenge.limits.output_mib.saturating_mul(1 << 20);
    Ok(Answers { path, file, output: &port.path, case_ids, bytes_max, found })
}

impl Answers<'_> {
    /// The answer to a case, as if a model had just given it.
    pub(crate) fn case(&mut self, index: usize) -> Result<CaseResult, NodeError> {
        let bytes = match &self.found {
            Found::Rows(rows) => rows[index].as_ref().map(|row| row.clone().into_bytes()),
            Found::Files(places) => match places[index] {
                Some((_, length)) if length > self.bytes_max => {
                    let reason = format!("`{}` is larger than {} MiB", self.output, self.bytes_max >> 20);
                    return Ok(self.result(index, Outcome::InvalidOutput, reason, None));
                }
                Some((start, length)) => {
                    let mut bytes = Vec::new();
                    let read = self.file.seek(SeekFrom::Start(start));
                    let read = read.and_then(|_| (&self.file).take(length).read_to_end(&mut bytes));
                    read.map_err(|e| named(&self.path, &e))?;
                    Some(bytes)
                }
                None => None,
            },
        };
        Ok(if let Some(bytes) = bytes {
            self.result(index, Outcome::Ok, String::new(), Some(bytes))
        } else {
            let reason = "the file of predictions has no answer to the case".to_owned();
            self.result(index, Outcome::MissingOutput, reason, None)
        })
    }

    fn result(&self, index: usize, outcome: Outcome, reason: String, bytes: Option<Vec<u8>>) -> CaseResult {
        let output_bytes = bytes.as_ref().map_or(0, |bytes| bytes.len() as u64);
        CaseResult {
            index,
            name: self.case_ids[index].to_owned(),
            outcome,
            reason,
            seconds: 0.0,
            usage: Usage { output_bytes, ..Usage::default() },
            outputs: bytes
                .map(|bytes| (self.output.to_owned(), bytes))
                .into_iter()
                .collect::<BTreeMap<_, _>>(),
            log: Vec::new(),
        }
    }
}

/// Finds the answers in an archive. The whole of it is refused for anything that is none.
fn find(file: &mut File, port: &Port, set: &str, case_ids: &[&str]) -> Result<Found, NodeError> {
    let length = file.metadata()?.len();
    let members = of_set(Members::new(file, length)?.regular()?, set);
    let paths = case_ids.iter().enumerate().map(|(row, id)| (format!("{id}/{}", port.path), row));
    let cases: HashMap<String, usize> = paths.collect();
    let (mut places, mut table) = (vec![None; case_ids.len()], None);
    for Member { name, start, size } in members {
        let place = match cases.get(&name) {
            Some(&row) => &mut places[row],
            None if name == TABLE && port.kind == PortKind::Table => &mut table,
            None => {
                let message = format!(
                    "the archive holds `{}`, which answers no case of the set; it takes `<case id>/{}`",
                    shown(&name),
                    port.path
                );
                return Err(invalid(message));
            }
        };
        if place.replace((start, size)).is_some() {
            return Err(invalid(format!("the archive holds `{}` twice", shown(&name))));
        }
    }
    match table {
        None => Ok(Found::Files(places)),
        Some(_) if places.iter().any(Option::is_some) => Err(invalid(format!(
            "the archive holds `{TABLE}` and files of single cases; it takes one of them"
        ))),
        Some((_, size)) if size > TABLE_BYTES_MAX => {
            Err(invalid(format!("`{TABLE}` is larger than {} MiB", TABLE_BYTES_MAX >> 20)))
        }
        Some((start, size)) => {
            let mut text = String::new();
            file.seek(SeekFrom::Start(start))?;
            let read = file.take(size).read_to_string(&mut text);
            read.map_err(|_| invalid(format!("`{TABLE}` is not UTF-8 text")))?;
            rows(&text, port, case_ids).map(Found::Rows)
        }
    }
}

/// Deals the rows of the table to the cases, each below its own header.
fn rows(text: &str, port: &Port, case_ids: &[&str]) -> Result<Vec<Option<String>>, NodeError> {
    let header = std::iter::once("case_id").chain(port.columns.iter().map(String::as_str));
    let header = header.collect::<Vec<_>>().join(",");
    let places: HashMap<&str, usize> = case_ids.iter().enumerate().map(|(row, id)| (*id, row)).collect();
    let mut rows = vec![None; case_ids.len()];
    let mut lines = text.lines();
    if lines.next() != Some(&header) {
        return Err(invalid(format!("the first line of `{TABLE}` must be `{header}`")));
    }
    for (number, line) in lines.enumerate() {
        let case = line.split(',').next().unwrap_or_default();
        let line_number = number + 2;
        let Some(&row) = places.get(case) else {
            return Err(invalid(format!("line {line_number} of `{TABLE}` names no case of the set")));
        };
        if rows[row].replace(format!("{header}\n{line}\n")).is_some() {
            return Err(invalid(format!(
                "line {line_number} of `{TABLE}` answers a case for the second time"
            )));
        }
    }
    Ok(rows)
}

/// The members in the set's own folder, named from there, if there is such a folder; else all of them.
fn of_set(members: Vec<Member>, set: &str) -> Vec<Member> {
    let inside = |name: &str| name.strip_prefix(set)?.strip_prefix('/').map(str::to_owned);
    if members.iter().all(|member| inside(&member.name).is_none()) {
        return members;
    }
    let own = members.into_iter().filter_map(|member| Some(Member { name: inside(&member.name)?, ..member }));
    own.collect()
}

/// A regular file of an archive.
#[derive(Debug)]
struct Member {
    name: String,
    start: u64,
    size: u64,
}

/// Reads the headers of an archive: a bounded number of them, with long names of a bounded length, nothing but
/// regular files and folders.
struct Members<'a> {
    archive: Archive<&'a mut File>,
    length: u64,
}

impl<'a> Members<'a> {
    /// A reader of an archive of so many bytes.
    fn new(file: &'a mut File, length: u64) -> Result<Self, NodeError> {
        file.seek(SeekFrom::Start(0))?;
        Ok(Self { archive: Archive::new(file), length })
    }

    fn regular(mut self) -> Result<Vec<Member>, NodeError> {
        let damaged = |_| invalid("the archive is not a tar archive, or is damaged");
        let mut members = Vec::new();
        let mut long_name = None;
        for (number, entry) in self.archive.entries_with_seek()?.raw(true).enumerate() {
            if number >= ENTRIES_MAX {
                return Err(invalid(format!("the archive has more than {ENTRIES_MAX} entries")));
            }
            let mut entry = entry.map_err(damaged)?;
            let size = entry.header().entry_size().map_err(damaged)?;
            match entry.header().entry_type() {
                EntryType::Regular => {
                    let name = match long_name.take() {
                        Some(name) => name,
                        None => utf8(&entry.header().path_bytes())?,
                    };
                    let name = name.strip_prefix("./").unwrap_or(&name).to_owned();
                    let start = entry.raw_file_position();
                    if start.checked_add(size).is_none_or(|end| end > self.length) {
                        return Err(invalid("the archive ends within a file; upload it again"));
                    }
                    members.push(Member { name, start, size });
                }
                EntryType::Directory => long_name = None,
                EntryType::GNULongName => long_name = Some(gnu_name(&record(&mut entry, size)?)?),
                EntryType::XHeader => long_name = pax_name(&record(&mut entry, size)?)?.or(long_name),
                EntryType::XGlobalHeader => {}
                _ => {
                    return Err(invalid(
                        "the archive holds a link, a device or a sparse file; it takes plain files",
                    ));
                }
            }
        }
        Ok(members)
    }
}

/// The content of an entry that describes the next one.
fn record(entry: &mut impl Read, size: u64) -> Result<Vec<u8>, NodeError> {
    if size > RECORD_BYTES_MAX {
        return Err(invalid(format!("the archive has a name longer than {RECORD_BYTES_MAX} bytes")));
    }
    let mut bytes = Vec::new();
    entry.take(size).read_to_end(&mut bytes).map_err(|_| invalid("the archive ends within a name"))?;
    Ok(bytes)
}

fn gnu_name(record: &[u8]) -> Result<String, NodeError> {
    utf8(record.strip_suffix(b"\0").unwrap_or(record))
}

/// The name in a record of the POSIX form. One that gives another size is refused: the header's own is used.
fn pax_name(record: &[u8]) -> Result<Option<String>, NodeError> {
    let mut name = None;
    for field in PaxExtensions::new(record) {
        let field = field.map_err(|_| invalid("the archive has a damaged extended header"))?;
        match field.key_bytes() {
            b"path" => name = Some(utf8(field.value_bytes())?),
            b"size" => return Err(invalid("the archive holds a file of 8 GiB or more")),
            key if key.starts_with(b"GNU.sparse") => {
                return Err(invalid("the archive holds a sparse file; it takes plain files"));
            }
            _ => {}
        }
    }
    Ok(name)
}

fn utf8(bytes: &[u8]) -> Result<String, NodeError> {
    match std::str::from_utf8(bytes) {
        Ok(name) if name.len() <= NAME_BYTES_MAX => Ok(name.to_owned()),
        _ => Err(invalid(format!(
            "the archive has a name that is not UTF-8 or longer than {NAME_BYTES_MAX} bytes"
        ))),
    }
}

/// The beginning of a name from outside, without control characters.
fn shown(name: &str) -> String {
    name.escape_debug().take(120).collect()
}

fn named(path: &std::path::Path, error: &std::io::Error) -> NodeError {
    NodeError::Io(std::io::Error::new(error.kind(), format!("{}: {error}", path.display())))
}

fn invalid(message: impl Into<String>) -> NodeError {
    NodeError::refused(FailureReason::ArtifactInvalid, message)
}

#[cfg(test)]
mod tests;
