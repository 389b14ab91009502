//! Curves beside metrics: what a figure in a paper shows.

use super::{Intervals, Request, ScoreError};
use fiel_kernels::calibration::{Band, Forecasts};
use fiel_kernels::classification::Scores;
use fiel_kernels::detection::{Froc, FrocPoint, Rates, Resampling, ScanOutcome};
use fiel_kernels::survival::{GroupedTimes, KaplanMeier, SurvivalTimes};
use serde::Serialize;
use std::collections::BTreeSet;

/// Curves of one task.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Curves {
    /// Of probabilities against labels.
    Forecasts {
        /// Receiver operating characteristic; `null` where one class has no case.
        roc: Option<Roc>,
        /// Precision and recall; `null` where no case is positive.
        precision_recall: Option<PrecisionRecall>,
        /// Net benefit over thresholds.
        decision: DecisionCurve,
        /// CORP reliability.
        reliability: ReliabilityCurve,
    },
    /// Of censored times.
    Times(SurvivalCurves),
    /// Of findings.
    Findings {
        /// Free-response receiver operating characteristic.
        froc: FrocCurve,
    },
}

/// ROC curve from (0, 0), without points on straight lines between their neighbours.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Roc {
    /// Scores from which cases are called positive, falling.
    pub threshold: Vec<f64>,
    /// 1 - specificity at each.
    pub false_positive_rate: Vec<f64>,
    /// Sensitivity at each.
    pub sensitivity: Vec<f64>,
}

/// Precision-recall curve at every distinct score.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PrecisionRecall {
    /// Scores from which cases are called positive, rising.
    pub threshold: Vec<f64>,
    /// Share of the cases called positive that are positive.
    pub precision: Vec<f64>,
    /// Share of the positive cases that are called so.
    pub recall: Vec<f64>,
}

/// FROC curve from (0, 0) (Bunch et al. 1978), with the rates of the CPM.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FrocCurve {
    /// Confidences from which marks count, falling.
    pub threshold: Vec<f64>,
    /// False positives per image at each.
    pub false_positives_per_image: Vec<f64>,
    /// Share of the reference's findings that are hit at each.
    pub sensitivity: Vec<f64>,
    /// False positives per image at which the CPM reads the curve.
    pub rate: Vec<f64>,
    /// Sensitivity at each rate.
    pub sensitivity_at_rate: Vec<f64>,
    /// Its 95 % interval by drawing images; `null` without intervals.
    pub sensitivity_at_rate_95: Option<Vec<[f64; 2]>>,
}

/// Decision curve (Vickers and Elkin 2006, doi:10.1177/0272989X06295361).
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DecisionCurve {
    /// Threshold probabilities 0.01, 0.02, ... 0.99.
    pub threshold: Vec<f64>,
    /// Net benefit of treating the cases at or above the threshold.
    pub net_benefit: Vec<f64>,
    /// Net benefit of treating every case; treating none has 0.
    pub treat_all: Vec<f64>,
}

/// CORP reliability curve and decomposition of the Brier score (Dimitriadis et al. 2021, doi:10.1073/pnas.2016191118).
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ReliabilityCurve {
    /// Distinct probabilities, rising.
    pub probability: Vec<f64>,
    /// Share of positive cases by isotonic regression.
    pub recalibrated: Vec<f64>,
    /// Where that lies in 95 % of draws from reliable probabilities.
    pub consistency_95: Vec<[f64; 2]>,
    /// Miscalibration part of the Brier score.
    pub miscalibration: f64,
    /// Discrimination part, which is subtracted.
    pub discrimination: f64,
    /// Uncertainty part.
    pub uncertainty: f64,
}

/// Kaplan-Meier curves of groups and the log-rank test of their being one.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SurvivalCurves {
    /// The groups; one named `all` where the cases are not divided.
    pub groups: Vec<SurvivalGroup>,
    /// Log-rank p-value; `null` for one group, or where the test is undefined.
    pub log_rank_p: Option<f64>,
}

/// The curve of one group.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SurvivalGroup {
    /// Name.
    pub group: String,
    /// Distinct times, rising.
    pub time: Vec<f64>,
    /// Probability of being free of the event after each.
    pub survival: Vec<f64>,
    /// Cases at risk just before each.
    pub at_risk: Vec<u64>,
    /// Events at each.
    pub events: Vec<u64>,
    /// Median time; `null` where it is not reached.
    pub median: Option<f64>,
}

/// Draws behind the consistency band, fewer for very many distinct probabilities.
const DRAWS: usize = 1000;
const MOST_VALUES: usize = 100_000_000;

/// Decision and reliability curves of checked probabilities.
pub(super) fn of_forecasts(score: &[f64], label: &[bool]) -> Result<Curves, ScoreError> {
    let threshold: Vec<f64> = (1..100).map(|i| f64::from(i) / 100.0).collect();
    let scores = Scores::new(score, label)?;
    let points = scores.decision_curve(&threshold)?;
    // The first point, at which no case is called positive, has no threshold.
    let roc = scores.roc_corners().ok().map(|curve| Roc {
        threshold: curve.thresholds[1..].to_vec(),
        false_positive_rate: curve.false_positive_rates[1..].to_vec(),
        sensitivity: curve.true_positive_rates[1..].to_vec(),
    });
    let precision_recall = scores.precision_recall_curve().ok().map(|mut curve| {
        // The last one, at which none is, has neither.
        curve.precisions.truncate(curve.thresholds.len());
        curve.recalls.truncate(curve.thresholds.len());
        PrecisionRecall { threshold: curve.thresholds, precision: curve.precisions, recall: curve.recalls }
    });
    let forecasts = Forecasts::new(score, label)?;
    let corp = forecasts.corp();
    let draws = DRAWS.min((MOST_VALUES / corp.curve.len().max(1)).max(100));
    let band = forecasts.corp_band(Band::Consistency, 0.95, draws, 1)?;
    Ok(Curves::Forecasts {
        roc,
        precision_recall,
        decision: DecisionCurve {
            threshold,
            net_benefit: points.iter().map(|p| p.net_benefit).collect(),
            treat_all: points.iter().map(|p| p.treat_all).collect(),
        },
        reliability: ReliabilityCurve {
            probability: corp.curve.iter().map(|p| p[0]).collect(),
            recalibrated: corp.curve.iter().map(|p| p[1]).collect(),
            consistency_95: band.interval.clone(),
            miscalibration: corp.miscalibration,
            discrimination: corp.discrimination,
            uncertainty: corp.uncertainty,
        },
    })
}

/// FROC curve of images with marks, read at the rates of LUNA16; `None` where there is nothing to find.
pub(super) fn of_scans(scans: &[ScanOutcome], request: &Request) -> Result<Option<Curves>, ScoreError> {
    let (froc, rates) = (Froc::new(scans)?, Rates::luna16());
    let (Ok(points), Ok(sensitivity_at_rate)) = (froc.points(), froc.sensitivities(&rates)) else {
        return Ok(None);
    };
    let drawn = if request.intervals == Intervals::Off {
        None
    } else {
        let plan = Resampling::new(request.replicates as u64, request.seed, 0.95)?;
        froc.bootstrap(&rates, plan).ok().map(|found| found.sensitivities)
    };
    let column = |of: fn(&FrocPoint) -> f64| points[1..].iter().map(of).collect();
    Ok(Some(Curves::Findings {
        froc: FrocCurve {
            threshold: column(|p| p.threshold),
            false_positives_per_image: column(|p| p.false_positives_per_scan),
            sensitivity: column(|p| p.sensitivity),
            rate: rates.rates().to_vec(),
            sensitivity_at_rate,
            sensitivity_at_rate_95: drawn,
        },
    }))
}

/// Kaplan-Meier curves of the groups that the strata name, or of all cases.
pub(super) fn of_times(
    time: &[f64],
    event: &[bool],
    strata: Option<&[String]>,
) -> Result<Curves, ScoreError> {
    let times = SurvivalTimes::new(time, event)?;
    let Some(strata) = strata else {
        let groups = vec![group("all", &KaplanMeier::new(&times))];
        return Ok(Curves::Times(SurvivalCurves { groups, log_rank_p: None }));
    };
    let names: Vec<&String> = strata.iter().collect::<BTreeSet<_>>().into_iter().collect();
    let label = |s: &String| names.binary_search(&s).unwrap_or_default();
    let labels: Vec<usize> = strata.iter().map(label).collect();
    if names.len() == 1 {
        let groups = vec![group(names[0], &KaplanMeier::new(&times))];
        return Ok(Curves::Times(SurvivalCurves { groups, log_rank_p: None }));
    }
    let grouped = GroupedTimes::new(&times, &labels, names.len())?;
    let curves = grouped.kaplan_meier();
    let groups =
        names.iter().zip(&curves).filter_map(|(name, curve)| Some(group(name, curve.as_ref()?))).collect();
    let log_rank_p = grouped.log_rank().ok().map(|test| test.p_value);
    Ok(Curves::Times(SurvivalCurves { groups, log_rank_p }))
}

fn group(name: &str, curve: &KaplanMeier) -> SurvivalGroup {
    SurvivalGroup {
        group: name.to_owned(),
        time: curve.times().to_vec(),
        survival: curve.survival().to_vec(),
        at_risk: curve.at_risk().to_vec(),
        events: curve.events().to_vec(),
        median: curve.median().ok(),
    }
}
