//! Tables of cases: scores, survival times, results of many algorithms.

use crate::inputs::Inputs;
use crate::measure::Measured;
use fiel_kernels::calibration::{BinEdges, ForecastSummary};
use fiel_kernels::classification::Scores;
use fiel_kernels::inference::Resamples;
use fiel_kernels::ranking::{Alpha, Direction, Method, RepeatedCases, Table};
use fiel_kernels::survival::{RiskConcordance, SurvivalTimes};
use std::error::Error;
use std::hint::black_box;

pub(crate) const MEAN: Method = Method::MeanThenRank;
pub(crate) const RANK: Method = Method::RankThenMean;
pub(crate) const TEST: Method = Method::TestThenRank(Alpha::P05);

const ALGORITHMS: usize = 50;
const REPLICATES: usize = 1_000;
const SEED: u64 = 1;
const BINS: usize = 15;
/// Bytes of a score and its label.
const CASE_BYTES: usize = 9;

type Outcome = Result<Measured, Box<dyn Error>>;

pub(crate) fn auc(inputs: &Inputs, repeats: usize, size: &str) -> Outcome {
    let (scores, labels) = scores(inputs, size)?;
    Measured::of(
        CASE_BYTES * scores.len(),
        repeats,
        || {
            let delong = Scores::new(black_box(&scores), &labels)?.delong()?;
            Ok((delong.auc, delong.wald(0.95)?))
        },
        |(auc, [low, high])| Ok(vec![("auc", auc), ("low", low), ("high", high)]),
    )
}

pub(crate) fn auc_bootstrap(inputs: &Inputs, repeats: usize) -> Outcome {
    let (scores, labels) = scores(inputs, "1e5")?;
    Measured::of(
        CASE_BYTES * scores.len(),
        repeats,
        || {
            let scores = Scores::new(black_box(&scores), &labels)?;
            Ok(scores.bootstrap_auc(REPLICATES, SEED)?.percentile_interval(0.95)??)
        },
        |[low, high]| Ok(vec![("low", low), ("high", high)]),
    )
}

pub(crate) fn calibration(inputs: &Inputs, repeats: usize) -> Outcome {
    let (scores, labels) = scores(inputs, "1e7")?;
    Measured::of(
        CASE_BYTES * scores.len(),
        repeats,
        || {
            let summary = ForecastSummary::of(black_box(&scores), &labels, BINS, BinEdges::LeftClosed)?;
            Ok([summary.bins().ece(), summary.bins().mce(), summary.brier(), summary.log_loss()])
        },
        |[ece, mce, brier, log_loss]| {
            Ok(vec![("ece", ece), ("mce", mce), ("brier", brier), ("log_loss", log_loss)])
        },
    )
}

pub(crate) fn harrell(inputs: &Inputs, repeats: usize) -> Outcome {
    let times = inputs.numbers("survival_times")?;
    let risks = inputs.numbers("survival_risks")?;
    let events = inputs.flags("survival_events")?;
    Measured::of(
        (2 * size_of::<f64>() + 1) * times.len(),
        repeats,
        || {
            let times = SurvivalTimes::new(black_box(&times), &events)?;
            Ok(RiskConcordance::new(&times, &risks, 0.0)?.c_index_harrell()?)
        },
        |c| Ok(vec![("c", c)]),
    )
}

pub(crate) fn ranking(inputs: &Inputs, repeats: usize, method: Method) -> Outcome {
    let values = inputs.numbers("leaderboard")?;
    Measured::of(
        size_of::<f64>() * values.len(),
        repeats,
        || {
            let table = Table::complete(black_box(&values), ALGORITHMS, Direction::HigherIsBetter)?;
            let resamples = Resamples::multinomial(SEED, REPLICATES, table.cases())?;
            Ok(table.bootstrap(method, &resamples, RepeatedCases::Correct)?)
        },
        |ranks| {
            let mean = |algorithm: usize| {
                let sum: u32 = (0..ranks.replicates()).map(|r| ranks.replicate(r)[algorithm]).sum();
                f64::from(sum) / ranks.replicates() as f64
            };
            let full = ranks.full().ranks[0];
            Ok(vec![
                ("mean_rank_first", mean(0)),
                ("mean_rank_last", mean(ALGORITHMS - 1)),
                ("full_rank_first", f64::from(full)),
            ])
        },
    )
}

fn scores(inputs: &Inputs, size: &str) -> Result<(Vec<f64>, Vec<bool>), Box<dyn Error>> {
    Ok((inputs.numbers(&format!("scores_{size}"))?, inputs.flags(&format!("labels_{size}"))?))
}
