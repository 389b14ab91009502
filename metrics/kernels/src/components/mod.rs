//! Connected components of masks and label maps, as runs along the last axis.
//!
//! A mask is read once, into runs of foreground; everything after that works on the runs: joining them into
//! components, counting voxels, bounding boxes, overlaps between two sets of components. Memory follows the number of
//! runs (12 bytes each), not the number of voxels, and no map of component numbers is made unless asked for.
//!
//! Images are three-dimensional with the last axis fastest; a two-dimensional image has one axis of length 1.

mod extract;
mod join;
mod runs;

pub use runs::{Label, Run, Runs};

use crate::InputError;

/// Which voxels touch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Connectivity {
    /// Voxels that share a face: 6 neighbours in 3-D, 4 in 2-D.
    Faces,
    /// Voxels that share a face or an edge: 18 neighbours in 3-D, 8 in 2-D.
    Edges,
    /// Voxels that share a face, an edge or a corner: 26 neighbours in 3-D, 8 in 2-D.
    #[default]
    Corners,
}

impl Connectivity {
    /// The connectivity with that many neighbours: 6, 18, 26, and in 2-D 4 or 8.
    ///
    /// # Errors
    /// Any other number.
    ///
    /// ```
    /// use fiel_kernels::components::Connectivity;
    /// assert_eq!(Connectivity::with_neighbours(18)?, Connectivity::Edges);
    /// assert!(Connectivity::with_neighbours(7).is_err());
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn with_neighbours(count: u32) -> Result<Self, InputError> {
        match count {
            4 | 6 => Ok(Self::Faces),
            18 => Ok(Self::Edges),
            8 | 26 => Ok(Self::Corners),
            _ => Err(InputError::Setting {
                what: "connectivity",
                value: f64::from(count),
                expected: "6, 18 or 26 (in 2-D: 4 or 8)",
            }),
        }
    }
}

/// What is known of one component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Component {
    /// The label it has in the input (1 for a mask).
    pub label: u32,
    /// Number of voxels.
    pub voxels: u64,
    /// Its first voxel in memory order, as a position in the slice.
    pub first: usize,
    /// Smallest index along each axis.
    pub lower: [usize; 3],
    /// Largest index along each axis, plus one.
    pub upper: [usize; 3],
    /// Sum of the voxels' indices along each axis.
    pub index_sum: [u64; 3],
}

impl Component {
    /// Mean index of its voxels along each axis, in voxels.
    ///
    /// ```
    /// use fiel_kernels::components::{Components, Connectivity};
    /// let c = Components::of_mask(&[1, 1, 1, 0], [1, 2, 2], Connectivity::Corners)?;
    /// assert_eq!(c.list()[0].centroid(), [0.0, 1.0 / 3.0, 1.0 / 3.0]);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn centroid(&self) -> [f64; 3] {
        self.index_sum.map(|sum| sum as f64 / self.voxels as f64)
    }
}

/// The components of a mask or label map, numbered from 0 in the order of their first voxels.
#[derive(Debug, Clone)]
pub struct Components {
    runs: Runs,
    /// Component of each run.
    numbers: Vec<u32>,
    list: Vec<Component>,
}

impl Components {
    /// Components of a mask: every value other than 0 is foreground.
    ///
    /// `shape` is in voxels, the last axis fastest.
    ///
    /// # Errors
    /// A shape that does not fit the length, has an axis of length 0, or exceeds 2^31 voxels.
    ///
    /// # Source
    /// Run-based two-pass labelling: He, Chao, Suzuki (2008), doi:10.1109/TIP.2008.917204.
    ///
    /// ```
    /// use fiel_kernels::components::{Components, Connectivity};
    /// let mask = [1, 0, 0,
    ///             0, 1, 0,
    ///             0, 0, 0,
    ///             1, 1, 1];
    /// assert_eq!(Components::of_mask(&mask, [1, 4, 3], Connectivity::Corners)?.len(), 2);
    /// let apart = Components::of_mask(&mask, [1, 4, 3], Connectivity::Faces)?;
    /// assert_eq!(apart.len(), 3);
    /// assert_eq!(apart.list()[2].voxels, 3);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn of_mask(mask: &[u8], shape: [usize; 3], connectivity: Connectivity) -> Result<Self, InputError> {
        Ok(Self::of_runs(Runs::of_mask(mask, shape)?, connectivity))
    }

    /// Components of each label of a label map (0 is background); voxels of different labels are never joined.
    ///
    /// # Errors
    /// A shape that does not fit the length, has an axis of length 0, or exceeds 2^31 voxels.
    ///
    /// ```
    /// use fiel_kernels::components::{Components, Connectivity};
    /// let c = Components::of_labels(&[7u16, 7, 2, 0, 2, 2], [1, 2, 3], Connectivity::Faces)?;
    /// let found: Vec<_> = c.list().iter().map(|c| (c.label, c.voxels)).collect();
    /// assert_eq!(found, [(7, 2), (2, 3)]);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn of_labels<L: Label>(
        labels: &[L],
        shape: [usize; 3],
        connectivity: Connectivity,
    ) -> Result<Self, InputError> {
        Ok(Self::of_runs(Runs::of_labels(labels, shape)?, connectivity))
    }

    /// The instances of an instance map: all voxels of one value form one instance, touching or not; 0 is background.
    ///
    /// # Errors
    /// A shape that does not fit the length, has an axis of length 0, or exceeds 2^31 voxels.
    ///
    /// ```
    /// use fiel_kernels::components::Components;
    /// let c = Components::of_instances(&[9u32, 0, 9, 4], [1, 1, 4])?;
    /// assert_eq!((c.len(), c.list()[0].voxels), (2, 2));
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn of_instances<L: Label>(map: &[L], shape: [usize; 3]) -> Result<Self, InputError> {
        let runs = Runs::of_labels(map, shape)?;
        let numbers = join::by_value(&runs);
        Ok(Self::numbered(runs, numbers))
    }

    /// Components of runs that were made before, for instance while a file was decoded.
    ///
    /// ```
    /// use fiel_kernels::components::{Components, Connectivity, Runs};
    /// let runs = Runs::of_mask(&[1, 0, 1], [1, 1, 3])?;
    /// assert_eq!(Components::of_runs(runs, Connectivity::Corners).len(), 2);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn of_runs(runs: Runs, connectivity: Connectivity) -> Self {
        let numbers = join::by_contact(&runs, connectivity);
        Self::numbered(runs, numbers)
    }

    fn numbered(runs: Runs, numbers: Vec<u32>) -> Self {
        let list = join::describe(&runs, &numbers);
        Self { runs, numbers, list }
    }

    /// Number of components.
    ///
    /// ```
    /// use fiel_kernels::components::{Components, Connectivity};
    /// assert_eq!(Components::of_mask(&[0, 0], [1, 1, 2], Connectivity::Corners)?.len(), 0);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there is none.
    ///
    /// ```
    /// use fiel_kernels::components::{Components, Connectivity};
    /// let of = |mask: &[u8]| Components::of_mask(mask, [1, 1, 2], Connectivity::Corners);
    /// assert!(of(&[0, 0])?.is_empty());
    /// assert!(!of(&[0, 1])?.is_empty());
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// What is known of each component, in the order of their numbers: the order of their first voxels.
    ///
    /// ```
    /// use fiel_kernels::components::{Component, Components, Connectivity};
    /// let mask = [0, 0, 1,
    ///             0, 1, 1];
    /// let c = Components::of_mask(&mask, [1, 2, 3], Connectivity::Faces)?;
    /// let (lower, upper) = ([0, 0, 1], [1, 2, 3]);
    /// assert_eq!(c.list(), [Component { label: 1, voxels: 3, first: 2, lower, upper, index_sum: [0, 2, 5] }]);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn list(&self) -> &[Component] {
        &self.list
    }

    /// Voxels of the image along each axis.
    ///
    /// ```
    /// use fiel_kernels::components::Components;
    /// assert_eq!(Components::of_instances(&[1u8, 0, 0, 1, 0, 0], [1, 2, 3])?.shape(), [1, 2, 3]);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn shape(&self) -> [usize; 3] {
        self.runs.shape()
    }

    /// Number of voxels that belong to a component.
    ///
    /// ```
    /// use fiel_kernels::components::{Components, Connectivity};
    /// let c = Components::of_labels(&[7u16, 7, 2, 0], [1, 1, 4], Connectivity::Faces)?;
    /// assert_eq!((c.voxels(), c.len()), (3, 2));
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn voxels(&self) -> u64 {
        self.list.iter().map(|c| c.voxels).sum()
    }

    /// The runs in memory order, each with the number of its component.
    ///
    /// ```
    /// use fiel_kernels::components::{Components, Connectivity};
    /// let c = Components::of_mask(&[1, 1, 0, 1], [1, 1, 4], Connectivity::Corners)?;
    /// let runs: Vec<_> = c.runs().map(|(run, number)| (run.begin, run.end, number)).collect();
    /// assert_eq!(runs, [(0, 2, 0), (3, 4, 1)]);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn runs(&self) -> impl Iterator<Item = (Run, u32)> + '_ {
        self.runs.list().iter().copied().zip(self.numbers.iter().copied())
    }

    /// A map of component numbers, counted from 1; 0 is background.
    ///
    /// ```
    /// use fiel_kernels::components::{Components, Connectivity};
    /// let c = Components::of_mask(&[1, 0, 5], [1, 1, 3], Connectivity::Corners)?;
    /// assert_eq!(c.map(), [1, 0, 2]);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn map(&self) -> Vec<u32> {
        let mut map = vec![0; self.shape().iter().product()];
        for (run, number) in self.runs() {
            map[run.begin as usize..run.end as usize].fill(number + 1);
        }
        map
    }
}
