//! Speed of the calibration kernels.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    clippy::float_cmp,
    clippy::large_stack_arrays,
    clippy::naive_bytecount,
    clippy::similar_names,
    clippy::unwrap_used,
    reason = "they compare with literals, on small inputs of their own making"
)]

use criterion::{Criterion, criterion_group, criterion_main};
use fiel_kernels::calibration::{BinEdges, ClassForecasts, ForecastSummary, Forecasts, Smoother};
use std::hint::black_box;

/// Scores like `scores` of the peers' generator: three in ten are events, one standard deviation apart.
fn scores(n: usize) -> (Vec<f64>, Vec<bool>) {
    let mut state = 7_u64;
    let mut uniform = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((state >> 11) as f64 + 0.5) / 2f64.powi(53)
    };
    let case = |_| {
        let event = uniform() < 0.3;
        let normal = (-2.0 * uniform().ln()).sqrt() * (std::f64::consts::TAU * uniform()).cos();
        let z = normal + f64::from(u8::from(event)) - 0.5;
        (1.0 / (1.0 + (-z).exp()), event)
    };
    (0..n).map(case).unzip()
}

fn calibration(c: &mut Criterion) {
    let one = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a pool of one thread");
    let (p, y) = scores(10_000_000);
    c.bench_function("check + ece@15 + mce@15 + brier + log_loss, 10 million, one thread", |b| {
        b.iter(|| one.install(|| ForecastSummary::of(black_box(&p), &y, 15, BinEdges::LeftClosed)));
    });
    c.bench_function("check only, 10 million", |b| {
        b.iter(|| Forecasts::new(black_box(&p), &y).map(|f| f.count()));
    });
    let (p, y) = scores(300);
    let rows: Vec<f64> = p.iter().flat_map(|p| [1.0 - p, *p]).collect();
    let labels: Vec<usize> = y.iter().map(|&y| usize::from(y)).collect();
    let forecasts = ClassForecasts::new(&rows, 2, &labels).expect("valid rows");
    c.bench_function("ece_kde, 300, one thread", |b| {
        b.iter(|| one.install(|| black_box(&forecasts).ece_kde(0.5)));
    });
    let (p, y) = scores(10_000);
    let forecasts = Forecasts::new(&p, &y).expect("valid scores");
    c.bench_function("ici (R's loess), 10,000, one thread", |b| {
        b.iter(|| one.install(|| black_box(&forecasts).calibration_index(Smoother::R)));
    });
    c.bench_function("smooth_ece, 10,000, one thread", |b| {
        b.iter(|| one.install(|| black_box(&forecasts).smooth_ece()));
    });
    c.bench_function("calibration slope, 10,000", |b| b.iter(|| black_box(&forecasts).recalibration()));
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(10);
    targets = calibration
}
criterion_main!(benches);
