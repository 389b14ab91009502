//! Rankings of algorithms over cases, and how stable they are.
//!
//! One [`Table`] holds one metric (cases x algorithms). [`Table::rank`] ranks it by one of the [`Method`]s that
//! challenges use; [`Table::bootstrap`] ranks resamples of its cases; [`Significance`] tests all pairs. Several
//! metrics are joined by [`grand_challenge`] or, over institutions, by [`fets`]. [`ReplicatedRanking`] says the same of
//! replicates that the sites of a federation made.

mod bootstrap;
mod fets;
mod grand_challenge;
mod methods;
mod ranks;
mod replicated;
mod significance;
mod stability;
mod table;
mod test_replicates;

pub use bootstrap::RepeatedCases;
pub use fets::{Fets, Institution, fets};
pub use grand_challenge::{GrandChallenge, Overall, grand_challenge};
pub use methods::{Alpha, Method, Ranking};
pub use ranks::{competition_ranks, tie_groups};
pub use replicated::{MetricReplicates, ReplicatedRanking};
pub use significance::{Adjustment, Significance};
pub use stability::BootstrappedRanks;
pub use table::{Direction, Table};
