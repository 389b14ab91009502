//! An ONNX model without a manifest: a program loads it and passes tensors by number.

use std::panic::{AssertUnwindSafe, catch_unwind};

use ort::environment::Environment;

use super::backend::{self, Backend, Fact, Names, Tensor, last_words, no_memory};
use super::graph::{Port, sound};
use super::tract;

/// Most inputs, and most outputs, of a network.
const PORTS: usize = 256;

/// Why a network does not do what is asked of it. The words may hold numbers of the case.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// The bytes are no ONNX model.
    NoModel(String),
    /// The model, the input or the run is not possible.
    Refused(String),
    /// The engine asked for memory in vain, and came back from that.
    Memory,
}

/// A loaded network with its inputs and outputs in the order in which the model declares them.
pub(crate) struct Network {
    backend: Box<dyn Backend>,
    inputs: Vec<Port>,
    outputs: Vec<String>,
}

impl Network {
    /// Loads the bytes of `model.onnx`, after the same checks as of an artifact.
    pub(crate) fn load(bytes: &[u8], onnxruntime: Option<&Environment>) -> Result<Self, Trouble> {
        let loaded = guarded(|| {
            let model = tract::parse(bytes).map_err(Trouble::NoModel)?;
            let graph = sound(&model, &*backend::known(onnxruntime)).map_err(Trouble::Refused)?;
            let (inputs, outputs) = (Port::inputs(graph), Port::outputs(graph));
            if inputs.len().max(outputs.len()) > PORTS {
                return Err(Trouble::Refused(format!("the model has more than {PORTS} inputs or outputs")));
            }
            let named = |ports: &[Port]| ports.iter().map(|port| port.name.clone()).collect();
            let names = Names { inputs: named(&inputs), outputs: named(&outputs) };
            let outputs = names.outputs.clone();
            let backend = backend::load(onnxruntime, &model, bytes, names).map_err(engine_trouble)?;
            Ok((backend, inputs, outputs))
        });
        loaded.map(|(backend, inputs, outputs)| Self { backend, inputs, outputs })
    }

    /// Number of its inputs.
    pub(crate) fn inputs(&self) -> usize {
        self.inputs.len()
    }

    /// The input of this name, by number.
    pub(crate) fn input_named(&self, name: &str) -> Option<usize> {
        self.inputs.iter().position(|port| port.name == name)
    }

    /// Names of its outputs.
    pub(crate) fn output_names(&self) -> &[String] {
        &self.outputs
    }

    /// Refuses a tensor that the input of this number does not take.
    pub(crate) fn takes(&self, input: usize, fact: &Fact) -> Result<(), String> {
        let port = self.inputs.get(input);
        let port =
            port.ok_or_else(|| format!("the model has {} inputs; there is no {input}", self.inputs()))?;
        port.takes(fact, "the program")
    }

    /// Runs tensors for all inputs; gives all outputs. The first run, and one with other shapes than the last, makes
    /// the model ready before.
    pub(crate) fn compute(&mut self, feeds: &[Tensor]) -> Result<Vec<Tensor>, Trouble> {
        guarded(|| {
            let facts: Vec<Fact> = feeds.iter().map(Tensor::fact).collect();
            self.backend.prepare(&facts).and_then(|()| self.backend.run(feeds)).map_err(engine_trouble)
        })
    }
}

fn engine_trouble(error: String) -> Trouble {
    if no_memory(&error) { Trouble::Memory } else { Trouble::Refused(error) }
}

/// An engine that panics says the same as one that refuses.
fn guarded<T>(work: impl FnOnce() -> Result<T, Trouble>) -> Result<T, Trouble> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| Err(engine_trouble(last_words(&*panic))))
}
