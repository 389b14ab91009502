//! Numbers against numbers: errors, correlation, agreement.
//!
//! [`Pairs`] checks predicted and reference values once; [`Ratings`] the table of several raters for the intraclass
//! correlations.

#![expect(clippy::float_cmp, reason = "equal values are ties")]

mod agreement;
mod correlation;
mod errors;
mod icc;

pub use agreement::{BlandAltman, Concordance, SecondMoments};
pub use errors::{Pairs, ZeroReference};
pub use icc::{Icc, IccForm, MeanSquares, Ratings};
