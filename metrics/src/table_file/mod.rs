//! Files of tables: Parquet, Arrow IPC and CSV.

mod arrow;
mod claims;
mod csv;
mod footer;
mod ipc;
mod numeric;
mod parquet;

pub(crate) use numeric::Numeric;

use crate::error::MetricError;
use polars::prelude::*;
use std::cell::Cell;
use std::fs::File;
use std::io::Read;
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::sync::Once;

/// Largest file that is read, in bytes: 8 GiB.
const MOST_BYTES: u64 = 8 << 30;

/// Whether so many bytes may come of a file: a column of one value, or of none, takes next to nothing in it.
fn is_plausible(bytes: u64, file: &[u8]) -> bool {
    bytes <= MOST_BYTES.min((256 << 20) + 4096 * file.len() as u64)
}

/// How the names of types begin that measure time.
const TIMES: [&str; 4] = ["date", "duration", "interval", "time"];

/// What a file holds.
pub(crate) struct TableFile {
    /// The columns of numbers, booleans and text.
    pub(crate) frame: DataFrame,
    /// Names and types of the columns that were left out.
    unread: Vec<(String, String)>,
}

impl TableFile {
    /// Reads a file by its name's ending; the types of a CSV file's columns are guessed from `rows` rows: all for none, text for 0.
    ///
    /// # Errors
    /// [`MetricError::File`] for a file that cannot be opened, holds more than 8 GiB or 100,000,000 rows, is not what its name
    /// says or is damaged, has two columns of one name, or has columns but none of a type that is read.
    pub(crate) fn read(path: &Path, rows: Option<usize>) -> Result<Self, MetricError> {
        let failed = |problem: String| MetricError::File { path: path.to_owned(), problem };
        let bytes = load(path).map_err(failed)?;
        let ending = path.extension().map(|e| e.to_string_lossy().to_ascii_lowercase());
        let table = guarded(|| match ending.as_deref() {
            Some("parquet") => parquet::read(&bytes),
            Some("arrow" | "arrows" | "feather" | "ipc") => ipc::read(&bytes),
            _ => csv::read(&bytes, rows),
        });
        let table = table.map_err(failed)?;
        match table.unread.first() {
            // Without a column there is no telling how many rows the file has.
            Some((name, _)) if table.frame.width() == 0 => {
                Err(failed(table.unread(name).unwrap_or_default()))
            }
            _ => Ok(table),
        }
    }

    /// Names of the columns that were left out.
    pub(crate) fn names_unread(&self) -> impl Iterator<Item = &str> {
        self.unread.iter().map(|(name, _)| name.as_str())
    }

    /// Why this column was left out, if it was.
    pub(crate) fn unread(&self, column: &str) -> Option<String> {
        let (name, kind) = self.unread.iter().find(|(name, _)| name == column)?;
        // A duration is a number whose unit only its type says, and a metric could not tell seconds from days.
        let advice = if TIMES.iter().any(|time| kind.starts_with(time)) {
            "save it as numbers of one unit, and say the unit in its name (`time_days`)"
        } else {
            "save it as numbers or as text"
        };
        Some(format!("the column `{name}` is of type {kind}, which Fiel does not read; {advice}"))
    }
}

/// The whole file: its decoders jump to and fro, and what is wrong in it is looked for in a second pass.
fn load(path: &Path) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(|e| e.to_string())?;
    file.take(MOST_BYTES + 1).read_to_end(&mut bytes).map_err(|e| e.to_string())?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err("the file is larger than 8 GiB; leave columns out that are not needed".to_owned());
    }
    Ok(bytes)
}

thread_local! {
    static DECODING: Cell<bool> = const { Cell::new(false) };
}

/// Runs a decoder. Those of polars check much of what they take for granted in a file by panicking.
///
/// From the first call on, the process's panic hook leaves out what is caught here, of this thread. Of polars' own threads, on which
/// it parses CSV, the hook still tells: they work for the whole process, and nothing at the panic says for whom.
fn guarded(decode: impl FnOnce() -> Result<TableFile, String>) -> Result<TableFile, String> {
    static QUIET: Once = Once::new();
    QUIET.call_once(|| {
        let usual = panic::take_hook();
        // What is caught here is said as an error, unless it is our own mistake.
        panic::set_hook(Box::new(move |panic| {
            let is_ours = panic.location().is_none_or(|at| at.file().contains("table_file"));
            if is_ours || !DECODING.get() {
                usual(panic);
            }
        }));
    });
    DECODING.set(true);
    let table = panic::catch_unwind(AssertUnwindSafe(decode));
    DECODING.set(false);
    table.unwrap_or_else(|_| Err("the file is damaged; write it anew, or as CSV".to_owned()))
}

/// What is wrong with a file whose decoder gave up. Its words are the last ones, since they name what only the decoder knows.
fn damaged(kind: &str, error: &PolarsError) -> String {
    let found = error.to_string();
    let found = found.lines().next().unwrap_or_default();
    format!(
        "the {kind} file is damaged or written in a way that Fiel does not read; write it anew, or as CSV ({found})"
    )
}

fn twice(name: &str) -> String {
    if name.is_empty() {
        return "two columns have no name; name them in the header, or delete them".to_owned();
    }
    format!("two columns are called `{name}`; rename one")
}
