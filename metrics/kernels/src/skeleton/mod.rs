//! Skeletons of tubular masks, and centreline Dice.
//!
//! The skeletons are those of scikit-image, voxel for voxel: Lee's thinning in 3-D and Zhang and Suen's in 2-D, which
//! is what the field's clDice implementations call. All work is done inside the bounding box of the mask, and only
//! where something changed since the last look.

mod centrelines;
mod crop;
mod lee;
mod neighbourhood;
mod zhang_suen;

pub use centrelines::Centrelines;

use crate::InputError;
use crate::components::Runs;
use crop::Crop;

/// A way to thin a mask to its skeleton.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Thinning {
    /// Lee, Kashyap and Chu (1994), doi:10.1006/cgip.1994.1042: 3-D, 26-connected foreground.
    Lee,
    /// Zhang and Suen (1984), doi:10.1145/357994.358023, as scikit-image has it: 2-D, 8-connected foreground.
    ZhangSuen,
}

impl Thinning {
    /// What scikit-image's `skeletonize` takes for an image of that many dimensions.
    ///
    /// # Errors
    /// Any number other than 2 and 3.
    ///
    /// ```
    /// use fiel_kernels::skeleton::Thinning;
    /// assert_eq!(Thinning::of_dimensions(3)?, Thinning::Lee);
    /// assert_eq!(Thinning::of_dimensions(2)?, Thinning::ZhangSuen);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn of_dimensions(dimensions: usize) -> Result<Self, InputError> {
        match dimensions {
            2 => Ok(Self::ZhangSuen),
            3 => Ok(Self::Lee),
            _ => Err(InputError::Setting {
                what: "dimensions of the image",
                value: dimensions as f64,
                expected: "2 or 3",
            }),
        }
    }
}

/// Thins a mask (every value other than 0 is foreground) to its skeleton: 1 on it, 0 elsewhere, same shape.
///
/// Equals `skimage.morphology.skeletonize` of scikit-image 0.26 voxel for voxel. The skeleton of a mask that is not
/// empty can be empty: some blocks of even width are thinned away.
///
/// # Errors
/// A shape that does not fit the length, has an axis of length 0, or exceeds 2^31 voxels; [`Thinning::ZhangSuen`] for
/// an image without an axis of length 1.
///
/// ```
/// use fiel_kernels::skeleton::{Thinning, skeleton};
/// let bar = [0, 0, 0, 0, 0,
///            1, 1, 1, 1, 1,
///            1, 1, 1, 1, 1,
///            1, 1, 1, 1, 1,
///            0, 0, 0, 0, 0];
/// let line = [0, 0, 0, 0, 0,
///             0, 0, 0, 1, 0,
///             1, 1, 1, 0, 0,
///             0, 0, 0, 0, 0,
///             0, 0, 0, 0, 0];
/// assert_eq!(skeleton(&bar, [1, 5, 5], Thinning::ZhangSuen)?, line);
/// # Ok::<(), fiel_kernels::InputError>(())
/// ```
pub fn skeleton(mask: &[u8], shape: [usize; 3], thinning: Thinning) -> Result<Vec<u8>, InputError> {
    let mut lines = vec![0; mask.len()];
    for position in positions(&Runs::of_mask(mask, shape)?, thinning)? {
        lines[position] = 1;
    }
    Ok(lines)
}

/// Positions of the skeleton's voxels in the image, ascending.
fn positions(mask: &Runs, thinning: Thinning) -> Result<Vec<usize>, InputError> {
    let shape = mask.shape();
    let seen = match thinning {
        Thinning::Lee => shape,
        Thinning::ZhangSuen => flat(shape)?,
    };
    let Some(crop) = Crop::of(mask, seen)? else { return Ok(Vec::new()) };
    Ok(match thinning {
        Thinning::Lee => lee::thin(mask, &crop),
        Thinning::ZhangSuen => zhang_suen::thin(mask, &crop),
    })
}

/// The shape with an axis of length 1 moved to the front, which keeps the memory order.
fn flat(shape: [usize; 3]) -> Result<[usize; 3], InputError> {
    match shape {
        [1, rows, columns] | [rows, 1, columns] | [rows, columns, 1] => Ok([1, rows, columns]),
        _ => Err(InputError::Setting {
            what: "length of the shortest axis",
            value: shape.iter().min().map_or(0.0, |&n| n as f64),
            expected: "1, since Zhang and Suen's thinning is for 2-D images",
        }),
    }
}
