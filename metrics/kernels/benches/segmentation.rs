//! Speed of the segmentation kernels on made-up scans of 300 x 512 x 512 voxels, 2.5 x 0.8 x 0.8 mm.
//!
//! The shapes follow the workloads of issue 3: one organ, lesions over the whole volume, many labels. Set
//! `FIEL_BENCH_DATA` to a folder with `organ_gt.raw`, `organ_pr.raw` and so on (uint8, first axis fastest) to measure
//! the workloads themselves.

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use fiel_kernels::overlap::{count_labels, count_masks};
use fiel_kernels::surface::{Grid, LabelsOnGrid, MasksOnGrid};
use std::hint::black_box;

const SHAPE: [usize; 3] = [300, 512, 512];
const SPACING_MM: [f64; 3] = [2.5, 0.8, 0.8];

/// Numbers in [0, 1), the same in every run (SplitMix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.next()
    }

    /// About normal: the sum of twelve uniform numbers.
    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.next()).sum::<f64>() - 6.0
    }
}

/// Marks an ellipsoid, all lengths in mm; `bumps` roughens its surface.
fn ellipsoid(map: &mut [u8], centre: [f64; 3], radius: [f64; 3], label: u8, bumps: f64) {
    let grow = 1.0 + bumps;
    let range = |i: usize| {
        let low = ((centre[i] - radius[i] * grow) / SPACING_MM[i]).max(0.0) as usize;
        low..(((centre[i] + radius[i] * grow) / SPACING_MM[i]) as usize + 2).min(SHAPE[i])
    };
    for z in range(2) {
        for y in range(1) {
            for x in range(0) {
                let place = [x, y, z].map(|n| n as f64);
                let unit: [f64; 3] =
                    std::array::from_fn(|i| (place[i] * SPACING_MM[i] - centre[i]) / radius[i]);
                let wave = bumps * (9.0 * unit[0]).sin() * (11.0 * unit[1]).cos() * (7.0 * unit[2]).sin();
                if unit.iter().map(|u| u * u).sum::<f64>() <= (1.0 + wave).powi(2) {
                    map[(z * SHAPE[1] + y) * SHAPE[0] + x] = label;
                }
            }
        }
    }
}

fn extent() -> [f64; 3] {
    std::array::from_fn(|i| SHAPE[i] as f64 * SPACING_MM[i])
}

fn empty() -> [Vec<u8>; 2] {
    let voxels = SHAPE.iter().product();
    [vec![0; voxels], vec![0; voxels]]
}

fn organ() -> [Vec<u8>; 2] {
    let [mut reference, mut prediction] = empty();
    let centre = extent().map(|e| e / 2.0);
    ellipsoid(&mut reference, centre, [85.0, 75.0, 95.0], 1, 0.05);
    ellipsoid(&mut prediction, centre.map(|c| c + 0.5), [85.6, 75.4, 95.5], 1, 0.055);
    ellipsoid(&mut prediction, [600.0, 330.0, 60.0], [9.0; 3], 1, 0.0);
    [reference, prediction]
}

fn spread() -> [Vec<u8>; 2] {
    let mut random = Random(2);
    let [mut reference, mut prediction] = empty();
    for _ in 0..60 {
        let centre = extent().map(|e| random.between(0.04, 0.96) * e);
        let (radius, kind) = (random.between(4.0, 20.0), random.next());
        if kind < 0.9 {
            ellipsoid(&mut reference, centre, [radius; 3], 1, 0.0);
        }
        if kind > 0.1 {
            let centre = centre.map(|c| c + 1.5 * random.normal());
            ellipsoid(&mut prediction, centre, [radius * random.between(0.85, 1.15); 3], 1, 0.0);
        }
    }
    [reference, prediction]
}

fn multi() -> [Vec<u8>; 2] {
    let mut random = Random(3);
    let [mut reference, mut prediction] = empty();
    for label in 1..=104_u8 {
        let cell = usize::from(label) * 37 % 125;
        let place = [cell / 25, cell / 5 % 5, cell % 5].map(|n| n as f64 + 0.5);
        let centre: [f64; 3] =
            std::array::from_fn(|i| (place[i] + random.between(-0.15, 0.15)) / 5.0 * extent()[i]);
        let radius = [0; 3].map(|_| random.between(8.0, 52.0));
        ellipsoid(&mut reference, centre, radius, label, 0.0);
        let centre = centre.map(|c| c + random.normal());
        ellipsoid(&mut prediction, centre, radius.map(|r| r * random.between(0.96, 1.04)), label, 0.0);
    }
    [reference, prediction]
}

/// A workload of the folder that was named, or a made-up one.
fn workload(name: &str, make: fn() -> [Vec<u8>; 2]) -> [Vec<u8>; 2] {
    let Some(folder) = std::env::var_os("FIEL_BENCH_DATA") else { return make() };
    ["gt", "pr"].map(|side| {
        let path = std::path::Path::new(&folder).join(format!("{name}_{side}.raw"));
        std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
    })
}

/// The measures of one comparison, as a user asks for them.
fn five_measures(grid: Grid, reference: &[u8], prediction: &[u8]) -> [f64; 5] {
    let found = MasksOnGrid::new(grid, reference, prediction).expect("masks").borders();
    let hd95 = found.hd_percentile(95.0).expect("a percentage");
    let nsd = found.nsd(1.0).expect("a tolerance");
    [found.hd(), hd95, found.assd(), found.masd(), nsd].map(|value| value.expect("two surfaces"))
}

fn segmentation(criterion: &mut Criterion) {
    // One thread: the figures are CPU time of one core.
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a pool");
    let grid = Grid::volume(SHAPE, SPACING_MM).expect("a grid");
    let mut group = criterion.benchmark_group("segmentation");
    group.sample_size(20);
    for (name, make) in [("organ", organ as fn() -> [Vec<u8>; 2]), ("spread", spread)] {
        let [reference, prediction] = &workload(name, make);
        let found = five_measures(grid, reference, prediction);
        eprintln!("{name}: HD, HD95, ASSD, MASD, NSD@1 = {found:?}");
        group.bench_function(BenchmarkId::new("dice_iou", name), |b| {
            b.iter(|| pool.install(|| count_masks(black_box(reference), prediction)));
        });
        group.bench_function(BenchmarkId::new("borders", name), |b| {
            b.iter(|| pool.install(|| five_measures(grid, black_box(reference), prediction)));
        });
        group.bench_function(BenchmarkId::new("surfels", name), |b| {
            b.iter(|| {
                pool.install(|| {
                    let found =
                        MasksOnGrid::new(grid, black_box(reference), prediction).expect("masks").surfels();
                    (found.hd_percentile(95.0), found.nsd(1.0))
                })
            });
        });
        group.bench_function(BenchmarkId::new("boundary_iou", name), |b| {
            b.iter(|| {
                pool.install(|| {
                    MasksOnGrid::new(grid, black_box(reference), prediction).expect("masks").boundary_iou(2.0)
                })
            });
        });
    }
    let [reference, prediction] = &workload("multi", multi);
    let labels: Vec<u8> = (1..=104).collect();
    group.bench_function("dice/104 labels", |b| {
        b.iter(|| {
            pool.install(|| count_labels(black_box(reference), prediction, &labels).map(|c| c.per_label()))
        });
    });
    group.bench_function("borders/104 labels", |b| {
        b.iter(|| {
            pool.install(|| {
                let maps =
                    LabelsOnGrid::new(grid, black_box(reference), prediction, &labels).expect("label maps");
                let found = maps.borders();
                found.iter().map(|f| (f.hd_percentile(95.0), f.nsd(1.0))).collect::<Vec<_>>()
            })
        });
    });
    group.bench_function("surfels/104 labels", |b| {
        b.iter(|| {
            pool.install(|| {
                let maps =
                    LabelsOnGrid::new(grid, black_box(reference), prediction, &labels).expect("label maps");
                let found = maps.surfels();
                found.iter().map(|f| (f.hd_percentile(95.0), f.nsd(1.0))).collect::<Vec<_>>()
            })
        });
    });
    group.finish();
}

criterion_group!(benches, segmentation);
criterion_main!(benches);
