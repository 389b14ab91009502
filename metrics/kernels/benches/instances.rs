//! Speed of the instances kernels: components, panoptic quality, skeletons.

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
use fiel_kernels::components::{Components, Connectivity};
use fiel_kernels::instances::{BratsLesions, BratsRule, MatchRule, Overlaps};
use fiel_kernels::skeleton::{Thinning, skeleton};
use std::hint::black_box;

/// A small generator of numbers in 0 to 1 (splitmix64).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ z >> 31) as f64 / u64::MAX as f64
    }
}

fn ball(mask: &mut [u8], shape: [usize; 3], spacing: [f64; 3], centre: [f64; 3], radius: f64) {
    let range = |axis: usize| {
        let at = |mm: f64| (mm / spacing[axis]).max(0.0) as usize;
        at(centre[axis] - radius)..(at(centre[axis] + radius) + 2).min(shape[axis])
    };
    let square = |axis: usize, i: usize| (i as f64 * spacing[axis] - centre[axis]).powi(2);
    for z in range(0) {
        for y in range(1) {
            for x in range(2) {
                if square(0, z) + square(1, y) + square(2, x) <= radius * radius {
                    mask[(z * shape[1] + y) * shape[2] + x] = 1;
                }
            }
        }
    }
}

/// Reference and prediction with balls of which some are in one mask only.
fn balls(shape: [usize; 3], spacing: [f64; 3], count: usize, radii: [f64; 2], seed: u64) -> [Vec<u8>; 2] {
    let mut numbers = Numbers(seed);
    let mut masks = [0, 1].map(|_| vec![0; shape.iter().product()]);
    for _ in 0..count {
        let centre: [f64; 3] =
            std::array::from_fn(|axis| (0.04 + 0.92 * numbers.next()) * shape[axis] as f64 * spacing[axis]);
        let radius = radii[0] + (radii[1] - radii[0]) * numbers.next();
        let share = numbers.next();
        if share < 0.85 {
            ball(&mut masks[0], shape, spacing, centre, radius);
        }
        if share > 0.15 {
            let moved = centre.map(|c| c + 2.0 * (numbers.next() - 0.5));
            ball(&mut masks[1], shape, spacing, moved, radius * (0.85 + 0.3 * numbers.next()));
        }
    }
    masks
}

/// An organ: a large ball with dents, so that its skeleton has branches.
fn organ(shape: [usize; 3], spacing: [f64; 3]) -> Vec<u8> {
    let mut numbers = Numbers(4);
    let centre: [f64; 3] = std::array::from_fn(|axis| shape[axis] as f64 * spacing[axis] / 2.0);
    let mut mask = vec![0; shape.iter().product()];
    for _ in 0..40 {
        let near = centre.map(|c| c + 90.0 * (numbers.next() - 0.5));
        ball(&mut mask, shape, spacing, near, 45.0);
    }
    mask
}

fn panoptic(c: &mut Criterion) {
    let shape = [256; 3];
    let [reference, prediction] = balls(shape, [1.0; 3], 125, [2.0, 8.0], 1);
    let components = |mask: &[u8]| Components::of_mask(mask, shape, Connectivity::Corners);
    c.bench_function("panoptic_quality/256^3, 105 lesions", |b| {
        b.iter(|| {
            let (reference, prediction) = (components(&reference)?, components(&prediction)?);
            let matching = Overlaps::between(&reference, &prediction)?.matched(MatchRule::PANOPTIC);
            Ok::<_, fiel_kernels::InputError>(black_box(matching.pq()))
        });
    });
    c.bench_function("brats_lesion_dice/256^3, 105 lesions", |b| {
        b.iter(|| {
            BratsLesions::of(&reference, &prediction, shape, [1.0; 3], BratsRule::GLIOMA).map(|l| l.dice())
        });
    });
}

fn large(c: &mut Criterion) {
    let (shape, spacing) = ([512, 512, 300], [0.8, 0.8, 2.5]);
    let [spread, _] = balls(shape, spacing, 60, [4.0, 20.0], 2);
    let organ = organ(shape, spacing);
    let mut group = c.benchmark_group("512x512x300");
    group.sample_size(10);
    for (name, mask) in [("spread", &spread), ("organ", &organ)] {
        group.bench_function(format!("components/{name}"), |b| {
            b.iter(|| Components::of_mask(black_box(mask), shape, Connectivity::Corners));
        });
        group.bench_function(format!("components of labels/{name}"), |b| {
            b.iter(|| Components::of_labels(black_box(mask), shape, Connectivity::Corners));
        });
    }
    group.bench_function("skeleton/organ", |b| {
        b.iter(|| skeleton(black_box(&organ), shape, Thinning::Lee));
    });
    group.finish();
}

criterion_group!(benches, panoptic, large);
criterion_main!(benches);
