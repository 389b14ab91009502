//! Plots of the best submissions together with the numbers they show.

use super::format;
use super::layout::render;
use crate::plots::{self, PlotError, ReliabilitySeries, RocSeries};
use askama::Template;

/// False positive rates at which the table gives sensitivities.
const RATES: [f64; 6] = [0.0, 0.01, 0.05, 0.1, 0.2, 0.5];

struct RocLine {
    label: String,
    auc: String,
    sensitivities: Vec<String>,
}

struct BinLine {
    mean_p: String,
    observed: String,
    interval: String,
    n: u64,
}

struct BinTable {
    index: usize,
    label: String,
    bins: Vec<BinLine>,
}

#[derive(Template)]
#[template(path = "curves.html")]
struct Curves<'a> {
    challenge: &'a str,
    roc: String,
    reliability: String,
    bin_cases_min: u64,
    rates: Vec<String>,
    lines: Vec<RocLine>,
    tables: Vec<BinTable>,
}

/// Both plots with their tables.
///
/// # Errors
/// Where the drawing library refuses.
pub fn render_curves(
    challenge: &str,
    roc: &[RocSeries],
    reliability: &[ReliabilitySeries],
) -> Result<String, PlotError> {
    let lines = roc.iter().map(|curve| RocLine {
        label: curve.label.clone(),
        auc: curve.auc.map_or_else(|| "undefined".into(), |auc| format::number(auc, 3)),
        sensitivities: RATES
            .iter()
            .map(|rate| curve.sensitivity_at(*rate).map_or_else(|| "–".into(), |s| format::number(s, 3)))
            .collect(),
    });
    let tables = reliability.iter().enumerate().map(|(index, curve)| BinTable {
        index: index + 1,
        label: curve.label.clone(),
        bins: curve
            .points
            .iter()
            .map(|p| BinLine {
                mean_p: format::number(p.mean_p, 3),
                observed: format::number(p.observed, 3),
                interval: format!("{} to {}", format::number(p.ci95[0], 3), format::number(p.ci95[1], 3)),
                n: p.n,
            })
            .collect(),
    });
    Ok(render(&Curves {
        challenge,
        roc: plots::roc(roc)?,
        reliability: plots::reliability(reliability)?,
        bin_cases_min: plots::BIN_CASES_MIN,
        rates: RATES.iter().map(|r| format!("{r}")).collect(),
        lines: lines.collect(),
        tables: tables.collect(),
    }))
}
