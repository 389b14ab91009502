//! Columns of Arrow's types, from Parquet and from Arrow IPC.
//!
//! Types are brought to the few that polars is built with before it sees them. More of its types would do the same, but each
//! makes every operation of polars once more, for columns that are read and never computed with.

use super::TableFile;
use polars::prelude::*;
use polars_arrow::array::{Array, PrimitiveArray};
use polars_compute::cast::{CastOptionsImpl, cast};
use polars_utils::float16::pf16;

/// Most rows that a table may have; a file of few bytes can claim any number.
pub(super) const MOST_ROWS: usize = 100_000_000;

/// The columns of a file, which come in batches of rows.
pub(super) struct Batches {
    columns: Vec<Arriving>,
    /// Names and types of the columns that are not read.
    unread: Vec<(String, String)>,
    rows: usize,
}

/// Values of a column as they come.
pub(super) struct Values {
    /// The values, or their numbers in the dictionary.
    pub(super) array: ArrayRef,
    /// What the values are numbers of, for categories, as [`Arriving::categories`] gives it.
    pub(super) dictionary: Option<Series>,
}

/// A column that is read.
pub(super) struct Arriving {
    /// Its position among all of the file.
    pub(super) position: usize,
    /// As the file has it.
    pub(super) field: Field,
    /// The type that it is read as.
    kind: ArrowDataType,
    read: Series,
}

impl Arriving {
    /// What a dictionary of this column says that its categories are.
    pub(super) fn categories(&self, array: ArrayRef) -> Result<Series, String> {
        let name = &self.field.name;
        series(name, &Values { array, dictionary: None }, &self.kind).map_err(|e| damaged(name, &e))
    }
}

fn damaged(name: &str, error: &PolarsError) -> String {
    format!("the column `{name}` is damaged; write the file anew ({error})")
}

type Field = polars_arrow::datatypes::Field;

impl Batches {
    /// None of the rows yet.
    pub(super) fn new(schema: &ArrowSchema) -> Self {
        let (mut columns, mut unread) = (Vec::new(), Vec::new());
        for (position, field) in schema.iter_values().enumerate() {
            let Some(kind) = kind_read(&field.dtype) else {
                unread.push((field.name.to_string(), name(&field.dtype)));
                continue;
            };
            let read = Series::new_empty(field.name.clone(), &DataType::from_arrow_dtype(&kind));
            columns.push(Arriving { position, field: field.clone(), kind, read });
        }
        Self { columns, unread, rows: 0 }
    }

    /// The columns to read, in the order of the file.
    pub(super) fn columns(&self) -> &[Arriving] {
        &self.columns
    }

    /// Adds as many rows: of each column that is read its values, in one array or several.
    pub(super) fn push(&mut self, rows: usize, columns: &[Vec<Values>]) -> Result<(), String> {
        self.rows = self.rows.saturating_add(rows);
        if self.rows > MOST_ROWS {
            return Err(format!("the table has more than {MOST_ROWS} rows"));
        }
        for (column, values) in self.columns.iter_mut().zip(columns) {
            let name = &column.field.name;
            for values in values {
                let read = series(name, values, &column.kind);
                read.and_then(|read| column.read.append(&read).map(drop)).map_err(|e| damaged(name, &e))?;
            }
            if column.read.len() != self.rows {
                return Err(format!(
                    "the column `{name}` has fewer or more rows than the file says; write it anew"
                ));
            }
        }
        Ok(())
    }

    /// The table.
    pub(super) fn finish(self) -> Result<TableFile, String> {
        let columns = self.columns.into_iter().map(|c| c.read.rechunk().into_column()).collect();
        let frame = DataFrame::new(self.rows, columns).map_err(|e| e.to_string())?;
        Ok(TableFile { frame, unread: self.unread })
    }
}

/// What a column of this type is read as, if it is read.
fn kind_read(kind: &ArrowDataType) -> Option<ArrowDataType> {
    use ArrowDataType as T;
    Some(match kind {
        T::Null
        | T::Boolean
        | T::Int32
        | T::Int64
        | T::UInt32
        | T::UInt64
        | T::Float32
        | T::Float64
        | T::Utf8View => kind.clone(),
        T::Int8 | T::Int16 | T::UInt8 | T::UInt16 => T::Int32,
        T::Float16 => T::Float32,
        T::Utf8 | T::LargeUtf8 => T::Utf8View,
        // Dictionaries of dictionaries exist, and could be nested without end.
        T::Dictionary(_, values, _) if !matches!(**values, T::Dictionary(..)) => return kind_read(values),
        _ => return None,
    })
}

/// A type's name without what it is made of, which a file may nest without end.
fn name(kind: &ArrowDataType) -> String {
    let name = format!("{kind:?}");
    name.split(['(', '{', ' ']).next().unwrap_or_default().to_lowercase()
}

/// Values as a series of the given type.
fn series(name: &PlSmallStr, values: &Values, kind: &ArrowDataType) -> PolarsResult<Series> {
    let whole = |array: &dyn Array, kind: &ArrowDataType| {
        // The one cast that polars does not have without its type.
        let half = array.as_any().downcast_ref::<PrimitiveArray<pf16>>();
        let array = match half {
            Some(half) => {
                half.iter().map(|v| v.map(|v| f32::from(*v))).collect::<PrimitiveArray<f32>>().boxed()
            }
            None => cast(array, kind, CastOptionsImpl::default())?,
        };
        Series::try_from((name.clone(), array))
    };
    let Some(dictionary) = &values.dictionary else { return whole(values.array.as_ref(), kind) };
    let keys = whole(values.array.as_ref(), &ArrowDataType::UInt32)?;
    // What a file has in place of a missing value may be any number; of the others, those below 0 are lost in the cast, and
    // those that are too large are found when they are looked up.
    if keys.null_count() != values.array.null_count() {
        return Err(polars_err!(OutOfBounds: "a category below 0"));
    }
    dictionary.take(keys.u32()?)
}
