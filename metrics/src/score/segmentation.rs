//! Masks and label maps against references.

use super::columns::Columns;
use super::measured::{self, NoValue, Valued};
use super::pairs::pairs;
use super::{Request, ScoreError, ScoreReport};
use crate::registry::{MetricId, MetricTask};
use crate::segmentation::{SegmentationCase, check, measure_labels};
use fiel_kernels::image::{
    Format, ReadLimits, ReadOptions, Spacing, Volume, read_labels, read_mask, resample_nearest,
};
use fiel_kernels::{ImageError, Undefined};
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Where masks stand.
#[derive(Debug, Clone, Copy)]
pub struct SegmentationFiles<'a> {
    /// Mask of the reference, or a folder of them.
    pub reference: &'a Path,
    /// Predicted mask, or a folder of masks of the same names.
    pub prediction: &'a Path,
    /// The labels that label maps hold beside 0; empty for masks of 0 and 1.
    pub labels: &'a [u8],
    /// Distance between voxels along the axes of files that do not tell it (NumPy: in the order of the array's axes), in
    /// millimetres; beside files of other formats it is an error.
    pub spacing: Option<Spacing>,
    /// Whether images of three axes and one slice are planes, as those of two axes are, whose voxels have four neighbours,
    /// rather than volumes of one layer.
    pub plane: bool,
    /// Whether a prediction on another grid is put on the reference's (nearest neighbour) rather than refused.
    pub resample: bool,
    /// A table of cases with the column of strata, cases being named under `case`.
    pub strata: Option<&'a Path>,
}

/// Scores masks against reference masks: two files, or two folders whose files pair up by name.
///
/// Cases are measured side by side on the cores there are; the report does not depend on how many. `progress` is called
/// with the cases done and all cases.
///
/// # Errors
/// [`ScoreError::Pairing`] for a mask without counterpart; [`ScoreError::Image`], with the file, for an image that
/// cannot be read, lies on another grid than its reference or holds other labels than those named;
/// [`ScoreError::Spacing`] for a spacing beside an image that has its own; [`ScoreError::Setting`] for the label 0, for one that
/// stands twice, and for volumes of several layers that are said to be planes; [`ScoreError::Missing`] and
/// [`ScoreError::Table`] for strata that are not to be had.
///
/// ```
/// use fiel_metrics::image::{Geometry, Volume, write_nifti_mask};
/// use fiel_metrics::registry::MetricTask;
/// use fiel_metrics::score::{Request, SegmentationFiles, segmentation};
///
/// let folder = tempfile::tempdir()?;
/// let (reference, prediction) = (folder.path().join("reference"), folder.path().join("prediction"));
/// // Two cases of four voxels in a row, 2 mm apart.
/// let geometry = Geometry::axis_aligned([4, 1, 1], [2.0, 1.0, 1.0]);
/// let cases = [("a.nii.gz", [0, 1, 1, 0], [0, 0, 1, 1]), ("b.nii.gz", [1, 1, 0, 0], [1, 1, 0, 0])];
/// for to in [&reference, &prediction] {
///     std::fs::create_dir(to)?;
/// }
/// for (name, truth, answer) in cases {
///     let mask = |data: [u8; 4]| Volume { geometry: geometry.clone(), data: data.to_vec() };
///     write_nifti_mask(&reference.join(name), &mask(truth))?;
///     write_nifti_mask(&prediction.join(name), &mask(answer))?;
/// }
/// let files = SegmentationFiles {
///     reference: &reference, prediction: &prediction, labels: &[], spacing: None, plane: false, resample: false,
///     strata: None,
/// };
/// let request = Request::new(MetricTask::Segmentation, &["dice".to_owned(), "hd".to_owned()])?;
/// let report = segmentation(&files, &request, |done, all| assert!(done <= all))?;
/// assert_eq!(report.metrics["dice"].value, Some(0.75));
/// assert_eq!((report.metrics["hd"].value, report.metrics["hd"].unit), (Some(1.0), "mm"));
/// assert_eq!((report.cases[0].case.as_str(), report.cases[0].values["hd"]), ("a", Some(2.0)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn segmentation(
    files: &SegmentationFiles<'_>,
    request: &Request,
    progress: impl Fn(usize, usize) + Sync,
) -> Result<ScoreReport, ScoreError> {
    check_labels(files.labels)?;
    let pairs = pairs(files.reference, files.prediction)?;
    let metrics: Vec<MetricId> = request.metrics.iter().map(|m| m.1).collect();
    let done = AtomicUsize::new(0);
    progress(0, pairs.len());
    let found = pairs.par_iter().map(|(_, reference, prediction)| {
        let found = measure(files, &metrics, reference, prediction)?;
        progress(done.fetch_add(1, Ordering::Relaxed) + 1, pairs.len());
        Ok(found)
    });
    // All are measured before the first error counts, so that it is the same on any number of threads.
    let found: Vec<Result<Vec<SegmentationCase>, ScoreError>> = found.collect();
    let mut measured = Measured { names: Vec::new(), values: vec![Vec::new(); metrics.len()], metrics };
    for ((case, ..), found) in pairs.iter().zip(found) {
        for (found, label) in found?.into_iter().zip(labels(files)) {
            measured.names.push((case.clone(), (!files.labels.is_empty()).then_some(*label)));
            for (column, value) in measured.values.iter_mut().zip(found.values) {
                column.push(value.ok());
            }
        }
    }
    let strata = match (&request.by, files.strata) {
        (Some(by), Some(path)) => Some(strata(path, by, &measured.names)?),
        (Some(by), None) if by == "label" => {
            Some(measured.names.iter().map(|n| n.1.unwrap_or(1).to_string()).collect())
        }
        (Some(_), None) => {
            let what = "a table of cases with that column: give it with `--strata FILE`";
            return Err(ScoreError::Missing { id: "--by".to_owned(), what });
        }
        (None, _) => None,
    };
    measured::report(&measured, request, strata)
}

/// Every metric of each label of one pair of images.
fn measure(
    files: &SegmentationFiles<'_>,
    metrics: &[MetricId],
    reference: &Path,
    prediction: &Path,
) -> Result<Vec<SegmentationCase>, ScoreError> {
    let truth = read(reference, files)?;
    let mut answer = read(prediction, files)?;
    if files.resample && !truth.geometry.same_grid(&answer.geometry) {
        answer = resample_nearest(&answer, &truth.geometry)?;
    }
    if files.plane && !truth.geometry.shape.contains(&1) {
        let [x, y, z] = truth.geometry.shape;
        let problem = format!("{} has {x} x {y} x {z} voxels and no axis of one slice", reference.display());
        return Err(ScoreError::Setting { option: "--plane", problem });
    }
    let found = measure_labels(&truth, &answer, labels(files), files.plane, metrics)
        .map_err(|e| ImageError::File { path: prediction.to_owned(), source: Box::new(e) })?;
    Ok(found)
}

/// Whether labels can be asked for.
fn check_labels(labels: &[u8]) -> Result<(), ScoreError> {
    let refused = |problem| Err(ScoreError::Setting { option: "--labels", problem });
    for (index, label) in labels.iter().enumerate() {
        if *label == 0 {
            return refused(
                "0 is the background of every map and no label of its own; leave it out".to_owned(),
            );
        }
        if labels[..index].contains(label) {
            return refused(format!("{label} stands twice"));
        }
    }
    Ok(())
}

fn labels<'a>(files: &SegmentationFiles<'a>) -> &'a [u8] {
    if files.labels.is_empty() { &[1] } else { files.labels }
}

/// A mask or label map that holds no other label than those asked for.
fn read(path: &Path, files: &SegmentationFiles<'_>) -> Result<Volume<u8>, ScoreError> {
    let named = |e| ImageError::File { path: path.to_owned(), source: Box::new(e) };
    if files.spacing.is_some() && format(path)?.is_some_and(|f| f != Format::Npy) {
        return Err(ScoreError::Spacing { path: path.to_owned() });
    }
    let options = ReadOptions { limits: ReadLimits::default(), spacing: files.spacing };
    if files.labels.is_empty() {
        return Ok(read_mask(path, options)?);
    }
    let map = read_labels(path, options)?;
    check(&map, files.labels).map_err(named)?;
    Ok(map)
}

/// The format of an image by its name, else by how it begins; `None` if it is none that is read.
fn format(path: &Path) -> Result<Option<Format>, ImageError> {
    if let Some(format) = Format::of_name(path) {
        return Ok(Some(format));
    }
    let mut start = Vec::new();
    let file = File::open(path).and_then(|file| file.take(START).read_to_end(&mut start));
    file.map_err(|source| ImageError::Io { path: path.to_owned(), source })?;
    Ok(Format::of_bytes(&start))
}

/// Bytes that tell a format.
const START: u64 = 4096;

/// The stratum of each case, from a table.
fn strata(path: &Path, by: &str, names: &[(String, Option<u8>)]) -> Result<Vec<String>, ScoreError> {
    let columns = Columns::read(path)?;
    let case = if columns.has("case") { "case" } else { "case_id" };
    let of: BTreeMap<String, String> =
        columns.names(Some(case))?.into_iter().zip(columns.words(by)?).collect();
    let stratum = |(name, _): &(String, Option<u8>)| {
        of.get(name).cloned().ok_or_else(|| ScoreError::Table {
            path: path.to_owned(),
            problem: format!("there is no row for the case {name:?}"),
        })
    };
    names.iter().map(stratum).collect()
}

struct Measured {
    names: Vec<(String, Option<u8>)>,
    metrics: Vec<MetricId>,
    /// Per metric, the value of each case.
    values: Vec<Vec<Option<f64>>>,
}

impl measured::Cases for Measured {
    const TASK: MetricTask = MetricTask::Segmentation;

    fn names(&self) -> Vec<(String, Option<u8>)> {
        self.names.clone()
    }

    fn of_set(&self, _: &MetricId, _: &[usize]) -> Result<Valued, NoValue> {
        // Every metric of masks belongs to a case.
        Err(NoValue::Undefined(Undefined::TooFew))
    }

    fn of_cases(&self, metric: &MetricId) -> Vec<Option<f64>> {
        let at = self.metrics.iter().position(|m| m == metric);
        at.map(|i| self.values[i].clone()).unwrap_or_default()
    }
}
