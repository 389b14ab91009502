//! How a metric is named, ordered and rounded on pages. Name, unit and direction come from the registry.

use fiel_metrics::registry::{self, Direction};

/// What "better" means for a column.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Better {
    /// Larger values first.
    Higher,
    /// Smaller values first.
    Lower,
    /// Values nearest to this first.
    Near(f64),
}

/// A metric as a column.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// Registry id.
    pub id: String,
    /// Heading.
    pub short: String,
    /// Full name.
    pub name: String,
    /// Unit, empty for none.
    pub unit: String,
    /// What is better.
    pub better: Better,
    /// Decimal places shown.
    pub decimals: usize,
}

/// Heading and decimals.
const SHORT: &[(&str, &str, usize)] = &[
    ("auc", "AUC", 3),
    ("average_precision", "AP", 3),
    ("sensitivity@specificity=0.95", "Sens. at 95 % spec.", 3),
    ("brier", "Brier", 3),
    ("ece@15", "ECE", 3),
    ("calibration_slope", "Cal. slope", 2),
    ("calibration_intercept", "Cal. intercept", 2),
    ("dice", "Dice", 3),
    ("iou", "IoU", 3),
    ("volume_error_ml", "Volume error", 2),
];

/// Metrics that are best at a value inside their range.
const NEAR: &[(&str, f64)] = &[("calibration_slope", 1.0), ("calibration_intercept", 0.0)];

impl Column {
    /// The column of a metric id; ids unknown to this version keep their id as heading.
    pub fn of(id: &str) -> Self {
        let spec = registry::find(id);
        let known = SHORT.iter().find(|s| s.0 == id);
        let better = match spec.map(|s| s.direction) {
            Some(Direction::LowerIsBetter) => Better::Lower,
            _ => Better::Higher,
        };
        let better = NEAR.iter().find(|n| n.0 == id).map_or(better, |n| Better::Near(n.1));
        let unit = spec.map_or("", |s| s.unit);
        let is_shown = !matches!(unit, "" | "1" | "logit");
        Self {
            id: id.to_owned(),
            short: known.map_or_else(|| id.to_owned(), |k| k.1.to_owned()),
            name: spec.map_or_else(|| id.to_owned(), |s| s.name.to_owned()),
            unit: if is_shown { unit.to_owned() } else { String::new() },
            better,
            decimals: known.map_or(3, |k| k.2),
        }
    }

    /// Where the column of a metric id stands among others.
    pub fn rank_of(id: &str) -> usize {
        SHORT.iter().position(|s| s.0 == id).unwrap_or(SHORT.len())
    }

    /// Sign beside the heading.
    pub fn arrow(&self) -> String {
        match self.better {
            Better::Higher => "↑".into(),
            Better::Lower => "↓".into(),
            Better::Near(target) => format!("→{target:.0}"),
        }
    }

    /// The sign in words.
    pub fn better_words(&self) -> String {
        match self.better {
            Better::Higher => "higher is better".into(),
            Better::Lower => "lower is better".into(),
            Better::Near(target) => format!("best at {target:.0}"),
        }
    }

    /// Sort key: smaller is better.
    pub fn badness(&self, value: f64) -> f64 {
        match self.better {
            Better::Higher => -value,
            Better::Lower => value,
            Better::Near(target) => (value - target).abs(),
        }
    }
}
