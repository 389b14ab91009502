//! Speed of the readers: compressed NIfTI of 512x512x300 voxels, as a mask, as runs of labels, as a CT by several compressors,
//! and as noise in single precision, which hardly compresses and is where the readers' decompressor gains least.
//!
//! `cargo bench -p fiel-kernels --bench images`. Files are made here, seeded. Beside each reader, "libdeflate" and "zlib-rs" are
//! what these take to decompress the same file into memory of its own and to check its checksum, and nothing more.

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
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "made-up positions and noise are within their types"
)]

use criterion::{Criterion, criterion_group, criterion_main};
use fiel_kernels::image::{
    Geometry, ReadLimits, Volume, encode_nifti_f32, encode_nifti_i16, encode_nifti_mask, parse_image_f32,
    parse_image_i16, parse_label_runs, parse_labels, parse_mask,
};
use std::hint::black_box;

const SHAPE: [usize; 3] = [512, 512, 300];
const SPACING: [f64; 3] = [0.8, 0.8, 2.5];

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Roughly normal: a sum of four uniform numbers.
    fn normal(&mut self) -> f64 {
        let bits = self.next();
        let sum: u64 = (0..4).map(|i| bits >> (16 * i) & 0xffff).sum();
        (sum as f64 / 65536.0 - 2.0) * 3f64.sqrt()
    }
}

/// A large ellipsoid with a wavy border, or 104 organs of various sizes.
fn labels(several: bool) -> Vec<u8> {
    let mut random = Random(20_240_101);
    let mut labels = vec![0u8; SHAPE.iter().product()];
    let count = if several { 104 } else { 1 };
    for label in 1..=count {
        let extent: [f64; 3] = std::array::from_fn(|i| SHAPE[i] as f64 * SPACING[i]);
        let (centre, radius): ([f64; 3], [f64; 3]) = if several {
            (
                extent.map(|e| e * (0.1 + 0.8 * random.unit())),
                [8.0, 8.0, 8.0].map(|r| r + 44.0 * random.unit()),
            )
        } else {
            (extent.map(|e| e / 2.0), [95.0, 75.0, 85.0])
        };
        let low: [usize; 3] =
            std::array::from_fn(|i| ((centre[i] - 1.2 * radius[i]) / SPACING[i]).max(0.0) as usize);
        let high: [usize; 3] =
            std::array::from_fn(|i| (((centre[i] + 1.2 * radius[i]) / SPACING[i]) as usize).min(SHAPE[i]));
        for z in low[2]..high[2] {
            for y in low[1]..high[1] {
                for x in low[0]..high[0] {
                    let at = [x, y, z];
                    let from: [f64; 3] =
                        std::array::from_fn(|i| (at[i] as f64 * SPACING[i] - centre[i]) / radius[i]);
                    let wave = 0.06 * (9.0 * from[0] + 4.0 * from[1]).sin()
                        + 0.05 * (11.0 * from[2] - 7.0 * from[1]).sin();
                    if from.iter().map(|v| v * v).sum::<f64>().sqrt() + wave < 1.0 {
                        labels[x + SHAPE[0] * (y + SHAPE[1] * z)] = label;
                    }
                }
            }
        }
    }
    labels
}

/// Who compresses, and how hard.
#[derive(Clone, Copy)]
enum By {
    ZlibRs(i32),
    Miniz(u8),
}

fn gz(bytes: &[u8], by: By) -> Vec<u8> {
    let stream = match by {
        By::ZlibRs(level) => {
            let mut stream = vec![0; bytes.len() + bytes.len() / 8 + 1024];
            let mut deflate = zlib_rs::Deflate::new(level, false, 15);
            deflate.compress(bytes, &mut stream, zlib_rs::DeflateFlush::Finish).expect("there is room");
            stream.truncate(deflate.total_out() as usize);
            stream
        }
        By::Miniz(level) => miniz_oxide::deflate::compress_to_vec(bytes, level),
    };
    let head = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    let foot = [crc32fast::hash(bytes).to_le_bytes(), (bytes.len() as u32).to_le_bytes()];
    [&head[..], &stream, foot.as_flattened()].concat()
}

/// What others take for the same file.
fn others(c: &mut Criterion, name: &str, file: &[u8]) {
    let length = file.last_chunk().map_or(0, |n| u32::from_le_bytes(*n) as usize);
    c.bench_function(&format!("{name}/libdeflate"), |b| {
        b.iter(|| {
            let mut out = vec![0u8; length];
            libdeflater::Decompressor::new().gzip_decompress(black_box(file), &mut out).expect("a good file");
            out
        });
    });
    c.bench_function(&format!("{name}/zlib-rs"), |b| {
        b.iter(|| {
            let mut out = vec![0u8; length];
            zlib_rs::Inflate::new(true, 31)
                .decompress(black_box(file), &mut out, zlib_rs::InflateFlush::Finish)
                .expect("a good file");
            out
        });
    });
}

fn masks(c: &mut Criterion) {
    let limits = ReadLimits::default();
    for (name, several) in [("mask", false), ("104 labels", true)] {
        let image = Volume { geometry: Geometry::axis_aligned(SHAPE, SPACING), data: labels(several) };
        let file = gz(&encode_nifti_mask(&image).expect("a good grid"), By::Miniz(1));
        others(c, name, &file);
        c.bench_function(&format!("{name}/runs"), |b| {
            b.iter(|| parse_label_runs(black_box(&file), &limits).expect("a good file"));
        });
        c.bench_function(&format!("{name}/voxels"), |b| {
            b.iter(|| parse_labels::<u8>(black_box(&file), &limits).expect("a good file"));
        });
        if !several {
            c.bench_function(&format!("{name}/checked voxels"), |b| {
                b.iter(|| parse_mask(black_box(&file), &limits).expect("a good file"));
            });
        }
    }
}

fn images(c: &mut Criterion) {
    let geometry = Geometry::axis_aligned(SHAPE, SPACING);
    let limits = ReadLimits::default();
    let mut random = Random(5);
    let ct =
        labels(true).into_iter().map(|l| i16::from(l) * 7 - 200 + (12.0 * random.normal()) as i16).collect();
    let ct = encode_nifti_i16(&Volume { geometry: geometry.clone(), data: ct }).expect("a good grid");
    for (name, by) in [
        ("ct, fixed codes", By::ZlibRs(1)),
        ("ct, mostly literals", By::Miniz(1)),
        ("ct, mostly matches", By::ZlibRs(6)),
    ] {
        let file = gz(&ct, by);
        others(c, name, &file);
        c.bench_function(&format!("{name}/i16"), |b| {
            b.iter(|| parse_image_i16(black_box(&file), &limits).expect("a good file"));
        });
        c.bench_function(&format!("{name}/f32"), |b| {
            b.iter(|| parse_image_f32(black_box(&file), &limits).expect("a good file"));
        });
    }
    let noise = (0..SHAPE.iter().product()).map(|_| random.normal() as f32).collect();
    let file = gz(&encode_nifti_f32(&Volume { geometry, data: noise }).expect("a good grid"), By::Miniz(1));
    others(c, "noise", &file);
    c.bench_function("noise/f32", |b| {
        b.iter(|| parse_image_f32(black_box(&file), &limits).expect("a good file"));
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(10);
    targets = masks, images
}
criterion_main!(benches);
