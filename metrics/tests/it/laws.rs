//! Laws that hold for every metric of the registry, whatever it measures: one table of exceptions, each with its reason.

use fiel_metrics::image::{Geometry, Volume, write_nifti_mask};
use fiel_metrics::registry::{MetricId, MetricTask, Undefined, all};
use fiel_metrics::score::{
    self, ClassificationFiles, DetectionFiles, MulticlassFiles, RegressionFiles, Request, ScoreReport,
    SegmentationFiles, SurvivalFiles,
};
use fiel_metrics::segmentation::measure;
use proptest::prelude::*;
use std::fmt::Write as _;
use std::path::PathBuf;

/// Every id of a task, each with every convention.
fn ids(task: MetricTask) -> Vec<String> {
    let of_task = all().filter(|m| m.task == task);
    let with_conventions = of_task.flat_map(|m| {
        let conventions: Vec<String> = m.conventions.iter().map(|c| format!("{}.{}", m.id, c.name)).collect();
        if conventions.is_empty() { vec![m.id.to_owned()] } else { conventions }
    });
    with_conventions.collect()
}

/// Two masks on one grid.
#[derive(Debug, Clone)]
struct Pair {
    shape: [usize; 3],
    spacing: [f64; 3],
    masks: [Vec<u8>; 2],
}

impl Pair {
    /// The masks moved voxel by voxel to another grid.
    fn moved(&self, shape: [usize; 3], spacing: [f64; 3], to: impl Fn([usize; 3]) -> [usize; 3]) -> Self {
        let at = |shape: [usize; 3], v: [usize; 3]| v[0] + shape[0] * (v[1] + shape[1] * v[2]);
        let masks = self.masks.clone().map(|mask| {
            let mut moved = vec![0; shape.iter().product()];
            for z in 0..self.shape[2] {
                for y in 0..self.shape[1] {
                    for x in 0..self.shape[0] {
                        moved[at(shape, to([x, y, z]))] = mask[at(self.shape, [x, y, z])];
                    }
                }
            }
            moved
        });
        Self { shape, spacing, masks }
    }

    fn flipped(&self, axis: usize) -> Self {
        let last = self.shape[axis] - 1;
        self.moved(self.shape, self.spacing, |mut v| {
            v[axis] = last - v[axis];
            v
        })
    }

    fn permuted(&self, order: [usize; 3]) -> Self {
        self.moved(order.map(|i| self.shape[i]), order.map(|i| self.spacing[i]), |v| order.map(|i| v[i]))
    }

    fn padded(&self, by: [usize; 3]) -> Self {
        let shape = std::array::from_fn(|i| self.shape[i] + 2 * by[i]);
        self.moved(shape, self.spacing, |v| std::array::from_fn(|i| v[i] + by[i]))
    }

    fn swapped(&self) -> Self {
        let [a, b] = self.masks.clone();
        Self { masks: [b, a], ..self.clone() }
    }

    fn measured(&self, ids: &[String]) -> Vec<Result<f64, Undefined>> {
        let metrics: Vec<MetricId> = ids.iter().map(|id| MetricId::parse(id).unwrap()).collect();
        let [a, b] = self
            .masks
            .clone()
            .map(|data| Volume { geometry: Geometry::axis_aligned(self.shape, self.spacing), data });
        measure(&a, &b, &metrics).unwrap().values
    }
}

/// Blobs: a few boxes each, so that there are components, surfaces and skeletons.
fn pairs() -> impl Strategy<Value = Pair> {
    let shape = prop::array::uniform3(3..9usize);
    let spacing = prop::array::uniform3(prop::sample::select(vec![0.5, 0.8, 1.0, 2.5]));
    (shape, spacing).prop_flat_map(|(shape, spacing)| {
        let mask = move || {
            let corner = || (0..shape[0], 0..shape[1], 0..shape[2]);
            let boxes = prop::collection::vec((corner(), corner()), 0..4);
            boxes.prop_map(move |boxes| {
                let mut mask = vec![0; shape.iter().product()];
                for ((ax, ay, az), (bx, by, bz)) in boxes {
                    for z in az.min(bz)..=az.max(bz) {
                        for y in ay.min(by)..=ay.max(by) {
                            for x in ax.min(bx)..=ax.max(bx) {
                                mask[x + shape[0] * (y + shape[1] * z)] = 1;
                            }
                        }
                    }
                }
                mask
            })
        };
        (mask(), mask()).prop_map(move |(a, b)| Pair { shape, spacing, masks: [a, b] })
    })
}

fn close(a: &Result<f64, Undefined>, b: &Result<f64, Undefined>) -> bool {
    match (a, b) {
        (Ok(a), Ok(b)) => (a - b).abs() <= 1e-9 * a.abs().max(1.0),
        (a, b) => a.is_err() && b.is_err(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn masks_score_alike_when_flipped_turned_or_padded(
        pair in pairs(),
        axis in 0..3usize,
        order in Just([0usize, 1, 2]).prop_shuffle(),
        by in prop::array::uniform3(0..4usize),
    ) {
        // Thinning takes voxels away in an order, so that the skeleton of a thick shape depends on its direction.
        let ids: Vec<String> = ids(MetricTask::Segmentation).into_iter().filter(|id| id != "cldice").collect();
        let plain = pair.measured(&ids);
        for (change, other) in [("flipped", pair.flipped(axis)), ("turned", pair.permuted(order)), ("padded", pair.padded(by))] {
            for ((id, plain), other) in ids.iter().zip(&plain).zip(other.measured(&ids)) {
                // Padding is background, which specificity counts.
                if (change, id.as_str()) != ("padded", "voxel_specificity") {
                    prop_assert!(close(plain, &other), "{} {}: {:?}, not {:?}", id, change, other, plain);
                }
            }
        }
    }

    #[test]
    fn swapping_the_masks_keeps_symmetric_metrics_and_crosses_the_others(pair in pairs()) {
        // What a metric becomes when reference and prediction change places.
        let crossed = |id: &str| Some(match id {
            "voxel_sensitivity" => "voxel_precision",
            "voxel_precision" => "voxel_sensitivity",
            "lesion_sensitivity" => "lesion_precision",
            "lesion_precision" => "lesion_sensitivity",
            "false_positive_volume_ml" => "false_negative_volume_ml",
            "false_negative_volume_ml" => "false_positive_volume_ml",
            // The reference alone is in the denominator, or weighs otherwise.
            "voxel_specificity" | "relative_volume_error" | "f_beta" => return None,
            // The reference alone is dilated, and alone has lesions too small to count.
            id if id.starts_with("lesion_dice") || id.starts_with("lesion_hd95") => return None,
            id => id,
        }.to_owned());
        let (ids, others): (Vec<String>, Vec<String>) =
            ids(MetricTask::Segmentation).into_iter().filter_map(|id| Some((id.clone(), crossed(&id)?))).unzip();
        for ((id, plain), swapped) in ids.iter().zip(pair.measured(&ids)).zip(pair.swapped().measured(&others)) {
            prop_assert!(close(&plain, &swapped), "{}: {:?} becomes {:?}", id, plain, swapped);
        }
    }
}

/// Tables of every task, their rows in the order of `seed`; 0 leaves them as they are.
struct Tables {
    folder: tempfile::TempDir,
}

impl Tables {
    fn written(seed: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut next = uniform(7);
        let mut texts: Vec<(&str, &str, Vec<String>)> = vec![
            ("forecasts", "case_id,y,p", Vec::new()),
            ("classes", "case_id,y,p_a,p_b,p_c", Vec::new()),
            ("times", "case_id,time,event,risk,free_0.5,free_1", Vec::new()),
            ("numbers", "case_id,x,y", Vec::new()),
            ("truth", "image,x_min,y_min,x_max,y_max", Vec::new()),
            ("found", "image,x_min,y_min,x_max,y_max,score", Vec::new()),
            ("nodules", "image,x,y,z,diameter_mm", Vec::new()),
            ("marks", "image,x,y,z,score", Vec::new()),
            ("images", "image", Vec::new()),
        ];
        for i in 0..90 {
            let (p, q, r) = (next(), next(), next());
            let class = if r < 0.4 {
                "a"
            } else if r < 0.7 {
                "b"
            } else {
                "c"
            };
            let rest = 1.0 - p;
            let (off, x) = (if q < 0.7 { 1.0 } else { 40.0 }, 100.0 * r);
            let mut rows = vec![
                format!("k{i},{},{p}", u8::from(p + 0.5 * q > 0.8)),
                format!("k{i},{class},{p},{},{}", rest * q, rest * (1.0 - q)),
                format!("k{i},{},{},{p},{},{}", 0.01 + q, u8::from(r < 0.6), (-p / 2.0).exp(), (-p).exp()),
                format!("k{i},{p},{}", p + 0.3 * (q - 0.4)),
            ];
            rows.push(format!("{i},{x},{x},{},{}", x + 10.0, x + 10.0));
            rows.push(format!("{i},{},{x},{},{},{p}", x + off, x + off + 10.0, x + 10.0));
            rows.push(format!("{i},{x},5,5,8"));
            rows.push(format!("{i},{},5,5,{p}", x + off));
            rows.push(i.to_string());
            for (text, row) in texts.iter_mut().zip(rows) {
                text.2.push(row);
            }
        }
        let mut place = uniform(seed);
        for (name, header, mut rows) in texts {
            if seed > 0 {
                let mut keyed: Vec<(f64, String)> = rows.into_iter().map(|row| (place(), row)).collect();
                keyed.sort_by(|a, b| a.0.total_cmp(&b.0));
                rows = keyed.into_iter().map(|(_, row)| row).collect();
            }
            let text = rows.iter().fold(format!("{header}\n"), |mut text, row| {
                writeln!(text, "{row}").unwrap();
                text
            });
            std::fs::write(folder.path().join(format!("{name}.csv")), text).unwrap();
        }
        for side in ["reference", "prediction"] {
            std::fs::create_dir(folder.path().join(side)).unwrap();
            for case in 0..5 {
                let geometry = Geometry::axis_aligned([12, 10, 8], [0.8, 1.0, 2.5]);
                let middle = [3.0 + next(), 4.0 + next(), 3.0 + next()];
                let data = (0..geometry.voxels()).map(|i| {
                    let at = [i % 12, i / 12 % 10, i / 120];
                    let away: f64 = (0..3).map(|k| (at[k] as f64 - middle[k]).powi(2)).sum();
                    u8::from(away < 9.0 || (at[0] > 9 && at[1] > 7))
                });
                let mask = Volume { data: data.collect(), geometry };
                write_nifti_mask(&folder.path().join(side).join(format!("{case}.nii.gz")), &mask).unwrap();
            }
        }
        Self { folder }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The report of every task, with bootstraps.
    fn reports(&self) -> Vec<ScoreReport> {
        let request = |task: MetricTask, keep: &dyn Fn(&str) -> bool| {
            let mut ids = ids(task);
            ids.retain(|id| keep(id));
            Request { replicates: 100, seed: 3, ..Request::new(task, &ids).unwrap() }
        };
        let every = |_: &str| true;
        let table = |name: &str| self.at(&format!("{name}.csv"));
        let (forecasts, classes, times, numbers) =
            (table("forecasts"), table("classes"), table("times"), table("numbers"));
        let boxes = [table("truth"), table("found"), table("images")];
        let points = [table("nodules"), table("marks"), table("images")];
        let classified =
            ClassificationFiles { table: &forecasts, label: "y", score: "p", compare: None, case: None };
        let several = MulticlassFiles {
            table: &classes,
            label: "y",
            scores: Some("p_"),
            decision: None,
            classes: &[],
            case: None,
        };
        let survived = SurvivalFiles {
            table: &times,
            time: "time",
            event: "event",
            risk: "risk",
            curve: Some("free_"),
            training: None,
            case: None,
        };
        let measured =
            RegressionFiles { table: &numbers, reference: "x", prediction: "y", compare: None, case: None };
        let (reference, prediction) = (self.at("reference"), self.at("prediction"));
        let masks = SegmentationFiles {
            reference: &reference,
            prediction: &prediction,
            labels: &[],
            spacing: None,
            plane: false,
            resample: false,
            strata: None,
        };
        let detected = |paths: &[PathBuf; 3], points: bool| {
            let [reference, prediction, images] = paths.each_ref().map(PathBuf::as_path);
            let files = DetectionFiles { reference, prediction, images: Some(images) };
            let keep = move |id: &str| id.starts_with("cpm") == points;
            score::detection(&files, &request(MetricTask::Detection, &keep)).unwrap()
        };
        vec![
            score::classification(&classified, &request(MetricTask::Classification, &every)).unwrap(),
            score::multiclass(&several, &request(MetricTask::Multiclass, &every)).unwrap(),
            score::survival(&survived, &request(MetricTask::Survival, &|id| id != "td_auc")).unwrap(),
            score::survival(&survived, &td_auc()).unwrap(),
            score::regression(&measured, &request(MetricTask::Regression, &every)).unwrap(),
            score::segmentation(&masks, &request(MetricTask::Segmentation, &every), |_, _| ()).unwrap(),
            detected(&boxes, false),
            detected(&points, true),
        ]
    }
}

/// Its default time lies beyond these patients'.
fn td_auc() -> Request {
    Request { replicates: 100, ..Request::new(MetricTask::Survival, &["td_auc@0.7".to_owned()]).unwrap() }
}

fn uniform(seed: u64) -> impl FnMut() -> f64 {
    let mut state = seed;
    move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((state >> 11) as f64 + 0.5) / (1u64 << 53) as f64
    }
}

#[test]
fn every_metric_gives_the_same_bytes_on_1_2_and_8_threads() {
    let tables = Tables::written(0);
    let bytes = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        serde_json::to_string(&pool.install(|| tables.reports())).unwrap()
    };
    let one = bytes(1);
    assert!(one.len() > 10_000);
    assert_eq!(one, bytes(2));
    assert_eq!(one, bytes(8));
}

#[test]
fn every_metric_is_the_same_in_any_order_of_the_cases() {
    let plain = Tables::written(0).reports();
    let mut compared = 0;
    for seed in [5, 6] {
        for (plain, other) in plain.iter().zip(Tables::written(seed).reports()) {
            for (id, expected) in &plain.metrics {
                let found = &other.metrics[id];
                let (a, b) = (expected.value, found.value);
                let same = match (a, b) {
                    (Some(a), Some(b)) => (a - b).abs() <= 1e-9 * a.abs().max(1.0),
                    (a, b) => a == b,
                };
                assert!(same, "{id}: {a:?} in one order, {b:?} in another");
                compared += usize::from(a.is_some());
            }
        }
    }
    let all: usize = plain.iter().map(|report| report.metrics.len()).sum();
    assert!(compared > 2 * all - 12, "{compared} of {} were defined", 2 * all);
}
