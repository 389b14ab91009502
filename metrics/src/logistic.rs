//! Calibration slope and intercept: logistic regressions on the logit of the score.

use crate::grid;
use crate::ranking::Answer;
use crate::stats::Z;
use crate::table::Cases;
use fiel_schemas::summary::ScoreCell;

/// Cases that share one logit, or a range of it.
#[derive(Debug, Clone, Copy)]
struct Point {
    low: f64,
    high: f64,
    pos: f64,
    neg: f64,
}

impl Point {
    fn middle(&self) -> f64 {
        0.5 * (self.low + self.high)
    }

    fn half(&self) -> f64 {
        0.5 * (self.high - self.low)
    }
}

/// Newton's method stops well below this; it is added to every bound of an iterated value.
const ITERATED: f64 = 1e-9;

fn exact_points(cases: &Cases) -> Vec<Point> {
    let point = |(&score, &label): (&f64, &bool)| {
        let x = grid::logit(score);
        Point { low: x, high: x, pos: f64::from(u8::from(label)), neg: f64::from(u8::from(!label)) }
    };
    cases.score.iter().zip(&cases.label).map(point).collect()
}

fn cell_points(cells: &[ScoreCell]) -> Vec<Point> {
    let point = |c: &ScoreCell| {
        let [low, high] = grid::logits(c.first, c.last);
        Point { low, high, pos: c.pos as f64, neg: c.neg as f64 }
    };
    cells.iter().map(point).collect()
}

/// Slope over the cases themselves.
pub(crate) fn slope(cases: &Cases) -> Answer {
    slope_of(&exact_points(cases), false)
}

/// Slope over cells, with the most that the scores inside them can move it.
pub(crate) fn slope_merged(cells: &[ScoreCell]) -> Answer {
    slope_of(&cell_points(cells), true)
}

/// Intercept in the large over the cases themselves.
pub(crate) fn intercept(cases: &Cases) -> Answer {
    intercept_of(&exact_points(cases), false)
}

/// Intercept in the large over cells. It falls as any score rises, so both ends of the cells bracket it.
pub(crate) fn intercept_merged(cells: &[ScoreCell]) -> Answer {
    intercept_of(&cell_points(cells), true)
}

fn intercept_of(points: &[Point], merged: bool) -> Answer {
    let solve = |at: fn(&Point) -> f64| {
        offset_intercept(&points.iter().map(|p| (at(p), p.pos, p.neg)).collect::<Vec<_>>())
    };
    let ends = if merged { (solve(|p| p.high), solve(|p| p.low)) } else { (solve(Point::middle), None) };
    let (value, bound) = match ends {
        (Some(low), Some(high)) => (0.5 * (low + high), 0.5 * (high - low) + ITERATED),
        (Some(value), None) if !merged => (value, 0.0),
        _ => return Answer::default(),
    };
    let information: f64 = points
        .iter()
        .map(|p| {
            let e = grid::sigmoid(value + p.middle());
            (p.pos + p.neg) * e * (1.0 - e)
        })
        .sum();
    let ci95 = (information > 1e-12).then(|| {
        let half = Z / information.sqrt() + bound;
        [value - half, value + half]
    });
    Answer { value: Some(value), ci95, bound }
}

/// Solves sum n sigmoid(a + x) = positives, by Newton's steps kept inside a bracket.
fn offset_intercept(points: &[(f64, f64, f64)]) -> Option<f64> {
    let pos: f64 = points.iter().map(|p| p.1).sum();
    let neg: f64 = points.iter().map(|p| p.2).sum();
    if pos == 0.0 || neg == 0.0 {
        return None;
    }
    let (mut low, mut high, mut a) = (-120.0, 120.0, 0.0);
    for _ in 0..200 {
        let (mut excess, mut slope) = (-pos, 0.0);
        for &(x, p, n) in points {
            let e = grid::sigmoid(a + x);
            excess += (p + n) * e;
            slope += (p + n) * e * (1.0 - e);
        }
        if excess > 0.0 {
            high = a;
        } else {
            low = a;
        }
        let newton = a - excess / slope;
        let next = if newton > low && newton < high { newton } else { 0.5 * (low + high) };
        if (next - a).abs() < 1e-13 * (1.0 + a.abs()) {
            return Some(next);
        }
        a = next;
    }
    Some(a)
}

fn slope_of(points: &[Point], merged: bool) -> Answer {
    if separable(points) {
        return Answer::default();
    }
    let middles: Vec<_> = points.iter().map(|p| (p.middle(), p.pos, p.neg)).collect();
    let Some(fit) = Fit::of(&middles) else { return Answer::default() };
    let (value, bound) = if merged {
        let Some([low, high]) = enclose_slope(points, &fit) else { return Answer::default() };
        // The fit lies nearer to the truth than the middle of so one-sided an interval.
        (fit.slope, (high - fit.slope).max(fit.slope - low) + ITERATED)
    } else {
        (fit.slope, 0.0)
    };
    let half = Z * fit.covariance[2].sqrt() + bound;
    Answer { value: Some(value), ci95: Some([value - half, value + half]), bound }
}

/// Whether some arrangement of the scores inside their ranges would put all positives on one side of all
/// negatives, so that no finite slope exists for it. One class or one common score counts as well.
fn separable(points: &[Point]) -> bool {
    let least = |of: fn(&Point) -> f64, at: fn(&Point) -> f64| {
        points.iter().filter(|p| of(p) > 0.0).map(at).fold(f64::INFINITY, f64::min)
    };
    let most = |of: fn(&Point) -> f64, at: fn(&Point) -> f64| {
        points.iter().filter(|p| of(p) > 0.0).map(at).fold(f64::NEG_INFINITY, f64::max)
    };
    most(|p| p.neg, |p| p.low) <= least(|p| p.pos, |p| p.high)
        || most(|p| p.pos, |p| p.low) <= least(|p| p.neg, |p| p.high)
}

/// Steps away from the fitted slope, in units of the first-order worst case, at which a bound is tried.
const STEPS: [f64; 14] = [0.0, 1.02, 1.05, 1.1, 1.2, 1.35, 1.5, 1.75, 2.0, 3.0, 5.0, 10.0, 30.0, 100.0];

/// An interval that holds the slope for every arrangement of the scores inside their cells.
///
/// For given scores the derivative of the profile likelihood falls as the slope rises, so a slope at which it
/// cannot be positive (negative) for any arrangement lies above (below) all solutions.
fn enclose_slope(points: &[Point], fit: &Fit) -> Option<[f64; 2]> {
    let reach = first_order(points, fit);
    let slope = |side: f64, step: f64| fit.slope + side * step * reach;
    let high = STEPS.iter().map(|&s| slope(1.0, s)).find(|&b| profile_gradient(points, b)[1] <= ITERATED)?;
    let low = STEPS.iter().map(|&s| slope(-1.0, s)).find(|&b| profile_gradient(points, b)[0] >= -ITERATED)?;
    Some([low, high])
}

/// First-order worst case of the slope while every score stays in its cell.
fn first_order(points: &[Point], fit: &Fit) -> f64 {
    let effect = |p: &Point| {
        let x = p.middle();
        let e = grid::sigmoid(fit.intercept + fit.slope * x);
        let w = e * (1.0 - e);
        let of = |y: f64| {
            let gradient = [-w * fit.slope, (y - e) - w * fit.slope * x];
            (fit.covariance[1] * gradient[0] + fit.covariance[2] * gradient[1]).abs()
        };
        (p.pos * of(1.0) + p.neg * of(0.0)) * p.half()
    };
    points.iter().map(effect).sum()
}

/// Smallest and largest derivative of the profile likelihood at slope `b`, over all arrangements.
///
/// The intercept that belongs to `b` lies between those of the two extreme arrangements; that range is cut into
/// pieces, and in each the terms are bounded by interval arithmetic. Residuals sum to zero at the right
/// intercept, so scores may be centred, which takes the intercept's influence away to first order, and pieces
/// where they cannot sum to zero are skipped.
fn profile_gradient(points: &[Point], b: f64) -> [f64; 2] {
    let offset = |at: fn(&Point) -> f64| {
        offset_intercept(&points.iter().map(|p| (b * at(p), p.pos, p.neg)).collect::<Vec<_>>())
    };
    let (Some(one), Some(other)) = (offset(|p| p.low), offset(|p| p.high)) else {
        return [f64::NEG_INFINITY, f64::INFINITY];
    };
    let (from, to) = (one.min(other) - ITERATED, one.max(other) + ITERATED);
    let weight = |p: &Point| {
        let e = grid::sigmoid(0.5 * (from + to) + b * p.middle());
        (p.pos + p.neg) * e * (1.0 - e)
    };
    let (w, wx) = points.iter().fold((0.0, 0.0), |(w, wx), p| (w + weight(p), wx + weight(p) * p.middle()));
    let centre = if w > 0.0 { wx / w } else { 0.0 };
    let pieces = if to - from > 0.05 { 64 } else { 16 };
    let width = (to - from) / f64::from(pieces);
    let mut range = [f64::INFINITY, f64::NEG_INFINITY];
    for piece in 0..pieces {
        let a = from + f64::from(piece) * width;
        if let Some([low, high]) = gradient_in(points, b, [a, a + width], centre) {
            range = [range[0].min(low), range[1].max(high)];
        }
    }
    // No piece left would be a matter of rounding: nothing is certain then.
    if range[0] <= range[1] { range } else { [f64::NEG_INFINITY, f64::INFINITY] }
}

/// The range of the sum of residual times centred score for intercepts in `a`; `None` if the residuals cannot
/// sum to zero there.
fn gradient_in(points: &[Point], b: f64, a: [f64; 2], centre: f64) -> Option<[f64; 2]> {
    let (mut residuals, mut gradient) = ([0.0; 2], [0.0; 2]);
    for p in points {
        let ends = [b * p.low, b * p.high];
        let least = grid::sigmoid(a[0] + ends[0].min(ends[1]));
        let most = grid::sigmoid(a[1] + ends[0].max(ends[1]));
        for (count, y) in [(p.pos, 1.0), (p.neg, 0.0)] {
            if count == 0.0 {
                continue;
            }
            let r = [y - most, y - least];
            residuals[0] += count * r[0];
            residuals[1] += count * r[1];
            let x = [p.low - centre, p.high - centre];
            let products = [r[0] * x[0], r[0] * x[1], r[1] * x[0], r[1] * x[1]];
            gradient[0] += count * products.iter().copied().fold(f64::INFINITY, f64::min);
            gradient[1] += count * products.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        }
    }
    (residuals[0] <= 1e-9 && residuals[1] >= -1e-9).then_some(gradient)
}

/// A fitted logistic regression with one covariate.
struct Fit {
    intercept: f64,
    slope: f64,
    /// Inverse information: intercept, both, slope.
    covariance: [f64; 3],
}

impl Fit {
    /// Newton's method with step halving; `None` where it finds no finite maximum.
    fn of(points: &[(f64, f64, f64)]) -> Option<Self> {
        let pos: f64 = points.iter().map(|p| p.1).sum();
        let neg: f64 = points.iter().map(|p| p.2).sum();
        let (mut a, mut b) = ((pos / neg).ln(), 0.0);
        if !a.is_finite() {
            return None;
        }
        let mut likelihood = log_likelihood(points, a, b);
        for _ in 0..200 {
            let (g, h) = derivatives(points, a, b);
            let determinant = h[0] * h[2] - h[1] * h[1];
            if determinant <= 1e-14 * h[0] * h[2] || !determinant.is_finite() {
                return None;
            }
            let covariance = [h[2] / determinant, -h[1] / determinant, h[0] / determinant];
            let step =
                [covariance[0] * g[0] + covariance[1] * g[1], covariance[1] * g[0] + covariance[2] * g[1]];
            if step[0].abs() + step[1].abs() < 1e-12 * (1.0 + a.abs() + b.abs()) {
                return Some(Self { intercept: a + step[0], slope: b + step[1], covariance });
            }
            let mut scale = 1.0;
            loop {
                let (a2, b2) = (a + scale * step[0], b + scale * step[1]);
                let next = log_likelihood(points, a2, b2);
                // Near the maximum the likelihood is flat to rounding.
                if next >= likelihood - 1e-12 * likelihood.abs() {
                    (a, b, likelihood) = (a2, b2, next);
                    break;
                }
                scale *= 0.5;
                if scale < 1e-10 {
                    return None;
                }
            }
            if b.abs() > 1e6 || a.abs() > 1e6 {
                return None;
            }
        }
        None
    }
}

fn log_likelihood(points: &[(f64, f64, f64)], a: f64, b: f64) -> f64 {
    // ln(1 + exp(z)) without overflow.
    let soft = |z: f64| z.max(0.0) + (-z.abs()).exp().ln_1p();
    points.iter().map(|&(x, pos, neg)| -pos * soft(-(a + b * x)) - neg * soft(a + b * x)).sum()
}

/// Gradient and information (intercept, both, slope).
fn derivatives(points: &[(f64, f64, f64)], a: f64, b: f64) -> ([f64; 2], [f64; 3]) {
    let (mut gradient, mut information) = ([0.0; 2], [0.0; 3]);
    for &(x, pos, neg) in points {
        let expected = grid::sigmoid(a + b * x);
        let residual = pos * (1.0 - expected) - neg * expected;
        let weight = (pos + neg) * expected * (1.0 - expected);
        gradient[0] += residual;
        gradient[1] += residual * x;
        information[0] += weight;
        information[1] += weight * x;
        information[2] += weight * x * x;
    }
    (gradient, information)
}
