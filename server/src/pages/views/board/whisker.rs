//! A value and its 95 % interval as a small drawing.

use std::fmt::Write as _;

const WIDTH: f64 = 96.0;
const INSET: f64 = 4.0;

/// Intervals further than this many typical widths from the best value are drawn at the edge.
const WIDTHS: f64 = 5.0;

/// The range that the whiskers of one page share.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scale {
    low: f64,
    high: f64,
    best: Option<f64>,
}

impl Scale {
    /// Covers all intervals, except that one far-away row does not squash the others; `best` is marked by a line.
    pub fn covering(intervals: impl Iterator<Item = [f64; 2]>, best: Option<f64>) -> Option<Self> {
        let shown: Vec<[f64; 2]> = intervals.filter(|ci| ci[0].is_finite() && ci[1].is_finite()).collect();
        let mut low = shown.iter().map(|ci| ci[0]).min_by(f64::total_cmp)?;
        let mut high = shown.iter().map(|ci| ci[1]).max_by(f64::total_cmp)?;
        let mut widths: Vec<f64> = shown.iter().map(|ci| ci[1] - ci[0]).filter(|w| *w > 0.0).collect();
        widths.sort_by(f64::total_cmp);
        if let (Some(best), Some(typical)) = (best, widths.get(widths.len().saturating_sub(1) / 2)) {
            low = low.max(best - WIDTHS * typical);
            high = high.min(best + WIDTHS * typical);
        }
        let slack = ((high - low) * 0.02).max(1e-9);
        Some(Self { low: low - slack, high: high + slack, best })
    }

    fn x(&self, value: f64) -> f64 {
        let t = ((value - self.low) / (self.high - self.low)).clamp(0.0, 1.0);
        INSET + t * (WIDTH - 2.0 * INSET)
    }

    /// The drawing; decorative, because the numbers stand beside it.
    pub fn draw(&self, value: f64, ci95: [f64; 2]) -> String {
        let (low, mid, high) = (self.x(ci95[0]), self.x(value), self.x(ci95[1]));
        let mut svg = String::with_capacity(360);
        let _ = write!(
            svg,
            "<svg class=\"whisker\" viewBox=\"0 0 {WIDTH} 16\" width=\"{WIDTH}\" height=\"16\" aria-hidden=\"true\" \
             focusable=\"false\">"
        );
        if let Some(best) = self.best {
            let at = self.x(best);
            let _ = write!(svg, "<line class=\"best\" x1=\"{at:.1}\" y1=\"0\" x2=\"{at:.1}\" y2=\"16\"/>");
        }
        if value < self.low || value > self.high {
            // Off the scale: a pointer to where it would be.
            let (at, tip) =
                if value < self.low { (INSET + 5.0, INSET) } else { (WIDTH - INSET - 5.0, WIDTH - INSET) };
            let _ = write!(svg, "<path class=\"off\" d=\"M{at} 4L{tip} 8L{at} 12Z\"/></svg>");
            return svg;
        }
        let _ = write!(
            svg,
            "<path d=\"M{low:.1} 8H{high:.1}M{low:.1} 4.5V11.5M{high:.1} 4.5V11.5\"/><circle cx=\"{mid:.1}\" \
             cy=\"8\" r=\"3.2\"/></svg>"
        );
        svg
    }
}
