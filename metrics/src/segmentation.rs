//! A predicted mask against its reference: every metric that is asked for, each costly part computed once.

use crate::registry::MetricId;
use fiel_kernels::components::{Components, Connectivity};
use fiel_kernels::image::{Geometry, Volume};
use fiel_kernels::instances::{
    BratsLesions, BratsRule, MatchRule, Matching, Overlaps, false_negative_volume_ml,
    false_positive_volume_ml,
};
use fiel_kernels::overlap::{Counts, LabelPair, VoxelVolume};
use fiel_kernels::skeleton::{Centrelines, Thinning};
use fiel_kernels::surface::{BorderDistances, Grid, LabelsOnGrid, MasksOnGrid, SurfelDistances};
use fiel_kernels::{ImageError, InputError, Undefined};
use std::cell::OnceCell;

/// The measurements of one case, or of one label of it.
#[derive(Debug, Clone, PartialEq)]
pub struct SegmentationCase {
    /// The value of each metric in the order they were asked for, or why there is none.
    pub values: Vec<Result<f64, Undefined>>,
    /// Volume of the reference, millilitres.
    pub reference_ml: f64,
    /// Volume of the prediction, millilitres.
    pub prediction_ml: f64,
    /// Longest distance within the image, millimetres: no surface distance can be worse.
    pub diagonal_mm: f64,
}

/// Compares two masks that lie on the same grid (every corner within 1e-3 mm).
///
/// Voxels other than 0 and 1 are an error: a metric that silently took them for foreground would hide a wrong file.
///
/// # Errors
/// As [`measure_labels`].
///
/// ```
/// use fiel_metrics::image::{Geometry, Volume};
/// use fiel_metrics::registry::MetricId;
/// use fiel_metrics::segmentation::measure;
///
/// let grid = Geometry::axis_aligned([4, 1, 1], [1.0, 1.0, 1.0]);
/// let mask = |data: [u8; 4]| Volume { geometry: grid.clone(), data: data.to_vec() };
/// let metrics = [MetricId::parse("dice")?, MetricId::parse("hd")?];
/// let case = measure(&mask([0, 1, 1, 0]), &mask([0, 0, 1, 1]), &metrics)?;
/// assert_eq!(case.values, [Ok(0.5), Ok(1.0)]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn measure(
    reference: &Volume<u8>,
    prediction: &Volume<u8>,
    metrics: &[MetricId],
) -> Result<SegmentationCase, ImageError> {
    let mut cases = measure_labels(reference, prediction, &[1], false, metrics)?;
    cases.pop().ok_or_else(|| ImageError::Data("no label was measured".to_owned()))
}

/// As [`measure`], for each label of two label maps. Voxels whose label is neither 0 nor one of these are an error.
///
/// A reference of two axes is a plane, whose voxels have four neighbours. One of three axes and a single slice is a volume of
/// one layer, of which every voxel is border, unless `plane` says that it is a plane too.
///
/// # Errors
/// [`ImageError::Geometry`] for label maps on different grids; [`ImageError::OtherLabel`], with its place, for a
/// voxel of another label ([`ImageError::Label`] where 1 is the only one); [`ImageError::Data`] for labels that are
/// 0 or stand twice and, where a surface is measured, for a plane of several slices.
///
/// ```
/// use fiel_metrics::image::{Geometry, Volume};
/// use fiel_metrics::registry::MetricId;
/// use fiel_metrics::segmentation::measure_labels;
///
/// let grid = Geometry::axis_aligned([3, 2, 1], [1.0, 1.0, 5.0]);
/// let map = |data: [u8; 6]| Volume { geometry: grid.clone(), data: data.to_vec() };
/// let (reference, prediction) = (map([1, 1, 0, 2, 2, 0]), map([1, 0, 0, 2, 2, 0]));
/// let metrics = [MetricId::parse("dice")?, MetricId::parse("volume_error_ml")?];
/// let cases = measure_labels(&reference, &prediction, &[1, 2], true, &metrics)?;
/// // Label 1 lacks one of two voxels of 5 mm³, label 2 none.
/// assert_eq!(cases[0].values, [Ok(2.0 / 3.0), Ok(0.005)]);
/// assert_eq!((cases[1].values[0], cases[1].reference_ml), (Ok(1.0), 0.01));
/// assert!(measure_labels(&reference, &prediction, &[1], true, &metrics).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn measure_labels(
    reference: &Volume<u8>,
    prediction: &Volume<u8>,
    labels: &[u8],
    plane: bool,
    metrics: &[MetricId],
) -> Result<Vec<SegmentationCase>, ImageError> {
    let geometry = &reference.geometry;
    if !geometry.same_grid(&prediction.geometry) {
        return Err(ImageError::Geometry {
            reference: geometry.to_string(),
            prediction: prediction.geometry.to_string(),
        });
    }
    check(reference, labels)?;
    check(prediction, labels)?;
    let input = |e: InputError| ImageError::Data(e.to_string());
    let pair = LabelPair::new(&reference.data, &prediction.data, labels).map_err(input)?;
    let surfaces = Surfaces { reference, prediction, labels, plane, cell: Found::default() };
    let measured = labels.iter().enumerate().map(|(index, &label)| {
        let counts = pair.confusion().counts(label).unwrap_or_default();
        Case::new(&surfaces, index, label, counts)?.measure(metrics)
    });
    measured.collect::<Result<_, InputError>>().map_err(input)
}

/// The surfaces of all labels, found together when the first of them is needed.
struct Surfaces<'a> {
    reference: &'a Volume<u8>,
    prediction: &'a Volume<u8>,
    labels: &'a [u8],
    plane: bool,
    cell: Found<'a>,
}

#[derive(Default)]
struct Found<'a> {
    maps: OnceCell<LabelsOnGrid<'a, u8>>,
    borders: OnceCell<Vec<BorderDistances>>,
    surfels: OnceCell<Vec<SurfelDistances>>,
}

impl<'a> Surfaces<'a> {
    fn maps(&self) -> Result<&LabelsOnGrid<'a, u8>, InputError> {
        if let Some(maps) = self.cell.maps.get() {
            return Ok(maps);
        }
        let geometry = &self.reference.geometry;
        let plane = self.plane || geometry.plane;
        let grid = if plane { Grid::plane_of(geometry)? } else { Grid::volume_of(geometry)? };
        let maps = LabelsOnGrid::new(grid, &self.reference.data, &self.prediction.data, self.labels)?;
        Ok(self.cell.maps.get_or_init(|| maps))
    }

    fn borders(&self, index: usize) -> Result<&BorderDistances, InputError> {
        let maps = self.maps()?;
        Ok(&self.cell.borders.get_or_init(|| maps.borders())[index])
    }

    fn surfels(&self, index: usize) -> Result<&SurfelDistances, InputError> {
        let maps = self.maps()?;
        Ok(&self.cell.surfels.get_or_init(|| maps.surfels())[index])
    }
}

/// One label of a case.
struct Case<'a> {
    surfaces: &'a Surfaces<'a>,
    index: usize,
    label: u8,
    counts: Counts,
    voxel: VoxelVolume,
    masks: OnceCell<[Vec<u8>; 2]>,
    lesions: OnceCell<Overlaps>,
}

impl<'a> Case<'a> {
    fn new(surfaces: &'a Surfaces<'a>, index: usize, label: u8, counts: Counts) -> Result<Self, InputError> {
        let voxel = VoxelVolume::from_cubic_mm(surfaces.reference.geometry.voxel_mm3())?;
        let (masks, lesions) = Default::default();
        Ok(Self { surfaces, index, label, counts, voxel, masks, lesions })
    }

    fn measure(&self, metrics: &[MetricId]) -> Result<SegmentationCase, InputError> {
        Ok(SegmentationCase {
            values: metrics.iter().map(|m| self.value(m)).collect::<Result<_, InputError>>()?,
            reference_ml: self.counts.reference_volume_ml(self.voxel),
            prediction_ml: self.counts.prediction_volume_ml(self.voxel),
            diagonal_mm: diagonal_mm(&self.surfaces.reference.geometry),
        })
    }

    fn value(&self, metric: &MetricId) -> Result<Result<f64, Undefined>, InputError> {
        let counts = &self.counts;
        Ok(match metric.spec.id {
            "dice" => counts.dice(),
            "iou" => counts.iou(),
            "f_beta" => counts.f_beta(parameter(metric))?,
            "voxel_sensitivity" => counts.sensitivity(),
            "voxel_precision" => counts.precision(),
            "voxel_specificity" => counts.specificity(),
            "volume_error_ml" => Ok(counts.absolute_volume_error_ml(self.voxel)),
            "relative_volume_error" => counts.relative_volume_error().map(f64::abs),
            "pq" => self.matching(rule(metric, MatchRule::PANOPTIC)?)?.pq(),
            "sq" => self.matching(rule(metric, MatchRule::PANOPTIC)?)?.sq(),
            "rq" => self.matching(rule(metric, MatchRule::PANOPTIC)?)?.rq(),
            "lesion_f1" => self.matching(rule(metric, MatchRule::LESION)?)?.lesion_f1(),
            "lesion_sensitivity" => self.matching(rule(metric, MatchRule::LESION)?)?.lesion_sensitivity(),
            "lesion_precision" => self.matching(rule(metric, MatchRule::LESION)?)?.lesion_precision(),
            "false_positive_volume_ml" => {
                Ok(false_positive_volume_ml(self.lesions()?, self.voxel.cubic_mm())?)
            }
            "false_negative_volume_ml" => {
                Ok(false_negative_volume_ml(self.lesions()?, self.voxel.cubic_mm())?)
            }
            "lesion_dice" => Ok(self.brats(metric)?.dice()),
            "lesion_hd95" => Ok(self.brats_hd95(metric)?),
            "cldice" => self.centrelines()?.cldice(),
            _ => return self.surface_value(metric),
        })
    }

    /// What the distances between the two surfaces give.
    fn surface_value(&self, metric: &MetricId) -> Result<Result<f64, Undefined>, InputError> {
        let at = self.index;
        Ok(match (metric.spec.id, metric.convention()) {
            ("hd", _) => self.surfaces.borders(at)?.hd(),
            ("hd95", Some("pooled")) => self.surfaces.borders(at)?.hd_percentile_pooled(95.0)?,
            ("hd95", Some("surfel")) => self.surfaces.surfels(at)?.hd_percentile(95.0)?,
            ("hd95", _) => self.surfaces.borders(at)?.hd_percentile(95.0)?,
            ("assd", _) => self.surfaces.borders(at)?.assd(),
            ("masd", _) => self.surfaces.borders(at)?.masd(),
            ("nsd", Some("surfel")) => missed(self.surfaces.surfels(at)?.nsd(parameter(metric))?),
            ("nsd", _) => missed(self.surfaces.borders(at)?.nsd(parameter(metric))?),
            ("boundary_iou", _) => self.surfaces.maps()?.boundary_iou(parameter(metric))?.swap_remove(at),
            ("centroid_distance", _) => self.surfaces.maps()?.centroid_distance_mm().swap_remove(at),
            // The registry lists no other metric of masks.
            (other, _) => unreachable!("{other} is not a metric of masks"),
        })
    }

    /// Reference and prediction of this label, as masks.
    fn masks(&self) -> &[Vec<u8>; 2] {
        self.masks.get_or_init(|| {
            let mask = |v: &Volume<u8>| v.data.iter().map(|&x| u8::from(x == self.label)).collect();
            [mask(self.surfaces.reference), mask(self.surfaces.prediction)]
        })
    }

    /// Lengths of the axes, the one that runs fastest last.
    fn shape(&self) -> [usize; 3] {
        let [x, y, z] = self.surfaces.reference.geometry.shape;
        [z, y, x]
    }

    fn lesions(&self) -> Result<&Overlaps, InputError> {
        if let Some(lesions) = self.lesions.get() {
            return Ok(lesions);
        }
        let [reference, prediction] = self.masks();
        let components = |mask| Components::of_mask(mask, self.shape(), Connectivity::Corners);
        let overlaps = Overlaps::between(&components(reference)?, &components(prediction)?)?;
        Ok(self.lesions.get_or_init(|| overlaps))
    }

    fn matching(&self, rule: MatchRule) -> Result<Matching, InputError> {
        Ok(self.lesions()?.matched(rule))
    }

    fn brats(&self, metric: &MetricId) -> Result<BratsLesions, InputError> {
        let [reference, prediction] = self.masks();
        let rule = match metric.convention() {
            Some("brats_meningioma") => BratsRule::MENINGIOMA,
            Some("brats_metastases") => BratsRule::METASTASES,
            _ => BratsRule::GLIOMA,
        };
        let [x, y, z] = self.surfaces.reference.geometry.spacing_mm;
        BratsLesions::of(reference, prediction, self.shape(), [z, y, x], rule)
    }

    fn brats_hd95(&self, metric: &MetricId) -> Result<f64, InputError> {
        let spacing_mm = self.surfaces.reference.geometry.spacing_mm;
        self.brats(metric)?.hd95_mm(|pair| {
            let [z, y, x] = pair.shape;
            let distance = || -> Result<Result<f64, Undefined>, InputError> {
                let grid = Grid::volume([x, y, z], spacing_mm)?;
                MasksOnGrid::new(grid, &pair.reference, &pair.prediction)?.surfels().hd_percentile(95.0)
            };
            // A part of a grid that was checked, with both masks in it: neither can fail; as NaN it would be named.
            distance().ok().and_then(Result::ok).unwrap_or(f64::NAN)
        })
    }

    fn centrelines(&self) -> Result<Centrelines, InputError> {
        let [reference, prediction] = self.masks();
        Centrelines::of(reference, prediction, self.shape(), Thinning::Lee)
    }
}

/// A share of surfaces of which only one exists: none of it is near the other, as all the field's packages say.
fn missed(share: Result<f64, Undefined>) -> Result<f64, Undefined> {
    match share {
        Err(Undefined::ReferenceEmpty | Undefined::PredictionEmpty) => Ok(0.0),
        other => other,
    }
}

/// The number after `@`; the registry gives every metric that takes one a default.
fn parameter(metric: &MetricId) -> f64 {
    metric.parameter.unwrap_or(0.0)
}

/// How instances are matched: from the IoU after `@` on, any overlap for 0; where the id has none, as usual.
fn rule(metric: &MetricId, usual: MatchRule) -> Result<MatchRule, InputError> {
    match metric.parameter {
        None => Ok(usual),
        Some(0.0) => Ok(MatchRule::AnyOverlap),
        Some(least) => MatchRule::greedy_iou(least),
    }
}

/// Distance between opposite corner voxels.
fn diagonal_mm(geometry: &Geometry) -> f64 {
    let length = |i: usize| (geometry.shape[i].max(1) - 1) as f64 * geometry.spacing_mm[i];
    (length(0).powi(2) + length(1).powi(2) + length(2).powi(2)).sqrt()
}

/// Refuses voxels whose label is neither 0 nor one of these, and lists of voxels that do not fill their grid.
pub(crate) fn check(volume: &Volume<u8>, labels: &[u8]) -> Result<(), ImageError> {
    let [x, y, _] = volume.geometry.shape;
    if volume.data.len() != volume.geometry.voxels() {
        return Err(ImageError::Data(format!(
            "{} voxels for a grid of {}",
            volume.data.len(),
            volume.geometry.voxels()
        )));
    }
    let mut known = [false; 256];
    known[0] = true;
    for &label in labels {
        known[usize::from(label)] = true;
    }
    match volume.data.iter().position(|&v| !known[usize::from(v)]) {
        None => Ok(()),
        Some(i) => {
            let (index, label) = ([i % x, i / x % y, i / x / y], volume.data[i]);
            if labels == [1] {
                return Err(ImageError::Label { index, value: f64::from(label) });
            }
            let asked = labels.iter().map(u8::to_string).collect::<Vec<_>>().join(",");
            Err(ImageError::OtherLabel { index, label, asked })
        }
    }
}
