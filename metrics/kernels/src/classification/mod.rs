//! Scores and labels against the truth: ROC, precision-recall, confusion matrices, their intervals.
//!
//! Three kinds of input, each checked once:
//! * [`Scores`]: one score per case and a binary label. It sorts once; the area under the ROC curve with DeLong's
//!   variance, average precision, curves, operating points and decision curves are then linear passes.
//!   [`PairedScores`] compares two models on the same cases, [`AucBootstrap`] resamples.
//! * [`Confusion`] (two classes) and [`ConfusionMatrix`] (any number): counts of decisions.
//! * [`ClassScores`]: one score per case and class, for multi-class areas under the curve.
//!
//! [`Proportion`] gives intervals for sensitivities, specificities and the like.
//!
//! ```
//! use fiel_kernels::classification::Scores;
//! let scores = Scores::new(&[0.9, 0.7, 0.6, 0.2], &[true, false, true, false])?;
//! assert_eq!(scores.auc(), Ok(0.75));
//! # Ok::<(), fiel_kernels::InputError>(())
//! ```

mod auc;
mod bootstrap;
mod confusion;
mod costs;
mod decision;
mod matrix;
mod multiclass;
mod operating;
mod paired;
mod precision_recall;
mod proportion;
mod roc;
mod scatter;
mod scores;
mod sort;

pub use crate::draws::{multinomial_weights, poisson_weight};
pub use auc::DeLong;
pub use bootstrap::{AucBootstrap, AucReplicates};
pub use confusion::Confusion;
pub use costs::Costs;
pub use decision::DecisionPoint;
pub use matrix::{ConfusionMatrix, KappaWeights};
pub use multiclass::{Average, ClassScores};
pub use operating::OperatingPoint;
pub use paired::{PairedDeLong, PairedScores};
pub use precision_recall::PrecisionRecallCurve;
pub use proportion::Proportion;
pub use roc::RocCurve;
pub use scores::Scores;
