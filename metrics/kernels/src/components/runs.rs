//! Runs of foreground along the last axis.

use super::extract;
use crate::InputError;

/// Neighbouring voxels of one row and one label: positions in the slice, `begin` inside and `end` outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// Position of the first voxel.
    pub begin: u32,
    /// Position after the last voxel.
    pub end: u32,
}

impl Run {
    /// Number of voxels.
    pub(crate) fn voxels(self) -> u64 {
        u64::from(self.end - self.begin)
    }
}

/// A type that a label map may have: `u8`, `u16` or `u32`.
pub trait Label: Copy + Eq + Default + Into<u32> + private::Extract {}

impl Label for u8 {}
impl Label for u16 {}
impl Label for u32 {}

mod private {
    use super::Run;

    /// Splits a slice into runs of one value other than 0.
    pub trait Extract: Sized {
        fn runs(labels: &[Self]) -> (Vec<Run>, Vec<u32>);
    }
}

impl private::Extract for u8 {
    fn runs(labels: &[Self]) -> (Vec<Run>, Vec<u32>) {
        extract::labels_u8(labels)
    }
}

impl private::Extract for u16 {
    fn runs(labels: &[Self]) -> (Vec<Run>, Vec<u32>) {
        extract::labels_u16(labels)
    }
}

impl private::Extract for u32 {
    fn runs(labels: &[Self]) -> (Vec<Run>, Vec<u32>) {
        extract::labels_u32(labels)
    }
}

/// More voxels than this are refused.
const VOXELS_MAX: u64 = 1 << 31;

/// The foreground of an image as runs, in memory order.
#[derive(Debug, Clone)]
pub struct Runs {
    shape: [usize; 3],
    grid: Grid,
    list: Vec<Run>,
    /// Label of each run; empty when all are 1.
    labels: Vec<u32>,
}

impl Runs {
    /// Runs of a mask: every value other than 0 is foreground.
    ///
    /// # Errors
    /// A shape that does not fit the length, has an axis of length 0, or exceeds 2^31 voxels.
    ///
    /// ```
    /// use fiel_kernels::components::Runs;
    /// let runs = Runs::of_mask(&[0, 1, 1, 1], [1, 2, 2])?;
    /// assert_eq!(runs.list().len(), 2);
    /// assert_eq!(runs.voxels(), 3);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn of_mask(mask: &[u8], shape: [usize; 3]) -> Result<Self, InputError> {
        check_shape("mask", mask.len(), shape)?;
        let grid = Grid::of(shape);
        let (list, labels) = grid.split_rows(extract::foreground(mask), Vec::new());
        Ok(Self { shape, grid, list, labels })
    }

    /// Runs of one label each; 0 is background.
    ///
    /// # Errors
    /// A shape that does not fit the length, has an axis of length 0, or exceeds 2^31 voxels.
    ///
    /// ```
    /// use fiel_kernels::components::Runs;
    /// assert_eq!(Runs::of_labels(&[3u8, 3, 4, 0], [1, 1, 4])?.list().len(), 2);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn of_labels<L: Label>(labels: &[L], shape: [usize; 3]) -> Result<Self, InputError> {
        check_shape("label map", labels.len(), shape)?;
        let grid = Grid::of(shape);
        let (list, labels) = L::runs(labels);
        let (list, labels) = grid.split_rows(list, labels);
        Ok(Self { shape, grid, list, labels })
    }

    /// Runs that were found elsewhere, for instance while a file was decoded: ascending, none empty. They may touch, and
    /// cross the ends of rows.
    ///
    /// # Errors
    /// A shape with an axis of length 0 or of more than 2^31 voxels; a run that is empty, begins before the end of the
    /// one before it, or ends after the last voxel, named with its number.
    ///
    /// ```
    /// use fiel_kernels::components::{Run, Runs};
    /// let found = Runs::of_list(&[Run { begin: 1, end: 4 }], [1, 2, 2])?;
    /// assert_eq!(found.list(), [Run { begin: 1, end: 2 }, Run { begin: 2, end: 4 }]);
    /// assert!(Runs::of_list(&[Run { begin: 3, end: 5 }], [1, 2, 2]).is_err());
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn of_list(list: &[Run], shape: [usize; 3]) -> Result<Self, InputError> {
        let voxels = shape.iter().fold(1usize, |product, &n| product.saturating_mul(n));
        check_shape("mask", voxels, shape)?;
        let mut joined: Vec<Run> = Vec::with_capacity(list.len());
        for (index, &run) in list.iter().enumerate() {
            let free = joined.last().map_or(0, |before| before.end);
            if run.begin < free || run.end <= run.begin || run.end as usize > voxels {
                return Err(InputError::Value {
                    what: "runs",
                    index,
                    value: f64::from(run.begin),
                    expected: "the begin of a run of at least one voxel, inside the image and after the run before",
                });
            }
            match joined.last_mut() {
                // Components are joined across rows only, so a row's runs must be apart.
                Some(before) if before.end == run.begin => before.end = run.end,
                _ => joined.push(run),
            }
        }
        let grid = Grid::of(shape);
        let (list, labels) = grid.split_rows(joined, Vec::new());
        Ok(Self { shape, grid, list, labels })
    }

    /// The runs of one label alone, as a mask.
    ///
    /// ```
    /// use fiel_kernels::components::Runs;
    /// let all = Runs::of_labels(&[3u8, 3, 4, 0, 3], [1, 1, 5])?;
    /// assert_eq!(all.of_label(3).voxels(), 3);
    /// assert_eq!(all.of_label(5).voxels(), 0);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    #[must_use]
    pub fn of_label(&self, label: u32) -> Self {
        let kept = (0..self.list.len()).filter(|&run| self.label(run) == label).map(|run| self.list[run]);
        Self { shape: self.shape, grid: self.grid.clone(), list: kept.collect(), labels: Vec::new() }
    }

    /// The runs in memory order; none crosses the end of a row.
    ///
    /// ```
    /// use fiel_kernels::components::{Run, Runs};
    /// // Rows of three voxels: the foreground goes on in the second row, and is two runs.
    /// let runs = Runs::of_mask(&[0, 1, 1, 1, 0, 0], [1, 2, 3])?;
    /// assert_eq!(runs.list(), [Run { begin: 1, end: 3 }, Run { begin: 3, end: 4 }]);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn list(&self) -> &[Run] {
        &self.list
    }

    /// Label of a run.
    pub(crate) fn label(&self, run: usize) -> u32 {
        self.labels.get(run).copied().unwrap_or(1)
    }

    /// Whether all runs have the same label by construction.
    pub(crate) fn is_mask(&self) -> bool {
        self.labels.is_empty()
    }

    /// Voxels along each axis.
    ///
    /// ```
    /// use fiel_kernels::components::Runs;
    /// assert_eq!(Runs::of_mask(&[0, 1, 1, 1, 0, 0], [1, 2, 3])?.shape(), [1, 2, 3]);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn shape(&self) -> [usize; 3] {
        self.shape
    }

    pub(crate) fn grid(&self) -> &Grid {
        &self.grid
    }

    /// Number of foreground voxels.
    ///
    /// ```
    /// use fiel_kernels::components::Runs;
    /// assert_eq!(Runs::of_mask(&[0, 1, 1, 1, 0, 0], [1, 2, 3])?.voxels(), 3);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn voxels(&self) -> u64 {
        self.list.iter().map(|run| run.voxels()).sum()
    }

    /// Mean index of the foreground along each axis, in voxels; `None` without foreground.
    ///
    /// ```
    /// use fiel_kernels::components::Runs;
    /// assert_eq!(Runs::of_mask(&[0, 1, 0, 1], [2, 1, 2])?.centroid(), Some([0.5, 0.0, 1.0]));
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn centroid(&self) -> Option<[f64; 3]> {
        let [_, rows, width] = self.grid.size.map(|n| n as u64);
        let mut sum = [0u64; 3];
        for run in &self.list {
            let (voxels, row) = (run.voxels(), u64::from(run.begin) / width);
            sum[0] += row / rows * voxels;
            sum[1] += row % rows * voxels;
            // Sum of the indices from begin to end, without end.
            let first = u64::from(run.begin) % width;
            sum[2] += (2 * first + voxels - 1) * voxels / 2;
        }
        let voxels = self.voxels();
        (voxels > 0).then(|| self.grid.to_image(sum.map(|sum| sum as f64 / voxels as f64)))
    }
}

/// Refuses a shape that does not fit, is empty or too large.
pub(crate) fn check_shape(what: &'static str, len: usize, shape: [usize; 3]) -> Result<(), InputError> {
    let voxels = shape.iter().try_fold(1u64, |product, &n| product.checked_mul(n as u64)).unwrap_or(u64::MAX);
    if voxels > VOXELS_MAX {
        return Err(InputError::TooLarge { what: "voxels", found: voxels, limit: VOXELS_MAX });
    }
    if voxels != len as u64 {
        return Err(InputError::Length {
            left: what,
            left_len: len,
            right: "its shape",
            right_len: usize::try_from(voxels).unwrap_or(usize::MAX),
        });
    }
    if len == 0 {
        return Err(InputError::Empty(what));
    }
    Ok(())
}

/// The shape without its axes of length 1, so that rows are as long as can be.
///
/// Dropping such an axis changes neither the memory order nor which voxels touch.
#[derive(Debug, Clone)]
pub(crate) struct Grid {
    /// Planes, rows per plane, voxels per row.
    pub(crate) size: [usize; 3],
    /// Axis of the image that each axis of the grid is.
    axes: [usize; 3],
}

impl Grid {
    fn of(shape: [usize; 3]) -> Self {
        let mut axes = [0, 1, 2];
        // A stable sort: axes of length 1 first, the others in their order.
        axes.sort_by_key(|&axis| shape[axis] > 1);
        Self { size: axes.map(|axis| shape[axis]), axes }
    }

    /// From the grid's order of axes to the image's.
    pub(crate) fn to_image<T: Copy + Default>(&self, values: [T; 3]) -> [T; 3] {
        let mut image = [T::default(); 3];
        for (axis, value) in self.axes.into_iter().zip(values) {
            image[axis] = value;
        }
        image
    }

    /// Cuts runs at the ends of rows.
    fn split_rows(&self, runs: Vec<Run>, labels: Vec<u32>) -> (Vec<Run>, Vec<u32>) {
        let width = u32::try_from(self.size[2]).unwrap_or(u32::MAX);
        if runs.iter().all(|run| run.begin / width == (run.end - 1) / width) {
            return (runs, labels);
        }
        let mut cut = Vec::with_capacity(runs.len() + runs.len() / 8);
        let mut cut_labels = Vec::with_capacity(labels.len() + labels.len() / 8);
        for (i, run) in runs.into_iter().enumerate() {
            let mut begin = run.begin;
            while begin < run.end {
                let row_end = (begin / width + 1).saturating_mul(width);
                cut.push(Run { begin, end: run.end.min(row_end) });
                cut_labels.extend(labels.get(i));
                begin = row_end;
            }
        }
        (cut, cut_labels)
    }
}
