//! Tables whose every bad value is reported with its row.

use crate::error::{MetricError, ScoreError};
use crate::table_file::{Numeric, TableFile};
use polars::prelude::*;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// A table and where it came from.
pub(crate) struct Columns {
    path: PathBuf,
    file: TableFile,
}

/// Most bytes of text in a column that is used.
const MOST_TEXT: usize = 1 << 30;

impl Columns {
    /// Reads a table as text, so that a value that is no number is reported with its row.
    pub(crate) fn read(path: &Path) -> Result<Self, ScoreError> {
        let table = Self::read_any(path)?;
        if table.is_empty() {
            let problem = "the table has no rows; it needs at least one case".to_owned();
            return Err(ScoreError::Table { path: path.to_owned(), problem });
        }
        Ok(table)
    }

    /// As [`Columns::read`]; the table may be empty.
    pub(crate) fn read_any(path: &Path) -> Result<Self, ScoreError> {
        let file = TableFile::read(path, Some(0)).map_err(|e| match e {
            MetricError::File { path, problem } => ScoreError::Table { path, problem },
            other => ScoreError::Metric(other),
        })?;
        Ok(Self { path: path.to_owned(), file })
    }

    /// Whether there is no row.
    pub(crate) fn is_empty(&self) -> bool {
        self.file.frame.height() == 0
    }

    /// The file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Names of the columns, those included that are of a type that is not read.
    pub(crate) fn columns(&self) -> Vec<String> {
        let read = self.file.frame.get_column_names().into_iter().map(ToString::to_string);
        read.chain(self.file.names_unread().map(str::to_owned)).collect()
    }

    /// Whether there is such a column.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.file.frame.column(name).is_ok()
    }

    /// A column as words, each row having one. Only an empty cell is missing: `NA` may be the name of a site.
    pub(crate) fn words(&self, name: &str) -> Result<Vec<String>, ScoreError> {
        let word = |(i, text): (usize, Option<String>)| {
            text.filter(|t| !t.is_empty()).ok_or_else(|| ScoreError::Row {
                path: self.path.clone(),
                row: i + 1,
                problem: missing(name, "", "one"),
            })
        };
        self.text(name)?.into_iter().enumerate().map(word).collect()
    }

    fn text(&self, name: &str) -> Result<Vec<Option<String>>, ScoreError> {
        let failed = |problem: String| ScoreError::Table { path: self.path.clone(), problem };
        if let Some(problem) = self.file.unread(name) {
            return Err(failed(problem));
        }
        let column = self.file.frame.column(name).map_err(|_| {
            let known: Vec<String> =
                self.file.frame.get_column_names().into_iter().map(|n| format!("`{n}`")).collect();
            failed(format!("there is no column `{name}`; the columns are {}", known.join(", ")))
        })?;
        let dtype = column.dtype().clone();
        if !(dtype.is_string() || dtype.is_primitive_numeric() || dtype.is_bool() || dtype.is_null()) {
            return Err(failed(format!("the column `{name}` holds {dtype}, not numbers or text")));
        }
        // Booleans are read as 0 and 1.
        let column = if dtype.is_bool() { column.cast(&DataType::Int32) } else { Ok(column.clone()) };
        let text = column.and_then(|c| c.cast(&DataType::String)).map_err(|e| failed(e.to_string()))?;
        let text = text.str().map_err(|e| failed(e.to_string()))?;
        // A file of few bytes can repeat a long text without end.
        if text.iter().flatten().map(str::len).sum::<usize>() > MOST_TEXT {
            return Err(failed(format!("the column `{name}` holds more than 1 GiB of text")));
        }
        Ok(text.iter().map(|v| v.map(str::to_owned)).collect())
    }

    /// The text of each row and the number that it is: that of a column of numbers as it is, not by way of text.
    fn read_numbers(&self, name: &str) -> Result<Vec<(String, Numeric)>, ScoreError> {
        let exact = self.file.frame.column(name).ok().filter(|c| c.dtype().is_primitive_numeric());
        let exact = exact.and_then(|c| c.cast(&DataType::Float64).ok());
        let exact = exact.as_ref().and_then(|c| c.f64().ok());
        let read = |(row, text): (usize, Option<String>)| {
            let text = text.unwrap_or_default();
            let number = match exact {
                Some(column) => column.get(row).map_or(Numeric::Missing, Numeric::of_number),
                None => Numeric::of_text(&text),
            };
            (text, number)
        };
        Ok(self.text(name)?.into_iter().enumerate().map(read).collect())
    }

    /// A column of finite numbers of which some may be missing.
    pub(crate) fn optional_numbers(&self, name: &str) -> Result<Vec<Option<f64>>, ScoreError> {
        let given = |(i, (text, number)): (usize, (String, Numeric))| match number {
            Numeric::Missing => Ok(None),
            Numeric::Number(value) if value.is_finite() => Ok(Some(value)),
            _ => Err(ScoreError::Row {
                path: self.path.clone(),
                row: i + 1,
                problem: format!(
                    "`{name}` is {text:?}, not a finite number; leave it empty where it is missing"
                ),
            }),
        };
        self.read_numbers(name)?.into_iter().enumerate().map(given).collect()
    }

    /// A column of numbers, none missing and each satisfying `valid`.
    pub(crate) fn numbers(
        &self,
        name: &str,
        expected: &str,
        valid: fn(f64) -> bool,
    ) -> Result<Vec<f64>, ScoreError> {
        let checked = |(row, (text, number)): (usize, (String, Numeric))| {
            let problem = match number {
                Numeric::Number(value) if valid(value) => return Ok(value),
                Numeric::Missing => missing(name, &text, expected),
                _ => format!("`{name}` is {text:?}, not {expected}"),
            };
            Err(ScoreError::Row { path: self.path.clone(), row: row + 1, problem })
        };
        self.read_numbers(name)?.into_iter().enumerate().map(checked).collect()
    }

    /// The cases' names, each given once.
    pub(crate) fn names(&self, column: Option<&str>) -> Result<Vec<String>, ScoreError> {
        let there = self.has("case_id") || self.file.unread("case_id").is_some();
        let default = there.then_some("case_id");
        let Some(column) = column.or(default) else {
            return Ok((1..=self.file.frame.height()).map(|row| row.to_string()).collect());
        };
        let mut seen: HashMap<String, usize> = HashMap::new();
        let mut names = Vec::new();
        for (i, name) in self.text(column)?.into_iter().enumerate() {
            let name = name.unwrap_or_default();
            let row = i + 1;
            let failed = |problem| ScoreError::Row { path: self.path.clone(), row, problem };
            if name.is_empty() {
                return Err(failed(format!("`{column}` is empty; every case needs a name")));
            }
            if let Some(first) = seen.insert(name.clone(), row) {
                return Err(failed(format!(
                    "`{column}` is {name:?}, as in row {first}; each case may occur once"
                )));
            }
            names.push(name);
        }
        Ok(names)
    }
}

/// What is wrong with a cell that has no value, as its text says.
pub(super) fn missing(column: &str, text: &str, needed: &str) -> String {
    if text.trim().is_empty() {
        format!("`{column}` is missing (the cell is empty); every row needs {needed}")
    } else {
        format!("`{column}` is missing ({text:?}); every row needs {needed}")
    }
}
