//! Speed of the classification kernels.
//!
//! Scores are probabilities of a logistic model: 30 % positives, classes one standard deviation apart.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use fiel_kernels::classification::{AucBootstrap, PairedScores, Scores};
use std::hint::black_box;

/// Labels and scores; a seeded generator of our own, so that no crate is needed.
fn scores(n: usize) -> (Vec<f64>, Vec<bool>) {
    let mut state = 7_u64;
    let mut uniform = move || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let x = (state ^ state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((x ^ x >> 31) >> 11) as f64 / (1_u64 << 53) as f64
    };
    let case = |_| {
        let label = uniform() < 0.3;
        let (radius, angle) = ((-2.0 * (1.0 - uniform()).ln()).sqrt(), std::f64::consts::TAU * uniform());
        let z = radius * angle.cos() + if label { 1.0 } else { 0.0 };
        (1.0 / (1.0 + (0.5 - z).exp()), label)
    };
    (0..n).map(case).unzip()
}

fn area(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("auc_delong");
    group.sample_size(10);
    for n in [10_000, 1_000_000, 10_000_000] {
        let (values, labels) = scores(n);
        group.throughput(Throughput::Elements(n as u64));
        group.bench_with_input(BenchmarkId::from_parameter(n), &n, |bencher, _| {
            bencher.iter(|| {
                let scores = Scores::new(black_box(&values), black_box(&labels)).expect("finite scores");
                let delong = scores.delong().expect("two classes");
                (delong.auc, delong.interval(0.95))
            });
        });
    }
    group.finish();
}

fn average_precision(criterion: &mut Criterion) {
    let (values, labels) = scores(1_000_000);
    let scores = Scores::new(&values, &labels).expect("finite scores");
    let mut group = criterion.benchmark_group("sorted_1e6");
    group.sample_size(10);
    group.bench_function("average_precision", |b| b.iter(|| black_box(&scores).average_precision()));
    group.bench_function("delong", |b| b.iter(|| black_box(&scores).delong()));
    group.finish();
}

fn bootstrap(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("auc_bootstrap_1000");
    group.sample_size(10);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a thread");
    for n in [10_000, 100_000] {
        let (values, labels) = scores(n);
        group.bench_with_input(BenchmarkId::new("poisson", n), &n, |bencher, _| {
            bencher.iter(|| {
                pool.install(|| {
                    let scores = Scores::new(black_box(&values), &labels).expect("finite scores");
                    scores.bootstrap_auc(1000, 1).expect("few cases").percentile_interval(0.95)
                })
            });
        });
        group.bench_with_input(BenchmarkId::new("multinomial", n), &n, |bencher, _| {
            bencher.iter(|| {
                pool.install(|| {
                    let scores = Scores::new(black_box(&values), &labels).expect("finite scores");
                    AucBootstrap::new(&scores)
                        .expect("few cases")
                        .multinomial(1000, 1)
                        .percentile_interval(0.95)
                })
            });
        });
    }
    group.finish();
}

fn paired(criterion: &mut Criterion) {
    let (first, labels) = scores(100_000);
    let second: Vec<f64> = first.iter().rev().copied().collect();
    let mut group = criterion.benchmark_group("paired_delong");
    group.sample_size(10);
    group.bench_function("100000", |bencher| {
        bencher
            .iter(|| PairedScores::new(black_box(&first), &second, &labels).expect("finite scores").delong());
    });
    group.finish();
}

criterion_group!(benches, area, average_precision, bootstrap, paired);
criterion_main!(benches);
