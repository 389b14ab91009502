//! What the fuzz targets of the image readers share.

use fiel_kernels::image::*;
use std::io::Write;

/// Limits that keep a single input fast; the readers must hold them whatever a header says.
const LIMITS: ReadLimits = ReadLimits { file_bytes: 1 << 20, voxels: 1 << 22, bytes: 1 << 24 };

/// Reads the bytes in every way, and holds what comes out against what must be true of it.
pub fn read_in_every_way(bytes: &[u8]) {
    let options = ReadOptions { limits: LIMITS, spacing: Some(Spacing::Volume([0.5, 1.0, 2.0])) };
    let image = parse_image_f32(bytes, &options).ok();
    if let Some(image) = &image {
        check(image);
    }
    let short = parse_image_i16(bytes, &options).ok();
    if let Some(short) = &short {
        check(short);
        let image = image.as_ref().expect("what reads as 16-bit integers reads as numbers");
        assert!(short.data.iter().zip(&image.data).all(|(a, b)| f32::from(*a) == *b));
    }
    let wide = parse_labels::<u16>(bytes, &options).ok();
    if let Some(wide) = &wide {
        check(wide);
        let runs = parse_label_runs(bytes, &options);
        if let Ok(runs) = runs {
            assert_eq!(runs.to_volume(), *wide);
            assert!(runs.iter().zip(runs.iter().skip(1)).all(|(a, b)| a.1 != b.1 && a.0.end == b.0.start));
        }
    }
    if let Ok(narrow) = parse_labels::<u8>(bytes, &options) {
        check(&narrow);
        let wide = wide.as_ref().expect("labels to 255 are labels to 65535");
        assert!(narrow.data.iter().zip(&wide.data).all(|(a, b)| u16::from(*a) == *b));
    }
    if let Ok(mask) = parse_mask(bytes, &options) {
        check(&mask);
        assert!(mask.data.iter().all(|v| *v <= 1));
    }
}

/// Whether the voxels fill the grid within the limits, and the grid is one that can be measured on.
pub fn check<T>(volume: &Volume<T>) {
    let Geometry { shape, spacing_mm, origin_mm, direction, .. } = &volume.geometry;
    assert_eq!(volume.data.len(), shape.iter().product::<usize>());
    assert!(!volume.data.is_empty() && volume.data.len() as u64 <= LIMITS.voxels);
    assert!((volume.data.len() * size_of::<T>()) as u64 <= LIMITS.bytes);
    assert!(spacing_mm.iter().all(|v| (1e-6..=1e6).contains(v)), "{spacing_mm:?}");
    assert!(origin_mm.iter().chain(direction).all(|v| v.is_finite()));
    assert!(volume.geometry.voxel_mm3() > 0.0);
    assert!(volume.geometry.same_grid(&volume.geometry));
}

/// The bytes as a gzip member, stored rather than compressed, so that a mutated file passes its checksum.
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
    encoder.write_all(bytes).expect("memory takes everything");
    encoder.finish().expect("memory takes everything")
}

/// The limits of [`read_in_every_way`].
pub fn limits() -> ReadLimits {
    LIMITS
}
