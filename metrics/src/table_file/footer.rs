//! How deep a Parquet file's schema is nested, read from its footer before polars reads it: polars calls itself for each level.

use super::claims::DEPTH;
use polars_parquet_format::thrift::protocol::{TCompactInputProtocol, TInputProtocol, TType};

/// Numbers of fields in the format's definition: a file's schema, an element's children.
const SCHEMA: i16 = 2;
const CHILDREN: i16 = 5;

/// Checks the footer's schema; `None` if it is nested too deep or no schema.
pub(super) fn check(bytes: &[u8]) -> Option<()> {
    // The footer, its length in four bytes, `PAR1`.
    let (rest, _) = bytes.split_last_chunk::<4>()?;
    let (rest, length) = rest.split_last_chunk::<4>()?;
    let start = rest.len().checked_sub(usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
    let footer = &rest[start..];
    // A list is counted with eight bytes for each element, of which there is one in the file at least.
    let mut input = TCompactInputProtocol::new(footer, footer.len().saturating_mul(16));
    each_field(
        &mut input,
        |input, id, kind| {
            if id == SCHEMA { elements(input, kind) } else { skip(input, kind, DEPTH) }
        },
    )
}

/// The elements of a schema, each before its children.
fn elements(input: &mut impl TInputProtocol, kind: TType) -> Option<()> {
    if kind != TType::List {
        return None;
    }
    let list = input.read_list_begin().ok().filter(|list| list.element_type == TType::Struct)?;
    // For each group that is open, how many of its children are still to come.
    let mut open: Vec<i32> = Vec::new();
    // A size below 0 is a huge one to polars.
    for _ in 0..u32::try_from(list.size).ok()? {
        let mut children = 0;
        each_field(input, |input, id, kind| {
            if id == CHILDREN && kind == TType::I32 {
                children = input.read_i32().ok()?;
                return Some(());
            }
            skip(input, kind, DEPTH)
        })?;
        while open.pop_if(|left| *left <= 0).is_some() {}
        if let Some(left) = open.last_mut() {
            *left -= 1;
        }
        open.push(children);
        if open.len() > DEPTH {
            return None;
        }
    }
    Some(())
}

/// Calls `read` for each field of a structure; it must read the field.
fn each_field<P: TInputProtocol>(
    input: &mut P,
    mut read: impl FnMut(&mut P, i16, TType) -> Option<()>,
) -> Option<()> {
    input.read_struct_begin().ok()?;
    loop {
        let field = input.read_field_begin().ok()?;
        let Some(id) = field.id.filter(|_| field.field_type != TType::Stop) else { break };
        read(input, id, field.field_type)?;
    }
    input.read_struct_end().ok()
}

/// Reads a value away. The protocol's own way of doing so takes every string for text, but statistics are none.
fn skip<P: TInputProtocol>(input: &mut P, kind: TType, depth: usize) -> Option<()> {
    let depth = depth.checked_sub(1)?;
    match kind {
        TType::Struct => each_field(input, |input, _, kind| skip(input, kind, depth)),
        TType::List | TType::Set => {
            let list = input.read_list_begin().ok()?;
            let size = u32::try_from(list.size).ok()?;
            (0..size).try_for_each(|_| skip(input, list.element_type, depth))
        }
        TType::String => input.read_bytes().ok().map(drop),
        kind => input.skip(kind).ok(),
    }
}
