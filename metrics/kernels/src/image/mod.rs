//! Images: readers that trust nothing in a header, and writers of NIfTI and MetaImage whose bytes are reproducible.
//!
//! Masks, label maps and intensities are read from NIfTI-1 and NIfTI-2, MetaImage, NumPy arrays and DICOM
//! segmentations. Every header is checked before anything is allocated, grids are given in one convention
//! (RAS+, millimetres) so that they compare across formats, and the first axis always runs fastest.

mod dicom;
mod geometry;
mod inflate;
mod meta;
mod nifti;
mod npy;
mod raster;
mod read;
mod resample;
mod runs;
mod stored;
mod stream;

pub use geometry::Geometry;
pub use meta::encode_meta_image;
pub use nifti::{
    encode_nifti_f32, encode_nifti_i16, encode_nifti_mask, parse_nifti_f32, parse_nifti_mask, read_nifti_f32,
    read_nifti_mask, recode_nifti, write_nifti_f32, write_nifti_i16, write_nifti_mask,
};
pub use read::{
    Format, ReadOptions, Spacing, parse_image_f32, parse_image_i16, parse_label_runs, parse_labels,
    parse_mask, read_image_f32, read_image_i16, read_label_runs, read_labels, read_mask,
};
pub use resample::resample_nearest;
pub use runs::LabelRuns;
pub use stored::Label;

/// Voxels with their grid, the first axis running fastest, as in NIfTI.
#[derive(Debug, Clone, PartialEq)]
pub struct Volume<T> {
    /// The grid.
    pub geometry: Geometry,
    /// The voxels.
    pub data: Vec<T>,
}

/// How much a reader may accept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadLimits {
    /// Bytes of the file as stored.
    pub file_bytes: u64,
    /// Voxels declared.
    pub voxels: u64,
    /// Bytes of voxels after decompression, as stored and as returned.
    pub bytes: u64,
}

impl Default for ReadLimits {
    /// 1 GiB on disk, 2^29 voxels, 2 GiB decompressed.
    fn default() -> Self {
        Self { file_bytes: 1 << 30, voxels: 1 << 29, bytes: 1 << 31 }
    }
}
