//! The part of an image that holds the mask, with a border of background around it.

use crate::InputError;
use crate::components::Runs;

/// Where a cropped mask lies in its image.
pub(super) struct Crop {
    shape: [usize; 3],
    lower: [usize; 3],
    /// Voxels along each axis, with one voxel of background on every side.
    pub(super) padded: [usize; 3],
}

/// Neighbouring voxels of one row of the mask.
pub(super) struct Segment {
    /// Position of the first in the image.
    pub(super) image: usize,
    /// Position of the first in the crop.
    pub(super) crop: usize,
    /// Number of voxels.
    pub(super) len: usize,
}

impl Crop {
    /// The bounding box of a mask in an image seen with that shape; `None` for an empty mask.
    ///
    /// # Errors
    /// A box of 2^32 voxels or more with its border, as a line of 2^31 voxels may have.
    pub(super) fn of(mask: &Runs, shape: [usize; 3]) -> Result<Option<Self>, InputError> {
        let [_, rows, width] = shape;
        let (mut lower, mut upper) = ([usize::MAX; 3], [0; 3]);
        for run in mask.list() {
            let (first, last) = (run.begin as usize, run.end as usize - 1);
            let mut from = [first / width / rows, first / width % rows, first % width];
            let mut to = [last / width / rows, last / width % rows, last % width];
            // A run through several rows (an axis of length 1 at the end) covers whole rows in between.
            if from[..2] != to[..2] {
                (from[2], to[2]) = (0, width - 1);
                if from[0] != to[0] {
                    (from[1], to[1]) = (0, rows - 1);
                }
            }
            for axis in 0..3 {
                lower[axis] = lower[axis].min(from[axis]);
                upper[axis] = upper[axis].max(to[axis]);
            }
        }
        if mask.list().is_empty() {
            return Ok(None);
        }
        let crop = Self { shape, lower, padded: std::array::from_fn(|axis| upper[axis] + 3 - lower[axis]) };
        let (found, limit) = (crop.voxels() as u64, u64::from(u32::MAX));
        if found > limit {
            return Err(InputError::TooLarge { what: "voxels around the mask", found, limit });
        }
        Ok(Some(crop))
    }

    /// Voxels with the border.
    pub(super) fn voxels(&self) -> usize {
        self.padded.iter().product()
    }

    /// The mask's runs, cut at the ends of rows: where each begins in the image and in the crop, and its length.
    pub(super) fn segments(&self, mask: &Runs) -> impl Iterator<Item = Segment> {
        let width = self.shape[2];
        mask.list().iter().flat_map(move |run| {
            let (begin, end) = (run.begin as usize, run.end as usize);
            (begin / width..=(end - 1) / width).map(move |row| {
                let image = begin.max(row * width);
                Segment { image, crop: self.inside(image), len: end.min((row + 1) * width) - image }
            })
        })
    }

    /// Position in the crop of a voxel of the image.
    fn inside(&self, at: usize) -> usize {
        let [_, rows, width] = self.shape;
        let [z, y, x]: [usize; 3] = [at / width / rows, at / width % rows, at % width];
        let [z, y, x] = [z + 1 - self.lower[0], y + 1 - self.lower[1], x + 1 - self.lower[2]];
        (z * self.padded[1] + y) * self.padded[2] + x
    }

    /// Position in the image of a voxel of the crop.
    pub(super) fn outside(&self, at: usize) -> usize {
        let [_, rows, width] = self.padded;
        let [z, y, x]: [usize; 3] = [at / width / rows, at / width % rows, at % width];
        let [z, y, x] = [z + self.lower[0] - 1, y + self.lower[1] - 1, x + self.lower[2] - 1];
        (z * self.shape[1] + y) * self.shape[2] + x
    }
}
