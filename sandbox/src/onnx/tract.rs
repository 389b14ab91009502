//! The built-in engine: tract, in pure Rust, on one thread.

use std::sync::{Arc, LazyLock};

use tract_onnx::Onnx;
use tract_onnx::pb::ModelProto;
use tract_onnx::prelude::{
    Datum, DatumType, Framework as _, InferenceFact, InferenceModel, InferenceModelExt as _,
    IntoRunnable as _, TValue, TVec, Tensor as TractTensor, TractError, TractResult, TypedRunnableModel,
};

use super::backend::{Backend, Fact, Kind, Names, Tensor, Values, with_numbers};

/// Version of the engine, as in the lock file (a test compares).
pub(super) const VERSION: &str = "0.23.9";

/// A model that tract has read.
pub(super) struct Tract {
    graph: InferenceModel,
    ready: Option<Ready>,
}

/// The model optimised for fixed types and shapes of its inputs.
struct Ready {
    inputs: Vec<Fact>,
    model: Arc<TypedRunnableModel>,
}

/// tract's reader of ONNX. Listing its operators takes longer than reading a small model.
fn framework() -> &'static Onnx {
    static FRAMEWORK: LazyLock<Onnx> = LazyLock::new(tract_onnx::onnx);
    &FRAMEWORK
}

/// Reads the protocol buffer.
pub(super) fn parse(bytes: &[u8]) -> Result<ModelProto, String> {
    let mut reader = bytes;
    framework()
        .proto_model_for_read(&mut reader)
        .map_err(|error| format!("model.onnx is not an ONNX model: {error:#}"))
}

/// Whether tract knows an operator.
pub(super) fn knows() -> impl Fn(&str) -> bool {
    |operator| framework().op_register.0.contains_key(operator)
}

impl Tract {
    /// Takes a checked model.
    pub(super) fn load(model: &ModelProto, names: &Names) -> Result<Self, String> {
        let load = || -> TractResult<InferenceModel> {
            let mut graph = framework().model_for_proto_model(model)?;
            graph.select_inputs_by_name(&names.inputs)?;
            graph.select_outputs_by_name(&names.outputs)?;
            Ok(graph)
        };
        load().map(|graph| Self { graph, ready: None }).map_err(|error| refused(&error))
    }

    fn optimised(&self, inputs: &[Fact]) -> TractResult<Arc<TypedRunnableModel>> {
        let mut graph = self.graph.clone();
        for (index, Fact { kind, shape }) in inputs.iter().enumerate() {
            let kind = match kind {
                Kind::F32 => f32::datum_type(),
                Kind::F64 => f64::datum_type(),
                Kind::I32 => i32::datum_type(),
                Kind::I64 => i64::datum_type(),
                Kind::U8 => u8::datum_type(),
            };
            graph.set_input_fact(index, InferenceFact::dt_shape(kind, shape.iter().copied()))?;
        }
        graph.into_optimized()?.into_runnable()
    }
}

fn refused(error: &impl std::fmt::Display) -> String {
    format!("tract cannot run this model: {error:#}")
}

impl Backend for Tract {
    fn prepare(&mut self, inputs: &[Fact]) -> Result<(), String> {
        if self.ready.as_ref().is_none_or(|ready| ready.inputs != inputs) {
            // The old one first: there may not be room for two.
            self.ready = None;
            let model = self.optimised(inputs).map_err(|error| refused(&error))?;
            self.ready = Some(Ready { inputs: inputs.to_vec(), model });
        }
        Ok(())
    }

    fn run(&mut self, feeds: &[Tensor]) -> Result<Vec<Tensor>, String> {
        let Ready { model, .. } = self.ready.as_ref().ok_or("the model was not made ready for its inputs")?;
        let feed = |Tensor { shape, values }: &Tensor| {
            with_numbers!(values, numbers => TractTensor::from_shape(shape, numbers)).map(TValue::from)
        };
        let run = || -> TractResult<Vec<Tensor>> {
            let outputs = model.run(feeds.iter().map(feed).collect::<TractResult<TVec<TValue>>>()?)?;
            outputs.iter().map(|tensor| read(tensor)).collect()
        };
        run().map_err(|error| format!("{error:#}"))
    }
}

/// A tensor that came out. Sizes of axes (`TDim`) are what ONNX knows as 64-bit integers.
fn read(tensor: &TractTensor) -> TractResult<Tensor> {
    let tensor = if tensor.datum_type().is_tdim() {
        tensor.cast_to::<i64>()?
    } else {
        std::borrow::Cow::Borrowed(tensor)
    };
    let plain = tensor.try_as_plain_ram()?;
    let values = match tensor.datum_type() {
        DatumType::F32 => Values::F32(plain.as_slice()?.to_vec()),
        DatumType::F64 => Values::F64(plain.as_slice()?.to_vec()),
        DatumType::I32 => Values::I32(plain.as_slice()?.to_vec()),
        DatumType::I64 => Values::I64(plain.as_slice()?.to_vec()),
        DatumType::U8 => Values::U8(plain.as_slice()?.to_vec()),
        other => {
            return Err(TractError::msg(format!("an output is of type {other:?}, which is not passed on")));
        }
    };
    Ok(Tensor { shape: tensor.shape().to_vec(), values })
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
