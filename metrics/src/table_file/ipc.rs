//! Arrow IPC: files (also called Feather) and streams.

use super::arrow::{Batches, Values};
use super::claims::{self, Claims, Message};
use super::{TableFile, damaged};
use polars::prelude::{ArrowDataType, ArrowSchema, PolarsError};
use polars_arrow::datatypes::Field;
use polars_arrow::io::ipc::IpcSchema;
use polars_arrow::io::ipc::read::common::{read_dictionary, read_record_batch};
use polars_arrow::io::ipc::read::{Dictionaries, read_file_metadata, read_stream_metadata};
use polars_arrow_format::ipc::{MessageHeaderRef, SchemaRef};
use polars_utils::bool::UnsafeBool;
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
    check(claims::schema_of_file(bytes))?;
    let metadata = read_file_metadata(&mut Cursor::new(bytes)).map_err(|e| failed(&e))?;
    let mut claims = Claims::new(bytes);
    // Dictionaries first, wherever they are.
    let blocks = metadata.dictionaries.iter().flatten().chain(&metadata.blocks);
    let messages = blocks.map(|block| claims.block(block.offset, block.meta_data_length));
    let messages = messages.collect::<Option<Vec<_>>>().ok_or_else(false_claim)?;
    table(&metadata.schema, &metadata.ipc_schema, &messages)
}

fn stream(bytes: &[u8]) -> Result<TableFile, String> {
    check(claims::schema_of_stream(bytes))?;
    let metadata = read_stream_metadata(&mut Cursor::new(bytes)).map_err(|e| failed(&e))?;
    let messages = claims::stream(bytes).ok_or_else(false_claim)?;
    table(&metadata.schema, &metadata.ipc_schema, &messages)
}

fn check(schema: Option<SchemaRef<'_>>) -> Result<(), String> {
    schema.and_then(claims::check_schema).ok_or_else(false_claim)?.map_err(|column| {
        format!(
            "the column `{column}` is of a type that Fiel does not know, or nested too deep; leave it out, or write the file as CSV"
        )
    })
}

/// The table of these messages, each dictionary before the rows that use it.
fn table(schema: &ArrowSchema, ipc: &IpcSchema, messages: &[Message<'_>]) -> Result<TableFile, String> {
    // Columns of one name are one in the schema, whose length the reader takes for that of the fields.
    if schema.len() != ipc.fields.len() {
        return Err("several columns have one name; rename them".to_owned());
    }
    let mut batches = Batches::new(schema);
    let positions: Vec<usize> = batches.columns().iter().map(|c| c.position).collect();
    // For categories their numbers are read, which stand for something only where a value is not missing: polars would refuse
    // what is there otherwise, and pandas writes -1.
    let keys: ArrowSchema = schema.iter_values().map(|field| (field.name.clone(), keys(field))).collect();
    let used = |id: i64| positions.iter().any(|&at| ipc.fields[at].dictionary_id == Some(id));
    let (mut dictionaries, mut scratch) = (Dictionaries::default(), Vec::new());
    for Message { head, body } in messages {
        let mut reader = Cursor::new(*body);
        let version = head.version().map_err(|_| false_claim())?;
        match head.header().ok().flatten() {
            Some(MessageHeaderRef::DictionaryBatch(batch)) if batch.id().is_ok_and(used) => {
                let checked = UnsafeBool::default();
                read_dictionary(batch, schema, ipc, &mut dictionaries, &mut reader, 0, &mut scratch, checked)
                    .map_err(|e| failed(&e))?;
            }
            // The reader takes one column at least.
            Some(MessageHeaderRef::RecordBatch(batch)) if !positions.is_empty() => {
                let checked = UnsafeBool::default();
                let batch = read_record_batch(
                    batch,
                    &keys,
                    ipc,
                    Some(&positions),
                    None,
                    &dictionaries,
                    version,
                    &mut reader,
                    0,
                    &mut scratch,
                    checked,
                )
                .map_err(|e| failed(&e))?;
                let rows = batch.len();
                let values = positions.iter().zip(batch.into_arrays()).map(|(&at, array)| {
                    let dictionary = match ipc.fields[at].dictionary_id {
                        None => None,
                        Some(id) => Some(dictionaries.get(&id).cloned().ok_or_else(false_claim)?),
                    };
                    Ok(vec![Values { array, dictionary }])
                });
                batches.push(rows, &values.collect::<Result<Vec<_>, String>>()?)?;
            }
            _ => {}
        }
    }
    batches.finish()
}

/// A field of categories as one of their numbers; any other as it is.
fn keys(field: &Field) -> Field {
    let mut field = field.clone();
    if let ArrowDataType::Dictionary(key, ..) = field.dtype {
        field.dtype = key.into();
    }
    field
}
