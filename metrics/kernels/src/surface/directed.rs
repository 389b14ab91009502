//! Distances in one direction, as a list of lengths and how often each occurs.

/// Distances from one surface to the other, sorted; equal ones are counted together.
#[derive(Debug, Clone, PartialEq)]
pub struct Directed {
    /// Distance in mm and number of voxels, by distance.
    steps: Vec<(f64, u64)>,
    count: u64,
    /// Whether there is another surface to measure to.
    reachable: bool,
}

impl Directed {
    /// Joins groups of equal distance (squared, sorted) with the rest, each larger than any of the groups.
    pub(super) fn new(squared_mm: &[f64], counts: &[u64], mut rest: Vec<f64>) -> Self {
        rest.sort_unstable_by(f64::total_cmp);
        let near = squared_mm.iter().copied().zip(counts.iter().copied()).filter(|(_, count)| *count > 0);
        let mut steps: Vec<(f64, u64)> = near.map(|(squared, count)| (squared.sqrt(), count)).collect();
        for squared in rest {
            let distance = squared.sqrt();
            match steps.last_mut() {
                Some((last, count)) if last.total_cmp(&distance).is_eq() => *count += 1,
                _ => steps.push((distance, 1)),
            }
        }
        let count = steps.iter().map(|(_, count)| count).sum();
        Self { steps, count, reachable: true }
    }

    /// So many voxels with nothing to measure to.
    pub(super) fn unreachable(count: u64) -> Self {
        Self { steps: Vec::new(), count, reachable: false }
    }

    /// Whether the surface measured from is empty.
    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Number of border voxels measured from.
    ///
    /// ```
    /// # use fiel_kernels::surface::{Grid, MasksOnGrid};
    /// let grid = Grid::plane([3, 3], [1.0, 1.0])?;
    /// let found = MasksOnGrid::new(grid, &[1; 9], &[0, 0, 0, 0, 1, 0, 0, 0, 0])?.borders();
    /// assert_eq!(found.reference_to_prediction().count(), 8);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Every distance that occurs, mm, from the smallest, with the number of voxels at it; nothing when there is no
    /// other surface.
    ///
    /// ```
    /// # use fiel_kernels::surface::{Grid, MasksOnGrid};
    /// let grid = Grid::plane([4, 1], [2.0, 1.0])?;
    /// let found = MasksOnGrid::new(grid, &[1, 1, 1, 0], &[1, 0, 0, 0])?.borders();
    /// assert_eq!(found.reference_to_prediction().distances_mm(), [(0.0, 1), (2.0, 1), (4.0, 1)]);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn distances_mm(&self) -> &[(f64, u64)] {
        &self.steps
    }

    /// The mean distance, mm; none when either surface is empty.
    ///
    /// ```
    /// # use fiel_kernels::surface::{Grid, MasksOnGrid};
    /// let grid = Grid::plane([4, 1], [2.0, 1.0])?;
    /// let found = MasksOnGrid::new(grid, &[1, 1, 1, 0], &[1, 0, 0, 0])?.borders();
    /// assert_eq!(found.reference_to_prediction().mean(), Some(2.0));
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn mean(&self) -> Option<f64> {
        self.is_defined().then(|| self.sum() / self.count as f64)
    }

    /// The largest distance, mm; none when either surface is empty.
    ///
    /// ```
    /// # use fiel_kernels::surface::{Grid, MasksOnGrid};
    /// let grid = Grid::plane([4, 1], [2.0, 1.0])?;
    /// let found = MasksOnGrid::new(grid, &[1, 1, 1, 0], &[1, 0, 0, 0])?.borders();
    /// assert_eq!(found.reference_to_prediction().max(), Some(4.0));
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn max(&self) -> Option<f64> {
        self.is_defined().then(|| self.largest())
    }

    /// The percentile of the distances, mm, interpolated linearly between ranks; none when either surface is empty.
    ///
    /// # Errors
    /// [`InputError::Setting`](crate::InputError::Setting) unless `percent` lies in [0, 100].
    ///
    /// ```
    /// # use fiel_kernels::surface::{Grid, MasksOnGrid};
    /// let grid = Grid::plane([4, 1], [2.0, 1.0])?;
    /// let found = MasksOnGrid::new(grid, &[1, 1, 1, 0], &[1, 0, 0, 0])?.borders();
    /// assert_eq!(found.reference_to_prediction().percentile(75.0)?, Some(3.0));
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn percentile(&self, percent: f64) -> Result<Option<f64>, crate::InputError> {
        let percent = super::percent(percent)?;
        Ok(self.is_defined().then(|| percentile(&[self], percent)))
    }

    fn is_defined(&self) -> bool {
        self.reachable && self.count > 0
    }

    pub(super) fn largest(&self) -> f64 {
        self.steps.last().map_or(0.0, |(distance, _)| *distance)
    }

    pub(super) fn sum(&self) -> f64 {
        self.steps.iter().map(|&(distance, count)| distance * count as f64).sum()
    }

    /// Voxels at most so far away.
    pub(super) fn within(&self, tau: f64) -> u64 {
        self.steps.iter().take_while(|(distance, _)| *distance <= tau).map(|(_, count)| count).sum()
    }
}

/// The percentile of some non-empty lists together, interpolated linearly between ranks as NumPy does by default.
pub(super) fn percentile(lists: &[&Directed], percent: f64) -> f64 {
    let count: u64 = lists.iter().map(|list| list.count).sum();
    let place = percent / 100.0 * (count - 1) as f64;
    let below = place.floor();
    // A rank below the number of voxels, hence exact as an integer.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a whole number at least 0")]
    let rank = below as u64;
    let (low, high) = (nth(lists, rank), nth(lists, (rank + 1).min(count - 1)));
    let share = place - below;
    // As NumPy: interpolated from the nearer end.
    if share < 0.5 { low + (high - low) * share } else { high - (high - low) * (1.0 - share) }
}

/// The distance at a rank (from 0) of the lists together.
fn nth(lists: &[&Directed], rank: u64) -> f64 {
    let mut at = vec![0; lists.len()];
    let mut passed = 0;
    let mut distance = 0.0;
    while passed <= rank {
        let next = (0..lists.len())
            .filter(|&i| at[i] < lists[i].steps.len())
            .min_by(|&a, &b| lists[a].steps[at[a]].0.total_cmp(&lists[b].steps[at[b]].0));
        let Some(list) = next else { break };
        let (own, count) = lists[list].steps[at[list]];
        distance = own;
        passed += count;
        at[list] += 1;
    }
    distance
}
