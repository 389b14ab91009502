//! What an Arrow IPC file says of itself, checked against its bytes before it is decoded: polars allocates what a buffer is said
//! to hold and calls itself as deep as a schema is nested, neither of which can be undone.

use super::MOST_BYTES;
use polars_arrow_format::ipc::planus::ReadAsRoot;
use polars_arrow_format::ipc::{FieldRef, FooterRef, MessageHeaderRef, MessageRef, SchemaRef};

/// What every message begins with.
pub(super) const CONTINUATION: [u8; 4] = [0xff; 4];

/// Most fields of a schema, those within others included.
const FIELDS: usize = 100_000;

/// How deep they may be nested.
pub(super) const DEPTH: usize = 64;

/// Most dictionaries in a row in a stream: polars goes one call deeper for each.
const DICTIONARIES: usize = 256;

/// What the messages claimed so far.
#[derive(Debug, Default)]
pub(super) struct Claims {
    /// Bytes that compressed buffers unpack to.
    unpacked: u64,
    /// Dictionaries since the last batch of rows.
    dictionaries: usize,
}

impl Claims {
    /// Checks the message of a file's block; `None` if something is not so, as for all here.
    pub(super) fn block(&mut self, bytes: &[u8], offset: i64, metadata: i32) -> Option<()> {
        let start = usize::try_from(offset).ok()?;
        let body = start.checked_add(usize::try_from(metadata).ok()?)?;
        let (message, _) = message(bytes, start)?;
        // The order of a file's dictionaries is nobody's concern.
        self.dictionaries = 0;
        self.message(MessageRef::read_as_root(message).ok()?, bytes.get(body..)?)
    }

    fn message(&mut self, message: MessageRef<'_>, body: &[u8]) -> Option<()> {
        let batch = match message.header().ok()?? {
            MessageHeaderRef::RecordBatch(batch) => {
                self.dictionaries = 0;
                batch
            }
            MessageHeaderRef::DictionaryBatch(dictionary) => {
                self.dictionaries += 1;
                dictionary.data().ok()??
            }
            _ => return None,
        };
        let is_packed = batch.compression().ok()?.is_some();
        for buffer in batch.buffers().ok()?? {
            let (start, length) =
                (usize::try_from(buffer.offset()).ok()?, usize::try_from(buffer.length()).ok()?);
            let buffer = body.get(start..start.checked_add(length)?)?;
            if is_packed && length > 0 {
                // -1: this buffer is not compressed.
                let claimed = i64::from_le_bytes(*buffer.first_chunk()?);
                let claimed = if claimed == -1 { 0 } else { u64::try_from(claimed).ok()? };
                self.unpacked = self.unpacked.checked_add(claimed)?;
            }
        }
        (self.unpacked <= MOST_BYTES && self.dictionaries <= DICTIONARIES).then_some(())
    }
}

/// Checks a message that is a schema, with or without what comes before its first byte.
pub(super) fn schema_message(bytes: &[u8]) -> Option<()> {
    let bytes = bytes.strip_prefix(&CONTINUATION).map_or(Some(bytes), |rest| rest.get(4..))?;
    let MessageHeaderRef::Schema(found) = MessageRef::read_as_root(bytes).ok()?.header().ok()?? else {
        return None;
    };
    schema(found)
}

/// Checks a stream from its schema to its end.
pub(super) fn stream(bytes: &[u8]) -> Option<()> {
    let (first, mut at) = message(bytes, 0)?;
    schema_message(first)?;
    let mut claims = Claims::default();
    // A stream ends with an empty message, or with the file.
    while at < bytes.len() {
        let (found, end) = message(bytes, at)?;
        if found.is_empty() {
            break;
        }
        let found = MessageRef::read_as_root(found).ok()?;
        at = end.checked_add(usize::try_from(found.body_length().ok()?).ok()?)?;
        claims.message(found, bytes.get(end..at)?)?;
    }
    Some(())
}

/// Checks the schema at the end of a file.
pub(super) fn schema_of_file(bytes: &[u8]) -> Option<()> {
    // The footer, its length in four bytes, `ARROW1`.
    let (rest, _) = bytes.split_last_chunk::<6>()?;
    let (rest, length) = rest.split_last_chunk::<4>()?;
    let start = rest.len().checked_sub(usize::try_from(i32::from_le_bytes(*length)).ok()?)?;
    schema(FooterRef::read_as_root(&rest[start..]).ok()?.schema().ok()??)
}

/// Checks that a schema is neither large nor deep. Its parts may be shared, so that a short one can have endless fields.
fn schema(schema: SchemaRef<'_>) -> Option<()> {
    let mut left = FIELDS;
    for field in schema.fields().ok()?? {
        fields(field.ok()?, DEPTH, &mut left)?;
    }
    Some(())
}

fn fields(field: FieldRef<'_>, depth: usize, left: &mut usize) -> Option<()> {
    let depth = depth.checked_sub(1)?;
    *left = left.checked_sub(1)?;
    for child in field.children().ok()?.into_iter().flatten() {
        fields(child.ok()?, depth, left)?;
    }
    Some(())
}

/// The message that begins at a position, and where it ends.
fn message(bytes: &[u8], at: usize) -> Option<(&[u8], usize)> {
    let word = |at: usize| bytes.get(at..)?.first_chunk::<4>();
    let at = if *word(at)? == CONTINUATION { at + 4 } else { at };
    let length = usize::try_from(i32::from_le_bytes(*word(at)?)).ok()?;
    let end = (at + 4).checked_add(length)?;
    Some((bytes.get(at + 4..end)?, end))
}
