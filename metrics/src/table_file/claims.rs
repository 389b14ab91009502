//! What an Arrow IPC file says of itself, checked against its bytes before it is decoded: polars allocates what a buffer is said
//! to hold and calls itself as deep as a schema is nested, neither of which can be undone.

use super::is_plausible;
use polars_arrow_format::ipc::planus::ReadAsRoot;
use polars_arrow_format::ipc::{
    FieldRef, FooterRef, MessageHeaderRef, MessageRef, SchemaRef, TypeRef, UnionMode,
};

/// What every message begins with.
pub(super) const CONTINUATION: [u8; 4] = [0xff; 4];

/// Most fields of a schema, those within others included.
const FIELDS: usize = 100_000;

/// How deep they may be nested.
pub(super) const DEPTH: usize = 64;

/// A batch of rows, or a dictionary.
pub(super) struct Message<'a> {
    pub(super) head: MessageRef<'a>,
    /// What the offsets of its buffers count in.
    pub(super) body: &'a [u8],
}

/// What the messages claimed so far.
pub(super) struct Claims<'a> {
    /// The whole file.
    bytes: &'a [u8],
    /// Bytes that compressed buffers unpack to.
    unpacked: u64,
}

impl<'a> Claims<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, unpacked: 0 }
    }

    /// The message of a file's block; `None` if something is not so, as for all here.
    pub(super) fn block(&mut self, offset: i64, metadata: i32) -> Option<Message<'a>> {
        let start = usize::try_from(offset).ok()?;
        let body = start.checked_add(usize::try_from(metadata).ok()?)?;
        let (found, _) = message(self.bytes, start)?;
        self.check(Message { head: MessageRef::read_as_root(found).ok()?, body: self.bytes.get(body..)? })
    }

    fn check(&mut self, message: Message<'a>) -> Option<Message<'a>> {
        let body = message.body;
        let batch = match message.head.header().ok()?? {
            MessageHeaderRef::RecordBatch(batch) => batch,
            MessageHeaderRef::DictionaryBatch(dictionary) => dictionary.data().ok()??,
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
        is_plausible(self.unpacked, self.bytes).then_some(message)
    }
}

/// The schema that a stream begins with.
pub(super) fn schema_of_stream(bytes: &[u8]) -> Option<SchemaRef<'_>> {
    let (first, _) = message(bytes, 0)?;
    match MessageRef::read_as_root(first).ok()?.header().ok()?? {
        MessageHeaderRef::Schema(found) => Some(found),
        _ => None,
    }
}

/// The messages of a stream behind its schema.
pub(super) fn stream(bytes: &[u8]) -> Option<Vec<Message<'_>>> {
    let (_, mut at) = message(bytes, 0)?;
    let (mut claims, mut messages) = (Claims::new(bytes), Vec::new());
    // A stream ends with an empty message, or with the file.
    while at < bytes.len() {
        let (found, end) = message(bytes, at)?;
        if found.is_empty() {
            break;
        }
        let head = MessageRef::read_as_root(found).ok()?;
        at = end.checked_add(usize::try_from(head.body_length().ok()?).ok()?)?;
        messages.push(claims.check(Message { head, body: bytes.get(end..at)? })?);
    }
    Some(messages)
}

/// The schema at the end of a file.
pub(super) fn schema_of_file(bytes: &[u8]) -> Option<SchemaRef<'_>> {
    // The footer, its length in four bytes, `ARROW1`.
    let (rest, _) = bytes.split_last_chunk::<6>()?;
    let (rest, length) = rest.split_last_chunk::<4>()?;
    let start = rest.len().checked_sub(usize::try_from(i32::from_le_bytes(*length)).ok()?)?;
    FooterRef::read_as_root(&rest[start..]).ok()?.schema().ok()?
}

/// Checks that a schema is neither large nor deep, and of types that polars knows. Its parts may be shared, so that a short one can
/// have endless fields. Says of a column that is not so what it is.
pub(super) fn check_schema(schema: SchemaRef<'_>) -> Option<Result<(), String>> {
    let mut left = FIELDS;
    for field in schema.fields().ok()?? {
        let field = field.ok()?;
        if let Err(what) = fields(field, DEPTH, &mut left)? {
            let name = field.name().ok()?.unwrap_or_default();
            return Some(Err(format!("the column `{name}` is {what}")));
        }
    }
    Some(Ok(()))
}

fn fields(field: FieldRef<'_>, depth: usize, left: &mut usize) -> Option<Result<(), &'static str>> {
    use TypeRef as T;
    let (Some(depth), Some(rest)) = (depth.checked_sub(1), left.checked_sub(1)) else {
        return Some(Err("nested too deep, or of too many parts"));
    };
    *left = rest;
    let Ok(Some(kind)) = field.type_() else { return Some(Err("of a type that Fiel does not know")) };
    // polars can neither read nor skip them, and panics.
    let unknown = match kind {
        T::RunEndEncoded(_) => Some("of type run-end encoded"),
        T::ListView(_) | T::LargeListView(_) => Some("of type list view"),
        T::Union(kind) if kind.mode().ok()? == UnionMode::Sparse => Some("of type sparse union"),
        _ => None,
    };
    if let Some(unknown) = unknown {
        return Some(Err(unknown));
    }
    for child in field.children().ok()?.into_iter().flatten() {
        if let Err(what) = fields(child.ok()?, depth, left)? {
            return Some(Err(what));
        }
    }
    Some(Ok(()))
}

/// The message that begins at a position, and where it ends.
fn message(bytes: &[u8], at: usize) -> Option<(&[u8], usize)> {
    let word = |at: usize| bytes.get(at..)?.first_chunk::<4>();
    let at = if *word(at)? == CONTINUATION { at + 4 } else { at };
    let length = usize::try_from(i32::from_le_bytes(*word(at)?)).ok()?;
    let end = (at + 4).checked_add(length)?;
    Some((bytes.get(at + 4..end)?, end))
}
