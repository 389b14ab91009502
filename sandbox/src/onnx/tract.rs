//! The built-in engine: tract, in pure Rust, on one thread.

use std::sync::Arc;

use fiel_schemas::onnx::ElementType;
use tract_onnx::pb::ModelProto;
use tract_onnx::prelude::{
    Datum, Framework as _, InferenceFact, InferenceModelExt as _, IntoRunnable as _, TValue, TVec,
    Tensor as TractTensor, TractResult, TypedRunnableModel,
};

use super::backend::{Backend, Tensor, Values};
use super::plan::Plan;

/// Version of the engine, as in the lock file (a test compares).
pub(super) const VERSION: &str = "0.23.9";

/// A model that tract has optimised for fixed shapes.
pub(super) struct Tract {
    model: Arc<TypedRunnableModel>,
    shapes: Vec<Vec<usize>>,
}

/// Reads the protocol buffer.
pub(super) fn parse(bytes: &[u8]) -> Result<ModelProto, String> {
    let mut reader = bytes;
    tract_onnx::onnx()
        .proto_model_for_read(&mut reader)
        .map_err(|error| format!("model.onnx is not an ONNX model: {error:#}"))
}

/// Whether tract knows an operator.
pub(super) fn knows() -> impl Fn(&str) -> bool {
    let register = tract_onnx::onnx().op_register;
    move |operator| register.0.contains_key(operator)
}

impl Tract {
    /// Prepares a checked model for the plan's shapes.
    pub(super) fn load(model: &ModelProto, plan: &Plan) -> Result<Self, String> {
        let load = || -> TractResult<Arc<TypedRunnableModel>> {
            let mut graph = tract_onnx::onnx().model_for_proto_model(model)?;
            graph.select_inputs_by_name(plan.feeds.iter().map(|feed| &feed.tensor))?;
            graph.select_outputs_by_name(&plan.outputs)?;
            for (index, feed) in plan.feeds.iter().enumerate() {
                let kind = match feed.dtype {
                    ElementType::F32 => f32::datum_type(),
                    ElementType::I64 => i64::datum_type(),
                    ElementType::U8 => u8::datum_type(),
                };
                graph.set_input_fact(index, InferenceFact::dt_shape(kind, feed.shape.iter().copied()))?;
            }
            graph.into_optimized()?.into_runnable()
        };
        let model = load().map_err(|error| format!("tract cannot run this model: {error:#}"))?;
        Ok(Self { model, shapes: plan.feeds.iter().map(|feed| feed.shape.clone()).collect() })
    }
}

impl Backend for Tract {
    fn run(&mut self, feeds: Vec<Values>) -> Result<Vec<Tensor>, String> {
        let run = || -> TractResult<Vec<Tensor>> {
            let feeds = feeds.iter().zip(&self.shapes).map(|(values, shape)| {
                let tensor = match values {
                    Values::F32(values) => TractTensor::from_shape(shape, values),
                    Values::I64(values) => TractTensor::from_shape(shape, values),
                    Values::U8(values) => TractTensor::from_shape(shape, values),
                };
                tensor.map(TValue::from)
            });
            let outputs = self.model.run(feeds.collect::<TractResult<TVec<TValue>>>()?)?;
            let read = |tensor: TValue| {
                let values = tensor.try_as_plain_ram()?.as_slice::<f32>()?.to_vec();
                Ok(Tensor { shape: tensor.shape().to_vec(), values })
            };
            outputs.into_iter().map(read).collect()
        };
        run().map_err(|error| format!("{error:#}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stated_version_is_the_locked_one() {
        let lock = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.lock")).unwrap();
        assert!(lock.contains(&format!("name = \"tract-onnx\"\nversion = \"{VERSION}\"")));
    }
}
