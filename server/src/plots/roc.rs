//! Receiver operating characteristic.

use super::canvas::{Axes, SCALE, line, unit_square};
use super::theme::{apply, series};
use super::{PlotError, SERIES_MAX};
use plotters::style::Color;

/// One submission's curve over all sites.
#[derive(Debug, Clone, PartialEq)]
pub struct RocSeries {
    /// Name and version of the tool.
    pub label: String,
    /// Area under the curve, where defined.
    pub auc: Option<f64>,
    /// False positive rate and true positive rate, from (0, 0) to (1, 1).
    pub points: Vec<[f64; 2]>,
}

impl RocSeries {
    /// The largest sensitivity at a false positive rate of at most `rate`.
    pub fn sensitivity_at(&self, rate: f64) -> Option<f64> {
        let reached = self.points.iter().filter(|p| p[0] <= rate + 1e-12).map(|p| p[1]);
        reached.max_by(f64::total_cmp)
    }
}

/// Draws the curves of at most [`SERIES_MAX`] submissions; the first is drawn last, on top.
///
/// # Errors
/// Where the drawing library refuses.
pub fn roc(curves: &[RocSeries]) -> Result<String, PlotError> {
    let axes = Axes { x: "False positive rate (1 − specificity)", y: "Sensitivity" };
    let shown = &curves[..curves.len().min(SERIES_MAX)];
    let svg = unit_square(&axes, |chart| {
        for (index, curve) in shown.iter().enumerate().rev() {
            let points = curve.points.iter().map(|p| (p[0].clamp(0.0, 1.0), p[1].clamp(0.0, 1.0))).collect();
            line(chart, points, series(index).stroke_width(2 * SCALE + 1))?;
        }
        Ok(())
    })?;
    let labels: Vec<String> = shown
        .iter()
        .map(|c| c.auc.map_or_else(|| c.label.clone(), |auc| format!("{} (AUC {auc:.4})", c.label)))
        .collect();
    let description = format!(
        "Sensitivity against false positive rate, pooled over all sites, for {}. The dashed diagonal is a model \
         without information.",
        labels.join(", ")
    );
    Ok(apply(&svg, "roc", "Receiver operating characteristic", &description))
}
