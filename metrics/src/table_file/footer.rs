//! A Parquet file's footer, read and written anew before polars reads it: polars allocates what a list is said to hold, takes a field
//! for what its number says and not for what its type says, and calls itself for each level of the schema.

use super::claims::{self, DEPTH};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use polars_arrow_format::ipc::{FieldRef, TypeRef};
use polars_parquet_format::thrift::protocol::{TCompactInputProtocol, TCompactOutputProtocol};
use polars_parquet_format::{FileMetaData, SchemaElement};

/// A file's footer.
pub(super) struct Footer {
    /// A file without pages whose footer says the same, without what is nobody's concern here.
    pub(super) file: Vec<u8>,
    /// The columns that are durations, by position, in ascending order.
    pub(super) durations: Vec<usize>,
}

/// The footer, written anew; `None` if it is none, or its schema is nested too deep.
pub(super) fn rewritten(bytes: &[u8]) -> Option<Footer> {
    // The footer, its length in four bytes, `PAR1`.
    let (rest, magic) = bytes.split_last_chunk::<4>()?;
    let (rest, length) = rest.split_last_chunk::<4>()?;
    let start = rest.len().checked_sub(usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
    let footer = &rest[start..];
    // The structures of a list are a few times as large as their bytes.
    let mut input = TCompactInputProtocol::new(footer, (64 << 10) + footer.len().saturating_mul(64));
    let mut metadata = FileMetaData::read_from_in_protocol(&mut input).ok()?;
    check_depth(&metadata.schema)?;
    let durations = durations(&metadata).unwrap_or_default();
    // Arrow's writers put their own schema there. It may be of types that polars does not know, or of another table: the columns are of
    // the types that Parquet gives them.
    metadata.key_value_metadata = None;
    let mut file = magic.to_vec();
    let mut output = TCompactOutputProtocol::new(&mut file);
    let length = metadata.write_to_out_protocol(&mut output).ok()?;
    file.extend_from_slice(&u32::try_from(length).ok()?.to_le_bytes());
    file.extend_from_slice(magic);
    Some(Footer { file, durations })
}

/// The columns that Arrow's writers say are durations. Parquet has no such type, so that they are whole numbers without a unit to it.
fn durations(metadata: &FileMetaData) -> Option<Vec<usize>> {
    let mut pairs = metadata.key_value_metadata.iter().flatten();
    let written = pairs.find(|pair| pair.key == "ARROW:schema")?.value.as_ref()?;
    let message = STANDARD.decode(written).ok()?;
    let fields = claims::schema_of_stream(&message)?.fields().ok()??;
    let is_duration = |field: FieldRef<'_>| matches!(field.type_(), Ok(Some(TypeRef::Duration(_))));
    let found =
        fields.iter().enumerate().filter(|(_, field)| field.as_ref().is_ok_and(|field| is_duration(*field)));
    Some(found.map(|(position, _)| position).collect())
}

/// Checks how deep the elements of a schema are nested, each of which comes before its children.
fn check_depth(schema: &[SchemaElement]) -> Option<()> {
    // For each group that is open, how many of its children are still to come.
    let mut open: Vec<i32> = Vec::new();
    for element in schema {
        while open.pop_if(|left| *left <= 0).is_some() {}
        if let Some(left) = open.last_mut() {
            *left -= 1;
        }
        open.push(element.num_children.unwrap_or(0));
        if open.len() > DEPTH {
            return None;
        }
    }
    Some(())
}
