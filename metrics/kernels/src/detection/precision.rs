//! Average precision of detections over overlap thresholds, by the rules of COCO.

use super::geometry::AxisBox;
use super::matching::check_finite;
use crate::{InputError, Undefined};

/// Recalls at which precision is read.
const RECALLS: u32 = 100;

/// A reference object apart from its position.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ReferenceObject {
    /// Area or volume by which it falls into a size range (at least 0).
    pub size: f64,
    /// A crowd may be matched by several candidates, none of which then counts.
    pub crowd: bool,
    /// Neither finding nor missing it counts.
    pub ignored: bool,
}

/// Candidates and reference objects of one category in one image.
///
/// ```
/// use fiel_kernels::detection::{AxisBox, ImageObjects};
/// let reference = AxisBox::new([10.0, 10.0], [20.0, 20.0])?;
/// let candidate = AxisBox::new([12.0, 10.0], [20.0, 20.0])?;
/// assert!(ImageObjects::from_boxes(&[(candidate, 0.9)], &[reference]).is_ok());
/// # Ok::<(), fiel_kernels::InputError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct ImageObjects {
    /// By falling score.
    scores: Vec<f64>,
    /// Sizes of the candidates, in that order.
    sizes: Vec<f64>,
    references: Vec<ReferenceObject>,
    /// Candidate after candidate, in that order.
    overlaps: Vec<f64>,
}

impl ImageObjects {
    /// From an overlap (IoU, 0 to 1) of each candidate with each reference, candidate after candidate.
    ///
    /// With a crowd, the overlap is the share of the candidate that lies in it. `sizes` are the candidates' areas or
    /// volumes. Of equal scores the earlier candidate goes first.
    ///
    /// # Errors
    /// Lists of different length, a score that is NaN or infinite, a size below 0, an overlap outside 0 to 1.
    ///
    /// ```
    /// use fiel_kernels::detection::{ImageObjects, ReferenceObject};
    /// let reference = ReferenceObject { size: 9.0, crowd: false, ignored: false };
    /// assert!(ImageObjects::new(&[0.9], &[8.0], &[reference], &[0.7]).is_ok());
    /// assert!(ImageObjects::new(&[0.9], &[8.0], &[reference], &[1.7]).is_err());
    /// ```
    pub fn new(
        scores: &[f64],
        sizes: &[f64],
        references: &[ReferenceObject],
        overlaps: &[f64],
    ) -> Result<Self, InputError> {
        let same = |right, left_len: usize, right_len: usize| {
            let left = "scores (x references)";
            if left_len == right_len {
                return Ok(());
            }
            Err(InputError::Length { left, left_len, right, right_len })
        };
        same("sizes of candidates", scores.len(), sizes.len())?;
        same("overlaps", scores.len() * references.len(), overlaps.len())?;
        check_finite("scores", scores)?;
        let reference_sizes: Vec<f64> = references.iter().map(|r| r.size).collect();
        for (what, sizes) in [("sizes of candidates", sizes), ("sizes of references", &reference_sizes)] {
            check_finite(what, sizes)?;
            if let Some(index) = sizes.iter().position(|&s| s < 0.0) {
                return Err(InputError::Value { what, index, value: sizes[index], expected: "at least 0" });
            }
        }
        if let Some(index) = overlaps.iter().position(|o| !(0.0..=1.0).contains(o)) {
            let (what, expected) = ("overlaps", "from 0 to 1");
            return Err(InputError::Value { what, index, value: overlaps[index], expected });
        }
        let mut order: Vec<usize> = (0..scores.len()).collect();
        order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
        let row = |&c: &usize| overlaps[c * references.len()..(c + 1) * references.len()].iter().copied();
        Ok(Self {
            scores: order.iter().map(|&c| scores[c]).collect(),
            sizes: order.iter().map(|&c| sizes[c]).collect(),
            references: references.to_vec(),
            overlaps: order.iter().flat_map(row).collect(),
        })
    }

    /// From scored boxes in two or three dimensions; sizes are those of the boxes, no reference is a crowd or ignored.
    ///
    /// # Errors
    /// A score that is NaN or infinite.
    ///
    /// ```
    /// use fiel_kernels::detection::{AxisBox, ImageObjects};
    /// let place = AxisBox::new([0.0; 3], [2.0; 3])?;
    /// assert!(ImageObjects::from_boxes(&[(place, f64::NAN)], &[place]).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn from_boxes<const D: usize>(
        candidates: &[(AxisBox<D>, f64)],
        references: &[AxisBox<D>],
    ) -> Result<Self, InputError> {
        let objects: Vec<_> = references
            .iter()
            .map(|&b| (b, ReferenceObject { size: b.size(), crowd: false, ignored: false }))
            .collect();
        Self::from_objects(candidates, &objects)
    }

    /// From scored boxes and boxes of reference objects, whose sizes may be those of their masks.
    ///
    /// # Errors
    /// A score or a size that is NaN or infinite, a size below 0.
    ///
    /// ```
    /// use fiel_kernels::detection::{AxisBox, ImageObjects, ReferenceObject};
    /// let place = AxisBox::new([10.0, 10.0], [20.0, 20.0])?;
    /// let crowd = ReferenceObject { size: 310.0, crowd: true, ignored: false };
    /// assert!(ImageObjects::from_objects(&[(place, 0.9)], &[(place, crowd)]).is_ok());
    /// # Ok::<(), fiel_kernels::InputError>(())
    /// ```
    pub fn from_objects<const D: usize>(
        candidates: &[(AxisBox<D>, f64)],
        references: &[(AxisBox<D>, ReferenceObject)],
    ) -> Result<Self, InputError> {
        let scores: Vec<f64> = candidates.iter().map(|c| c.1).collect();
        let sizes: Vec<f64> = candidates.iter().map(|c| c.0.size()).collect();
        let objects: Vec<ReferenceObject> = references.iter().map(|r| r.1).collect();
        let mut overlaps = Vec::with_capacity(candidates.len() * references.len());
        for (candidate, _) in candidates {
            overlaps.extend(references.iter().map(|(reference, object)| {
                if object.crowd { candidate.share_in(reference) } else { candidate.iou(reference) }
            }));
        }
        Self::new(&scores, &sizes, &objects, &overlaps)
    }
}

/// Which thresholds, sizes and number of candidates count.
///
/// ```
/// use fiel_kernels::detection::PrecisionSettings;
/// let coco = PrecisionSettings::coco();
/// assert_eq!((coco.thresholds().len(), coco.thresholds()[0], coco.thresholds()[9]), (10, 0.5, 0.95));
/// # Ok::<(), fiel_kernels::InputError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct PrecisionSettings {
    thresholds: Vec<f64>,
    sizes: [f64; 2],
    candidates_max: usize,
}

impl PrecisionSettings {
    /// Those of COCO: IoU 0.5 to 0.95 in steps of 0.05, all sizes, at most 100 candidates per image and category. (COCO's own
    /// code ignores boxes of more than 1e10 square pixels, which its images cannot hold; here the unit may be a micrometre.)
    ///
    /// ```
    /// use fiel_kernels::detection::PrecisionSettings;
    /// assert_eq!(PrecisionSettings::coco().thresholds()[5], 0.75);
    /// ```
    pub fn coco() -> Self {
        let step = (0.95 - 0.5) / 9.0;
        let thresholds = (0..10).map(|i| if i == 9 { 0.95 } else { f64::from(i) * step + 0.5 }).collect();
        Self { thresholds, sizes: [0.0, f64::INFINITY], candidates_max: 100 }
    }

    /// With other thresholds of overlap (0 to 1, at least one).
    ///
    /// # Errors
    /// An empty list or a threshold outside 0 to 1.
    ///
    /// ```
    /// use fiel_kernels::detection::PrecisionSettings;
    /// assert!(PrecisionSettings::coco().with_thresholds(&[0.1]).is_ok());
    /// assert!(PrecisionSettings::coco().with_thresholds(&[]).is_err());
    /// ```
    pub fn with_thresholds(self, thresholds: &[f64]) -> Result<Self, InputError> {
        let what = "overlap thresholds";
        if thresholds.is_empty() {
            return Err(InputError::Empty(what));
        }
        if let Some(index) = thresholds.iter().position(|t| !(0.0..=1.0).contains(t)) {
            let value = thresholds[index];
            return Err(InputError::Value { what, index, value, expected: "from 0 to 1" });
        }
        Ok(Self { thresholds: thresholds.to_vec(), ..self })
    }

    /// With a range of sizes, both ends included; objects outside are ignored.
    ///
    /// # Errors
    /// An end that is NaN, or a lower end above the upper.
    ///
    /// ```
    /// use fiel_kernels::detection::PrecisionSettings;
    /// assert!(PrecisionSettings::coco().with_sizes([0.0, 32.0 * 32.0]).is_ok());
    /// assert!(PrecisionSettings::coco().with_sizes([2.0, 1.0]).is_err());
    /// ```
    pub fn with_sizes(self, sizes: [f64; 2]) -> Result<Self, InputError> {
        if sizes[0] <= sizes[1] {
            return Ok(Self { sizes, ..self });
        }
        let expected = "at most the upper end";
        Err(InputError::Setting { what: "lower end of the sizes", value: sizes[0], expected })
    }

    /// With another number of candidates per image and category, those with the highest scores.
    ///
    /// ```
    /// use fiel_kernels::detection::PrecisionSettings;
    /// assert_ne!(PrecisionSettings::coco().with_candidates_max(1), PrecisionSettings::coco());
    /// ```
    #[must_use]
    pub fn with_candidates_max(self, candidates_max: usize) -> Self {
        Self { candidates_max, ..self }
    }

    /// The thresholds of overlap.
    ///
    /// ```
    /// use fiel_kernels::detection::PrecisionSettings;
    /// assert_eq!(PrecisionSettings::coco().thresholds().len(), 10);
    /// ```
    pub fn thresholds(&self) -> &[f64] {
        &self.thresholds
    }
}

/// Precision and recall of each category at each threshold.
#[derive(Debug, Clone, PartialEq)]
pub struct PrecisionTable {
    /// Per category with reference objects: interpolated average precision and final recall per threshold.
    categories: Vec<Option<Vec<(f64, f64)>>>,
}

impl PrecisionTable {
    /// Evaluates categories, each with its images.
    ///
    /// Candidates, by falling score, each take the free reference they overlap most, from the threshold on; further
    /// candidates on it are false positives. Of candidates with equal scores in different images the earlier image's
    /// goes first (pycocotools). Precision is made non-increasing and read at the recalls 0, 0.01, ..., 1.
    ///
    /// Source: Lin et al. 2014, doi:10.1007/978-3-319-10602-1_48; semantics of `pycocotools`.
    ///
    /// ```
    /// use fiel_kernels::detection::{AxisBox, ImageObjects, PrecisionSettings, PrecisionTable};
    /// let place = AxisBox::new([10.0, 10.0], [20.0, 20.0])?;
    /// let image = ImageObjects::from_boxes(&[(place, 0.9)], &[place])?;
    /// let table = PrecisionTable::new(&[vec![image]], &PrecisionSettings::coco());
    /// assert_eq!(table.mean_average_precision(), Ok(1.0));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn new(categories: &[Vec<ImageObjects>], settings: &PrecisionSettings) -> Self {
        let evaluate = |images: &Vec<ImageObjects>| {
            let counted =
                |i: &ImageObjects| (0..i.references.len()).filter(|&r| !settings.ignores(i, r)).count();
            let references: usize = images.iter().map(counted).sum();
            if references == 0 {
                return None;
            }
            let at = |&t: &f64| category_at(images, settings, t, references);
            Some(settings.thresholds.iter().map(at).collect())
        };
        Self { categories: categories.iter().map(evaluate).collect() }
    }

    /// The mean over categories with reference objects and over thresholds of the average precision (mAP); 0 to 1.
    ///
    /// # Errors
    /// [`Undefined::ReferenceEmpty`] when no category has a reference object that counts.
    ///
    /// ```
    /// use fiel_kernels::detection::{AxisBox, ImageObjects, PrecisionSettings, PrecisionTable};
    /// let place = AxisBox::new([0.0; 3], [2.0; 3])?;
    /// let image = ImageObjects::from_boxes(&[], &[place])?;
    /// let table = PrecisionTable::new(&[vec![image]], &PrecisionSettings::coco());
    /// assert_eq!(table.mean_average_precision(), Ok(0.0));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn mean_average_precision(&self) -> Result<f64, Undefined> {
        self.mean(|(precision, _)| precision)
    }

    /// The mean over categories and thresholds of the recall with all candidates (COCO's AR); 0 to 1.
    ///
    /// # Errors
    /// [`Undefined::ReferenceEmpty`] as [`Self::mean_average_precision`].
    ///
    /// ```
    /// use fiel_kernels::{Undefined, detection::{PrecisionSettings, PrecisionTable}};
    /// let table = PrecisionTable::new(&[], &PrecisionSettings::coco());
    /// assert_eq!(table.mean_recall(), Err(Undefined::ReferenceEmpty));
    /// ```
    pub fn mean_recall(&self) -> Result<f64, Undefined> {
        self.mean(|(_, recall)| recall)
    }

    /// Average precision of one category at one threshold, by their positions.
    ///
    /// # Errors
    /// [`Undefined::ReferenceEmpty`] for a category without reference objects, or when there is no such category or
    /// threshold.
    ///
    /// ```
    /// use fiel_kernels::{Undefined, detection::{PrecisionSettings, PrecisionTable}};
    /// let table = PrecisionTable::new(&[vec![]], &PrecisionSettings::coco());
    /// assert_eq!(table.average_precision(0, 0), Err(Undefined::ReferenceEmpty));
    /// ```
    pub fn average_precision(&self, category: usize, threshold: usize) -> Result<f64, Undefined> {
        let values = self.categories.get(category).and_then(Option::as_ref);
        values.and_then(|v| v.get(threshold)).map(|v| v.0).ok_or(Undefined::ReferenceEmpty)
    }

    fn mean(&self, part: impl Fn((f64, f64)) -> f64) -> Result<f64, Undefined> {
        let values: Vec<f64> = self.categories.iter().flatten().flatten().map(|&v| part(v)).collect();
        if values.is_empty() {
            return Err(Undefined::ReferenceEmpty);
        }
        Ok(values.iter().sum::<f64>() / values.len() as f64)
    }
}

/// What becomes of a candidate.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fate {
    Hit,
    FalsePositive,
    Ignored,
}

impl PrecisionSettings {
    fn outside(&self, size: f64) -> bool {
        size < self.sizes[0] || size > self.sizes[1]
    }

    fn ignores(&self, image: &ImageObjects, reference: usize) -> bool {
        let object = image.references[reference];
        object.ignored || object.crowd || self.outside(object.size)
    }
}

/// Interpolated average precision and final recall of one category at one threshold.
fn category_at(
    images: &[ImageObjects],
    settings: &PrecisionSettings,
    threshold: f64,
    references: usize,
) -> (f64, f64) {
    let mut fates: Vec<(f64, Fate)> = Vec::new();
    for image in images {
        fates.extend(image.scores.iter().copied().zip(image_at(image, settings, threshold)));
    }
    fates.sort_by(|a, b| b.0.total_cmp(&a.0));
    let (mut hits, mut false_positives) = (0_u32, 0_u32);
    let mut curve: Vec<(f64, f64)> = Vec::with_capacity(fates.len());
    for (_, fate) in fates {
        match fate {
            Fate::Hit => hits += 1,
            Fate::FalsePositive => false_positives += 1,
            // Leaves both counts as they are, so that the curve needs no further point.
            Fate::Ignored => continue,
        }
        let recall = f64::from(hits) / references as f64;
        curve.push((recall, f64::from(hits) / f64::from(hits + false_positives)));
    }
    for i in (1..curve.len()).rev() {
        curve[i - 1].1 = curve[i - 1].1.max(curve[i].1);
    }
    let at = |recall: f64| curve.get(curve.partition_point(|p| p.0 < recall)).map_or(0.0, |p| p.1);
    let recalls = (0..=RECALLS).map(|i| if i == RECALLS { 1.0 } else { f64::from(i) * 0.01 });
    let precision = recalls.map(at).sum::<f64>() / f64::from(RECALLS + 1);
    (precision, curve.last().map_or(0.0, |p| p.0))
}

/// The fate of each candidate of one image, by falling score.
fn image_at(image: &ImageObjects, settings: &PrecisionSettings, threshold: f64) -> Vec<Fate> {
    let count = image.references.len();
    // Objects that count come first: a candidate turns to an ignored one only when it hits none of those.
    let mut order: Vec<usize> = (0..count).collect();
    order.sort_by_key(|&r| settings.ignores(image, r));
    let mut taken = vec![false; count];
    let candidates = 0..image.scores.len().min(settings.candidates_max);
    let fate = |candidate: usize| {
        let mut overlap = threshold.min(1.0 - 1e-10);
        let mut best: Option<usize> = None;
        for &reference in &order {
            let ignored = settings.ignores(image, reference);
            if taken[reference] && !image.references[reference].crowd {
                continue;
            }
            if ignored && best.is_some_and(|b| !settings.ignores(image, b)) {
                break;
            }
            // Of equal overlaps the last reference is taken, as in pycocotools.
            let found = image.overlaps[candidate * count + reference];
            if found >= overlap {
                overlap = found;
                best = Some(reference);
            }
        }
        match best {
            Some(reference) => {
                taken[reference] = true;
                if settings.ignores(image, reference) { Fate::Ignored } else { Fate::Hit }
            }
            None if settings.outside(image.sizes[candidate]) => Fate::Ignored,
            None => Fate::FalsePositive,
        }
    };
    candidates.map(fate).collect()
}

/// COCO's summary of the detections of all categories, each with its images; sizes are areas in pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CocoSummary {
    /// AP: mean over IoU 0.5 to 0.95.
    pub ap: Result<f64, Undefined>,
    /// AP at IoU 0.5.
    pub ap_50: Result<f64, Undefined>,
    /// AP at IoU 0.75.
    pub ap_75: Result<f64, Undefined>,
    /// AP of small (up to 32²), medium (32² to 96²) and large objects.
    pub ap_by_size: [Result<f64, Undefined>; 3],
    /// AR with at most 1, 10 and 100 candidates per image.
    pub ar_by_candidates: [Result<f64, Undefined>; 3],
    /// AR of small, medium and large objects.
    pub ar_by_size: [Result<f64, Undefined>; 3],
}

/// COCO's twelve figures (where pycocotools prints -1, the value is undefined).
///
/// ```
/// use fiel_kernels::{Undefined, detection::{AxisBox, ImageObjects, coco_summary}};
/// let place = AxisBox::new([10.0, 10.0], [20.0, 20.0])?;
/// let summary = coco_summary(&[vec![ImageObjects::from_boxes(&[(place, 0.9)], &[place])?]]);
/// assert_eq!((summary.ap, summary.ap_by_size[2]), (Ok(1.0), Err(Undefined::ReferenceEmpty)));
/// # Ok::<(), fiel_kernels::InputError>(())
/// ```
pub fn coco_summary(categories: &[Vec<ImageObjects>]) -> CocoSummary {
    let table = |settings: PrecisionSettings| PrecisionTable::new(categories, &settings);
    let coco = PrecisionSettings::coco;
    let all = table(coco());
    let by_size = SIZES.map(|sizes| table(PrecisionSettings { sizes, ..coco() }));
    let at = |threshold| table(PrecisionSettings { thresholds: vec![threshold], ..coco() });
    let recall = |candidates| table(coco().with_candidates_max(candidates)).mean_recall();
    // The thresholds as they stand in the list, whose sixth value is 0.75 up to rounding.
    let thresholds = coco().thresholds;
    CocoSummary {
        ap: all.mean_average_precision(),
        ap_50: at(thresholds[0]).mean_average_precision(),
        ap_75: at(thresholds[5]).mean_average_precision(),
        ap_by_size: [0, 1, 2].map(|i| by_size[i].mean_average_precision()),
        ar_by_candidates: [recall(1), recall(10), all.mean_recall()],
        ar_by_size: [0, 1, 2].map(|i| by_size[i].mean_recall()),
    }
}

const SIZES: [[f64; 2]; 3] = [[0.0, 32.0 * 32.0], [32.0 * 32.0, 96.0 * 96.0], [96.0 * 96.0, 1e5 * 1e5]];
