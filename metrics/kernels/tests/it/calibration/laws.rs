//! Laws that hold for any forecasts, and agreement with plain definitions.

use fiel_kernels::calibration::{
    Band, BinEdges, Bins, ClassForecasts, ForecastSummary, Forecasts, Grouping, LogLossPolicy, TieRule,
};
use proptest::prelude::*;

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-12 * b.abs().max(1e-3)
}

/// Probabilities that like the edges of bins and the ends.
fn probability() -> impl Strategy<Value = f64> {
    prop_oneof![
        4 => 0.0..=1.0,
        2 => (0_u8..=30, 1_u8..=30).prop_map(|(i, n)| (f64::from(i.min(n)) * (1.0 / f64::from(n))).min(1.0)),
        1 => prop::sample::select(vec![0.0, -0.0, 1.0, 5e-324, 1e-300, 1.0 - f64::EPSILON, 0.3]),
    ]
}

fn cases(most: usize) -> impl Strategy<Value = (Vec<f64>, Vec<bool>)> {
    prop::collection::vec((probability(), any::<bool>()), 1..most).prop_map(|v| v.into_iter().unzip())
}

/// The bin by comparing with every edge.
fn plain_bin(p: f64, bins: usize, right: bool) -> usize {
    let edge = |i: usize| if i == bins { 1.0 } else { i as f64 * (1.0 / bins as f64) };
    let inside = |i: usize| if right { p <= edge(i + 1) } else { p < edge(i + 1) };
    (0..bins).find(|&i| inside(i)).unwrap_or(bins - 1)
}

proptest! {
    #[test]
    fn the_fused_pass_equals_plain_counting((p, y) in cases(700), bins in 1_usize..40, right: bool) {
        let edges = if right { BinEdges::RightClosed } else { BinEdges::LeftClosed };
        let summary = ForecastSummary::of(&p, &y, bins, edges).expect("valid");
        let (mut n, mut events, mut sums) = (vec![0; bins], vec![0; bins], vec![0.0; bins]);
        for (&p, &y) in p.iter().zip(&y) {
            let at = plain_bin(p, bins, right);
            n[at] += 1;
            events[at] += usize::from(y);
            sums[at] += p;
        }
        for (i, bin) in summary.bins().bins().iter().enumerate() {
            prop_assert_eq!((bin.count, bin.positives), (n[i], events[i]), "bin {}", i);
            prop_assert!(close(bin.sum_probability, sums[i]));
        }
        let ece: f64 = (0..bins).map(|i| (sums[i] - events[i] as f64).abs()).sum::<f64>() / p.len() as f64;
        prop_assert!(close(summary.bins().ece(), ece));
        let y_value = |y: bool| f64::from(u8::from(y));
        let brier: f64 = p.iter().zip(&y).map(|(p, &y)| (p - y_value(y)).powi(2)).sum::<f64>() / p.len() as f64;
        prop_assert!(close(summary.brier(), brier));
        let clip = |p: f64| p.clamp(f64::EPSILON, 1.0 - f64::EPSILON);
        let loss = |(p, &y): (&f64, &bool)| if y { -clip(*p).ln() } else { -(-clip(*p)).ln_1p() };
        let loss: f64 = p.iter().zip(&y).map(loss).sum::<f64>() / p.len() as f64;
        prop_assert!((summary.log_loss() - loss).abs() <= 1e-12 * loss, "{} {}", summary.log_loss(), loss);
    }

    #[test]
    fn parts_add_up_and_order_does_not_matter((p, y) in cases(60), bins in 1_usize..20) {
        let forecasts = Forecasts::new(&p, &y).expect("valid");
        let corp = forecasts.corp();
        prop_assert!(close(corp.miscalibration - corp.discrimination + corp.uncertainty, forecasts.brier()));
        let groupings = [
            Grouping::Distinct,
            Grouping::EqualWidth { bins, edges: BinEdges::LeftClosed },
            Grouping::EqualWidth { bins, edges: BinEdges::RightClosed },
            Grouping::EqualWidth { bins, edges: BinEdges::Torchmetrics },
            Grouping::EqualMass { bins, ties: TieRule::Together },
            Grouping::EqualMass { bins, ties: TieRule::Quantiles },
            Grouping::EqualMass { bins, ties: TieRule::Straddle },
        ];
        let (rp, ry): (Vec<f64>, Vec<bool>) = p.iter().copied().zip(y.iter().copied()).rev().unzip();
        let reversed = Forecasts::new(&rp, &ry).expect("valid");
        for grouping in groupings {
            let parts = forecasts.murphy(grouping).expect("bins");
            prop_assert!(close(parts.brier(), forecasts.brier()), "{:?}", grouping);
            if !matches!(grouping, Grouping::EqualMass { ties: TieRule::Straddle, .. }) {
                let errors = |b: Bins| [b.ece(), b.mce(), b.ace(), b.root_mean_squared_ce()];
                let there = errors(forecasts.bins(grouping).expect("bins"));
                let back = errors(reversed.bins(grouping).expect("bins"));
                prop_assert!(there.iter().zip(back).all(|(a, b)| close(*a, b)), "{:?}", grouping);
            }
        }
        prop_assert!(close(reversed.corp().miscalibration, corp.miscalibration));
        if let (Ok(a), Ok(b)) = (forecasts.recalibration(), reversed.recalibration()) {
            prop_assert!((a.slope.value - b.slope.value).abs() <= 1e-6 * a.slope.value.abs().max(1.0));
        }
    }

    #[test]
    fn recalibrated_probabilities_are_the_max_of_min_means((p, y) in cases(25)) {
        let forecasts = Forecasts::new(&p, &y).expect("valid");
        let corp = forecasts.corp();
        let mut sorted: Vec<(f64, bool)> = p.iter().copied().zip(y.iter().copied()).collect();
        sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut distinct: Vec<f64> = p.iter().map(|p| p + 0.0).collect();
        distinct.sort_by(f64::total_cmp);
        distinct.dedup();
        let mean = |low: f64, high: f64| {
            let inside: Vec<bool> = sorted.iter().filter(|s| s.0 >= low && s.0 <= high).map(|s| s.1).collect();
            inside.iter().filter(|&&y| y).count() as f64 / inside.len() as f64
        };
        prop_assert_eq!(corp.curve.len(), distinct.len());
        for (i, point) in corp.curve.iter().enumerate() {
            let least = |low: &f64| distinct[i..].iter().map(|high| mean(*low, *high)).fold(f64::INFINITY, f64::min);
            let expected = distinct[..=i].iter().map(least).fold(0.0, f64::max);
            prop_assert!((point[1] - expected).abs() < 1e-12);
        }
    }

    #[test]
    fn swapping_event_and_complement_changes_nothing((p, y) in cases(60)) {
        // Multiples of 2^-20: their complements are exact.
        let p: Vec<f64> = p.iter().map(|p| (p * 1_048_576.0).round() / 1_048_576.0).collect();
        let other: Vec<f64> = p.iter().map(|p| 1.0 - p).collect();
        let not: Vec<bool> = y.iter().map(|y| !y).collect();
        let (one, two) = (Forecasts::new(&p, &y).expect("valid"), Forecasts::new(&other, &not).expect("valid"));
        prop_assert!(close(one.brier(), two.brier()));
        let loss = |f: &Forecasts<'_>| f.log_loss(LogLossPolicy::Clip(0.001)).expect("bound").expect("finite");
        prop_assert!(close(loss(&one), loss(&two)));
        let rows: Vec<f64> = other.iter().zip(&p).flat_map(|(a, b)| [*a, *b]).collect();
        let labels: Vec<usize> = y.iter().map(|&y| usize::from(y)).collect();
        let classes = ClassForecasts::new(&rows, 2, &labels).expect("valid");
        prop_assert!(close(classes.brier(), 2.0 * one.brier()));
    }

    #[test]
    fn the_fit_leaves_residuals_that_sum_to_zero((p, y) in cases(60)) {
        let p: Vec<f64> = p.iter().map(|p| p.clamp(0.001, 0.999)).collect();
        let forecasts = Forecasts::new(&p, &y).expect("valid");
        let logit = |p: f64| (p / (1.0 - p)).ln();
        let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
        let value = |y: bool| f64::from(u8::from(y));
        if let Ok(large) = forecasts.intercept_in_the_large() {
            let excess: f64 = p.iter().zip(&y).map(|(p, &y)| sigmoid(large.value + logit(*p)) - value(y)).sum();
            prop_assert!(excess.abs() < 1e-9);
        }
        if let Ok(fit) = forecasts.recalibration() {
            let residual = |(p, &y): (&f64, &bool)| {
                let r = value(y) - sigmoid(fit.intercept.value + fit.slope.value * logit(*p));
                [r, r * logit(*p)]
            };
            let total = p.iter().zip(&y).map(residual).fold([0.0; 2], |a, b| [a[0] + b[0], a[1] + b[1]]);
            prop_assert!(total[0].abs() < 1e-8 && total[1].abs() < 1e-7, "{:?}", total);
        }
    }
}

#[test]
fn results_are_the_same_for_1_2_and_8_threads() {
    let p: Vec<f64> =
        (0_u32..100_000).map(|i| f64::from(i.wrapping_mul(2_654_435_761) >> 8) / 16_777_216.0).collect();
    let y: Vec<bool> = (0_u32..100_000).map(|i| i.wrapping_mul(40_503) % 7 < 3).collect();
    let rows: Vec<f64> = p[..200].iter().flat_map(|p| [1.0 - p, *p]).collect();
    let labels: Vec<usize> = y[..200].iter().map(|&y| usize::from(y)).collect();
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
        pool.install(|| {
            let summary = ForecastSummary::of(&p, &y, 15, BinEdges::LeftClosed).expect("valid");
            let few = Forecasts::new(&p[..200], &y[..200]).expect("valid");
            let band = few.corp_band(Band::Confidence, 0.9, 100, 11).expect("settings");
            let curve = few.calibration_curve(fiel_kernels::calibration::Smoother::R).expect("a span");
            let classes = ClassForecasts::new(&rows, 2, &labels).expect("valid");
            let kernels = (classes.ece_kde(0.5), classes.kce(fiel_kernels::calibration::Bandwidth::Median));
            (summary, band, curve, kernels)
        })
    };
    let one = run(1);
    assert_eq!(one, run(2));
    assert_eq!(one, run(8));
    let whole: f64 = p.iter().zip(&y).map(|(p, &y)| (p - f64::from(u8::from(y))).powi(2)).sum::<f64>() / 1e5;
    assert!((one.0.brier() - whole).abs() < 1e-12);
}
