//! Plots as SVG, drawn by plotters and themed by class so that they follow the page's light or dark colours.
//!
//! A figure is drawn with sentinel colours, which [`theme`] then replaces by class names; the page's style sheet
//! (or, for a file that stands alone, [`STANDALONE_STYLE`]) gives the classes their colours.

mod canvas;
mod reliability;
mod roc;
mod theme;

pub use reliability::{BIN_CASES_MIN, ReliabilityPoint, ReliabilitySeries, reliability};
pub use roc::{RocSeries, roc};
pub use theme::{STANDALONE_STYLE, standalone};

/// Most curves in one figure; more cannot be told apart.
pub const SERIES_MAX: usize = 8;

/// A figure that could not be drawn.
#[derive(Debug, thiserror::Error)]
#[error("the plot could not be drawn: {0}")]
pub struct PlotError(String);

impl PlotError {
    fn new(error: impl std::fmt::Display) -> Self {
        Self(error.to_string())
    }
}

#[cfg(test)]
mod tests;
