//! Judging one case: its answer against the interface and the truth.

use crate::NodeError;
use crate::cases::image_limits;
use crate::dialect::Layout;
use crate::outputs;
use crate::reference_set::LoadedReferenceSet;
use fiel_metrics::image::{self, Volume};
use fiel_metrics::registry::MetricId;
use fiel_metrics::segmentation::{self, SegmentationCase};
use fiel_sandbox::{CaseResult, Usage};
use fiel_schemas::challenge::{Challenge, Port, PortKind, Task};
use fiel_schemas::outcome::Outcome;

/// Whether a metric follows from what a run costs.
pub(crate) fn is_technical(id: &str) -> bool {
    MetricId::parse(id).is_ok_and(|metric| metric.is_technical())
}

/// What is known of one case.
#[derive(Debug, Clone, Default)]
pub(crate) struct Row {
    pub(crate) outcome: Option<Outcome>,
    pub(crate) reason: String,
    pub(crate) score: Option<f64>,
    pub(crate) segmentation: Option<SegmentationCase>,
    pub(crate) seconds: f64,
    pub(crate) usage: Usage,
}

/// Checks outputs against the interface and the truth.
pub(crate) struct Judge<'a> {
    /// Ids of the metrics that are measured on answers.
    pub(crate) measured: Vec<&'a str>,
    metrics: Vec<MetricId>,
    set: &'a LoadedReferenceSet,
    output: &'a Port,
    pub(crate) truth: Vec<&'a str>,
    /// Whether the answer is a number and not a mask.
    pub(crate) is_score: bool,
}

impl<'a> Judge<'a> {
    /// Refuses a challenge whose answer this node cannot measure.
    pub(crate) fn new(challenge: &'a Challenge, set: &'a LoadedReferenceSet) -> Result<Self, NodeError> {
        let wanted = match challenge.task {
            Task::Classification => PortKind::Table,
            Task::Segmentation => PortKind::Mask,
        };
        let wrong = |message: String| NodeError::Challenge { challenge: challenge.id.clone(), message };
        let [output] = challenge.interface.outputs.as_slice() else {
            return Err(wrong(format!(
                "{} output ports; this node measures one",
                challenge.interface.outputs.len()
            )));
        };
        if output.kind != wanted || (wanted == PortKind::Table && output.columns.len() != 1) {
            return Err(wrong(format!(
                "output `{}` does not fit the task {:?}",
                output.name, challenge.task
            )));
        }
        let truth = set.column(&set.doc.truth)?;
        let measured: Vec<&str> =
            challenge.metrics.iter().map(String::as_str).filter(|id| !is_technical(id)).collect();
        let metrics = measured.iter().map(|id| MetricId::parse(id)).collect::<Result<_, _>>();
        let metrics = metrics.map_err(|e| wrong(e.to_string()))?;
        Ok(Self { measured, metrics, set, output, truth, is_score: wanted == PortKind::Table })
    }

    /// The row of a case. An error is the site's fault (a truth that cannot be read), never the model's.
    pub(crate) fn judge(
        &self,
        layout: &Layout<'_>,
        row: usize,
        result: CaseResult,
    ) -> Result<Row, NodeError> {
        let mut judged = Row {
            outcome: Some(result.outcome),
            reason: result.reason,
            seconds: result.seconds,
            usage: result.usage,
            ..Row::default()
        };
        if result.outcome != Outcome::Ok {
            if !self.is_score {
                judged.segmentation = Some(self.unanswered(row)?);
            }
            return Ok(judged);
        }
        let path = layout.output(self.output);
        let Some(bytes) = result.outputs.get(path.path()) else {
            judged.outcome = Some(Outcome::MissingOutput);
            judged.reason = format!("`{}` was not written", path.path());
            if !self.is_score {
                judged.segmentation = Some(self.unanswered(row)?);
            }
            return Ok(judged);
        };
        if self.is_score {
            match layout.probability(self.output, bytes, &result.name) {
                Ok(score) => judged.score = Some(score),
                Err(rule) => judged.break_rule(rule),
            }
        } else {
            let reference = self.reference_mask(row)?;
            match layout.mask(bytes, &reference) {
                Ok(prediction) => {
                    judged.segmentation = Some(measure(&reference, &prediction, &self.metrics)?);
                }
                Err(rule) => {
                    judged.break_rule(rule);
                    judged.segmentation = Some(self.unanswered(row)?);
                }
            }
        }
        Ok(judged)
    }

    fn reference_mask(&self, row: usize) -> Result<Volume<u8>, NodeError> {
        let path = self.truth[row];
        let bytes = self.set.read_listed(path)?;
        image::parse_nifti_mask(&bytes, &image_limits())
            .map_err(|e| NodeError::ReferenceSet { path: self.set.dir.join(path), message: e.to_string() })
    }

    /// A case without a valid answer: only the reference's volume and grid are known.
    fn unanswered(&self, row: usize) -> Result<SegmentationCase, NodeError> {
        let reference = self.reference_mask(row)?;
        let itself = measure(&reference, &reference, &[])?;
        Ok(SegmentationCase { prediction_ml: f64::NAN, ..itself })
    }
}

impl Row {
    fn break_rule(&mut self, rule: outputs::BrokenRule) {
        self.outcome = Some(Outcome::InvalidOutput);
        rule.0.clone_into(&mut self.reason);
    }
}

fn measure(
    reference: &Volume<u8>,
    prediction: &Volume<u8>,
    metrics: &[MetricId],
) -> Result<SegmentationCase, NodeError> {
    segmentation::measure(reference, prediction, metrics).map_err(|e| NodeError::Metric(e.to_string()))
}
