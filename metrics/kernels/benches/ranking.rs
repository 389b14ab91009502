//! Speed of the ranking kernels: 50 algorithms, 1,000 cases, 1,000 bootstrap replicates, as in `docs/performance.md`.
//!
//! The table is made like the `leaderboard` workload: skill of the algorithm, difficulty of the case, noise, rounded
//! to four decimals.

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
use fiel_kernels::inference::{Resamples, normal_upper_quantile};
use fiel_kernels::ranking::{Adjustment, Alpha, Direction, Method, RepeatedCases, Significance, Table};
use std::hint::black_box;

const ALGORITHMS: usize = 50;
const CASES: usize = 1_000;
const REPLICATES: usize = 1_000;

/// Normal noise from a small seeded generator.
fn noise(state: &mut u64) -> f64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    normal_upper_quantile(((*state >> 11) as f64 + 0.5) / (1u64 << 53) as f64)
}

fn leaderboard() -> Table {
    let mut state = 13;
    let skills: Vec<f64> = (0..ALGORITHMS)
        .map(|a| 0.6 + 0.3 * a as f64 / (ALGORITHMS - 1) as f64 + 0.01 * noise(&mut state))
        .collect();
    let mut values = Vec::with_capacity(CASES * ALGORITHMS);
    for _ in 0..CASES {
        let difficulty = 0.08 * noise(&mut state);
        for skill in &skills {
            let value = (skill + difficulty + 0.06 * noise(&mut state)).clamp(0.0, 1.0);
            values.push((value * 1e4).round() / 1e4);
        }
    }
    Table::complete(&values, ALGORITHMS, Direction::HigherIsBetter).expect("finite values")
}

fn ranking(c: &mut Criterion) {
    let table = leaderboard();
    let one_thread = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a thread");
    let mut group = c.benchmark_group("ranking 50x1000, 1000 replicates");
    group.sample_size(10);
    for (name, method) in [
        ("mean-then-rank", Method::MeanThenRank),
        ("rank-then-mean", Method::RankThenMean),
        ("median-then-rank", Method::MedianThenRank),
        ("test-then-rank", Method::TestThenRank(Alpha::P05)),
    ] {
        group.bench_function(name, |b| {
            b.iter(|| {
                one_thread.install(|| {
                    let resamples = Resamples::multinomial(1, REPLICATES, CASES).expect("cases");
                    black_box(&table).bootstrap(method, &resamples, RepeatedCases::Correct)
                })
            });
        });
    }
    group.bench_function("mean-then-rank, Poisson", |b| {
        b.iter(|| {
            one_thread.install(|| {
                let resamples = Resamples::poisson(1, REPLICATES, CASES).expect("cases");
                black_box(&table).bootstrap(Method::MeanThenRank, &resamples, RepeatedCases::Correct)
            })
        });
    });
    group.bench_function("significance of all pairs, once", |b| {
        b.iter(|| {
            one_thread.install(|| Significance::of(black_box(&table), Alpha::P05, Adjustment::Holm).beaten())
        });
    });
    group.finish();
}

criterion_group!(benches, ranking);
criterion_main!(benches);
