//! Risks against censored times: concordance, Brier scores, Kaplan-Meier.
//!
//! A risk orders cases (higher: earlier event); a survival probability is the predicted chance of being free of the
//! event at a time. Times have any one unit. Cases are sorted by time once, in [`SurvivalTimes`].

mod concordance;
mod confidence;
mod counter;
mod curve;
mod groups;
pub(crate) mod order;
mod times;
mod weighted;

pub use concordance::{Horizon, PairCounts, RiskConcordance};
pub use confidence::Confidence;
pub use curve::{CensoringDistribution, IntervalScale, KaplanMeier, RestrictedMean};
pub use groups::{GroupCalibration, GroupedTimes, LogRank, quantile_groups};
pub use times::{SurvivalTimes, TimeGrid};
pub use weighted::{PredictedSurvival, TimeDependentAuc, time_dependent_auc};
