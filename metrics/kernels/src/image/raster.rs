//! A checked header with the stream of its voxels, the same for NIfTI, MetaImage and NumPy files.

use super::runs::{LabelRuns, RunBuilder};
use super::stored::{Encoding, Labels, Stored, Want, convert};
use super::stream::Stream;
use super::{Geometry, ReadLimits, Volume};
use crate::error::ImageError;

/// `U3`: no image may have more voxels, whatever the caller allows.
const MAX_VOXELS: u64 = 1 << 31;

/// An image whose voxels have not been read yet.
pub(super) struct Raster<'a> {
    pub geometry: Geometry,
    pub encoding: Encoding,
    /// Whether the last axis runs fastest, as in NumPy's usual order.
    pub last_axis_first: bool,
    pub stream: Stream<'a>,
}

impl Raster<'_> {
    /// The voxels as `W` wants them.
    pub(super) fn volume<W: Want>(mut self) -> Result<Volume<W::Out>, ImageError> {
        let shape = self.geometry.shape;
        let stored = if self.last_axis_first { [shape[2], shape[1], shape[0]] } else { shape };
        self.stream.expect(self.bytes())?;
        let mut data = W::zeros(self.geometry.voxels());
        let mut at = 0;
        self.each(|encoding, bytes| {
            let count = bytes.len() / encoding.kind.size();
            let done = convert::<W>(encoding, bytes, &mut data[at..at + count], stored, at);
            at += count;
            done
        })
        .map_err(|e| if self.last_axis_first { turned(e) } else { e })?;
        if self.last_axis_first {
            data = first_axis_first(&data, shape);
        }
        Ok(Volume { geometry: self.geometry, data })
    }

    /// The labels as runs, without a list of voxels in between where that is possible.
    pub(super) fn runs(mut self, limits: &ReadLimits) -> Result<LabelRuns, ImageError> {
        if self.last_axis_first {
            return LabelRuns::from_volume(&self.volume::<Labels<u16>>()?);
        }
        let shape = self.geometry.shape;
        self.stream.expect(self.bytes())?;
        let mut runs = RunBuilder::new(limits.bytes);
        let mut labels = Vec::new();
        let mut at = 0;
        self.each(|encoding, bytes| {
            if encoding.kind == Stored::U8 && encoding.scale.is_none() {
                return runs.push_bytes(bytes);
            }
            let count = bytes.len() / encoding.kind.size();
            labels.clear();
            labels.resize(count, 0u16);
            convert::<Labels<u16>>(encoding, bytes, &mut labels, shape, at)?;
            at += count;
            runs.push(&labels)
        })?;
        Ok(runs.finish(self.geometry))
    }

    /// The bytes of the voxels exactly as stored, little-endian.
    pub(super) fn little_endian_bytes(mut self) -> Result<Vec<u8>, ImageError> {
        self.stream.expect(self.bytes())?;
        let mut data = Vec::with_capacity(self.geometry.voxels() * self.encoding.kind.size());
        self.each(|_, bytes| {
            data.extend_from_slice(bytes);
            Ok(())
        })?;
        Ok(data)
    }

    fn bytes(&self) -> u64 {
        self.geometry.voxels() as u64 * self.encoding.kind.size() as u64
    }

    fn each(
        &mut self,
        mut piece: impl FnMut(&Encoding, &[u8]) -> Result<(), ImageError>,
    ) -> Result<(), ImageError> {
        let (bytes, encoding) = (self.bytes(), self.encoding);
        let swap = if encoding.big_endian { encoding.kind.size() } else { 1 };
        self.stream.pieces(bytes, swap, |bytes| piece(&encoding, bytes))?;
        self.stream.finish()
    }
}

/// Refuses images that are too large, counting what is stored and what is returned.
pub(super) fn check_size(shape: [usize; 3], kind: Stored, limits: &ReadLimits) -> Result<(), ImageError> {
    let voxels = shape.iter().try_fold(1u64, |n, &axis| n.checked_mul(axis as u64)).unwrap_or(u64::MAX);
    let limit = limits.voxels.min(MAX_VOXELS);
    if voxels > limit {
        return Err(ImageError::TooLarge { what: "the number of voxels", found: voxels, limit });
    }
    // Values are returned as f32, u16 or u8: what they take counts as well as what is stored.
    let needed = voxels * kind.size().max(4) as u64;
    if needed > limits.bytes {
        let limit = limits.bytes;
        return Err(ImageError::TooLarge { what: "the declared size in bytes", found: needed, limit });
    }
    Ok(())
}

/// Turns the position in an error around, for a file whose last axis runs fastest.
fn turned(error: ImageError) -> ImageError {
    match error {
        ImageError::Label { mut index, value } => {
            index.reverse();
            ImageError::Label { index, value }
        }
        ImageError::LabelMap { mut index, value, limit } => {
            index.reverse();
            ImageError::LabelMap { index, value, limit }
        }
        ImageError::Voxel { mut index, value, expected } => {
            index.reverse();
            ImageError::Voxel { index, value, expected }
        }
        other => other,
    }
}

/// The same voxels with the first axis running fastest.
fn first_axis_first<T: Copy + Default>(data: &[T], [nx, ny, nz]: [usize; 3]) -> Vec<T> {
    // Tiles, so that the lines of memory that are read are used up while they are in the cache.
    const TILE: usize = 32;
    let mut out = vec![T::default(); data.len()];
    for y in 0..ny {
        for x0 in (0..nx).step_by(TILE) {
            for z0 in (0..nz).step_by(TILE) {
                for x in x0..(x0 + TILE).min(nx) {
                    for z in z0..(z0 + TILE).min(nz) {
                        out[x + nx * (y + ny * z)] = data[z + nz * (y + ny * x)];
                    }
                }
            }
        }
    }
    out
}
