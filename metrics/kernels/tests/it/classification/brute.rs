//! What the kernels compute, pair by pair and with nothing clever.

/// Twice the placements: of positives among negatives, of negatives among positives (pairs lost).
pub(super) fn placements(scores: &[f64], labels: &[bool]) -> [Vec<f64>; 2] {
    let of = |class: bool| -> Vec<f64> {
        let cases = scores.iter().zip(labels).filter(|(_, l)| **l == class);
        cases.map(|(s, _)| placement(*s, scores, labels, !class)).collect()
    };
    [of(true), of(false)]
}

fn placement(score: f64, scores: &[f64], labels: &[bool], others: bool) -> f64 {
    let others: Vec<f64> =
        scores.iter().zip(labels).filter(|(_, l)| **l == others).map(|(s, _)| *s).collect();
    let wins = |other: &f64| {
        if score > *other {
            1.0
        } else if score == *other {
            0.5
        } else {
            0.0
        }
    };
    others.iter().map(wins).sum::<f64>() / others.len() as f64
}

pub(super) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

pub(super) fn covariance(a: &[f64], b: &[f64]) -> f64 {
    let (mean_a, mean_b) = (mean(a), mean(b));
    a.iter().zip(b).map(|(a, b)| (a - mean_a) * (b - mean_b)).sum::<f64>() / (a.len() - 1) as f64
}

pub(super) fn auc(scores: &[f64], labels: &[bool]) -> f64 {
    mean(&placements(scores, labels)[0])
}

/// DeLong's covariance of two areas; their variance if the scores are the same.
pub(super) fn delong_covariance(first: &[f64], second: &[f64], labels: &[bool]) -> f64 {
    let [p1, n1] = placements(first, labels);
    let [p2, n2] = placements(second, labels);
    covariance(&p1, &p2) / p1.len() as f64 + covariance(&n1, &n2) / n1.len() as f64
}

pub(super) fn average_precision(scores: &[f64], labels: &[bool]) -> f64 {
    let precision = |threshold: f64| {
        let called: Vec<bool> =
            scores.iter().zip(labels).filter(|(s, _)| **s >= threshold).map(|(_, l)| *l).collect();
        called.iter().filter(|l| **l).count() as f64 / called.len() as f64
    };
    let of_positives: Vec<f64> =
        scores.iter().zip(labels).filter(|(_, l)| **l).map(|(s, _)| precision(*s)).collect();
    mean(&of_positives)
}

/// Pseudo-random numbers from 0 to 1 for inputs that are too large for proptest.
pub(super) fn uniform(seed: u64, n: usize) -> Vec<f64> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as f64 / (1_u64 << 53) as f64
    };
    (0..n).map(|_| next()).collect()
}
