//! Files of tables: Parquet, Arrow IPC and CSV.

use crate::error::MetricError;
use polars::prelude::*;
use polars_io::prelude::{CsvReadOptions, IpcReader, ParquetReader};
use std::fs::File;
use std::path::Path;

/// What polars puts between a name and a number where a CSV file's header has the name twice.
const AGAIN: &str = "_duplicated_";

/// What a file holds.
pub(crate) struct TableFile {
    /// The columns of numbers, booleans and text.
    pub(crate) frame: DataFrame,
    /// Names and types of the columns that were left out.
    unread: Vec<(String, String)>,
}

impl TableFile {
    /// Reads a file by its name's ending; the types of a CSV file's columns are guessed from `rows` rows: all for none, text for 0.
    pub(crate) fn read(path: &Path, rows: Option<usize>) -> Result<Self, MetricError> {
        let failed = |problem: String| MetricError::File { path: path.to_owned(), problem };
        let file = File::open(path).map_err(|e| failed(e.to_string()))?;
        let ending = path.extension().map(|e| e.to_string_lossy().to_ascii_lowercase());
        let read = match ending.as_deref() {
            Some("parquet") => parquet(file),
            Some("arrow" | "feather" | "ipc") => ipc(file),
            _ => CsvReadOptions::default()
                .with_has_header(true)
                .with_infer_schema_length(rows)
                .into_reader_with_file_handle(file)
                .finish()
                .map(|frame| Self { frame, unread: Vec::new() }),
        };
        let table = read.map_err(|e| failed(e.to_string()))?;
        // So polars calls the second of two columns of one name.
        let again = |name: &&PlSmallStr| name.trim_end_matches(|c: char| c.is_ascii_digit()).ends_with(AGAIN);
        if let Some(name) = table.frame.get_column_names().into_iter().find(again) {
            let name = name.rsplit_once(AGAIN).map_or(name.as_str(), |(name, _)| name);
            return Err(failed(format!("two columns are called `{name}`; rename one")));
        }
        match table.unread.first() {
            // Without a column there is no telling how many rows the file has.
            Some((name, _)) if table.frame.width() == 0 => {
                Err(failed(table.unread(name).unwrap_or_default()))
            }
            _ => Ok(table),
        }
    }

    /// Why this column was left out, if it was.
    pub(crate) fn unread(&self, column: &str) -> Option<String> {
        let (name, kind) = self.unread.iter().find(|(name, _)| name == column)?;
        Some(format!(
            "the column `{name}` is of type {kind}, which Fiel does not read; save it as numbers of 32 or 64 bits or as text"
        ))
    }
}

/// Readable columns' positions, and the others' names and types. What is not readable may not reach polars' conversion, which
/// panics on types that it was built without.
fn choose(schema: &ArrowSchema) -> (Vec<usize>, Vec<(String, String)>) {
    let (mut readable, mut unread) = (Vec::new(), Vec::new());
    for (i, (name, field)) in schema.iter().enumerate() {
        if is_readable(&field.dtype) {
            readable.push(i);
        } else {
            unread.push((name.to_string(), kind(&field.dtype)));
        }
    }
    (readable, unread)
}

fn is_readable(kind: &ArrowDataType) -> bool {
    use ArrowDataType as T;
    matches!(
        kind,
        T::Null
            | T::Boolean
            | T::Int32
            | T::Int64
            | T::UInt32
            | T::UInt64
            | T::Float32
            | T::Float64
            | T::Utf8
            | T::LargeUtf8
            | T::Utf8View
    )
}

/// A type's name without what it is made of, which a file may nest without end.
fn kind(kind: &ArrowDataType) -> String {
    let name = format!("{kind:?}");
    name.split(['(', '{', ' ']).next().unwrap_or_default().to_lowercase()
}

fn parquet(file: File) -> PolarsResult<TableFile> {
    let again = file.try_clone()?;
    let mut reader = ParquetReader::new(file);
    let mut schema = reader.schema()?;
    if schema.iter_values().any(|f| matches!(f.dtype, ArrowDataType::Dictionary(..))) {
        // A dictionary is a matter of Arrow alone; without its schema the same column is of what the dictionary holds.
        let mut plain = (**reader.get_metadata()?).clone();
        if let Some(pairs) = &mut plain.key_value_metadata {
            pairs.retain(|pair| pair.key != "ARROW:schema");
        }
        let mut without = ParquetReader::new(again);
        without.set_metadata(Arc::new(plain));
        schema = without.schema()?;
        reader = without;
    }
    let (readable, unread) = choose(&schema);
    let frame = reader.with_projection(Some(readable)).finish()?;
    Ok(TableFile { frame, unread })
}

fn ipc(file: File) -> PolarsResult<TableFile> {
    let mut reader = IpcReader::new(file);
    let (readable, unread) = choose(reader.schema()?.as_ref());
    let frame = reader.with_projection(Some(readable)).finish()?;
    Ok(TableFile { frame, unread })
}
