//! What every ONNX engine does: run tensors through a model.

use super::plan::Plan;

/// The numbers of a tensor that is filled, in row-major order.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Values {
    F32(Vec<f32>),
    I64(Vec<i64>),
    U8(Vec<u8>),
}

/// A tensor that came out.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Tensor {
    pub(super) shape: Vec<usize>,
    /// In row-major order.
    pub(super) values: Vec<f32>,
}

/// A loaded model.
pub(super) trait Backend {
    /// Runs one set of tensors, in the order of the plan's feeds; gives the plan's outputs. The error may hold
    /// numbers of the case: it is for the site's log.
    fn run(&mut self, feeds: Vec<Values>) -> Result<Vec<Tensor>, String>;
}

/// Zeros for every feed of a plan.
pub(super) fn zeros(plan: &Plan) -> Vec<Values> {
    let zeros = |feed: &super::plan::Feed| {
        super::window::elements(feed.dtype, vec![0.0; feed.shape.iter().product()])
    };
    plan.feeds.iter().map(zeros).collect()
}
