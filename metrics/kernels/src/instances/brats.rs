//! Lesion-wise scores as the BraTS 2023 challenges define them.

#![expect(
    clippy::cast_possible_truncation,
    reason = "positions are at most 2^31, checked when the runs were made"
)]

use super::masks::MaskPair;
use super::overlaps::Overlaps;
use crate::InputError;
use crate::components::{Components, Connectivity};

/// Settings of a BraTS 2023 challenge.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BratsRule {
    /// How often the reference is dilated (18 neighbours) to join what lies close together.
    pub dilations: u32,
    /// Reference lesions of at most this volume are left out, cubic millimetres.
    pub ignored_mm3: f64,
    /// Distance that stands for a missed or a false lesion, millimetres.
    pub penalty_mm: f64,
}

impl BratsRule {
    /// Glioma, Sub-Saharan Africa and paediatrics: 3 dilations, lesions of at most 50 mm³ left out.
    pub const GLIOMA: Self = Self { dilations: 3, ignored_mm3: 50.0, penalty_mm: 374.0 };
    /// Meningioma: 1 dilation, lesions of at most 50 mm³ left out.
    pub const MENINGIOMA: Self = Self { dilations: 1, ..Self::GLIOMA };
    /// Metastases: 1 dilation, lesions of at most 2 mm³ left out.
    pub const METASTASES: Self = Self { dilations: 1, ignored_mm3: 2.0, ..Self::GLIOMA };
}

/// A reference lesion: components that join when dilated, against all predicted components that touch them.
#[derive(Debug, Clone, PartialEq)]
pub struct BratsLesion {
    /// Numbers of its reference components, from 0, ascending.
    pub references: Vec<u32>,
    /// Numbers of the predicted components that touch the dilated lesion, from 0, ascending.
    pub predictions: Vec<u32>,
    /// Its volume, cubic millimetres.
    pub volume_mm3: f64,
    /// Dice against those predicted components, 0 without any.
    pub dice: f64,
}

/// All lesions of a case, by the rules of the BraTS 2023 challenges.
#[derive(Debug, Clone)]
pub struct BratsLesions {
    rule: BratsRule,
    lesions: Vec<BratsLesion>,
    false_positives: usize,
    reference: Components,
    prediction: Components,
}

impl BratsLesions {
    /// Compares the masks of one tumour region; every value other than 0 is foreground.
    ///
    /// Components are 26-connected. Reference components whose dilations join are one lesion. A predicted component
    /// that touches several dilated lesions counts with each of them; one that touches none is a false positive,
    /// however small.
    ///
    /// # Errors
    /// A shape that does not fit, a spacing or a rule that is not finite or below 0 (spacing: not above 0).
    ///
    /// # Source
    /// Evaluation code of the challenges, <https://github.com/rachitsaluja/BraTS-2023-Metrics>; Moawad et al. (2023),
    /// doi:10.48550/arXiv.2306.00838.
    ///
    /// ```
    /// use fiel_kernels::instances::{BratsLesions, BratsRule};
    /// let reference = [1, 1, 1, 1, 0, 0, 0, 0];
    /// let prediction = [0, 0, 1, 1, 0, 0, 0, 1];
    /// let spacing_mm = [1.0, 1.0, 1.0];
    /// let case = BratsLesions::of(&reference, &prediction, [1, 1, 8], spacing_mm, BratsRule::METASTASES)?;
    /// assert_eq!((case.tp(), case.fp(), case.fn_()), (1, 1, 0));
    /// assert_eq!(case.dice(), 2.0 / 3.0 / 2.0);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn of(
        reference: &[u8],
        prediction: &[u8],
        shape: [usize; 3],
        spacing_mm: [f64; 3],
        rule: BratsRule,
    ) -> Result<Self, InputError> {
        if let Some((index, &value)) =
            spacing_mm.iter().enumerate().find(|(_, s)| !(s.is_finite() && **s > 0.0))
        {
            return Err(InputError::Value { what: "spacing", index, value, expected: "finite and above 0" });
        }
        check_rule(rule)?;
        let reference = Components::of_mask(reference, shape, Connectivity::Corners)?;
        let prediction = Components::of_mask(prediction, shape, Connectivity::Corners)?;
        let dilated = dilate(&reference, rule.dilations);
        let dilated = Components::of_mask(&dilated, shape, Connectivity::Corners)?;
        let voxel_mm3 = spacing_mm.iter().product();
        let lesions = lesions(&reference, &prediction, &dilated, voxel_mm3)?;
        let mut met = vec![false; prediction.len()];
        for &number in lesions.iter().flat_map(|l| &l.predictions) {
            met[number as usize] = true;
        }
        let false_positives = met.iter().filter(|&&met| !met).count();
        Ok(Self { rule, lesions, false_positives, reference, prediction })
    }

    /// Every reference lesion, also those that are left out for their size, in the order of the dilated lesions.
    ///
    /// ```
    /// use fiel_kernels::instances::{BratsLesions, BratsRule};
    /// let (reference, prediction) = ([1, 1, 1, 1, 0, 0, 0, 0], [0, 0, 1, 1, 0, 0, 0, 1]);
    /// let case = BratsLesions::of(&reference, &prediction, [1, 1, 8], [1.0, 1.0, 2.0], BratsRule::METASTASES)?;
    /// let lesion = &case.lesions()[0];
    /// assert_eq!((lesion.volume_mm3, lesion.dice), (8.0, 2.0 / 3.0));
    /// assert_eq!((&lesion.references[..], &lesion.predictions[..]), (&[0][..], &[0][..]));
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn lesions(&self) -> &[BratsLesion] {
        &self.lesions
    }

    fn counted(&self) -> impl Iterator<Item = &BratsLesion> {
        self.lesions.iter().filter(|l| l.volume_mm3 > self.rule.ignored_mm3)
    }

    /// Number of counted reference lesions that a predicted component touches.
    ///
    /// ```
    /// use fiel_kernels::instances::{BratsLesions, BratsRule};
    /// let (reference, prediction) = ([1, 0, 1, 0, 1, 0, 1, 0, 0, 0, 0], [1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1]);
    /// let rule = BratsRule { dilations: 0, ignored_mm3: 0.0, ..BratsRule::GLIOMA };
    /// assert_eq!(BratsLesions::of(&reference, &prediction, [1, 1, 11], [1.0; 3], rule)?.tp(), 1);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn tp(&self) -> usize {
        self.counted().filter(|l| !l.predictions.is_empty()).count()
    }

    /// Number of predicted components that touch no dilated lesion.
    ///
    /// ```
    /// use fiel_kernels::instances::{BratsLesions, BratsRule};
    /// let (reference, prediction) = ([1, 0, 1, 0, 1, 0, 1, 0, 0, 0, 0], [1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1]);
    /// let rule = BratsRule { dilations: 0, ignored_mm3: 0.0, ..BratsRule::GLIOMA };
    /// assert_eq!(BratsLesions::of(&reference, &prediction, [1, 1, 11], [1.0; 3], rule)?.fp(), 2);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn fp(&self) -> usize {
        self.false_positives
    }

    /// Number of counted reference lesions that no predicted component touches.
    ///
    /// ```
    /// use fiel_kernels::instances::{BratsLesions, BratsRule};
    /// let (reference, prediction) = ([1, 0, 1, 0, 1, 0, 1, 0, 0, 0, 0], [1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1]);
    /// let rule = BratsRule { dilations: 0, ignored_mm3: 0.0, ..BratsRule::GLIOMA };
    /// assert_eq!(BratsLesions::of(&reference, &prediction, [1, 1, 11], [1.0; 3], rule)?.fn_(), 3);
    /// // Lesions of at most 1 mm³ left out, none is missed.
    /// let rule = BratsRule { ignored_mm3: 1.0, ..rule };
    /// assert_eq!(BratsLesions::of(&reference, &prediction, [1, 1, 11], [1.0; 3], rule)?.fn_(), 0);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn fn_(&self) -> usize {
        self.counted().filter(|l| l.predictions.is_empty()).count()
    }

    /// Lesion-wise Dice: mean over the counted lesions and the false positives (0 each); 1 without either, as the
    /// challenge has it.
    ///
    /// ```
    /// use fiel_kernels::instances::{BratsLesions, BratsRule};
    /// let case = BratsLesions::of(&[0; 8], &[0; 8], [2, 2, 2], [1.0; 3], BratsRule::GLIOMA)?;
    /// assert_eq!(case.dice(), 1.0);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn dice(&self) -> f64 {
        match self.counted().count() + self.false_positives {
            0 => 1.0,
            n => self.counted().map(|l| l.dice).sum::<f64>() / n as f64,
        }
    }

    /// Lesion-wise HD95 in millimetres: mean over the counted lesions and the false positives, where a false positive,
    /// a missed lesion and an infinite distance count as the penalty; 0 without either, as the challenge has it.
    ///
    /// `hd95_mm` is called for each counted lesion that was touched, with the lesion and the touching components cut
    /// out of the image; the challenge takes the surface-element form (`hd95.surfel`).
    ///
    /// # Errors
    /// A distance that is NaN or below 0, named with the number of the lesion.
    ///
    /// ```
    /// use fiel_kernels::instances::{BratsLesions, BratsRule};
    /// let (reference, prediction) = ([1, 1, 1, 1, 0, 0, 0, 0], [0, 0, 1, 1, 0, 0, 0, 1]);
    /// let case = BratsLesions::of(&reference, &prediction, [1, 1, 8], [1.0; 3], BratsRule::METASTASES)?;
    /// let hd95_mm = case.hd95_mm(|pair| {
    ///     assert_eq!(pair.reference, [1, 1, 1, 1]);
    ///     2.0
    /// })?;
    /// assert_eq!(hd95_mm, (2.0 + 374.0) / 2.0);
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn hd95_mm(&self, mut hd95_mm: impl FnMut(&MaskPair) -> f64) -> Result<f64, InputError> {
        let count = self.counted().count() + self.false_positives;
        if count == 0 {
            return Ok(0.0);
        }
        let mut sum = self.false_positives as f64 * self.rule.penalty_mm;
        for (index, lesion) in self.lesions.iter().enumerate() {
            if lesion.volume_mm3 <= self.rule.ignored_mm3 {
                continue;
            }
            let pair =
                MaskPair::of(&self.reference, &lesion.references, &self.prediction, &lesion.predictions);
            let distance = match pair {
                Some(pair) if !lesion.predictions.is_empty() => hd95_mm(&pair),
                _ => f64::INFINITY,
            };
            if distance.is_nan() || distance < 0.0 {
                let expected = "a distance of 0 or above";
                return Err(InputError::Value { what: "HD95 of lesions", index, value: distance, expected });
            }
            sum += if distance.is_finite() { distance } else { self.rule.penalty_mm };
        }
        Ok(sum / count as f64)
    }
}

fn check_rule(rule: BratsRule) -> Result<(), InputError> {
    let settings = [("ignored volume", rule.ignored_mm3), ("penalty", rule.penalty_mm)];
    for (what, value) in settings {
        if !(value.is_finite() && value >= 0.0) {
            return Err(InputError::Setting { what, value, expected: "finite and 0 or above" });
        }
    }
    Ok(())
}

/// Joins reference components by the dilated lesion they lie in, and scores each.
///
/// Dilation distributes over unions, so a dilated lesion is the dilation of its own components alone.
fn lesions(
    reference: &Components,
    prediction: &Components,
    dilated: &Components,
    voxel_mm3: f64,
) -> Result<Vec<BratsLesion>, InputError> {
    let empty = BratsLesion { references: Vec::new(), predictions: Vec::new(), volume_mm3: 0.0, dice: 0.0 };
    let mut lesions = vec![empty; dilated.len()];
    let mut home = vec![0; reference.len()];
    for pair in Overlaps::between(dilated, reference)?.pairs() {
        home[pair.prediction as usize] = pair.reference as usize;
        lesions[pair.reference as usize].references.push(pair.prediction);
    }
    for pair in Overlaps::between(dilated, prediction)?.pairs() {
        lesions[pair.reference as usize].predictions.push(pair.prediction);
    }
    let mut shared = vec![0; lesions.len()];
    for pair in Overlaps::between(reference, prediction)?.pairs() {
        shared[home[pair.reference as usize]] += pair.voxels;
    }
    let voxels = |components: &Components, numbers: &[u32]| -> u64 {
        numbers.iter().map(|&n| components.list()[n as usize].voxels).sum()
    };
    for (lesion, shared) in lesions.iter_mut().zip(shared) {
        let own = voxels(reference, &lesion.references);
        let theirs = voxels(prediction, &lesion.predictions);
        lesion.volume_mm3 = own as f64 * voxel_mm3;
        lesion.dice = 2.0 * shared as f64 / (own + theirs) as f64;
    }
    Ok(lesions)
}

/// The mask of all components, dilated some times by the 18 neighbours that share a face or an edge.
fn dilate(components: &Components, times: u32) -> Vec<u8> {
    let shape = components.shape();
    let mut mask = vec![0u8; shape.iter().product()];
    let mut front: Vec<u32> = Vec::new();
    for (run, _) in components.runs() {
        mask[run.begin as usize..run.end as usize].fill(1);
        front.extend(run.begin..run.end);
    }
    let steps = edge_steps(shape);
    for _ in 0..times {
        let mut next = Vec::new();
        for &at in &front {
            let at = at as usize;
            let mut reach = |neighbour: usize| {
                if mask[neighbour] == 0 {
                    mask[neighbour] = 1;
                    next.push(neighbour as u32);
                }
            };
            if is_inner(at, shape) {
                for &step in &steps {
                    reach(at.wrapping_add_signed(step));
                }
            } else {
                edge_neighbours(at, shape).for_each(reach);
            }
        }
        front = next;
    }
    mask
}

/// Whether a voxel has neighbours on every side.
fn is_inner(at: usize, [planes, rows, width]: [usize; 3]) -> bool {
    let inner = |n: usize, limit: usize| n > 0 && n + 1 < limit;
    inner(at % width, width) && inner(at / width % rows, rows) && inner(at / width / rows, planes)
}

/// How far away, in the slice, the voxels are that share a face or an edge with one that has them all.
fn edge_steps([_, rows, width]: [usize; 3]) -> Vec<isize> {
    let (plane, row) = ((rows * width).cast_signed(), width.cast_signed());
    let codes = (0..27).map(|code: isize| [code / 9 - 1, code / 3 % 3 - 1, code % 3 - 1]);
    let edges = codes.filter(|c| (1..=2).contains(&c.iter().map(|s| s.abs()).sum::<isize>()));
    edges.map(|[z, y, x]| z * plane + y * row + x).collect()
}

/// Positions inside the image that share a face or an edge with a voxel.
fn edge_neighbours(at: usize, shape: [usize; 3]) -> impl Iterator<Item = usize> {
    let [planes, rows, width] = shape;
    let (z, y, x) = (at / width / rows, at / width % rows, at % width);
    (0..27).filter_map(move |code: usize| {
        let step = [code / 9, code / 3 % 3, code % 3];
        let moved = step.iter().filter(|&&s| s != 1).count();
        if moved == 0 || moved == 3 {
            return None;
        }
        let [z, y, x] = [(z, step[0], planes), (y, step[1], rows), (x, step[2], width)]
            .map(|(n, step, limit)| (n + step).checked_sub(1).filter(|&n| n < limit));
        Some((z? * rows + y?) * width + x?)
    })
}
