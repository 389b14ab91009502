//! Speed of the survival and detection kernels.

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
use fiel_kernels::detection::{
    Froc, PICAI_MINIMUM_OVERLAP, PicaiCase, Rates, Resampling, ScanOutcome, picai_score,
};
use fiel_kernels::survival::{
    CensoringDistribution, Horizon, RiskConcordance, SurvivalTimes, TimeGrid, time_dependent_auc,
};
use std::hint::black_box;

/// Uniform numbers between 0 and 1, the same at every run.
struct Uniform(u64);

impl Uniform {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    }

    fn exponential(&mut self) -> f64 {
        -self.next().ln()
    }
}

/// The distribution of the generator `surv` in the peers folder: times in days, risks to four decimals.
fn cohort(n: usize) -> (Vec<f64>, Vec<bool>, Vec<f64>) {
    let mut uniform = Uniform(11);
    let (mut times, mut events, mut risks) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..n {
        let normal = (-2.0 * uniform.next().ln()).sqrt() * (std::f64::consts::TAU * uniform.next()).cos();
        let event = uniform.exponential() * (-0.8 * normal).exp();
        let censored = uniform.exponential() * 1.5;
        times.push((event.min(censored) * 365.0 * 3.0).ceil());
        events.push(event <= censored);
        risks.push((normal * 1e4).round() / 1e4);
    }
    (times, events, risks)
}

fn survival(c: &mut Criterion) {
    for n in [10_000, 100_000, 1_000_000] {
        let (times, events, risks) = cohort(n);
        let mut group = c.benchmark_group(format!("survival_{n}"));
        group.bench_function("c_index_harrell", |b| {
            b.iter(|| {
                let times = SurvivalTimes::new(black_box(&times), &events).expect("valid times");
                RiskConcordance::new(&times, &risks, 0.0).expect("valid risks").c_index_harrell()
            });
        });
        group.bench_function("c_index_uno", |b| {
            b.iter(|| {
                let times = SurvivalTimes::new(black_box(&times), &events).expect("valid times");
                let censoring = CensoringDistribution::new(&times);
                let risks = RiskConcordance::new(&times, &risks, 0.0).expect("valid risks");
                risks.c_index_uno(&censoring, Horizon::new(1000.0).ok())
            });
        });
        let view = SurvivalTimes::new(&times, &events).expect("valid times");
        group.bench_function("sort", |b| b.iter(|| SurvivalTimes::new(black_box(&times), &events)));
        group.bench_function("variance_harrell", |b| {
            b.iter(|| RiskConcordance::new(&view, &risks, 0.0).expect("valid risks").variance_harrell());
        });
        let censoring = CensoringDistribution::new(&view);
        let grid = TimeGrid::new(&[50.0, 200.0, 500.0, 900.0, 1200.0]).expect("a grid");
        group.bench_function("auc_at_5_times", |b| {
            b.iter(|| time_dependent_auc(&view, &censoring, &risks, &grid, 0.0));
        });
    }
}

fn detection(c: &mut Criterion) {
    let mut uniform = Uniform(3);
    let scans: Vec<ScanOutcome> = (0..500)
        .map(|_| {
            let wrong: Vec<f64> = (0..36).map(|_| uniform.next().powi(2)).collect();
            let hits: Vec<f64> = (0..4).map(|_| uniform.next().sqrt()).collect();
            ScanOutcome::new(&hits, &wrong, 5).expect("valid findings")
        })
        .collect();
    c.bench_function("froc_20000_candidates", |b| {
        b.iter(|| Froc::new(black_box(&scans)).expect("scans").cpm(&Rates::luna16()));
    });
    let froc = Froc::new(&scans).expect("scans");
    let plan = Resampling::new(1000, 1, 0.95).expect("a plan");
    c.bench_function("froc_1000_bootstraps", |b| b.iter(|| froc.bootstrap(&Rates::luna16(), plan)));
    c.bench_function("picai_100_cases", |b| {
        b.iter(|| {
            let one = |i: usize| {
                let overlaps = [0.3, 0.0, 0.02, 0.5];
                let confidences = [0.9 - i as f64 / 200.0, 0.4];
                let lesions = i % 3;
                PicaiCase::new(&confidences, lesions, &overlaps[..2 * lesions], PICAI_MINIMUM_OVERLAP)
            };
            let cases: Vec<_> = (0..100).map(|i| one(i).expect("valid case")).collect();
            picai_score(&cases)
        });
    });
}

criterion_group!(benches, survival, detection);
criterion_main!(benches);
