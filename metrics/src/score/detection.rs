//! Findings with confidence against findings of the reference.

use super::columns::Columns;
use super::measured::{self, NoValue, Valued};
use super::{Request, ScoreError, ScoreReport, curves};
use crate::registry::{MetricId, MetricTask};
use fiel_kernels::InputError;
use fiel_kernels::detection::{
    AxisBox, Froc, ImageObjects, Mark, Nodule, PICAI_MINIMUM_OVERLAP, PicaiCase, PrecisionSettings,
    PrecisionTable, Rates, ScanOutcome, luna16_scan, picai_score,
};
use std::collections::BTreeMap;
use std::path::Path;

/// Where findings stand: a row per finding, its image under `image`.
///
/// Boxes have the columns `x_min`, `y_min`, `x_max`, `y_max` (and `z_min`, `z_max` in 3-D); points have `x`, `y`, `z` in
/// millimetres. Reference points have `diameter_mm` (below zero: unknown). Predictions have `score`.
#[derive(Debug, Clone, Copy)]
pub struct DetectionFiles<'a> {
    /// A CSV or Parquet table of the reference's findings.
    pub reference: &'a Path,
    /// A CSV or Parquet table of predicted findings.
    pub prediction: &'a Path,
    /// A table with every image under `image`; without it, images without any finding are not known.
    pub images: Option<&'a Path>,
}

/// Scores predicted findings against those of the reference.
///
/// # Errors
/// [`ScoreError::Table`] for a file that cannot be read or a column that it does not have; [`ScoreError::Row`],
/// with its number, for a value that is no finite number, a box whose ends are in the wrong order, an image that is
/// not among [`DetectionFiles::images`], a confidence of 0 where `picai_score` is asked for;
/// [`ScoreError::Missing`] for a metric of boxes where findings are points, or of points where they are boxes, and
/// for strata without a table of images.
///
/// ```
/// use fiel_metrics::registry::MetricTask;
/// use fiel_metrics::score::{DetectionFiles, Request, detection};
///
/// let folder = tempfile::tempdir()?;
/// let written = |name: &str, text: &str| {
///     let path = folder.path().join(name);
///     std::fs::write(&path, text).map(|()| path)
/// };
/// let reference = written("truth.csv", "image,x_min,y_min,x_max,y_max\na,0,0,10,10\nb,0,0,10,10\n")?;
/// let prediction = written("found.csv", "image,x_min,y_min,x_max,y_max,score\na,0,0,10,10,0.9\nc,0,0,5,5,0.3\n")?;
/// // The third image has a false alarm only; no finding tells of the fourth.
/// let images = written("images.csv", "image\na\nb\nc\nd\n")?;
/// let files = DetectionFiles { reference: &reference, prediction: &prediction, images: Some(&images) };
/// let request = Request::new(MetricTask::Detection, &["ap@0.5".to_owned()])?;
/// let report = detection(&files, &request)?;
/// assert_eq!(report.n, 4);
/// // One of two objects is found, ahead of the false alarm: precision 1 at 51 of COCO's 101 recalls.
/// assert_eq!(report.metrics["ap@0.5"].value, Some(51.0 / 101.0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn detection(files: &DetectionFiles<'_>, request: &Request) -> Result<ScoreReport, ScoreError> {
    let reference = Columns::read_any(files.reference)?;
    let prediction = Columns::read_any(files.prediction)?;
    let images = files.images.map(Columns::read).transpose()?;
    let mut by_image: BTreeMap<String, Image> = BTreeMap::new();
    if let Some(images) = &images {
        for name in images.names(Some("image"))? {
            by_image.insert(name, Image::default());
        }
    }
    let mut add = |columns: &Columns, is_reference: bool| -> Result<(), ScoreError> {
        for (row, (name, finding)) in Finding::read(columns, is_reference)?.into_iter().enumerate() {
            if images.is_some() && !by_image.contains_key(&name) {
                let problem = format!("the image {name:?} is not among the images of `--images`");
                return Err(ScoreError::Row { path: columns.path().to_owned(), row: row + 1, problem });
            }
            let image = by_image.entry(name).or_default();
            if is_reference { image.reference.push(finding) } else { image.prediction.push(finding) }
        }
        Ok(())
    };
    add(&reference, true)?;
    add(&prediction, false)?;
    let strata = match (&request.by, &images) {
        (Some(by), Some(table)) => {
            let of: BTreeMap<String, String> =
                table.names(Some("image"))?.into_iter().zip(table.words(by)?).collect();
            Some(by_image.keys().map(|name| of.get(name).cloned().unwrap_or_default()).collect())
        }
        (Some(_), None) => {
            let what = "a table of images with that column: give it with `--images FILE`";
            return Err(ScoreError::Missing { id: "--by".to_owned(), what });
        }
        (None, _) => None,
    };
    if request.metrics.iter().any(|(_, metric)| metric.spec.id == "picai_score") && !prediction.is_empty() {
        // In PI-CAI a confidence of 0 says that there is no candidate, so that a row with one contradicts itself.
        let expected = "a finite number above 0, as `picai_score` needs; leave findings of confidence 0 out";
        prediction.numbers("score", expected, |v| v.is_finite() && v > 0.0)?;
    }
    let (names, images) = by_image.into_iter().unzip();
    let findings = Findings { names, images };
    let mut report = measured::report(&findings, request, strata)?;
    if request.curves {
        let all: Vec<usize> = (0..findings.images.len()).collect();
        let scans =
            findings.scans(&all)?.ok_or(ScoreError::Missing { id: "--curves".to_owned(), what: POINTS })?;
        report.curves = curves::of_scans(&scans, request)?;
    }
    Ok(report)
}

/// One finding: a box, or a point with its diameter.
#[derive(Debug, Clone, Copy)]
struct Finding {
    place: Place,
    score: f64,
}

#[derive(Debug, Clone, Copy)]
enum Place {
    Box(AxisBox<3>),
    Point { centre_mm: [f64; 3], diameter_mm: f64 },
}

impl Finding {
    fn read(columns: &Columns, is_reference: bool) -> Result<Vec<(String, Self)>, ScoreError> {
        if columns.is_empty() {
            return Ok(Vec::new());
        }
        let names = columns.words("image")?;
        let number = |name: &str| columns.numbers(name, "a finite number", f64::is_finite);
        let score = if is_reference { vec![1.0; names.len()] } else { number("score")? };
        let place = if columns.has("x_min") { boxes(columns)? } else { points(columns, is_reference)? };
        let findings = place.into_iter().zip(score).map(|(place, score)| Self { place, score });
        Ok(names.into_iter().zip(findings).collect())
    }
}

fn boxes(columns: &Columns) -> Result<Vec<Place>, ScoreError> {
    let number = |name: &str| columns.numbers(name, "a finite number", f64::is_finite);
    let flat = !columns.has("z_min");
    let (x, y) = ([number("x_min")?, number("x_max")?], [number("y_min")?, number("y_max")?]);
    // A plane is a slab of thickness 1, which changes no overlap.
    let n = x[0].len();
    let z = if flat { [vec![0.0; n], vec![1.0; n]] } else { [number("z_min")?, number("z_max")?] };
    let place = |i: usize| -> Result<Place, ScoreError> {
        let corner = [x[0][i], y[0][i], z[0][i]];
        let far = [x[1][i], y[1][i], z[1][i]];
        let extent = std::array::from_fn(|axis| far[axis] - corner[axis]);
        AxisBox::new(corner, extent).map(Place::Box).map_err(|e| ScoreError::Row {
            path: columns.path().to_owned(),
            row: i + 1,
            problem: format!("not a box: {e}"),
        })
    };
    (0..n).map(place).collect()
}

fn points(columns: &Columns, is_reference: bool) -> Result<Vec<Place>, ScoreError> {
    let number = |name: &str| columns.numbers(name, "a finite number", f64::is_finite);
    let (x, y, z) = (number("x")?, number("y")?, number("z")?);
    let diameter = if is_reference { number("diameter_mm")? } else { vec![0.0; x.len()] };
    let point = |i: usize| Place::Point { centre_mm: [x[i], y[i], z[i]], diameter_mm: diameter[i] };
    Ok((0..x.len()).map(point).collect())
}

/// Boxes with their confidence.
type Scored = Vec<(AxisBox<3>, f64)>;

/// Findings of one image.
#[derive(Debug, Clone, Default)]
struct Image {
    reference: Vec<Finding>,
    prediction: Vec<Finding>,
}

impl Image {
    /// Scored boxes and boxes of the reference; `None` where some finding is a point.
    fn boxes(&self) -> Option<(Scored, Vec<AxisBox<3>>)> {
        let place = |f: &Finding| if let Place::Box(b) = f.place { Some(b) } else { None };
        let candidates = self.prediction.iter().map(|f| Some((place(f)?, f.score))).collect::<Option<_>>()?;
        Some((candidates, self.reference.iter().map(place).collect::<Option<_>>()?))
    }

    fn luna(&self) -> Option<Result<ScanOutcome, InputError>> {
        let point = |f: &Finding| match f.place {
            Place::Point { centre_mm, diameter_mm } => Some((centre_mm, diameter_mm)),
            Place::Box(_) => None,
        };
        let nodules: Option<Vec<Nodule>> = (self.reference.iter().map(point))
            .map(|p| p.map(|(centre_mm, diameter_mm)| Nodule { centre_mm, diameter_mm, included: true }))
            .collect();
        let marks: Option<Vec<Mark>> = (self.prediction.iter())
            .map(|f| point(f).map(|(centre_mm, _)| Mark { centre_mm, confidence: f.score }))
            .collect();
        Some(luna16_scan(&nodules?, &marks?).map(|scan| scan.outcome))
    }
}

struct Findings {
    names: Vec<String>,
    images: Vec<Image>,
}

impl Findings {
    /// Which marks of these images hit; `None` where some finding is a box.
    fn scans(&self, cases: &[usize]) -> Result<Option<Vec<ScanOutcome>>, InputError> {
        cases.iter().map(|&i| self.images[i].luna()).collect::<Option<Result<_, _>>>().transpose()
    }

    fn objects(&self, metric: &MetricId, cases: &[usize]) -> Result<Vec<ImageObjects>, NoValue> {
        let mut objects = Vec::with_capacity(cases.len());
        for &i in cases {
            let (candidates, references) = self.images[i].boxes().ok_or_else(|| needs(metric, BOXES))?;
            objects.push(ImageObjects::from_boxes(&candidates, &references)?);
        }
        Ok(objects)
    }
}

const BOXES: &str = "findings given as boxes: `x_min`, `y_min`, `x_max`, `y_max` (and `z_min`, `z_max`)";

const POINTS: &str = "findings given as points: `x`, `y`, `z`, and `diameter_mm` in the reference";

fn needs(metric: &MetricId, what: &'static str) -> NoValue {
    NoValue::Error(ScoreError::Missing { id: metric.to_string(), what })
}

impl measured::Cases for Findings {
    const TASK: MetricTask = MetricTask::Detection;

    fn names(&self) -> Vec<(String, Option<u8>)> {
        self.names.iter().map(|n| (n.clone(), None)).collect()
    }

    fn of_set(&self, metric: &MetricId, cases: &[usize]) -> Result<Valued, NoValue> {
        Ok(match metric.spec.id {
            "cpm" => {
                let scans = self.scans(cases)?.ok_or_else(|| needs(metric, POINTS))?;
                let rates = if metric.is("camelyon") { Rates::camelyon16() } else { Rates::luna16() };
                Froc::new(&scans)?.cpm(&rates)?.into()
            }
            "picai_score" => {
                let case = |&i: &usize| -> Result<PicaiCase, NoValue> {
                    let (candidates, lesions) = self.images[i].boxes().ok_or_else(|| needs(metric, BOXES))?;
                    let confidences: Vec<f64> = candidates.iter().map(|c| c.1).collect();
                    let overlaps: Vec<f64> =
                        candidates.iter().flat_map(|c| lesions.iter().map(|l| c.0.iou(l))).collect();
                    Ok(PicaiCase::new(&confidences, lesions.len(), &overlaps, PICAI_MINIMUM_OVERLAP)?)
                };
                picai_score(&cases.iter().map(case).collect::<Result<Vec<_>, _>>()?)?.score?.into()
            }
            "ap" => {
                let least = metric.parameter.unwrap_or(0.5);
                let settings = PrecisionSettings::coco().with_thresholds(&[least])?;
                PrecisionTable::new(&[self.objects(metric, cases)?], &settings)
                    .mean_average_precision()?
                    .into()
            }
            _ => PrecisionTable::new(&[self.objects(metric, cases)?], &PrecisionSettings::coco())
                .mean_average_precision()?
                .into(),
        })
    }

    fn of_cases(&self, _: &MetricId) -> Vec<Option<f64>> {
        vec![None; self.names.len()]
    }
}
