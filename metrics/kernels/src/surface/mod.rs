//! Distances between the surfaces of masks.
//!
//! The expensive part is done once per label: [`BorderDistances`] between border voxels, [`SurfelDistances`] between
//! surface elements. Every measure (Hausdorff distance and its percentiles, average distances, normalised surface
//! distance) is a method of those and costs nothing. Work is confined to the box around each label, on packed bits;
//! labels and directions run in parallel, and results have the same bytes for any number of threads.
//!
//! ```
//! use fiel_kernels::surface::{Grid, MasksOnGrid};
//!
//! let grid = Grid::plane([4, 2], [0.5, 1.0])?;
//! let reference = [1, 1, 0, 0, 1, 1, 0, 0];
//! let prediction = [1, 1, 1, 0, 1, 1, 1, 0];
//! let borders = MasksOnGrid::new(grid, &reference, &prediction)?.borders();
//! assert_eq!(borders.hd(), Ok(0.5));
//! assert_eq!(borders.nsd(0.0)?, Ok(0.8));
//! # Ok::<(), fiel_kernels::InputError>(())
//! ```

mod area;
mod bands;
mod bits;
mod borders;
mod boxes;
mod directed;
mod far;
mod grid;
mod near;
pub(crate) mod runs;
mod surfels;

pub use borders::BorderDistances;
pub use directed::Directed;
pub use grid::Grid;
pub use surfels::{Surfel, SurfelDistances, Surfels};

use crate::error::{InputError, Undefined};
use crate::overlap::Label;
use bits::{Bits, Frame};
use boxes::Layout;
use near::Steps;
use rayon::prelude::*;
use runs::Extent;

/// Two label maps on one grid, checked, with the box of every declared label.
#[derive(Debug, Clone)]
pub struct LabelsOnGrid<'a, T: Label> {
    grid: Grid,
    reference: &'a [T],
    prediction: &'a [T],
    labels: Vec<T>,
    layout: Layout,
}

impl<'a, T: Label> LabelsOnGrid<'a, T> {
    /// Checks two label maps (first axis fastest) and finds the boxes of all labels in the same pass.
    ///
    /// # Errors
    /// [`InputError::Length`] when the maps and the grid differ in their number of voxels; as
    /// [`LabelPair::new`](crate::overlap::LabelPair::new) for labels and voxels.
    ///
    /// ```
    /// use fiel_kernels::surface::{Grid, LabelsOnGrid};
    /// let grid = Grid::plane([4, 1], [1.0, 1.0])?;
    /// let maps = LabelsOnGrid::new(grid, &[0_u8, 1, 2, 2], &[1, 1, 0, 2], &[1, 2])?;
    /// assert_eq!(maps.labels(), [1, 2]);
    /// assert!(LabelsOnGrid::new(grid, &[0_u8, 1, 2, 3], &[1, 1, 0, 2], &[1, 2]).is_err());
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn new(
        grid: Grid,
        reference: &'a [T],
        prediction: &'a [T],
        labels: &[T],
    ) -> Result<Self, InputError> {
        let layout = boxes::layout(&grid, reference, prediction, labels)?;
        Ok(Self { grid, reference, prediction, labels: labels.to_vec(), layout })
    }

    /// The declared labels.
    ///
    /// ```
    /// # use fiel_kernels::surface::{Grid, LabelsOnGrid};
    /// let grid = Grid::plane([2, 1], [1.0, 1.0])?;
    /// assert_eq!(LabelsOnGrid::new(grid, &[0_u8, 7], &[7, 7], &[7])?.labels(), [7]);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn labels(&self) -> &[T] {
        &self.labels
    }

    /// Distances between border voxels, for each declared label.
    ///
    /// ```
    /// # use fiel_kernels::surface::{Grid, LabelsOnGrid};
    /// let grid = Grid::plane([4, 1], [1.0, 1.0])?;
    /// let maps = LabelsOnGrid::new(grid, &[0_u8, 1, 2, 2], &[1, 1, 0, 2], &[1, 2])?;
    /// let hd: Vec<_> = maps.borders().iter().map(|found| found.hd()).collect();
    /// assert_eq!(hd, [Ok(1.0), Ok(1.0)]);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn borders(&self) -> Vec<BorderDistances> {
        let steps = Steps::new(&self.grid);
        self.each(steps.margin, |masks, frame| borders::between(masks, frame, &self.grid, &steps))
    }

    /// Distances between surfels, for each declared label.
    ///
    /// ```
    /// # use fiel_kernels::surface::{Grid, LabelsOnGrid};
    /// let grid = Grid::plane([4, 1], [1.0, 1.0])?;
    /// let maps = LabelsOnGrid::new(grid, &[0_u8, 1, 2, 2], &[1, 1, 0, 2], &[1, 2])?;
    /// assert_eq!(maps.surfels()[0].hd(), Ok(1.0));
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn surfels(&self) -> Vec<SurfelDistances> {
        let steps = Steps::new(&self.grid);
        self.each(steps.margin, |masks, frame| surfels::between(masks, frame, &self.grid, &steps))
    }

    /// Boundary IoU of each declared label, in [0, 1]: the intersection over union of the voxels of each mask closer
    /// than `distance` *voxels* (whatever the spacing) to a border voxel of that mask; undefined when both are empty.
    ///
    /// Cheng et al. 2021, <https://doi.org/10.1109/CVPR46437.2021.01508>, with MetricsReloaded's reading of the
    /// distance. The cost grows with the square of the distance.
    ///
    /// # Errors
    /// [`InputError::Setting`] unless the distance is finite and above 0.
    ///
    /// ```
    /// # use fiel_kernels::surface::{Grid, LabelsOnGrid};
    /// let grid = Grid::plane([4, 1], [1.0, 1.0])?;
    /// let maps = LabelsOnGrid::new(grid, &[0_u8, 1, 2, 2], &[1, 1, 0, 2], &[1, 2])?;
    /// assert_eq!(maps.boundary_iou(2.0)?, [Ok(0.5), Ok(0.5)]);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn boundary_iou(&self, distance: f64) -> Result<Vec<Result<f64, Undefined>>, InputError> {
        if !(distance.is_finite() && distance > 0.0) {
            let expected = "finite and above 0";
            return Err(InputError::Setting { what: "boundary distance", value: distance, expected });
        }
        Ok(self.each([1; 2], |masks, frame| bands::boundary_iou(masks, frame, &self.grid, distance)))
    }

    /// Distance between the centroids of reference and prediction for each declared label, mm; undefined when either
    /// is empty.
    ///
    /// ```
    /// # use fiel_kernels::surface::{Grid, LabelsOnGrid};
    /// let grid = Grid::plane([4, 1], [2.0, 1.0])?;
    /// let maps = LabelsOnGrid::new(grid, &[0_u8, 1, 2, 2], &[1, 1, 0, 2], &[1, 2])?;
    /// assert_eq!(maps.centroid_distance_mm(), [Ok(1.0), Ok(1.0)]);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn centroid_distance_mm(&self) -> Vec<Result<f64, Undefined>> {
        self.each([1; 2], |masks, frame| bands::centroid_distance(masks, frame, &self.grid))
    }

    /// Packs each label's two masks and hands them on.
    fn each<R: Send>(&self, margin: [usize; 2], work: impl Fn([&Bits; 2], &Frame) -> R + Sync) -> Vec<R> {
        let one = |(&label, extent): (&T, &Extent)| {
            let frame = Frame::new(extent.size(), margin);
            let [in_reference, in_prediction] = &self.layout.occupied;
            let pack = |map, rows| bits::pack(map, label, &self.grid, extent, &frame, rows);
            let (a, b) =
                rayon::join(|| pack(self.reference, in_reference), || pack(self.prediction, in_prediction));
            work([&a, &b], &frame)
        };
        self.labels.par_iter().zip(&self.layout.extents).map(one).collect()
    }
}

/// Two masks of 0 and 1 on one grid, checked.
#[derive(Debug, Clone)]
pub struct MasksOnGrid<'a> {
    maps: LabelsOnGrid<'a, u8>,
}

impl<'a> MasksOnGrid<'a> {
    /// Checks two masks (first axis fastest) and finds the box around both in the same pass.
    ///
    /// # Errors
    /// [`InputError::Length`] when the masks and the grid differ in their number of voxels, [`InputError::Value`]
    /// with the index of the first voxel that is neither 0 nor 1.
    ///
    /// ```
    /// use fiel_kernels::surface::{Grid, MasksOnGrid};
    /// let grid = Grid::plane([2, 1], [1.0, 1.0])?;
    /// assert!(MasksOnGrid::new(grid, &[0, 1], &[1, 1]).is_ok());
    /// assert!(MasksOnGrid::new(grid, &[0, 2], &[1, 1]).is_err());
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn new(grid: Grid, reference: &'a [u8], prediction: &'a [u8]) -> Result<Self, InputError> {
        Ok(Self { maps: LabelsOnGrid::new(grid, reference, prediction, &[1])? })
    }

    /// Distances between border voxels.
    ///
    /// ```
    /// # use fiel_kernels::surface::{Grid, MasksOnGrid};
    /// let grid = Grid::plane([2, 1], [1.0, 1.0])?;
    /// assert_eq!(MasksOnGrid::new(grid, &[0, 1], &[1, 1])?.borders().hd(), Ok(1.0));
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn borders(&self) -> BorderDistances {
        self.maps.borders().swap_remove(0)
    }

    /// Distances between surfels.
    ///
    /// ```
    /// # use fiel_kernels::surface::{Grid, MasksOnGrid};
    /// let grid = Grid::plane([2, 1], [1.0, 1.0])?;
    /// assert_eq!(MasksOnGrid::new(grid, &[0, 1], &[1, 1])?.surfels().hd(), Ok(1.0));
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn surfels(&self) -> SurfelDistances {
        self.maps.surfels().swap_remove(0)
    }

    /// Boundary IoU, as [`LabelsOnGrid::boundary_iou`].
    ///
    /// # Errors
    /// As [`LabelsOnGrid::boundary_iou`].
    ///
    /// ```
    /// # use fiel_kernels::surface::{Grid, MasksOnGrid};
    /// let grid = Grid::plane([2, 1], [1.0, 1.0])?;
    /// assert_eq!(MasksOnGrid::new(grid, &[0, 1], &[1, 1])?.boundary_iou(2.0)?, Ok(0.5));
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn boundary_iou(&self, distance: f64) -> Result<Result<f64, Undefined>, InputError> {
        Ok(self.maps.boundary_iou(distance)?.swap_remove(0))
    }

    /// Distance between the centroids, mm; undefined when either mask is empty.
    ///
    /// # Errors
    /// [`Undefined::BothEmpty`], [`Undefined::ReferenceEmpty`] or [`Undefined::PredictionEmpty`].
    ///
    /// ```
    /// # use fiel_kernels::surface::{Grid, MasksOnGrid};
    /// let grid = Grid::plane([2, 1], [1.0, 1.0])?;
    /// assert_eq!(MasksOnGrid::new(grid, &[0, 1], &[1, 1])?.centroid_distance_mm(), Ok(0.5));
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn centroid_distance_mm(&self) -> Result<f64, Undefined> {
        self.maps.centroid_distance_mm().swap_remove(0)
    }
}

/// Refuses a tolerance below zero or not finite.
fn tolerance(tolerance_mm: f64) -> Result<f64, InputError> {
    if tolerance_mm.is_finite() && tolerance_mm >= 0.0 {
        return Ok(tolerance_mm);
    }
    let expected = "finite and at least 0";
    Err(InputError::Setting { what: "tolerance in mm", value: tolerance_mm, expected })
}

/// Refuses a percentage outside [0, 100].
fn percent(percent: f64) -> Result<f64, InputError> {
    if (0.0..=100.0).contains(&percent) {
        return Ok(percent);
    }
    Err(InputError::Setting { what: "percentile", value: percent, expected: "in [0, 100]" })
}
