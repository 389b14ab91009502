//! CSV.

use super::{TableFile, twice};
use polars::prelude::*;
use polars_io::prelude::CsvReadOptions;
use std::collections::HashSet;
use std::io::Cursor;

/// How files begin that are no table of text, and what they are.
const OTHERS: [(&[u8], &str); 13] = [
    (b"\x1f\x8b", "compressed by gzip; unpack it"),
    (b"\x28\xb5\x2f\xfd", "compressed by zstd; unpack it"),
    (b"\x78\x01", "compressed by zlib; unpack it"),
    (b"\x78\x9c", "compressed by zlib; unpack it"),
    (b"\x78\xda", "compressed by zlib; unpack it"),
    // polars takes it for that.
    (b"x^", "compressed by zlib, or begins as if it was; unpack it, or give its first column another name"),
    (b"PK\x03\x04", "a ZIP archive, as spreadsheets (.xlsx, .ods) are; unpack it, or save the sheet as CSV"),
    (b"\xd0\xcf\x11\xe0", "a spreadsheet of an old kind (.xls); save the sheet as CSV"),
    (b"PAR1\x15", "a Parquet file; let its name end in .parquet"),
    (b"ARROW1\0\0", "an Arrow IPC file; let its name end in .arrow"),
    (b"\xff\xff\xff\xff", "an Arrow IPC stream; let its name end in .arrows"),
    (b"\xff\xfe", "text in UTF-16; save it in UTF-8"),
    (b"\xfe\xff", "text in UTF-16; save it in UTF-8"),
];

/// Text in UTF-8: a header that names the columns, then rows, with commas between values, decimal points in numbers, and double
/// quotes around a value that has commas. Comments are refused. The types of columns are guessed from `rows` rows: all for none, text
/// for 0.
pub(super) fn read(bytes: &[u8], rows: Option<usize>) -> Result<TableFile, String> {
    if let Some((_, kind)) = OTHERS.iter().find(|(start, _)| bytes.starts_with(start)) {
        return Err(format!("the file is {kind}"));
    }
    let bytes = trimmed(bytes);
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err("the file is empty; a table begins with a row of column names".to_owned());
    }
    if let Err(e) = std::str::from_utf8(bytes) {
        let row = Rows::of(&bytes[..e.valid_up_to()]).count().saturating_sub(1);
        return Err(format!("{} holds bytes that are not UTF-8; save the file in UTF-8", spoken(row)));
    }
    check_comments(bytes)?;
    check_separators(bytes)?;
    check_names(bytes)?;
    let frame = CsvReadOptions::default()
        .with_has_header(true)
        .with_infer_schema_length(rows)
        .into_reader_with_file_handle(Cursor::new(bytes))
        .finish()
        .map_err(|e| reason(bytes, &e))?;
    Ok(TableFile { frame, unread: Vec::new() })
}

/// A file without the mark of UTF-8 and without blank lines before the header and behind the last row, which polars skips as well.
fn trimmed(bytes: &[u8]) -> &[u8] {
    let mut rest = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    while let Some(behind) = rest.strip_prefix(b"\n").or_else(|| rest.strip_prefix(b"\r\n")) {
        rest = behind;
    }
    let end = rest.iter().rposition(|byte| !matches!(byte, b'\r' | b'\n')).map_or(0, |last| last + 1);
    &rest[..end]
}

/// Refuses lines of comments before the header. The name of the first column may begin with `#` as well, but then the header has as
/// many fields as the rows.
fn check_comments(bytes: &[u8]) -> Result<(), String> {
    let fields = |line: &[u8]| Rows::of(line).next().map_or(0, |row| row.fields);
    let mut lines = bytes.split(|byte| *byte == b'\n');
    let is_marked = |line: &&[u8]| line.starts_with(b"#");
    let Some(plain) = lines.clone().find(|line| !is_marked(line) && !line.trim_ascii().is_empty()) else {
        return Ok(());
    };
    let wanted = fields(plain);
    if lines.by_ref().take_while(is_marked).any(|line| fields(line) != wanted) {
        return Err(
            "the file begins with lines of comments (`#`), which a table cannot have; delete them, so that its first line names the columns"
                .to_owned(),
        );
    }
    Ok(())
}

/// Refuses a header that has a name twice: polars would call the second column something else.
fn check_names(bytes: &[u8]) -> Result<(), String> {
    let header = Rows::of(bytes).next().map_or(bytes, |row| row.text);
    let header = header.strip_suffix(b"\r").unwrap_or(header);
    // A comma is part of a name if it is between quotes, and quotes count only in a name that begins with one.
    let (mut is_start, mut may_quote, mut is_quoted) = (true, false, false);
    let names = header.split(|byte| {
        if is_start {
            (may_quote, is_quoted) = (*byte == b'"', false);
        }
        is_quoted ^= may_quote && *byte == b'"';
        is_start = *byte == b',' && !is_quoted;
        is_start
    });
    let mut known = HashSet::new();
    for name in names {
        let name = name.strip_prefix(b"\"").and_then(|name| name.strip_suffix(b"\"")).unwrap_or(name);
        if !known.insert(name) {
            return Err(twice(&String::from_utf8_lossy(name)));
        }
    }
    Ok(())
}

/// Refuses what spreadsheets of many countries call CSV: columns separated by semicolons or tabs, of numbers with decimal commas;
/// and lines that end in carriage returns. Read as commas and line feeds, such a file is one column, or one row.
fn check_separators(bytes: &[u8]) -> Result<(), String> {
    let mut is_quoted = false;
    let mut separators = [(b',', "commas", 0), (b';', "semicolons", 0), (b'\t', "tabs", 0)];
    let header = bytes.trim_ascii_start();
    for (i, byte) in header.iter().enumerate() {
        match byte {
            b'"' => is_quoted = !is_quoted,
            _ if is_quoted => {}
            b'\n' => break,
            b'\r' if header.get(i + 1) != Some(&b'\n') => {
                return Err(
                    "lines end in carriage returns alone; save the file with line feeds (LF, or CRLF)"
                        .to_owned(),
                );
            }
            byte => separators.iter_mut().filter(|s| s.0 == *byte).for_each(|s| s.2 += 1),
        }
    }
    match separators {
        [(.., 0), (_, name, 1..), _] | [(.., 0), _, (_, name, 1..)] => Err(format!(
            "columns are separated by {name}; save the file with commas between columns and decimal points in numbers"
        )),
        _ => Ok(()),
    }
}

/// Why polars could not read the file.
fn reason(bytes: &[u8], error: &PolarsError) -> String {
    let rows: Vec<Row<'_>> = Rows::of(bytes).collect();
    let header = rows.first().map_or(0, |row| row.fields);
    if let Some((i, row)) = rows.iter().enumerate().find(|(_, row)| row.fields > header) {
        return format!(
            "{} has {} values, but the header names {header} columns; put a value that has commas in double quotes",
            spoken(i),
            row.fields
        );
    }
    if let Some((i, _)) = rows.iter().enumerate().find(|(_, row)| row.is_open) {
        return format!(
            "a double quote in {} is not closed; close it, or double it where it is meant",
            spoken(i)
        );
    }
    let found = error.to_string();
    format!("the file could not be read as CSV ({})", found.lines().next().unwrap_or_default())
}

/// A row by its number, the header being 0.
fn spoken(row: usize) -> String {
    if row == 0 { "the header".to_owned() } else { format!("row {row}") }
}

/// What a row of text consists of.
struct Row<'a> {
    /// All of it, without the line feed.
    text: &'a [u8],
    fields: usize,
    /// Whether the file ends within quotes of this row.
    is_open: bool,
}

/// The rows of a file, the header among them.
struct Rows<'a> {
    rest: &'a [u8],
}

impl<'a> Rows<'a> {
    fn of(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }
}

impl<'a> Iterator for Rows<'a> {
    type Item = Row<'a>;

    fn next(&mut self) -> Option<Row<'a>> {
        if self.rest.is_empty() {
            return None;
        }
        let (mut fields, mut is_open) = (1, false);
        for (i, byte) in self.rest.iter().enumerate() {
            match byte {
                b'"' => is_open = !is_open,
                b',' if !is_open => fields += 1,
                b'\n' if !is_open => {
                    let text = &self.rest[..i];
                    self.rest = &self.rest[i + 1..];
                    return Some(Row { text, fields, is_open });
                }
                _ => {}
            }
        }
        Some(Row { text: std::mem::take(&mut self.rest), fields, is_open })
    }
}
