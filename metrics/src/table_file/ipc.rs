//! Arrow IPC: files (also called Feather) and streams.

use super::arrow::Batches;
use super::claims::{self, Claims};
use super::{TableFile, damaged};
use polars::prelude::*;
use polars_arrow::io::ipc::IpcSchema;
use polars_arrow::io::ipc::read::{
    FileReader, StreamReader, StreamState, read_file_metadata, read_stream_metadata,
};
use polars_arrow::record_batch::RecordBatch;
use std::io::Cursor;

/// What files begin and end with.
const MAGIC: &[u8] = b"ARROW1";

pub(super) fn read(bytes: &[u8]) -> Result<TableFile, String> {
    if bytes.starts_with(MAGIC) && !bytes.ends_with(MAGIC) {
        return Err("the Arrow IPC file has no end, as if it was cut; copy or write it anew".to_owned());
    }
    if bytes.starts_with(b"FEA1") {
        return Err("this is Feather of version 1; write it in version 2, which is Arrow IPC".to_owned());
    }
    if bytes.starts_with(MAGIC) {
        file(bytes)
    } else if bytes.starts_with(&claims::CONTINUATION) {
        stream(bytes)
    } else {
        Err("this is not an Arrow IPC file; let its name end as what it is (.csv, .parquet)".to_owned())
    }
}

fn failed(error: &PolarsError) -> String {
    damaged("Arrow IPC", error)
}

/// What is wrong where the file claims what it does not hold.
fn false_claim() -> String {
    "the Arrow IPC file is damaged or cut: it says of itself what is not so; copy or write it anew".to_owned()
}

fn file(bytes: &[u8]) -> Result<TableFile, String> {
    claims::schema_of_file(bytes).ok_or_else(false_claim)?;
    let mut reader = Cursor::new(bytes);
    let metadata = read_file_metadata(&mut reader).map_err(|e| failed(&e))?;
    let mut claims = Claims::default();
    for block in metadata.dictionaries.iter().flatten() {
        claims.block(bytes, block.offset, block.meta_data_length).ok_or_else(false_claim)?;
    }
    for block in &metadata.blocks {
        claims.block(bytes, block.offset, block.meta_data_length).ok_or_else(false_claim)?;
    }
    let (mut batches, positions) = choose(&metadata.schema, &metadata.ipc_schema)?;
    // The reader takes one column at least.
    if !positions.is_empty() {
        for batch in FileReader::new(reader, metadata, Some(positions), None) {
            push(&mut batches, batch.map_err(|e| failed(&e))?)?;
        }
    }
    batches.finish()
}

fn stream(bytes: &[u8]) -> Result<TableFile, String> {
    claims::stream(bytes).ok_or_else(false_claim)?;
    let mut reader = Cursor::new(bytes);
    let metadata = read_stream_metadata(&mut reader).map_err(|e| failed(&e))?;
    let (mut batches, positions) = choose(&metadata.schema, &metadata.ipc_schema)?;
    if !positions.is_empty() {
        for batch in StreamReader::new(reader, metadata, Some(positions)) {
            match batch.map_err(|e| failed(&e))? {
                StreamState::Some(batch) => push(&mut batches, batch)?,
                // The end of the file, which not every stream announces.
                StreamState::Waiting => break,
            }
        }
    }
    batches.finish()
}

/// The columns that are read, and their positions among all.
fn choose(schema: &ArrowSchema, fields: &IpcSchema) -> Result<(Batches, Vec<usize>), String> {
    // Columns of one name are one in the schema, whose length the reader takes for that of the fields.
    if schema.len() != fields.fields.len() {
        return Err("several columns have one name; rename them".to_owned());
    }
    let batches = Batches::new(schema);
    let positions = batches.columns().iter().map(|c| c.position).collect();
    Ok((batches, positions))
}

fn push(batches: &mut Batches, batch: RecordBatch) -> Result<(), String> {
    let rows = batch.len();
    let arrays: Vec<Vec<ArrayRef>> = batch.into_arrays().into_iter().map(|array| vec![array]).collect();
    batches.push(rows, &arrays)
}
