//! Label maps as runs of equal labels.

use super::{Geometry, Volume};
use crate::error::ImageError;
use std::ops::Range;

/// A label map as runs of equal labels along its list of voxels (first axis fastest, a run may go on in the next
/// row): for a segmentation some hundred times smaller than the voxels, and read several times faster.
///
/// ```
/// use fiel_kernels::image::{Geometry, LabelRuns, Volume};
/// let volume = Volume { geometry: Geometry::axis_aligned([3, 2, 1], [1.0; 3]), data: vec![0u16, 4, 4, 4, 0, 0] };
/// let runs = LabelRuns::from_volume(&volume).unwrap();
/// let list: Vec<_> = runs.iter().collect();
/// assert_eq!(list, [(0..1, 0), (1..4, 4), (4..6, 0)]);
/// assert_eq!(runs.to_volume().data, volume.data);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct LabelRuns {
    geometry: Geometry,
    runs: Vec<Run>,
}

/// Where a run ends, and its label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Run {
    end: u32,
    label: u16,
}

impl LabelRuns {
    /// The grid that the runs lie on: its shape in voxels, its spacing in millimetres.
    ///
    /// ```
    /// use fiel_kernels::image::{Geometry, LabelRuns, Volume};
    /// let geometry = Geometry::axis_aligned([2, 1, 1], [0.5, 0.5, 3.0]);
    /// let runs = LabelRuns::from_volume(&Volume { geometry, data: vec![0u16, 4] })?;
    /// assert_eq!((runs.geometry().shape, runs.geometry().spacing_mm), ([2, 1, 1], [0.5, 0.5, 3.0]));
    /// # Ok::<(), fiel_kernels::ImageError>(())
    /// ```
    pub fn geometry(&self) -> &Geometry {
        &self.geometry
    }

    /// Number of runs, those of background (label 0) included.
    ///
    /// ```
    /// use fiel_kernels::image::{Geometry, LabelRuns, Volume};
    /// let geometry = Geometry::axis_aligned([5, 1, 1], [1.0; 3]);
    /// let runs = LabelRuns::from_volume(&Volume { geometry, data: vec![0u16, 4, 4, 2, 2] })?;
    /// assert_eq!(runs.len(), 3);
    /// # Ok::<(), fiel_kernels::ImageError>(())
    /// ```
    pub fn len(&self) -> usize {
        self.runs.len()
    }

    /// Whether there are no voxels.
    ///
    /// ```
    /// use fiel_kernels::image::{Geometry, LabelRuns, Volume};
    /// let of = |shape: [usize; 3], data: Vec<u16>| {
    ///     LabelRuns::from_volume(&Volume { geometry: Geometry::axis_aligned(shape, [1.0; 3]), data })
    /// };
    /// assert!(of([0, 1, 1], vec![])?.is_empty());
    /// assert!(!of([1, 1, 1], vec![0])?.is_empty());
    /// # Ok::<(), fiel_kernels::ImageError>(())
    /// ```
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// The runs: places in the list of voxels and their label. Neighbouring runs have different labels.
    ///
    /// ```
    /// use fiel_kernels::image::{Geometry, LabelRuns, Volume};
    /// let geometry = Geometry::axis_aligned([3, 2, 1], [1.0; 3]);
    /// let runs = LabelRuns::from_volume(&Volume { geometry, data: vec![4u16, 4, 0, 0, 4, 4] })?;
    /// let of_label_4: usize = runs.iter().filter(|(_, label)| *label == 4).map(|(places, _)| places.len()).sum();
    /// assert_eq!(of_label_4, 4);
    /// assert_eq!(runs.iter().nth(1), Some((2..4, 0)));
    /// # Ok::<(), fiel_kernels::ImageError>(())
    /// ```
    pub fn iter(&self) -> impl Iterator<Item = (Range<usize>, u16)> + '_ {
        let mut start = 0;
        self.runs.iter().map(move |run| {
            let range = start..run.end as usize;
            start = run.end as usize;
            (range, run.label)
        })
    }

    /// The runs of a label map.
    ///
    /// # Errors
    /// [`ImageError::Data`] if there is not a voxel for each place of the grid, [`ImageError::TooLarge`] beyond 2^31 voxels.
    ///
    /// ```
    /// use fiel_kernels::image::{Geometry, LabelRuns, Volume};
    /// let geometry = Geometry::axis_aligned([4, 1, 1], [1.0; 3]);
    /// let runs = LabelRuns::from_volume(&Volume { geometry: geometry.clone(), data: vec![9u16, 9, 9, 0] })?;
    /// assert_eq!(runs.iter().collect::<Vec<_>>(), [(0..3, 9), (3..4, 0)]);
    /// assert!(LabelRuns::from_volume(&Volume { geometry, data: vec![9u16] }).is_err());
    /// # Ok::<(), fiel_kernels::ImageError>(())
    /// ```
    pub fn from_volume(volume: &Volume<u16>) -> Result<Self, ImageError> {
        let (found, limit) = (volume.data.len() as u64, 1 << 31);
        if found > limit {
            return Err(ImageError::TooLarge { what: "the number of voxels", found, limit });
        }
        if volume.data.len() != volume.geometry.voxels() {
            return Err(ImageError::Data(format!(
                "{found} voxels for a grid of {}",
                volume.geometry.voxels()
            )));
        }
        let mut runs = RunBuilder::new(u64::MAX);
        runs.push(&volume.data)?;
        Ok(runs.finish(volume.geometry.clone()))
    }

    /// The voxels, one label for each place of the grid: what [`LabelRuns::from_volume`] took.
    ///
    /// ```
    /// use fiel_kernels::image::{Geometry, LabelRuns, Volume};
    /// let geometry = Geometry::axis_aligned([2, 2, 1], [1.0; 3]);
    /// let volume = Volume { geometry, data: vec![0u16, 300, 300, 2] };
    /// assert_eq!(LabelRuns::from_volume(&volume)?.to_volume(), volume);
    /// # Ok::<(), fiel_kernels::ImageError>(())
    /// ```
    pub fn to_volume(&self) -> Volume<u16> {
        let mut data = vec![0u16; self.geometry.voxels()];
        for (range, label) in self.iter().filter(|(_, label)| *label != 0) {
            data[range].fill(label);
        }
        Volume { geometry: self.geometry.clone(), data }
    }
}

/// Collects runs from pieces of the list of voxels.
pub(super) struct RunBuilder {
    runs: Vec<Run>,
    /// Voxels seen.
    seen: u32,
    /// Label of the run that has not ended.
    label: u16,
    limit: u64,
}

impl RunBuilder {
    /// Refuses to hold more than `limit` bytes.
    pub(super) fn new(limit: u64) -> Self {
        Self { runs: Vec::new(), seen: 0, label: 0, limit: limit / size_of::<Run>() as u64 }
    }

    /// Adds labels of one byte.
    pub(super) fn push_bytes(&mut self, labels: &[u8]) -> Result<(), ImageError> {
        const WORD: usize = 64;
        let (blocks, rest) = labels.as_chunks::<WORD>();
        for block in blocks {
            // Most blocks lie within a run: one comparison of a vector tells.
            let here = self.label.to_le_bytes();
            let differs = here[1] != 0 || block.iter().fold(0, |all, &b| all | (b ^ here[0])) != 0;
            if differs {
                self.block(block);
            }
            self.seen += 64;
        }
        self.block(rest);
        self.seen += u32::try_from(rest.len()).unwrap_or(0);
        self.check()
    }

    /// Ends runs within a few labels, eight at a time.
    fn block(&mut self, labels: &[u8]) {
        let (words, rest) = labels.as_chunks::<8>();
        let mut at = self.seen;
        for word in words {
            let bits = u64::from_le_bytes(*word);
            let mut from = 0;
            while from < 8 {
                let same = u64::from(self.label & 0xff) * 0x0101_0101_0101_0101;
                let differs = if self.label > 0xff { u64::MAX } else { bits ^ same } >> (8 * from);
                if differs == 0 {
                    break;
                }
                from += differs.trailing_zeros() / 8;
                self.turn(at + from, u16::from(word[from as usize]));
            }
            at += 8;
        }
        for &label in rest {
            if u16::from(label) != self.label {
                self.turn(at, u16::from(label));
            }
            at += 1;
        }
    }

    /// Adds labels of two bytes.
    pub(super) fn push(&mut self, labels: &[u16]) -> Result<(), ImageError> {
        for labels in labels.chunks(1 << 16) {
            for (at, &label) in (self.seen..).zip(labels) {
                if label != self.label {
                    self.turn(at, label);
                }
            }
            self.seen += u32::try_from(labels.len()).unwrap_or(0);
            self.check()?;
        }
        Ok(())
    }

    fn turn(&mut self, end: u32, label: u16) {
        // The first run may start with another label than 0.
        if end > 0 {
            self.runs.push(Run { end, label: self.label });
        }
        self.label = label;
    }

    fn check(&self) -> Result<(), ImageError> {
        let found = self.runs.len() as u64;
        if found > self.limit {
            return Err(ImageError::TooLarge { what: "the number of runs", found, limit: self.limit });
        }
        Ok(())
    }

    pub(super) fn finish(mut self, geometry: Geometry) -> LabelRuns {
        if self.seen > 0 {
            self.runs.push(Run { end: self.seen, label: self.label });
        }
        LabelRuns { geometry, runs: self.runs }
    }
}
