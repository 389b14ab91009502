//! Uncertainty and tests: bootstrap intervals, paired tests, corrections for many tests, rank correlation, random
//! effects over sites.
//!
//! All randomness is counted and not drawn: the n-th number of a replicate is a pure function of the seed, the
//! replicate and n ([`Resamples`], [`poisson_weight`]), so that results are the same bytes for any number of
//! threads and stay paired between algorithms that are resampled with one seed.

mod adjust;
mod bootstrap;
mod correlation;
mod distributions;
mod friedman;
mod meta;
mod paired;
mod permutation;
mod ranks;
mod resamples;
mod signed_rank;
mod special;
pub(crate) mod weighted_sums;

pub use crate::draws::{poisson_of, poisson_weight};
pub use adjust::{PValues, benjamini_hochberg, holm};
pub use bootstrap::{Bca, Confidence, Jackknife, Replicates};
pub use correlation::{Kendall, RankedPairs};
pub use distributions::{
    chi_squared_upper, fair_binomial_lower, normal_lower, normal_upper, normal_upper_quantile, student_upper,
    student_upper_quantile,
};
pub use friedman::Friedman;
pub use meta::{HartungKnapp, RandomEffects, SiteEstimates};
pub use paired::{Differences, McNemar, PairedT, mcnemar};
pub use permutation::SignFlip;
pub use ranks::midranks;
pub use resamples::Resamples;
pub use signed_rank::{Alternative, SignedRank, SignedRankMethod, Zeros};

pub(crate) use bootstrap::quantile_sorted;
pub(crate) use distributions::{beta_lower_quantile, f_upper_quantile, normal_two_sided};
pub(crate) use friedman::friedman_of_rows;
pub(crate) use resamples::{bits, replicate_key};
pub(crate) use special::ln_gamma;
