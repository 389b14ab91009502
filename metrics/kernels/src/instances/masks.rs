//! Small masks of single instances, cut out of the image, for measures of distance between them.

use crate::components::Components;

/// Two masks of the same part of an image: some reference instances, and some predicted ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MaskPair {
    /// Voxels of the part along each axis.
    pub shape: [usize; 3],
    /// Position of its first voxel in the image.
    pub origin: [usize; 3],
    /// The reference instances: 1, elsewhere 0; last axis fastest.
    pub reference: Vec<u8>,
    /// The predicted instances: 1, elsewhere 0; last axis fastest.
    pub prediction: Vec<u8>,
}

impl MaskPair {
    /// Cuts out instances by their numbers; `None` if there are none at all.
    ///
    /// The part is the bounding box of all of them. Numbers that do not exist are ignored. Both sets must come from
    /// images of one shape.
    ///
    /// ```
    /// use fiel_kernels::components::{Components, Connectivity};
    /// use fiel_kernels::instances::MaskPair;
    /// let reference = Components::of_mask(&[0, 1, 0, 1], [1, 1, 4], Connectivity::Corners)?;
    /// let prediction = Components::of_mask(&[0, 1, 1, 0], [1, 1, 4], Connectivity::Corners)?;
    /// let pair = MaskPair::of(&reference, &[0], &prediction, &[0]).unwrap();
    /// assert_eq!((pair.shape, pair.origin), ([1, 1, 2], [0, 0, 1]));
    /// assert_eq!((pair.reference, pair.prediction), (vec![1, 0], vec![1, 1]));
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn of(
        reference: &Components,
        reference_numbers: &[u32],
        prediction: &Components,
        prediction_numbers: &[u32],
    ) -> Option<Self> {
        let of = |components: &Components, numbers: &[u32]| -> Vec<([usize; 3], [usize; 3])> {
            let known = numbers.iter().filter_map(|&n| components.list().get(n as usize));
            known.map(|c| (c.lower, c.upper)).collect()
        };
        let mut boxes = of(reference, reference_numbers);
        boxes.extend(of(prediction, prediction_numbers));
        let (lower, upper) = boxes.into_iter().reduce(|a, b| {
            let lower = std::array::from_fn(|i| a.0[i].min(b.0[i]));
            let upper = std::array::from_fn(|i| a.1[i].max(b.1[i]));
            (lower, upper)
        })?;
        Some(Self {
            shape: std::array::from_fn(|i| upper[i] - lower[i]),
            origin: lower,
            reference: paint(reference, reference_numbers, lower, upper),
            prediction: paint(prediction, prediction_numbers, lower, upper),
        })
    }
}

/// The wanted instances inside a box.
fn paint(components: &Components, wanted: &[u32], lower: [usize; 3], upper: [usize; 3]) -> Vec<u8> {
    let size: [usize; 3] = std::array::from_fn(|i| upper[i] - lower[i]);
    let [_, rows, width] = components.shape();
    let mut is_wanted = vec![false; components.len()];
    for &number in wanted {
        if let Some(mark) = is_wanted.get_mut(number as usize) {
            *mark = true;
        }
    }
    let mut mask = vec![0; size.iter().product()];
    let inside = |at: usize| {
        let position = [at / width / rows, at / width % rows, at % width];
        let [z, y, x]: [usize; 3] = std::array::from_fn(|i| position[i] - lower[i]);
        (z * size[1] + y) * size[2] + x
    };
    for (run, number) in components.runs() {
        if !is_wanted[number as usize] {
            continue;
        }
        let (first, last) = (run.begin as usize, run.end as usize - 1);
        if first / width == last / width {
            mask[inside(first)..=inside(last)].fill(1);
        } else {
            // In an image whose last axis has length 1, a run goes through many rows.
            (first..=last).for_each(|at| mask[inside(at)] = 1);
        }
    }
    mask
}
