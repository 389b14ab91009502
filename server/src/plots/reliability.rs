//! Reliability diagram.

use super::canvas::{Axes, SCALE, Unit, line, unit_square};
use super::theme::{apply, series};
use super::{PlotError, SERIES_MAX};
use plotters::element::Circle;
use plotters::style::{Color, RGBColor};

/// One submission's calibration over all sites.
#[derive(Debug, Clone, PartialEq)]
pub struct ReliabilitySeries {
    /// Name and version of the tool.
    pub label: String,
    /// Bins with at least one case, lowest probabilities first.
    pub points: Vec<ReliabilityPoint>,
}

/// One bin of predicted probabilities.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ReliabilityPoint {
    /// Mean predicted probability.
    pub mean_p: f64,
    /// Observed fraction of positive cases.
    pub observed: f64,
    /// 95 % confidence interval of the observed fraction.
    pub ci95: [f64; 2],
    /// Cases.
    pub n: u64,
}

/// Draws the calibration of at most [`SERIES_MAX`] submissions; the first is drawn last, on top.
///
/// # Errors
/// Where the drawing library refuses.
pub fn reliability(curves: &[ReliabilitySeries]) -> Result<String, PlotError> {
    let axes = Axes { x: "Predicted probability", y: "Observed fraction" };
    let shown = &curves[..curves.len().min(SERIES_MAX)];
    let svg = unit_square(&axes, |chart| {
        for (index, curve) in shown.iter().enumerate().rev() {
            // Intervals of more than two submissions hide each other; the table has them all.
            draw_series(chart, curve, series(index), index < 2)?;
        }
        Ok(())
    })?;
    let labels: Vec<&str> = shown.iter().map(|c| c.label.as_str()).collect();
    let description = format!(
        "Observed fraction of positive cases against predicted probability, pooled over all sites, for {}. The \
         dashed diagonal is perfect calibration; whiskers are 95 % confidence intervals.",
        labels.join(", ")
    );
    Ok(apply(&svg, "reliability", "Reliability diagram", &description))
}

/// Bins of fewer cases are noise that hides the curve; the table beside the figure has them.
pub const BIN_CASES_MIN: u64 = 5;

fn draw_series(
    chart: &mut Unit<'_, '_>,
    curve: &ReliabilitySeries,
    colour: RGBColor,
    whiskers: bool,
) -> Result<(), PlotError> {
    let shown: Vec<&ReliabilityPoint> = curve.points.iter().filter(|p| p.n >= BIN_CASES_MIN).collect();
    if whiskers {
        for p in &shown {
            let x = unit(p.mean_p);
            let ends = vec![(x, unit(p.ci95[0])), (x, unit(p.ci95[1]))];
            line(chart, ends, colour.mix(0.5).stroke_width(SCALE + 1))?;
        }
    }
    let points: Vec<(f64, f64)> = shown.iter().map(|p| (unit(p.mean_p), unit(p.observed))).collect();
    line(chart, points.clone(), colour.stroke_width(2 * SCALE))?;
    chart
        .draw_series(points.into_iter().map(|p| Circle::new(p, 4 * SCALE, colour.filled())))
        .map_err(PlotError::new)?;
    Ok(())
}

fn unit(value: f64) -> f64 {
    if value.is_finite() { value.clamp(0.0, 1.0) } else { 0.0 }
}
