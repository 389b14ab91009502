//! OpenEBench's classes of the participants of a challenge: square quartiles, diagonal quartiles and clusters.
//!
//! The definitions are those of the benchmarking event API of OpenEBench (<https://openebench.bsc.es>), which its
//! tables show. A participant is a point with one value per metric; class 1 is the best.

mod clusters;

pub use clusters::Clusters;

use crate::InputError;
use crate::inference::quantile_sorted;
use crate::ranking::Direction;

/// Checked results of the participants of a challenge: participants x metrics, with the direction of each metric.
///
/// ```
/// use fiel_kernels::openebench::Participants;
/// use fiel_kernels::ranking::Direction::HigherIsBetter;
/// // recall and precision of four participants: the corner "top-right" is best
/// let points = [0.9, 0.8, 0.2, 0.9, 0.8, 0.1, 0.1, 0.2];
/// let participants = Participants::new(&points, &[HigherIsBetter; 2])?;
/// assert_eq!(participants.square_quartiles(), [1, 2, 3, 4]);
/// assert_eq!(participants.diagonal_quartiles()?, [1, 2, 3, 4]);
/// # Ok::<(), fiel_kernels::InputError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Participants {
    points: Vec<f64>,
    directions: Vec<Direction>,
}

/// Most metrics: each doubles the number of square classes.
const METRICS_MAX: usize = 31;

impl Participants {
    /// Takes the results, participant after participant.
    ///
    /// # Errors
    /// No participant, no metric, more than 31 metrics, rows that are not full, a value that is not finite.
    ///
    /// ```
    /// use fiel_kernels::openebench::Participants;
    /// use fiel_kernels::ranking::Direction::{HigherIsBetter, LowerIsBetter};
    /// // Recall and runtime of three participants.
    /// let points = [0.9, 10.0, 0.8, 40.0, 0.2, 20.0];
    /// assert_eq!(Participants::new(&points, &[HigherIsBetter, LowerIsBetter])?.len(), 3);
    /// assert!(Participants::new(&points[..5], &[HigherIsBetter, LowerIsBetter]).is_err());
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn new(points: &[f64], directions: &[Direction]) -> Result<Self, InputError> {
        let width = directions.len();
        if points.is_empty() || width == 0 {
            return Err(InputError::Empty("the participants"));
        }
        if width > METRICS_MAX {
            let (found, limit) = (width as u64, METRICS_MAX as u64);
            return Err(InputError::TooLarge { what: "the metrics of a challenge", found, limit });
        }
        if !points.len().is_multiple_of(width) {
            return Err(InputError::Length {
                left: "the participants' results",
                left_len: points.len(),
                right: "their full rows",
                right_len: points.len() / width * width,
            });
        }
        if let Some(index) = points.iter().position(|v| !v.is_finite()) {
            let (what, value) = ("the participants' results", points[index]);
            return Err(InputError::Value { what, index, value, expected: "finite" });
        }
        Ok(Self { points: points.to_vec(), directions: directions.to_vec() })
    }

    /// Number of participants.
    ///
    /// ```
    /// use fiel_kernels::openebench::Participants;
    /// use fiel_kernels::ranking::Direction::HigherIsBetter;
    /// assert_eq!(Participants::new(&[0.9, 0.8, 0.2, 0.9, 0.8, 0.1], &[HigherIsBetter; 2])?.len(), 3);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn len(&self) -> usize {
        self.points.len() / self.directions.len()
    }

    /// Whether there is none: never, as [`Participants::new`] refuses that.
    ///
    /// ```
    /// use fiel_kernels::openebench::Participants;
    /// use fiel_kernels::ranking::Direction::HigherIsBetter;
    /// assert!(!Participants::new(&[0.9], &[HigherIsBetter])?.is_empty());
    /// assert!(Participants::new(&[], &[HigherIsBetter]).is_err());
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn is_empty(&self) -> bool {
        self.points.is_empty()
    }

    fn rows(&self) -> impl Iterator<Item = &[f64]> {
        self.points.chunks_exact(self.directions.len())
    }

    fn axis(&self, axis: usize) -> Vec<f64> {
        self.rows().map(|row| row[axis]).collect()
    }

    /// Square quartiles: the median of each metric cuts the plane; a participant on the worse side of metric i
    /// (from 0) gets 2^i added to 1.
    ///
    /// Where higher is better, the median itself is on the better side; where lower is better, on the worse side.
    /// Classes are 1 to 4 for two metrics.
    ///
    /// ```
    /// use fiel_kernels::openebench::Participants;
    /// use fiel_kernels::ranking::Direction::{HigherIsBetter, LowerIsBetter};
    /// // Recall and runtime of four participants; their medians are 0.5 and 25.
    /// let points = [0.9, 10.0, 0.8, 40.0, 0.2, 20.0, 0.1, 30.0];
    /// let participants = Participants::new(&points, &[HigherIsBetter, LowerIsBetter])?;
    /// assert_eq!(participants.square_quartiles(), [1, 3, 2, 4]);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn square_quartiles(&self) -> Vec<u32> {
        let mut classes = vec![1; self.len()];
        for (axis, direction) in self.directions.iter().enumerate() {
            let values = self.axis(axis);
            let median = quantile(&values, 0.5);
            for (class, value) in classes.iter_mut().zip(&values) {
                let worse = match direction {
                    Direction::HigherIsBetter => *value < median,
                    Direction::LowerIsBetter => *value >= median,
                };
                *class += u32::from(worse) << axis;
            }
        }
        classes
    }

    /// Diagonal quartiles: quartiles of the sum of the metrics, each divided by its largest value and, where lower
    /// is better, subtracted from 1.
    ///
    /// Class 1 is above the third quartile, 4 at most at the first.
    ///
    /// # Errors
    /// A metric without a positive value although one is negative: dividing by the largest would reverse it.
    ///
    /// ```
    /// use fiel_kernels::openebench::Participants;
    /// use fiel_kernels::ranking::Direction::{HigherIsBetter, LowerIsBetter};
    /// let points = [0.9, 10.0, 0.8, 40.0, 0.2, 20.0, 0.1, 30.0];
    /// let participants = Participants::new(&points, &[HigherIsBetter, LowerIsBetter])?;
    /// assert_eq!(participants.diagonal_quartiles()?, [1, 2, 3, 4]);
    /// let below_zero = Participants::new(&[-0.9, -0.2], &[HigherIsBetter])?;
    /// assert!(below_zero.diagonal_quartiles().is_err());
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn diagonal_quartiles(&self) -> Result<Vec<u32>, InputError> {
        let scores = normalised_sums(&self.points, &self.directions)?;
        let [first, second, third] = [0.25, 0.5, 0.75].map(|level| quantile(&scores, level));
        let class = |score: &f64| {
            if *score > third {
                1
            } else if *score > second {
                2
            } else if *score > first {
                3
            } else {
                4
            }
        };
        Ok(scores.iter().map(class).collect())
    }
}

/// Sum of the metrics of each point, each metric divided by its largest value (unless that is zero) and reversed
/// where lower is better.
fn normalised_sums(points: &[f64], directions: &[Direction]) -> Result<Vec<f64>, InputError> {
    let width = directions.len();
    let mut sums = vec![0.0; points.len() / width];
    for (axis, direction) in directions.iter().enumerate() {
        let values = points.iter().skip(axis).step_by(width);
        let largest = values.clone().copied().fold(f64::NEG_INFINITY, f64::max);
        if largest < 0.0 {
            return Err(InputError::Setting {
                what: "the largest value of a metric",
                value: largest,
                expected: "at least 0 to normalise by it",
            });
        }
        for (sum, value) in sums.iter_mut().zip(values) {
            let share = if largest == 0.0 { *value } else { value / largest };
            *sum += if *direction == Direction::LowerIsBetter { 1.0 - share } else { share };
        }
    }
    Ok(sums)
}

/// Quantile of a list that is not empty, by linear interpolation.
fn quantile(values: &[f64], level: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    quantile_sorted(&sorted, level).expect("there is at least one participant")
}
