//! What can go wrong while measuring and reading images, and why a measure may have no value.

use std::path::PathBuf;
use thiserror::Error;

/// A number as errors show it: very large and very small ones in exponent form, not with hundreds of digits.
fn shown(value: f64) -> String {
    let size = value.abs();
    if size.is_finite() && size > 0.0 && !(1e-5..1e15).contains(&size) {
        format!("{value:e}")
    } else {
        value.to_string()
    }
}

/// Input that no measure may be computed from.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum InputError {
    /// A list is empty.
    #[error("{0}: the list is empty; at least one value is needed")]
    Empty(&'static str),
    /// Two lists that belong together differ in length.
    #[error("{left} has {left_len} values and {right} has {right_len}; they must be equally long")]
    Length {
        /// Name of the first list.
        left: &'static str,
        /// Its length.
        left_len: usize,
        /// Name of the second list.
        right: &'static str,
        /// Its length.
        right_len: usize,
    },
    /// A value is outside what is allowed there: not finite, below zero, not a probability, ...
    #[error("{what} at index {index} is {}; it must be {expected}", shown(*.value))]
    Value {
        /// Name of the list.
        what: &'static str,
        /// Position in it, from 0.
        index: usize,
        /// The value.
        value: f64,
        /// What is allowed.
        expected: &'static str,
    },
    /// A setting (tolerance, number of bins, quantile, ...) is outside what is allowed.
    #[error("{what} is {}; it must be {expected}", shown(*.value))]
    Setting {
        /// Name of the setting.
        what: &'static str,
        /// The value.
        value: f64,
        /// What is allowed.
        expected: &'static str,
    },
    /// Two images have different shapes.
    #[error("{left} has shape {left_shape:?} and {right} has {right_shape:?}; they must be equal")]
    Shape {
        /// Name of the first image.
        left: &'static str,
        /// Its shape.
        left_shape: [usize; 3],
        /// Name of the second image.
        right: &'static str,
        /// Its shape.
        right_shape: [usize; 3],
    },
    /// More elements than the measure can hold.
    #[error("{what}: {found} exceeds the limit of {limit}")]
    TooLarge {
        /// What was counted.
        what: &'static str,
        /// The number found.
        found: u64,
        /// The number allowed.
        limit: u64,
    },
}

/// Why a measure has no value although its input is valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Error)]
pub enum Undefined {
    /// Neither reference nor prediction marks anything.
    #[error("reference and prediction are both empty")]
    BothEmpty,
    /// The reference marks nothing.
    #[error("the reference is empty")]
    ReferenceEmpty,
    /// The prediction marks nothing.
    #[error("the prediction is empty")]
    PredictionEmpty,
    /// All cases are of one class.
    #[error("only one class is present")]
    OneClass,
    /// No case is of the class that is asked for.
    #[error("no case is of that class")]
    NoPositive,
    /// No event was observed.
    #[error("no event was observed")]
    NoEvents,
    /// No two cases can be compared.
    #[error("no two cases can be compared")]
    NoPairs,
    /// A value that must vary is constant.
    #[error("a value that must vary is constant")]
    Constant,
    /// The classes are separated, so that the likelihood has no maximum.
    #[error("the classes are separated completely")]
    Separated,
    /// Too few cases.
    #[error("there are too few cases")]
    TooFew,
    /// A denominator is zero.
    #[error("the denominator is zero")]
    ZeroDenominator,
    /// The value is infinite.
    #[error("the value is infinite")]
    Infinite,
    /// The estimated probability of being uncensored is zero where its inverse is needed.
    #[error("the probability of being uncensored is zero where its inverse is needed")]
    CensoringZero,
    /// The time lies beyond the follow-up.
    #[error("the time lies beyond the follow-up")]
    BeyondFollowUp,
    /// The curve never reaches the level that is asked for.
    #[error("the curve never reaches that level")]
    NotReached,
    /// Nobody counts it.
    #[error("no site's engine counts it")]
    NotCounted,
}

/// An image could not be read, written or compared.
#[derive(Debug, Error)]
pub enum ImageError {
    /// The file could not be opened, read or written.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The image cannot be written as NIfTI-1.
    #[error("NIfTI-1 cannot hold this image: {0}")]
    Header(String),
    /// The image is larger than the reader may accept.
    #[error("the image is too large: {what} is {found}, the limit is {limit}")]
    TooLarge {
        /// What was counted.
        what: &'static str,
        /// The number found or declared.
        found: u64,
        /// The number allowed.
        limit: u64,
    },
    /// The data do not match what the header declares.
    #[error("the image's data are damaged: {0}")]
    Data(String),
    /// A mask holds something other than 0 and 1.
    #[error(
        "voxel {index:?} of the mask is {}; a mask holds 0 (background) and 1 (foreground) only",
        shown(*.value)
    )]
    Label {
        /// Position of the voxel.
        index: [usize; 3],
        /// Its value.
        value: f64,
    },
    /// A label map holds a label that was not asked for.
    #[error(
        "voxel {index:?} holds the label {label}, which is not among those asked for ({asked}); `--labels` must name all labels of both maps"
    )]
    OtherLabel {
        /// Position of the voxel.
        index: [usize; 3],
        /// The label found.
        label: u8,
        /// The labels asked for, separated by commas.
        asked: String,
    },
    /// Two images lie on different grids.
    #[error("the images lie on different grids: reference {reference}; prediction {prediction}")]
    Geometry {
        /// Grid of the reference.
        reference: String,
        /// Grid of the prediction.
        prediction: String,
    },
    /// The same, naming the file.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: Box<ImageError>,
    },
    /// A field of the file's header is missing, damaged or of a kind that is not read.
    #[error("not a readable {format} image: {field} {problem}")]
    Field {
        /// Name of the format.
        format: &'static str,
        /// Name of the field, as the format's standard spells it.
        field: &'static str,
        /// What is wrong with it, and what is read.
        problem: String,
    },
    /// A label map holds something other than labels.
    #[error(
        "voxel {index:?} of the label map is {}; labels are whole numbers from 0 to {limit}",
        shown(*.value)
    )]
    LabelMap {
        /// Position of the voxel.
        index: [usize; 3],
        /// Its value.
        value: f64,
        /// The largest label that is read.
        limit: u32,
    },
    /// A voxel's value does not fit the type that was asked for.
    #[error("voxel {index:?} is {}; {expected}", shown(*.value))]
    Voxel {
        /// Position of the voxel.
        index: [usize; 3],
        /// Its value.
        value: f64,
        /// What is allowed.
        expected: &'static str,
    },
    /// Two segments of a segmentation claim the same voxel, so that it has no label.
    #[error("segments {first} and {second} both hold voxel {index:?}; a label map has one label per voxel")]
    Overlap {
        /// Position of the voxel.
        index: [usize; 3],
        /// The segment of the smaller number.
        first: u16,
        /// The other segment.
        second: u16,
    },
}

#[cfg(test)]
mod tests {
    use super::InputError;

    #[test]
    fn values_of_any_size_are_shown_shortly() {
        for (value, text) in [
            (1e300, "1e300"),
            (-1.5e200, "-1.5e200"),
            (1e-300, "1e-300"),
            (f64::MIN_POSITIVE, "2.2250738585072014e-308"),
            (0.0, "0"),
            (-0.25, "-0.25"),
            (0.000_01, "0.00001"),
            (1_000_000.0, "1000000"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "inf"),
        ] {
            let of_list = InputError::Value { what: "risk", index: 3, value, expected: "small" };
            assert_eq!(of_list.to_string(), format!("risk at index 3 is {text}; it must be small"));
            let of_setting = InputError::Setting { what: "horizon", value, expected: "small" };
            assert_eq!(of_setting.to_string(), format!("horizon is {text}; it must be small"));
        }
    }
}
