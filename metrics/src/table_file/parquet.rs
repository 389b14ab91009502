//! Parquet.

use super::arrow::{Arriving, Batches, MOST_ROWS, Values};
use super::{TableFile, damaged, footer, is_plausible, twice};
use polars::prelude::ArrowDataType;
use polars_arrow::datatypes::TimeUnit;
use polars_parquet::parquet::schema::types::{ParquetType, PrimitiveLogicalType};
use polars_parquet::read::{
    BasicDecompressor, PageReader, RowGroupMetadata, column_iter_to_arrays, infer_schema, read_metadata,
};
use polars_parquet_format::PageHeader;
use polars_parquet_format::thrift::protocol::TCompactInputProtocol;
use std::collections::HashSet;
use std::io::Cursor;

/// What Parquet files begin and end with.
const MAGIC: &[u8] = b"PAR1";

/// Most bytes that a page unpacks to: 1 GiB. Writers choose a MiB or so, some a page for all rows of a group.
const MOST_OF_PAGE: usize = 1 << 30;

pub(super) fn read(bytes: &[u8]) -> Result<TableFile, String> {
    if bytes.ends_with(b"PARE") {
        return Err("the Parquet file is encrypted; write it without encryption".to_owned());
    }
    if !bytes.starts_with(MAGIC) {
        return Err("this is not a Parquet file; let its name end as what it is (.csv, .arrow)".to_owned());
    }
    if !bytes.ends_with(MAGIC) {
        return Err("the Parquet file has no end, as if it was cut; copy or write it anew".to_owned());
    }
    let odd = || {
        "the Parquet file is damaged, or its columns are nested too deep; write it anew, or as CSV".to_owned()
    };
    let footer = footer::rewritten(bytes).ok_or_else(odd)?;
    let metadata = read_metadata(&mut Cursor::new(&footer.file)).map_err(|e| damaged("Parquet", &e))?;
    let mut names = HashSet::new();
    if let Some(field) = metadata.schema().fields().iter().find(|field| !names.insert(field.name())) {
        return Err(twice(field.name()));
    }
    let mut schema = infer_schema(&metadata).map_err(|e| damaged("Parquet", &e))?;
    for (position, column) in metadata.schema().fields().iter().enumerate() {
        if footer.durations.binary_search(&position).is_ok()
            && let Some(field) = schema.get_mut(column.name())
        {
            field.dtype = ArrowDataType::Duration(TimeUnit::Nanosecond);
        }
        // The one type that polars reads if it is told.
        if let ParquetType::PrimitiveType(kind) = column
            && kind.logical_type == Some(PrimitiveLogicalType::Float16)
            && let Some(field) = schema.get_mut(column.name())
        {
            field.dtype = ArrowDataType::Float16;
        }
    }
    let mut batches = Batches::new(&schema);
    // Of missing or repeated values a file of few bytes can hold any number.
    let rows = metadata.row_groups.iter().fold(0usize, |rows, group| rows.saturating_add(group.num_rows()));
    let cells = rows.saturating_mul(batches.columns().len());
    if !is_plausible((cells as u64).saturating_mul(8), bytes) {
        return Err(format!(
            "the table has {cells} values, too many for its size; leave columns out that are not needed"
        ));
    }
    for group in &metadata.row_groups {
        let arrays = batches.columns().iter().map(|column| arrays(bytes, group, column));
        let arrays = arrays.collect::<Result<Vec<_>, _>>()?;
        batches.push(group.num_rows(), &arrays)?;
    }
    batches.finish()
}

/// A column's values in a group of rows.
fn arrays(bytes: &[u8], group: &RowGroupMetadata, column: &Arriving) -> Result<Vec<Values>, String> {
    let name = &column.field.name;
    let broken = |what: &str| format!("the column `{name}` {what}; write the Parquet file anew");
    let mut chunks = group.columns_under_root_iter(name).into_iter().flatten();
    let (Some(chunk), None) = (chunks.next(), chunks.next()) else {
        return Err(broken("is not one column in every group of rows"));
    };
    let descriptor = &chunk.descriptor().descriptor;
    if descriptor.max_rep_level > 0 || descriptor.max_def_level > 1 {
        return Err(broken("holds lists, though it says otherwise"));
    }
    let range = chunk.byte_range();
    let range = usize::try_from(range.start).ok().zip(usize::try_from(range.end).ok());
    let pages = range
        .and_then(|(start, end)| bytes.get(start..end))
        .ok_or_else(|| broken("lies outside the file"))?;
    // The decoder allocates what chunks and pages are said to hold.
    let rows = group.num_rows();
    if rows > MOST_ROWS || usize::try_from(chunk.num_values()).ok() != Some(rows) {
        return Err(broken("has more or fewer values than there are rows"));
    }
    check_pages(pages, rows, bytes)
        .ok_or_else(|| broken("has a page that is not what it says, or unpacks to more than 1 GiB"))?;
    let reader = PageReader::new(Cursor::new(pages.to_vec().into()), chunk, Vec::new(), pages.len());
    let field = column.field.clone();
    let types = vec![&descriptor.primitive_type];
    let read = column_iter_to_arrays(vec![BasicDecompressor::new(reader, Vec::new())], types, field, None);
    let (arrays, _) = read.map_err(|e| damaged("Parquet", &e))?;
    Ok(arrays.into_iter().map(|array| Values { array, dictionary: None }).collect())
}

/// Checks what the pages of a column say of themselves, up to the last of its rows; `None` if something cannot be so.
fn check_pages(bytes: &[u8], rows: usize, file: &[u8]) -> Option<()> {
    let mut left = rows;
    let mut rest = bytes;
    while left > 0 {
        let header =
            PageHeader::read_from_in_protocol(&mut TCompactInputProtocol::new(&mut rest, bytes.len()))
                .ok()?;
        rest = rest.get(usize::try_from(header.compressed_page_size).ok()?..)?;
        let unpacked = usize::try_from(header.uncompressed_page_size).ok()?;
        let rows = header.data_page_header.map(|h| h.num_values);
        let rows = rows.or(header.data_page_header_v2.map(|h| h.num_values)).unwrap_or(0);
        let values = usize::try_from(header.dictionary_page_header.map_or(0, |h| h.num_values)).ok()?;
        left = left.checked_sub(usize::try_from(rows).ok()?)?;
        if unpacked > MOST_OF_PAGE
            || !is_plausible(unpacked.saturating_add(values.saturating_mul(16)) as u64, file)
        {
            return None;
        }
    }
    Some(())
}
