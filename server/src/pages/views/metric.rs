//! How a metric is named, ordered and rounded on pages. Name, unit and direction come from the registry.

use fiel_metrics::registry::{self, Direction, MetricId};

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

impl Column {
    /// The column of a metric id; ids unknown to this version keep their id as heading.
    pub fn of(id: &str) -> Self {
        let Ok(metric) = MetricId::parse(id) else {
            let (short, name) = (id.to_owned(), id.to_owned());
            return Self {
                id: id.to_owned(),
                short,
                name,
                unit: String::new(),
                better: Better::Higher,
                decimals: 3,
            };
        };
        let spec = metric.spec;
        let better = match spec.direction {
            _ if spec.is_best_inside() => Better::Near(spec.target),
            Direction::LowerIsBetter => Better::Lower,
            Direction::HigherIsBetter => Better::Higher,
        };
        Self {
            id: id.to_owned(),
            short: metric.heading(),
            name: metric.name(),
            unit: spec.unit.to_owned(),
            better,
            decimals: usize::from(spec.decimals),
        }
    }

    /// Where the column of a metric id stands among others.
    pub fn rank_of(id: &str) -> usize {
        let base = MetricId::parse(id).map(|m| m.spec.id);
        registry::all().position(|m| base.as_ref().is_ok_and(|b| *b == m.id)).unwrap_or(usize::MAX)
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
