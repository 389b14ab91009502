//! Counting over two label maps: all labels in one pass, run by run.

use super::{Counts, same_length};
use crate::error::InputError;
use crate::surface::runs::{Boxes, Packing, boxes_u8, boxes_u16, equal_u8, equal_u16, pack_u8, pack_u16};
use crate::vectorized::vectorized;
use rayon::prelude::*;

/// Voxels one task counts; fixed, so that the work is cut the same way on any number of threads.
const TASK: usize = 1 << 22;
/// Voxels compared at once with the run they may continue.
const BLOCK: usize = 64;
/// Labels that may be declared.
pub const MAX_LABELS: usize = 1024;

mod sealed {
    pub trait Sealed {}
    impl Sealed for u8 {}
    impl Sealed for u16 {}
}

/// A voxel of a label map: `u8` or `u16`, 0 being background.
pub trait Label: Copy + Default + Eq + Ord + Send + Sync + sealed::Sealed + Into<u16> + 'static {
    /// Number of values the type has.
    #[doc(hidden)]
    const VALUES: usize;
    /// Voxels in a machine word.
    #[doc(hidden)]
    const PER_WORD: usize;
    /// A word of voxels, the first one lowest.
    #[doc(hidden)]
    fn word(voxels: &[Self]) -> u64;
    /// A word of equal voxels.
    #[doc(hidden)]
    fn splat(self) -> u64;
    /// The joint histogram by runs, compiled for the machine's vectors.
    #[doc(hidden)]
    fn tally(reference: &[Self], prediction: &[Self], table: &[u16], width: usize) -> Vec<u64>;
    /// Bounding boxes by runs, compiled for the machine's vectors.
    #[doc(hidden)]
    fn boxes(voxels: &[Self], found: Boxes<'_>);
    /// Sets the bits of a box's voxels that have the label; returns the rows that have any.
    #[doc(hidden)]
    fn pack(map: &[Self], label: Self, packing: &Packing<'_>, bits: &mut [u64]) -> Vec<usize>;
    /// The bits of up to 64 voxels that have the label.
    #[doc(hidden)]
    fn equal(voxels: &[Self], label: Self) -> u64;
}

impl Label for u8 {
    const VALUES: usize = 1 << 8;
    const PER_WORD: usize = 8;
    #[inline]
    fn word(voxels: &[Self]) -> u64 {
        voxels.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
    }
    #[inline]
    fn splat(self) -> u64 {
        u64::from(self) * 0x0101_0101_0101_0101
    }
    fn tally(reference: &[Self], prediction: &[Self], table: &[u16], width: usize) -> Vec<u64> {
        tally_u8(reference, prediction, table, width)
    }
    fn boxes(voxels: &[Self], found: Boxes<'_>) {
        boxes_u8(voxels, found);
    }
    fn pack(map: &[Self], label: Self, packing: &Packing<'_>, bits: &mut [u64]) -> Vec<usize> {
        pack_u8(map, label, packing, bits)
    }
    #[allow(clippy::inline_always, reason = "the body must be compiled into each version of the caller")]
    #[inline(always)]
    fn equal(voxels: &[Self], label: Self) -> u64 {
        equal_u8(voxels, label)
    }
}

impl Label for u16 {
    const VALUES: usize = 1 << 16;
    const PER_WORD: usize = 4;
    #[inline]
    fn word(voxels: &[Self]) -> u64 {
        let joined = |v: &[u16; 4]| {
            u64::from(v[0]) | u64::from(v[1]) << 16 | u64::from(v[2]) << 32 | u64::from(v[3]) << 48
        };
        voxels.first_chunk().map_or(0, joined)
    }
    #[inline]
    fn splat(self) -> u64 {
        u64::from(self) * 0x0001_0001_0001_0001
    }
    fn tally(reference: &[Self], prediction: &[Self], table: &[u16], width: usize) -> Vec<u64> {
        tally_u16(reference, prediction, table, width)
    }
    fn boxes(voxels: &[Self], found: Boxes<'_>) {
        boxes_u16(voxels, found);
    }
    fn pack(map: &[Self], label: Self, packing: &Packing<'_>, bits: &mut [u64]) -> Vec<usize> {
        pack_u16(map, label, packing, bits)
    }
    #[allow(clippy::inline_always, reason = "the body must be compiled into each version of the caller")]
    #[inline(always)]
    fn equal(voxels: &[Self], label: Self) -> u64 {
        equal_u16(voxels, label)
    }
}

vectorized! {
    fn tally_u8(reference: &[u8], prediction: &[u8], table: &[u16], width: usize) -> Vec<u64> {
        tally_runs(reference, prediction, table, width)
    }
}

vectorized! {
    fn tally_u16(reference: &[u16], prediction: &[u16], table: &[u16], width: usize) -> Vec<u64> {
        tally_runs(reference, prediction, table, width)
    }
}

/// Counts of every pair of labels; `table` numbers the labels below `width`, whose last row and column are strangers.
#[allow(clippy::inline_always, reason = "the body must be compiled into each version")]
#[inline(always)]
fn tally_runs<T: Label>(reference: &[T], prediction: &[T], table: &[u16], width: usize) -> Vec<u64> {
    let mut joint = vec![0_u64; width * width];
    let len = reference.len().min(prediction.len());
    let mut start = 0;
    while start < len {
        let (r, p) = (reference[start], prediction[start]);
        let end = run_end(&reference[..len], &prediction[..len], start);
        let cell =
            usize::from(table[usize::from(r.into())]) * width + usize::from(table[usize::from(p.into())]);
        joint[cell] += (end - start) as u64;
        start = end;
    }
    joint
}

/// Where the run of equal pairs that begins at `start` ends.
#[allow(clippy::inline_always, reason = "the body must be compiled into each version")]
#[inline(always)]
fn run_end<T: Label>(reference: &[T], prediction: &[T], start: usize) -> usize {
    let (r, p) = (reference[start], prediction[start]);
    let (r_word, p_word) = (r.splat(), p.splat());
    let len = reference.len();
    let mut at = start + 1;
    // Short runs are the majority of runs: a word is tried before blocks.
    let mut short = 2;
    while at + T::PER_WORD <= len {
        let differ = (T::word(&reference[at..]) ^ r_word) | (T::word(&prediction[at..]) ^ p_word);
        if differ != 0 {
            return at + differ.trailing_zeros() as usize / (64 / T::PER_WORD);
        }
        at += T::PER_WORD;
        if short == 0 {
            while at + BLOCK <= len {
                let (rs, ps) = (&reference[at..at + BLOCK], &prediction[at..at + BLOCK]);
                #[allow(
                    clippy::needless_bitwise_bool,
                    reason = "branches would keep this from being vectorised"
                )]
                let same = rs.iter().zip(ps).fold(true, |same, (a, b)| same & (*a == r) & (*b == p));
                if !same {
                    break;
                }
                at += BLOCK;
            }
        } else {
            short -= 1;
        }
    }
    while at < len && reference[at] == r && prediction[at] == p {
        at += 1;
    }
    at
}

/// Two label maps of the same image that hold nothing but background and the declared labels.
#[derive(Debug, Clone)]
pub struct LabelPair<'a, T: Label> {
    reference: &'a [T],
    prediction: &'a [T],
    confusion: LabelConfusion<T>,
}

impl<'a, T: Label> LabelPair<'a, T> {
    /// Checks two label maps and counts all labels in the same pass.
    ///
    /// # Errors
    /// [`InputError::Length`] for different lengths, [`InputError::Empty`] for no voxels or no labels,
    /// [`InputError::TooLarge`] for more than [`MAX_LABELS`] labels, [`InputError::Value`] for a label that is 0 or
    /// declared twice, and for the first voxel whose label is not declared.
    ///
    /// ```
    /// use fiel_kernels::overlap::LabelPair;
    /// let pair = LabelPair::new(&[0_u8, 1, 2], &[0, 2, 2], &[1, 2])?;
    /// assert_eq!(pair.confusion().matrix(), [1, 0, 0, 0, 0, 1, 0, 0, 1]);
    /// assert!(LabelPair::new(&[0_u8, 7], &[0, 0], &[1, 2]).is_err());
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn new(reference: &'a [T], prediction: &'a [T], labels: &[T]) -> Result<Self, InputError> {
        same_length(reference.len(), prediction.len())?;
        let table = label_table(labels)?;
        let classes = labels.len() + 1;
        let width = classes + 1;
        let joint = reference
            .par_chunks(TASK)
            .zip(prediction.par_chunks(TASK))
            .map(|(r, p)| T::tally(r, p, &table, width))
            .reduce(
                || vec![0; width * width],
                |mut a, b| {
                    a.iter_mut().zip(b).for_each(|(a, b)| *a += b);
                    a
                },
            );
        let strange = (0..width).any(|i| joint[i * width + classes] + joint[classes * width + i] > 0);
        if strange {
            return Err(stranger(reference, prediction, &table, classes));
        }
        let counts = joint.chunks(width).take(classes).flat_map(|row| row[..classes].to_vec()).collect();
        let confusion = LabelConfusion { labels: labels.to_vec(), counts };
        Ok(Self { reference, prediction, confusion })
    }

    /// The counts of every pair of labels.
    ///
    /// ```
    /// # use fiel_kernels::overlap::LabelPair;
    /// let pair = LabelPair::new(&[0_u8, 1], &[0, 1], &[1])?;
    /// assert_eq!(pair.confusion().counts(1).map(|c| c.dice()), Some(Ok(1.0)));
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn confusion(&self) -> &LabelConfusion<T> {
        &self.confusion
    }

    /// The label map of the reference.
    ///
    /// ```
    /// # use fiel_kernels::overlap::LabelPair;
    /// assert_eq!(LabelPair::new(&[0_u8, 1], &[1, 1], &[1])?.reference(), [0, 1]);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn reference(&self) -> &'a [T] {
        self.reference
    }

    /// The label map of the prediction.
    ///
    /// ```
    /// # use fiel_kernels::overlap::LabelPair;
    /// assert_eq!(LabelPair::new(&[0_u8, 1], &[1, 1], &[1])?.prediction(), [1, 1]);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn prediction(&self) -> &'a [T] {
        self.prediction
    }
}

/// Counts two label maps, all labels in one pass.
///
/// # Errors
/// As [`LabelPair::new`].
///
/// ```
/// let confusion = fiel_kernels::overlap::count_labels(&[0_u8, 3, 3], &[0, 3, 0], &[3])?;
/// assert_eq!(confusion.counts(3).map(|c| c.dice()), Some(Ok(2.0 / 3.0)));
/// # Ok::<(), fiel_kernels::InputError>(())
/// ```
pub fn count_labels<T: Label>(
    reference: &[T],
    prediction: &[T],
    labels: &[T],
) -> Result<LabelConfusion<T>, InputError> {
    Ok(LabelPair::new(reference, prediction, labels)?.confusion)
}

/// Numbers the declared labels from 1 (background is 0); every other value gets the number after the last.
pub(crate) fn label_table<T: Label>(labels: &[T]) -> Result<Vec<u16>, InputError> {
    if labels.is_empty() {
        return Err(InputError::Empty("labels"));
    }
    if labels.len() > MAX_LABELS {
        let (found, limit) = (labels.len() as u64, MAX_LABELS as u64);
        return Err(InputError::TooLarge { what: "labels", found, limit });
    }
    // At most 1,024 labels, so every number fits.
    let number = |i: usize| u16::try_from(i).unwrap_or(u16::MAX);
    let unknown = number(labels.len() + 1);
    let mut table = vec![unknown; T::VALUES];
    table[0] = 0;
    for (index, &label) in labels.iter().enumerate() {
        let value: u16 = label.into();
        if table[usize::from(value)] != unknown {
            let expected = "a label other than 0 (background), declared once";
            return Err(InputError::Value { what: "labels", index, value: f64::from(value), expected });
        }
        table[usize::from(value)] = number(index + 1);
    }
    Ok(table)
}

/// The first voxel whose label is not declared.
#[cold]
pub(crate) fn stranger<T: Label>(
    reference: &[T],
    prediction: &[T],
    table: &[u16],
    classes: usize,
) -> InputError {
    let number = |v: T| usize::from(table[usize::from(v.into())]);
    let found = |what, map: &[T]| {
        let index = map.iter().position(|&v| number(v) == classes)?;
        let expected = "0 (background) or one of the declared labels";
        Some(InputError::Value { what, index, value: f64::from(map[index].into()), expected })
    };
    found("reference", reference)
        .or_else(|| found("prediction", prediction))
        .unwrap_or(InputError::Empty("reference"))
}

/// How many voxels have each pair of labels in reference and prediction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelConfusion<T: Label> {
    labels: Vec<T>,
    counts: Vec<u64>,
}

impl<T: Label> LabelConfusion<T> {
    /// The declared labels, in the order in which they were declared.
    ///
    /// ```
    /// # use fiel_kernels::overlap::count_labels;
    /// assert_eq!(count_labels(&[0_u8, 3], &[0, 3], &[3])?.labels(), [3]);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn labels(&self) -> &[T] {
        &self.labels
    }

    /// Voxels by label of the reference (rows) and of the prediction (columns), background first, row by row.
    ///
    /// ```
    /// # use fiel_kernels::overlap::count_labels;
    /// assert_eq!(count_labels(&[0_u8, 3, 3], &[0, 0, 3], &[3])?.matrix(), [1, 0, 1, 1]);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn matrix(&self) -> &[u64] {
        &self.counts
    }

    /// The counts of one declared label against all others; none for a label that is not declared.
    ///
    /// ```
    /// # use fiel_kernels::overlap::count_labels;
    /// let confusion = count_labels(&[1_u8, 2, 2], &[1, 1, 2], &[1, 2])?;
    /// assert_eq!(confusion.counts(2).map(|c| c.false_negative), Some(1));
    /// assert_eq!(confusion.counts(3), None);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn counts(&self, label: T) -> Option<Counts> {
        let position = self.labels.iter().position(|&declared| declared == label)?;
        self.per_label().get(position).copied()
    }

    /// The counts of every declared label against all others.
    ///
    /// ```
    /// # use fiel_kernels::overlap::count_labels;
    /// let confusion = count_labels(&[1_u8, 2, 2], &[1, 1, 2], &[1, 2])?;
    /// let dice: Vec<_> = confusion.per_label().iter().map(|c| c.dice()).collect();
    /// assert_eq!(dice, [Ok(2.0 / 3.0), Ok(2.0 / 3.0)]);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn per_label(&self) -> Vec<Counts> {
        let width = self.labels.len() + 1;
        let mut rows = vec![0_u64; width];
        let mut columns = vec![0_u64; width];
        for (i, row) in self.counts.chunks(width).enumerate() {
            for (j, &count) in row.iter().enumerate() {
                rows[i] += count;
                columns[j] += count;
            }
        }
        let total: u64 = rows.iter().sum();
        let one = |own: usize| {
            let both = self.counts[own * width + own];
            Counts {
                true_positive: both,
                false_positive: columns[own] - both,
                false_negative: rows[own] - both,
                true_negative: total + both - rows[own] - columns[own],
            }
        };
        (1..width).map(one).collect()
    }
}
