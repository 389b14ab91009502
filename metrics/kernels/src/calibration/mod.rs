//! How far probabilities can be taken at their word.
//!
//! [`Forecasts`] checks binary forecasts once; its methods measure them. [`ForecastSummary::of`] checks and measures
//! in a single pass over large inputs. [`ClassForecasts`] does the same for several classes.
//!
//! | question | where |
//! |---|---|
//! | overall accuracy | [`Forecasts::brier`], [`Forecasts::log_loss`] |
//! | calibration errors over bins | [`Forecasts::bins`], [`Bins::ece`], [`Bins::mce`], [`Bins::ace`] |
//! | decompositions of the Brier score | [`Forecasts::murphy`], [`Forecasts::corp`] |
//! | reliability curves | [`Bins::curve`], [`Corp::curve`], [`Forecasts::corp_band`] |
//! | recalibration by logistic regression | [`Forecasts::recalibration`], [`Forecasts::intercept_in_the_large`] |
//! | smooth measures without bins | [`Forecasts::calibration_index`] (ICI), [`Forecasts::smooth_ece`], [`ClassForecasts::kce`], [`ClassForecasts::ece_kde`] |
//! | tests | [`Forecasts::spiegelhalter`], [`Forecasts::hosmer_lemeshow`] |

#![expect(clippy::float_cmp, reason = "equal probabilities are ties")]

mod bins;
mod class_forecasts;
mod corp;
mod decomposition;
mod forecasts;
mod fused;
mod kernel_errors;
mod loess;
mod recalibration;
mod smooth;
pub(crate) mod sums;
mod tests_of_fit;

pub use bins::{Bin, BinEdges, Bins, CurvePoint, Grouping, TieRule};
pub use class_forecasts::ClassForecasts;
pub use corp::{Band, Corp, CurveBand};
pub use decomposition::Murphy;
pub use forecasts::{Forecasts, LogLossPolicy};
pub use fused::ForecastSummary;
pub use kernel_errors::Bandwidth;
pub use loess::{CalibrationIndex, Smoother};
pub use recalibration::{Estimate, Recalibration};
pub use smooth::SmoothEce;
pub use tests_of_fit::Test;

pub(crate) use bins::critical_value;
