//! Arrow IPC: files (also called Feather) and streams.

use super::arrow::{Arriving, Batches, MOST_ROWS, Values};
use super::claims::{self, Claims, Message};
use super::{TableFile, damaged};
use polars::prelude::{ArrayRef, ArrowDataType, ArrowSchema, PlHashMap, PlSmallStr, PolarsError, Series};
use polars_arrow::datatypes::Field;
use polars_arrow::io::ipc::IpcSchema;
use polars_arrow::io::ipc::read::common::read_record_batch;
use polars_arrow::io::ipc::read::{read_file_metadata, read_stream_metadata};
use polars_arrow::record_batch::RecordBatchT;
use polars_arrow_format::ipc::{DictionaryBatchRef, MessageHeaderRef, RecordBatchRef, SchemaRef};
use polars_utils::bool::UnsafeBool;
use std::collections::HashMap;
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
    schema.and_then(claims::check_schema).ok_or_else(false_claim)?.map_err(|what| {
        format!("{what}, and Fiel cannot read past it; leave it out, or write the file as CSV")
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
    let mut dictionaries = Dictionaries::default();
    for message in messages {
        match message.head.header().ok().flatten() {
            Some(MessageHeaderRef::DictionaryBatch(batch)) => {
                let id = batch.id().map_err(|_| false_claim())?;
                let of_id = |column: &&Arriving| ipc.fields[column.position].dictionary_id == Some(id);
                if let Some(column) = batches.columns().iter().find(of_id) {
                    dictionaries.add(id, batch, column, ipc, message)?;
                }
            }
            // The reader takes one column at least.
            Some(MessageHeaderRef::RecordBatch(batch)) if !positions.is_empty() => {
                let batch = decoded(batch, &keys, ipc, Some(&positions), message)?;
                let rows = batch.len();
                let values = positions.iter().zip(batch.into_arrays()).map(|(&at, array)| {
                    let dictionary =
                        ipc.fields[at].dictionary_id.map(|id| dictionaries.get(id)).transpose()?;
                    Ok(vec![Values { array, dictionary }])
                });
                batches.push(rows, &values.collect::<Result<Vec<_>, String>>()?)?;
            }
            _ => {}
        }
    }
    batches.finish()
}

/// The rows of a message, of all columns or of those at these positions, of which there is one at least.
fn decoded(
    batch: RecordBatchRef<'_>,
    columns: &ArrowSchema,
    ipc: &IpcSchema,
    positions: Option<&[usize]>,
    message: &Message<'_>,
) -> Result<RecordBatchT<ArrayRef>, String> {
    let version = message.head.version().map_err(|_| false_claim())?;
    let (mut reader, mut scratch) = (Cursor::new(message.body), Vec::new());
    read_record_batch(
        batch,
        columns,
        ipc,
        positions,
        None,
        // Numbers of categories are read as what they are.
        &PlHashMap::default(),
        version,
        &mut reader,
        0,
        &mut scratch,
        UnsafeBool::default(),
    )
    .map_err(|e| failed(&e))
}

/// What categories are called, so far.
#[derive(Default)]
struct Dictionaries {
    known: HashMap<i64, Series>,
    /// Categories that were copied when others were added to them.
    copied: usize,
}

impl Dictionaries {
    /// Takes a message's categories in place of those known, or behind them.
    fn add(
        &mut self,
        id: i64,
        batch: DictionaryBatchRef<'_>,
        column: &Arriving,
        ipc: &IpcSchema,
        message: &Message<'_>,
    ) -> Result<(), String> {
        let ArrowDataType::Dictionary(_, kind, _) = &column.field.dtype else { return Err(false_claim()) };
        let only = Field::new(PlSmallStr::EMPTY, (**kind).clone(), true);
        let ipc = IpcSchema {
            fields: vec![ipc.fields[column.position].clone()],
            is_little_endian: ipc.is_little_endian,
        };
        let is_delta = batch.is_delta().map_err(|_| false_claim())?;
        let data = batch.data().ok().flatten().ok_or_else(false_claim)?;
        let columns = ArrowSchema::from_iter([(PlSmallStr::EMPTY, only)]);
        let found = decoded(data, &columns, &ipc, None, message)?.into_arrays().pop();
        let found = column.categories(found.ok_or_else(false_claim)?)?;
        if !is_delta {
            self.known.insert(id, found);
            return Ok(());
        }
        let known = self.known.get_mut(&id).ok_or_else(false_claim)?;
        self.copied = self.copied.saturating_add(known.len()).saturating_add(found.len());
        if self.copied > MOST_ROWS {
            return Err(format!(
                "categories of the column `{}` are added in too many steps; write the file with its dictionaries whole",
                column.field.name
            ));
        }
        known.append(&found).map_err(|e| failed(&e))?;
        *known = known.rechunk();
        Ok(())
    }

    fn get(&self, id: i64) -> Result<Series, String> {
        self.known.get(&id).cloned().ok_or_else(false_claim)
    }
}

/// A field of categories as one of their numbers; any other as it is.
fn keys(field: &Field) -> Field {
    let mut field = field.clone();
    if let ArrowDataType::Dictionary(key, ..) = field.dtype {
        field.dtype = key.into();
    }
    field
}
