//! Distances between the border voxels of two masks.

use super::bits::{self, Bits, Frame};
use super::directed::{Directed, percentile};
use super::grid::Grid;
use super::near::{self, Move, Steps};
use super::{far, tolerance};
use crate::error::{InputError, Undefined};

/// Distances between the border voxels of reference and prediction, both ways; every measure follows from them.
///
/// The border of a mask is the mask XOR its erosion by the face neighbours (6 in a volume, 4 in a plane), the outside
/// of the image being background. This is the convention of MONAI, MetricsReloaded, MedPy and panoptica.
#[derive(Debug, Clone, PartialEq)]
pub struct BorderDistances {
    pub(super) to_prediction: Directed,
    pub(super) to_reference: Directed,
}

impl BorderDistances {
    /// Distances from each border voxel of the reference to the nearest one of the prediction.
    ///
    /// ```
    /// # use fiel_kernels::surface::{Grid, MasksOnGrid};
    /// let grid = Grid::plane([5, 1], [2.0, 1.0])?;
    /// let found = MasksOnGrid::new(grid, &[1, 1, 0, 0, 0], &[0, 1, 0, 0, 1])?.borders();
    /// assert_eq!(found.reference_to_prediction().max(), Some(2.0));
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn reference_to_prediction(&self) -> &Directed {
        &self.to_prediction
    }

    /// Distances from each border voxel of the prediction to the nearest one of the reference.
    ///
    /// ```
    /// # use fiel_kernels::surface::{Grid, MasksOnGrid};
    /// let grid = Grid::plane([5, 1], [2.0, 1.0])?;
    /// let found = MasksOnGrid::new(grid, &[1, 1, 0, 0, 0], &[0, 1, 0, 0, 1])?.borders();
    /// assert_eq!(found.prediction_to_reference().max(), Some(6.0));
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn prediction_to_reference(&self) -> &Directed {
        &self.to_reference
    }

    fn both(&self) -> Result<[&Directed; 2], Undefined> {
        match (self.to_prediction.is_empty(), self.to_reference.is_empty()) {
            (true, true) => Err(Undefined::BothEmpty),
            (true, false) => Err(Undefined::ReferenceEmpty),
            (false, true) => Err(Undefined::PredictionEmpty),
            (false, false) => Ok([&self.to_prediction, &self.to_reference]),
        }
    }

    /// Hausdorff distance, mm: the largest of all distances; undefined when either mask is empty.
    ///
    /// Huttenlocher et al. 1993, <https://doi.org/10.1109/34.232073>.
    ///
    /// # Errors
    /// [`Undefined::BothEmpty`], [`Undefined::ReferenceEmpty`] or [`Undefined::PredictionEmpty`].
    ///
    /// ```
    /// # use fiel_kernels::surface::{Grid, MasksOnGrid};
    /// let grid = Grid::plane([5, 1], [2.0, 1.0])?;
    /// let found = MasksOnGrid::new(grid, &[1, 1, 0, 0, 0], &[0, 1, 0, 0, 1])?.borders();
    /// assert_eq!(found.hd(), Ok(6.0));
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn hd(&self) -> Result<f64, Undefined> {
        let [a, b] = self.both()?;
        Ok(a.largest().max(b.largest()))
    }

    /// The larger of the two directed percentiles, mm, interpolated linearly between ranks (`max_directed`; MONAI,
    /// MetricsReloaded); undefined when either mask is empty.
    ///
    /// # Errors
    /// [`InputError::Setting`] unless `percent` lies in [0, 100].
    ///
    /// ```
    /// # use fiel_kernels::surface::{Grid, MasksOnGrid};
    /// let grid = Grid::plane([5, 1], [2.0, 1.0])?;
    /// let found = MasksOnGrid::new(grid, &[1, 1, 0, 0, 0], &[0, 1, 0, 0, 1])?.borders();
    /// assert_eq!(found.hd_percentile(50.0)?, Ok(3.0));
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn hd_percentile(&self, percent: f64) -> Result<Result<f64, Undefined>, InputError> {
        let percent = super::percent(percent)?;
        Ok(self.both().map(|[a, b]| percentile(&[a], percent).max(percentile(&[b], percent))))
    }

    /// The percentile of all distances of both directions together, mm, interpolated linearly between ranks (`pooled`;
    /// MedPy, panoptica); undefined when either mask is empty.
    ///
    /// # Errors
    /// [`InputError::Setting`] unless `percent` lies in [0, 100].
    ///
    /// ```
    /// # use fiel_kernels::surface::{Grid, MasksOnGrid};
    /// let grid = Grid::plane([5, 1], [2.0, 1.0])?;
    /// let found = MasksOnGrid::new(grid, &[1, 1, 0, 0, 0], &[0, 1, 0, 0, 1])?.borders();
    /// assert_eq!(found.hd_percentile_pooled(50.0)?, Ok(1.0));
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn hd_percentile_pooled(&self, percent: f64) -> Result<Result<f64, Undefined>, InputError> {
        let percent = super::percent(percent)?;
        Ok(self.both().map(|pair| percentile(&pair, percent)))
    }

    /// Average symmetric surface distance, mm: the mean of all distances of both directions together; undefined when
    /// either mask is empty.
    ///
    /// # Errors
    /// [`Undefined::BothEmpty`], [`Undefined::ReferenceEmpty`] or [`Undefined::PredictionEmpty`].
    ///
    /// ```
    /// # use fiel_kernels::surface::{Grid, MasksOnGrid};
    /// let grid = Grid::plane([5, 1], [2.0, 1.0])?;
    /// let found = MasksOnGrid::new(grid, &[1, 1, 0, 0, 0], &[0, 1, 0, 0, 1])?.borders();
    /// assert_eq!(found.assd(), Ok(2.0));
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn assd(&self) -> Result<f64, Undefined> {
        let [a, b] = self.both()?;
        Ok((a.sum() + b.sum()) / (a.count() + b.count()) as f64)
    }

    /// Mean average surface distance, mm: the mean of the two directed means; undefined when either mask is empty.
    ///
    /// # Errors
    /// [`Undefined::BothEmpty`], [`Undefined::ReferenceEmpty`] or [`Undefined::PredictionEmpty`].
    ///
    /// ```
    /// # use fiel_kernels::surface::{Grid, MasksOnGrid};
    /// let grid = Grid::plane([5, 1], [2.0, 1.0])?;
    /// let found = MasksOnGrid::new(grid, &[1, 0, 0, 0, 0], &[1, 1, 1, 0, 0])?.borders();
    /// assert_eq!(found.masd(), Ok(1.0));
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn masd(&self) -> Result<f64, Undefined> {
        let [a, b] = self.both()?;
        Ok(0.5 * (a.sum() / a.count() as f64 + b.sum() / b.count() as f64))
    }

    /// Normalised surface distance (surface Dice), in [0, 1]: the share of the border voxels of both masks that lie
    /// within the tolerance (mm) of the other's border; undefined when either mask is empty.
    ///
    /// Nikolov et al. 2021, <https://doi.org/10.2196/26151>, on voxels as in MONAI and MetricsReloaded.
    ///
    /// # Errors
    /// [`InputError::Setting`] unless the tolerance is finite and at least 0.
    ///
    /// ```
    /// # use fiel_kernels::surface::{Grid, MasksOnGrid};
    /// let grid = Grid::plane([5, 1], [2.0, 1.0])?;
    /// let found = MasksOnGrid::new(grid, &[1, 1, 0, 0, 0], &[0, 1, 0, 0, 1])?.borders();
    /// assert_eq!(found.nsd(2.0)?, Ok(0.75));
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn nsd(&self, tolerance_mm: f64) -> Result<Result<f64, Undefined>, InputError> {
        let tau = tolerance(tolerance_mm)?;
        Ok(self.both().map(|[a, b]| (a.within(tau) + b.within(tau)) as f64 / (a.count() + b.count()) as f64))
    }

    /// The mean of the two directed shares within the tolerance (mm), in [0, 1] (panoptica); undefined when either
    /// mask is empty.
    ///
    /// # Errors
    /// [`InputError::Setting`] unless the tolerance is finite and at least 0.
    ///
    /// ```
    /// # use fiel_kernels::surface::{Grid, MasksOnGrid};
    /// let grid = Grid::plane([5, 1], [2.0, 1.0])?;
    /// let found = MasksOnGrid::new(grid, &[1, 0, 0, 0, 0], &[1, 1, 1, 1, 0])?.borders();
    /// assert_eq!(found.nsd_mean_of_fractions(2.0)?, Ok(0.75));
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn nsd_mean_of_fractions(&self, tolerance_mm: f64) -> Result<Result<f64, Undefined>, InputError> {
        let tau = tolerance(tolerance_mm)?;
        let share = |side: &Directed| side.within(tau) as f64 / side.count() as f64;
        Ok(self.both().map(|[a, b]| 0.5 * (share(a) + share(b))))
    }
}

/// Distances both ways between the borders of two packed masks.
pub(super) fn between(masks: [&Bits; 2], frame: &Frame, grid: &Grid, steps: &Steps) -> BorderDistances {
    let (a, b) = rayon::join(
        || bits::borders(masks[0], frame, grid.planar),
        || bits::borders(masks[1], frame, grid.planar),
    );
    let moves = steps.moves(frame);
    let (to_prediction, to_reference) = rayon::join(
        || directed(&a, &b, frame, grid, steps, &moves),
        || directed(&b, &a, frame, grid, steps, &moves),
    );
    BorderDistances { to_prediction, to_reference }
}

/// Distances from every border voxel to the nearest of the other border; without any, if the other is empty, at an
/// infinite distance that no measure shows.
fn directed(
    source: &Bits,
    target: &Bits,
    frame: &Frame,
    grid: &Grid,
    steps: &Steps,
    moves: &[Move],
) -> Directed {
    if target.rows.is_empty() {
        return Directed::unreachable(source.count(frame));
    }
    let groups = steps.squared_mm.len();
    let found = near::search(&source.words, &target.words, moves, &source.rows, frame, groups);
    let list = far::voxels(found.far.iter().copied(), frame);
    let rest = if list.is_empty() {
        Vec::new()
    } else {
        far::nearest(&list, &far::voxels(target.filled(frame).into_iter(), frame), frame, grid)
    };
    Directed::new(&steps.squared_mm, &found.counts, rest)
}
