//! CSV.

use super::{TableFile, twice};
use polars::prelude::*;
use polars_io::prelude::CsvReadOptions;
use std::io::Cursor;

/// What polars puts between a name and a number where the header has the name twice.
const AGAIN: &str = "_duplicated_";

/// The types of columns are guessed from `rows` rows: all for none, text for 0.
pub(super) fn read(bytes: &[u8], rows: Option<usize>) -> Result<TableFile, String> {
    let frame = CsvReadOptions::default()
        .with_has_header(true)
        .with_infer_schema_length(rows)
        .into_reader_with_file_handle(Cursor::new(bytes))
        .finish()
        .map_err(|e| e.to_string())?;
    // So polars calls the second of two columns of one name.
    let again = |name: &&PlSmallStr| name.trim_end_matches(|c: char| c.is_ascii_digit()).ends_with(AGAIN);
    if let Some(name) = frame.get_column_names().into_iter().find(again) {
        return Err(twice(name.rsplit_once(AGAIN).map_or(name.as_str(), |(name, _)| name)));
    }
    Ok(TableFile { frame, unread: Vec::new() })
}
