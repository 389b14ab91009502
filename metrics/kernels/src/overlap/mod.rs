//! Voxel counts of masks and label maps, and what follows from them.
//!
//! One pass over two masks ([`count_masks`]) or two label maps ([`count_labels`]) gives integer counts; every measure
//! is a method of [`Counts`] and never looks at a voxel again. Counts are 64-bit, so images of more than 2^31 voxels
//! are counted exactly.
//!
//! ```
//! use fiel_kernels::overlap::count_masks;
//!
//! let counts = count_masks(&[1, 1, 1, 0, 0], &[0, 1, 1, 1, 0])?;
//! assert_eq!(counts.dice(), Ok(2.0 / 3.0));
//! assert_eq!(counts.iou(), Ok(0.5));
//! # Ok::<(), fiel_kernels::InputError>(())
//! ```

mod counts;
mod labels;
mod masks;
mod volumes;

pub use counts::Counts;
pub use labels::{Label, LabelConfusion, LabelPair, MAX_LABELS, count_labels};
pub(crate) use labels::{label_table, stranger};
pub use masks::{MaskPair, count_masks};
pub use volumes::VoxelVolume;

use crate::error::InputError;

/// Refuses lists of different length and empty lists.
pub(crate) fn same_length(reference: usize, prediction: usize) -> Result<(), InputError> {
    if reference != prediction {
        return Err(InputError::Length {
            left: "reference",
            left_len: reference,
            right: "prediction",
            right_len: prediction,
        });
    }
    if reference == 0 { Err(InputError::Empty("reference")) } else { Ok(()) }
}
