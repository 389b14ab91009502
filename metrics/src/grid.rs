//! The fixed grid of 1,024 cells over probabilities: fine near 0.5 and still resolving near 0 and 1.
//!
//! With x = logit p, the coordinate t = x / (|x| + 6) runs over (-1, 1) and is cut into equal cells.

/// Number of cells.
pub(crate) const CELLS: u16 = 1024;
const SOFTNESS: f64 = 6.0;
/// Probabilities are clipped to this and its complement before their logit is taken.
const CLIP: f64 = 1e-12;

/// logit p, without clipping.
fn raw_logit(p: f64) -> f64 {
    p.ln() - (-p).ln_1p()
}

/// logit p with p clipped to [1e-12, 1 - 1e-12].
pub(crate) fn logit(p: f64) -> f64 {
    raw_logit(p.clamp(CLIP, 1.0 - CLIP))
}

/// 1 / (1 + exp(-x)).
pub(crate) fn sigmoid(x: f64) -> f64 {
    if x >= 0.0 {
        1.0 / (1.0 + (-x).exp())
    } else {
        let e = x.exp();
        e / (1.0 + e)
    }
}

/// The cell of a probability in [0, 1].
pub(crate) fn cell(p: f64) -> u16 {
    if p <= 0.0 {
        return 0;
    }
    if p >= 1.0 {
        return CELLS - 1;
    }
    let x = raw_logit(p);
    let t = x / (x.abs() + SOFTNESS);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the grid")]
    let cell = ((t + 1.0) * f64::from(CELLS / 2)).floor().clamp(0.0, f64::from(CELLS - 1)) as u16;
    cell
}

/// Lower edge of a cell as an unclipped logit; infinite at both ends of the grid.
fn edge(cell: u16) -> f64 {
    if cell == 0 {
        return f64::NEG_INFINITY;
    }
    if cell >= CELLS {
        return f64::INFINITY;
    }
    let t = f64::from(cell) / f64::from(CELLS / 2) - 1.0;
    SOFTNESS * t / (1.0 - t.abs())
}

/// Smallest and largest clipped logit of the cells `first..=last`.
pub(crate) fn logits(first: u16, last: u16) -> [f64; 2] {
    let (low, high) = (logit(0.0), logit(1.0));
    [edge(first).clamp(low, high), edge(last + 1).clamp(low, high)]
}

/// Smallest and largest probability of the cells `first..=last`.
pub(crate) fn probabilities(first: u16, last: u16) -> [f64; 2] {
    [sigmoid(edge(first)), sigmoid(edge(last + 1))]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_probability_lies_within_the_edges_of_its_cell() {
        for i in 0..=100_000 {
            let p = f64::from(i) / 100_000.0;
            let c = cell(p);
            let [low, high] = probabilities(c, c);
            assert!(low - 1e-12 <= p && p <= high + 1e-12, "{p} {c} {low} {high}");
            let [low, high] = logits(c, c);
            assert!(low - 1e-9 <= logit(p) && logit(p) <= high + 1e-9, "{p} {c} {low} {high}");
        }
        assert_eq!((cell(0.0), cell(-0.0), cell(1.0), cell(5e-324)), (0, 0, 1023, 4));
    }
}
