//! What a cell holds where a number is wanted: the one place that says what a missing value looks like.

/// How programs write that there is no value: R, spreadsheets, pandas, JSON, SQL and Python. Besides them every NaN.
const MISSING: [&str; 9] = ["", "NA", "N/A", "n/a", "#N/A", "<NA>", "null", "NULL", "None"];

/// What a cell holds where a number is wanted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Numeric {
    /// No value.
    Missing,
    /// A number, perhaps an infinite one; never NaN.
    Number(f64),
    /// Something that is no number.
    Other,
}

impl Numeric {
    /// What a text says, blanks around it left out: truths are 1 and 0, as they are in a column of booleans.
    pub(crate) fn of_text(text: &str) -> Self {
        match text.trim() {
            text if MISSING.contains(&text) => Self::Missing,
            "true" | "True" | "TRUE" => Self::Number(1.0),
            "false" | "False" | "FALSE" => Self::Number(0.0),
            text => text.parse().map_or(Self::Other, Self::of_number),
        }
    }

    /// What a cell of a column of numbers says: NaN is how programs that have no other word for it say that a value is missing.
    pub(crate) fn of_number(number: f64) -> Self {
        if number.is_nan() { Self::Missing } else { Self::Number(number) }
    }
}
