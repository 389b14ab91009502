//! Distances between surface elements at the corners between voxels, weighted by their area.

use super::bits::{self, Bits, Frame};
use super::far::{self, SetBits};
use super::grid::Grid;
use super::near::{self, Move, Steps};
use super::{area, tolerance};
use crate::error::{InputError, Undefined};

/// Codes of a corner's eight voxels.
const CODES: usize = 256;

/// Distances between the surface elements (*surfels*) of reference and prediction, both ways.
///
/// A surfel sits at every corner between voxels of which some are inside and some outside, and carries the area of
/// the marching-cubes surface around it (in a plane, the length of the contour). This is the convention of
/// google-deepmind/surface-distance (Nikolov et al. 2021, <https://doi.org/10.2196/26151>).
#[derive(Debug, Clone, PartialEq)]
pub struct SurfelDistances {
    to_prediction: Surfels,
    to_reference: Surfels,
}

/// Surfels in one direction, sorted by distance, then by area; equal ones are counted together.
#[derive(Debug, Clone, PartialEq)]
pub struct Surfels {
    items: Vec<Surfel>,
    count: u64,
    area: f64,
}

/// Some surfels at the same distance and of the same area.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Surfel {
    /// Distance to the other surface, mm; infinite when there is none.
    pub distance_mm: f64,
    /// Area of each, mm² (length of the contour, mm, in a plane).
    pub area: f64,
    /// How many there are.
    pub count: u64,
}

impl Surfels {
    fn new(mut items: Vec<Surfel>) -> Self {
        let order =
            |a: &Surfel, b: &Surfel| a.distance_mm.total_cmp(&b.distance_mm).then(a.area.total_cmp(&b.area));
        items.sort_unstable_by(order);
        items.dedup_by(|next, kept| {
            let same = order(next, kept).is_eq();
            kept.count += if same { next.count } else { 0 };
            same
        });
        let count = items.iter().map(|s| s.count).sum();
        let area = items.iter().map(|s| s.area * s.count as f64).sum();
        Self { items, count, area }
    }

    /// The surfels, by distance, then by area.
    ///
    /// ```
    /// # use fiel_kernels::surface::{Grid, MasksOnGrid};
    /// let grid = Grid::plane([3, 1], [1.0, 1.0])?;
    /// let found = MasksOnGrid::new(grid, &[0, 1, 0], &[0, 1, 0])?.surfels();
    /// let counts: Vec<u64> = found.reference_to_prediction().items().iter().map(|s| s.count).collect();
    /// assert_eq!(counts, [4]);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn items(&self) -> &[Surfel] {
        &self.items
    }

    /// Number of surfels.
    ///
    /// ```
    /// # use fiel_kernels::surface::{Grid, MasksOnGrid};
    /// let grid = Grid::volume([1, 1, 1], [1.0; 3])?;
    /// assert_eq!(MasksOnGrid::new(grid, &[1], &[0])?.surfels().reference_to_prediction().count(), 8);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Area of all surfels, mm² (length, mm, in a plane).
    ///
    /// ```
    /// # use fiel_kernels::surface::{Grid, MasksOnGrid};
    /// let grid = Grid::volume([1, 1, 1], [1.0; 3])?;
    /// let area = MasksOnGrid::new(grid, &[1], &[0])?.surfels().reference_to_prediction().area();
    /// assert!((area - 3.0_f64.sqrt()).abs() < 1e-12);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn area(&self) -> f64 {
        self.area
    }

    fn largest(&self) -> f64 {
        self.items.last().map_or(0.0, |s| s.distance_mm)
    }

    /// Mean distance weighted by area.
    fn mean(&self) -> f64 {
        self.items.iter().map(|s| s.distance_mm * (s.area * s.count as f64)).sum::<f64>() / self.area
    }

    /// Area at most so far away.
    fn within(&self, tau: f64) -> f64 {
        // Added to a zero that is not negative, so that an empty sum prints as 0.
        let near = self.items.iter().take_while(|s| s.distance_mm <= tau);
        near.map(|s| s.area * s.count as f64).fold(0.0, |sum, area| sum + area)
    }

    /// The first distance up to which the share of the area is reached.
    ///
    /// The reference adds one surfel after the other; so does this, since the sum may meet the share exactly.
    fn percentile(&self, percent: f64) -> f64 {
        let areas: Vec<f64> =
            self.items.iter().flat_map(|s| std::iter::repeat_n(s.area, rank(s.count))).collect();
        let total = pairwise_sum(&areas);
        let share = percent / 100.0;
        let mut sum = 0.0;
        for surfel in &self.items {
            for _ in 0..surfel.count {
                sum += surfel.area;
                if sum / total >= share {
                    return surfel.distance_mm;
                }
            }
        }
        self.largest()
    }
}

/// A number of surfels as a length; they are fewer than the corners of an image in memory.
fn rank(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

/// Sum in NumPy's order: halves down to blocks of 128, each in eight lanes.
fn pairwise_sum(values: &[f64]) -> f64 {
    let n = values.len();
    if n < 8 {
        return values.iter().fold(0.0, |sum, v| sum + v);
    }
    if n <= 128 {
        let (blocks, rest) = values.as_chunks::<8>();
        let mut lanes = blocks[0];
        for block in &blocks[1..] {
            for (lane, value) in lanes.iter_mut().zip(block) {
                *lane += value;
            }
        }
        let pairs: [f64; 4] = std::array::from_fn(|i| lanes[2 * i] + lanes[2 * i + 1]);
        return rest.iter().fold((pairs[0] + pairs[1]) + (pairs[2] + pairs[3]), |sum, v| sum + v);
    }
    let half = n / 2 - (n / 2) % 8;
    pairwise_sum(&values[..half]) + pairwise_sum(&values[half..])
}

impl SurfelDistances {
    /// Surfels of the reference with their distance to the prediction.
    ///
    /// ```
    /// # use fiel_kernels::surface::{Grid, MasksOnGrid};
    /// let grid = Grid::plane([3, 1], [1.0, 1.0])?;
    /// let found = MasksOnGrid::new(grid, &[1, 1, 0], &[0, 1, 0])?.surfels();
    /// assert_eq!(found.reference_to_prediction().count(), 6);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn reference_to_prediction(&self) -> &Surfels {
        &self.to_prediction
    }

    /// Surfels of the prediction with their distance to the reference.
    ///
    /// ```
    /// # use fiel_kernels::surface::{Grid, MasksOnGrid};
    /// let grid = Grid::plane([3, 1], [1.0, 1.0])?;
    /// let found = MasksOnGrid::new(grid, &[1, 1, 0], &[0, 1, 0])?.surfels();
    /// assert_eq!(found.prediction_to_reference().count(), 4);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn prediction_to_reference(&self) -> &Surfels {
        &self.to_reference
    }

    fn both(&self) -> Result<[&Surfels; 2], Undefined> {
        match (self.to_prediction.count == 0, self.to_reference.count == 0) {
            (true, true) => Err(Undefined::BothEmpty),
            (true, false) => Err(Undefined::ReferenceEmpty),
            (false, true) => Err(Undefined::PredictionEmpty),
            (false, false) => Ok([&self.to_prediction, &self.to_reference]),
        }
    }

    /// Hausdorff distance between the surfels, mm; undefined when either mask is empty.
    ///
    /// # Errors
    /// [`Undefined::BothEmpty`], [`Undefined::ReferenceEmpty`] or [`Undefined::PredictionEmpty`].
    ///
    /// ```
    /// # use fiel_kernels::surface::{Grid, MasksOnGrid};
    /// let grid = Grid::plane([4, 1], [2.0, 1.0])?;
    /// let found = MasksOnGrid::new(grid, &[1, 1, 0, 0], &[0, 0, 0, 1])?.surfels();
    /// assert_eq!(found.hd(), Ok(6.0));
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn hd(&self) -> Result<f64, Undefined> {
        let [a, b] = self.both()?;
        Ok(a.largest().max(b.largest()))
    }

    /// The larger of the two directed percentiles, mm: the smallest distance within which at least that share of the
    /// area lies, not interpolated (`surfel`); undefined when either mask is empty.
    ///
    /// # Errors
    /// [`InputError::Setting`] unless `percent` lies in [0, 100].
    ///
    /// ```
    /// # use fiel_kernels::surface::{Grid, MasksOnGrid};
    /// let grid = Grid::plane([4, 1], [2.0, 1.0])?;
    /// let found = MasksOnGrid::new(grid, &[1, 1, 0, 0], &[0, 0, 0, 1])?.surfels();
    /// assert_eq!(found.hd_percentile(50.0)?, Ok(4.0));
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn hd_percentile(&self, percent: f64) -> Result<Result<f64, Undefined>, InputError> {
        let percent = super::percent(percent)?;
        Ok(self.both().map(|[a, b]| a.percentile(percent).max(b.percentile(percent))))
    }

    /// Mean distances weighted by area, mm: reference to prediction, prediction to reference; undefined when either
    /// mask is empty.
    ///
    /// # Errors
    /// [`Undefined::BothEmpty`], [`Undefined::ReferenceEmpty`] or [`Undefined::PredictionEmpty`].
    ///
    /// ```
    /// # use fiel_kernels::surface::{Grid, MasksOnGrid};
    /// let grid = Grid::plane([4, 1], [2.0, 1.0])?;
    /// let found = MasksOnGrid::new(grid, &[1, 0, 0, 0], &[0, 1, 0, 0])?.surfels();
    /// assert_eq!(found.directed_means(), Ok([1.0, 1.0]));
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn directed_means(&self) -> Result<[f64; 2], Undefined> {
        Ok(self.both()?.map(Surfels::mean))
    }

    /// Shares of the area within the tolerance (mm) of the other surface, in [0, 1]: of the reference, of the
    /// prediction; undefined when either mask is empty.
    ///
    /// # Errors
    /// [`InputError::Setting`] unless the tolerance is finite and at least 0.
    ///
    /// ```
    /// # use fiel_kernels::surface::{Grid, MasksOnGrid};
    /// let grid = Grid::plane([4, 1], [2.0, 1.0])?;
    /// let found = MasksOnGrid::new(grid, &[1, 0, 0, 0], &[0, 1, 0, 0])?.surfels();
    /// assert_eq!(found.overlap(0.0)?, Ok([0.5, 0.5]));
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn overlap(&self, tolerance_mm: f64) -> Result<Result<[f64; 2], Undefined>, InputError> {
        let tau = tolerance(tolerance_mm)?;
        Ok(self.both().map(|pair| pair.map(|side| (side.within(tau) / side.area).min(1.0))))
    }

    /// Normalised surface distance (surface Dice), in [0, 1]: the share of the area of both surfaces within the
    /// tolerance (mm) of the other (`surfel`); undefined when either mask is empty.
    ///
    /// # Errors
    /// [`InputError::Setting`] unless the tolerance is finite and at least 0.
    ///
    /// ```
    /// # use fiel_kernels::surface::{Grid, MasksOnGrid};
    /// let grid = Grid::plane([4, 1], [2.0, 1.0])?;
    /// let found = MasksOnGrid::new(grid, &[1, 0, 0, 0], &[0, 1, 0, 0])?.surfels();
    /// assert_eq!((found.nsd(0.0)?, found.nsd(2.0)?), (Ok(0.5), Ok(1.0)));
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn nsd(&self, tolerance_mm: f64) -> Result<Result<f64, Undefined>, InputError> {
        let tau = tolerance(tolerance_mm)?;
        Ok(self.both().map(|[a, b]| ((a.within(tau) + b.within(tau)) / (a.area + b.area)).min(1.0)))
    }
}

/// One mask with its corners.
struct Surface<'a> {
    mask: &'a Bits,
    corners: Bits,
}

/// Distances both ways between the surfels of two packed masks.
pub(super) fn between(masks: [&Bits; 2], frame: &Frame, grid: &Grid, steps: &Steps) -> SurfelDistances {
    let surface = |mask| Surface { mask, corners: bits::corners(mask, frame, grid.planar) };
    let (a, b) = rayon::join(|| surface(masks[0]), || surface(masks[1]));
    let moves = steps.moves(frame);
    let areas = area::areas(&grid.spacing_mm, grid.planar);
    let search = Search { frame, grid, steps, moves: &moves, areas: &areas };
    let (to_prediction, to_reference) =
        rayon::join(|| search.directed(&a, &b.corners), || search.directed(&b, &a.corners));
    SurfelDistances { to_prediction, to_reference }
}

/// What both directions share.
struct Search<'a> {
    frame: &'a Frame,
    grid: &'a Grid,
    steps: &'a Steps,
    moves: &'a [Move],
    areas: &'a [f64],
}

impl Search<'_> {
    fn directed(&self, source: &Surface<'_>, target: &Bits) -> Surfels {
        let groups = self.steps.squared_mm.len();
        // One group more, for surfels with nothing to measure to.
        let mut counts = vec![0_u64; (groups + 1) * CODES];
        let mut add = |group: u32, word: usize, hits: u64| {
            let row = &mut counts[group as usize * CODES..(group as usize + 1) * CODES];
            each_code(&source.mask.words, self.frame, self.grid.planar, word, hits, |code| row[code] += 1);
        };
        let mut far = Vec::new();
        if target.rows.is_empty() {
            let beyond = u32::try_from(groups).unwrap_or(u32::MAX);
            source.corners.filled(self.frame).into_iter().for_each(|(word, bits)| add(beyond, word, bits));
        } else {
            let (words, rows) = (&source.corners.words, &source.corners.rows);
            far = near::search_each(words, &target.words, self.moves, rows, self.frame, &mut add);
        }
        let mut items = Vec::new();
        for (group, row) in counts.chunks(CODES).enumerate() {
            let distance_mm =
                self.steps.squared_mm.get(group).map_or(f64::INFINITY, |squared| squared.sqrt());
            let present = row.iter().enumerate().filter(|(_, count)| **count > 0);
            items.extend(present.map(|(code, &count)| Surfel { distance_mm, area: self.areas[code], count }));
        }
        items.extend(self.beyond(source, target, &far));
        Surfels::new(items)
    }

    /// The surfels that no step reaches.
    fn beyond(&self, source: &Surface<'_>, target: &Bits, far: &[(usize, u64)]) -> Vec<Surfel> {
        if far.is_empty() {
            return Vec::new();
        }
        let list = far::voxels(far.iter().copied(), self.frame);
        let targets = far::voxels(target.filled(self.frame).into_iter(), self.frame);
        let distances = far::nearest(&list, &targets, self.frame, self.grid);
        let mut codes = Vec::with_capacity(list.len());
        for &(word, bits) in far {
            each_code(&source.mask.words, self.frame, self.grid.planar, word, bits, |code| codes.push(code));
        }
        let surfel = |(squared, code): (f64, usize)| Surfel {
            distance_mm: squared.sqrt(),
            area: self.areas[code],
            count: 1,
        };
        distances.into_iter().zip(codes).map(surfel).collect()
    }
}

/// Calls with the code of each corner of a word, lowest bit first.
#[inline]
fn each_code(mask: &[u64], frame: &Frame, planar: bool, word: usize, bits: u64, mut take: impl FnMut(usize)) {
    let [row, plane] = frame.strides();
    // Rows around the corner in the order of the code's bits; in a plane only two of them.
    let rows = if planar {
        [word - row, word, word, word]
    } else {
        [word - plane - row, word - plane, word - row, word]
    };
    let used = if planar { 2 } else { 4 };
    let here = rows.map(|at| mask[at]);
    let before = rows.map(|at| mask[at] << 1 | mask[at - 1] >> 63);
    for bit in SetBits(bits) {
        let mut code = 0;
        for i in (0..used).rev() {
            code = code << 2 | (here[i] >> bit & 1) << 1 | before[i] >> bit & 1;
        }
        // Eight bits.
        #[allow(clippy::cast_possible_truncation, reason = "below 256")]
        take(code as usize);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_of_any_length_are_sums() {
        for n in [0, 1, 7, 8, 9, 127, 128, 129, 1000, 4097] {
            let values: Vec<f64> = (1..=n).map(f64::from).collect();
            let expected = f64::from(n) * (f64::from(n) + 1.0) / 2.0;
            assert!((pairwise_sum(&values) - expected).abs() < 1e-9);
        }
    }
}
