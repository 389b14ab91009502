//! wasi-nn: networks that a module or component loads and runs by the engine of ONNX models.
//!
//! ```text
//! module      load(bytes) ─▶ graph ─ init_execution_context ─▶ context ─ set_input, compute, get_output
//! component   load(bytes) ─▶ graph ─ init-execution-context ─▶ context ─ compute(named tensors) ─▶ named tensors
//! ```
//!
//! Everything lives in the world of one case and goes with it. What a call needs comes from the program's memory; what
//! the engine takes beyond that counts as the case's, since the worker holds it: where a network takes more than there
//! is, the engine is mostly refused and the case ends as `out-of-memory`, or the memory group kills the worker, with the
//! same outcome, or an allocation that cannot fail ends the worker, and the case is `crashed`. The next case gets a new
//! worker. A call has no deadline of its own: the worker is killed at that of the case. Fuel counts none of it.

mod abi;
mod component;

use ort::environment::Environment;
use wasmtime::component::Component;
use wasmtime::{Engine, Module};

pub(crate) use abi::{MODULE, add_to_linker};
pub(crate) use component::{add_component_to_linker, offered};

use crate::log::Log;
use crate::onnx::{Fact, Kind, Network, Tensor, Trouble, Values};

/// Most graphs of a case.
const GRAPHS: usize = 16;

/// Most execution contexts of a module's case; those of a component count among its handles.
const CONTEXTS: usize = 64;

/// Longest text about one call in the case's log, characters.
const WORDS: usize = 1024;

/// Most axes of a tensor.
const RANK: usize = 8;

/// Whether a module imports wasi-nn.
pub(crate) fn imported(module: &Module) -> bool {
    module.imports().any(|import| import.module() == MODULE)
}

/// Whether a component imports wasi-nn.
pub(crate) fn imported_by_component(engine: &Engine, component: &Component) -> bool {
    component.component_type().imports(engine).any(|(name, _)| offered(name))
}

/// The codes of `nn_errno` that are given back here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u16)]
enum Errno {
    InvalidArgument = 1,
    InvalidEncoding = 2,
    RuntimeError = 5,
    UnsupportedOperation = 6,
    TooLarge = 7,
    NotFound = 8,
}

/// Why a call has not done its work.
#[derive(Debug)]
enum Failed {
    /// It answers a code; the words are for the case's log.
    Refused(Errno, String),
    /// There is no memory for it, which ends the case.
    Memory,
}

fn refused<T>(code: Errno, why: impl Into<String>) -> Result<T, Failed> {
    Err(Failed::Refused(code, why.into()))
}

/// The networks of one case.
pub(crate) struct Networks {
    /// The site's engine, started; without one tract works.
    pub(crate) onnxruntime: Option<Environment>,
    /// Where it says why a call failed.
    log: Log,
    graphs: Vec<Network>,
    contexts: Vec<Context>,
    room: Room,
}

/// One execution context.
struct Context {
    /// Number of its graph.
    graph: usize,
    /// What was set of the graph's inputs.
    inputs: Vec<Option<Tensor>>,
    /// What the last run gave; nothing before the first.
    outputs: Vec<Tensor>,
}

/// Bytes that may still be kept for a program: models as it gave them, and tensors. Without this bound it could have the
/// same bytes of its memory kept over and over.
struct Room(usize);

impl Room {
    fn take(&mut self, bytes: usize) -> Result<(), Failed> {
        match self.0.checked_sub(bytes) {
            Some(left) => self.0 = left,
            None => {
                return refused(Errno::TooLarge, "models and tensors take more than the case's memory limit");
            }
        }
        Ok(())
    }

    /// For what was taken before and is kept no more.
    fn give_back(&mut self, bytes: usize) {
        self.0 += bytes;
    }
}

fn bytes(tensors: &[Tensor]) -> usize {
    tensors.iter().map(|tensor| tensor.values.bytes()).sum()
}

impl Networks {
    /// None yet, and tract to run them; at most `room` bytes of models and tensors will be kept.
    pub(crate) fn new(room: usize, log: &Log) -> Self {
        let (graphs, contexts) = (Vec::new(), Vec::new());
        Self { onnxruntime: None, log: log.clone(), graphs, contexts, room: Room(room) }
    }

    /// Loads a model; gives its graph's number.
    fn load(&mut self, model: &[u8]) -> Result<u32, Failed> {
        if self.graphs.len() == GRAPHS {
            return refused(Errno::TooLarge, format!("a case may load {GRAPHS} graphs"));
        }
        // Not given back where loading fails: trying again and again is bounded with it.
        self.room.take(model.len())?;
        let network = Network::load(model, self.onnxruntime.as_ref()).map_err(failed)?;
        Ok(number(&mut self.graphs, network))
    }

    /// Makes a context of a graph; gives its number.
    fn init_execution_context(&mut self, graph: u32) -> Result<u32, Failed> {
        let Some(network) = self.graphs.get(graph as usize) else {
            return refused(Errno::InvalidArgument, format!("there is no graph {graph}"));
        };
        if self.contexts.len() == CONTEXTS {
            return refused(Errno::TooLarge, format!("a case may have {CONTEXTS} execution contexts"));
        }
        let inputs = vec![None; network.inputs()];
        Ok(number(&mut self.contexts, Context { graph: graph as usize, inputs, outputs: Vec::new() }))
    }

    /// Keeps a tensor for an input, in place of what was set before; `data` has the length that type and shape ask for.
    fn set_input(&mut self, context: u32, input: u32, fact: Fact, data: &[u8]) -> Result<(), Failed> {
        let context = find(&mut self.contexts, context)?;
        let input = input as usize;
        self.graphs[context.graph].takes(input, &fact).or_else(|why| refused(Errno::InvalidArgument, why))?;
        self.room.give_back(context.inputs[input].take().map_or(0, |tensor| tensor.values.bytes()));
        self.room.take(data.len())?;
        let values = Values::from_bytes(fact.kind, data);
        context.inputs[input] = Some(Tensor { shape: fact.shape, values });
        Ok(())
    }

    /// Runs the graph of a context over its inputs, which stay.
    fn compute(&mut self, context: u32) -> Result<(), Failed> {
        let context = find(&mut self.contexts, context)?;
        self.room.give_back(bytes(&std::mem::take(&mut context.outputs)));
        if let Some(unset) = context.inputs.iter().position(Option::is_none) {
            return refused(Errno::RuntimeError, format!("input {unset} was not set"));
        }
        let feeds: Vec<Tensor> = context.inputs.drain(..).flatten().collect();
        let computed = self.graphs[context.graph].compute(&feeds);
        context.inputs.extend(feeds.into_iter().map(Some));
        let outputs = computed.map_err(failed)?;
        self.room.take(bytes(&outputs))?;
        context.outputs = outputs;
        Ok(())
    }

    /// Runs a graph over tensors for its inputs, in any order; gives its outputs with their names.
    fn compute_named(
        &mut self,
        graph: u32,
        tensors: Vec<(&str, Tensor)>,
    ) -> Result<Vec<(String, Tensor)>, Failed> {
        let Some(network) = self.graphs.get_mut(graph as usize) else {
            return refused(Errno::InvalidArgument, format!("there is no graph {graph}"));
        };
        let mut inputs: Vec<Option<Tensor>> = vec![None; network.inputs()];
        for (name, tensor) in tensors {
            let Some(input) = network.input_named(name) else {
                return refused(Errno::InvalidArgument, "the model has no input of a name that was given");
            };
            network.takes(input, &tensor.fact()).or_else(|why| refused(Errno::InvalidArgument, why))?;
            if inputs[input].replace(tensor).is_some() {
                return refused(Errno::InvalidArgument, format!("input {input} was given twice"));
            }
        }
        if let Some(unset) = inputs.iter().position(Option::is_none) {
            return refused(Errno::RuntimeError, format!("input {unset} was not set"));
        }
        let feeds: Vec<Tensor> = inputs.into_iter().flatten().collect();
        let outputs = network.compute(&feeds).map_err(failed)?;
        Ok(network.output_names().iter().cloned().zip(outputs).collect())
    }

    /// Says in the case's log why a call was refused.
    fn say(&self, call: &str, why: &str) {
        let text: String = why.chars().take(WORDS).collect();
        self.log.keep(format!("wasi-nn: {call}: {text}\n").as_bytes());
    }

    /// What the last run of a context gave as the output of this number.
    fn output(&mut self, context: u32, output: u32) -> Result<&Values, Failed> {
        let context = find(&mut self.contexts, context)?;
        let outputs = self.graphs[context.graph].output_names().len();
        if output as usize >= outputs {
            return refused(
                Errno::InvalidArgument,
                format!("the model has {outputs} outputs; there is no {output}"),
            );
        }
        match context.outputs.get(output as usize) {
            Some(tensor) => Ok(&tensor.values),
            None => refused(Errno::RuntimeError, "nothing was computed in this context"),
        }
    }
}

/// Refuses an encoding and a target that nothing here runs.
fn runs(onnx: bool, processor: bool) -> Result<(), Failed> {
    match (onnx, processor) {
        (true, true) => Ok(()),
        (true, false) => refused(Errno::UnsupportedOperation, "graphs run on the processor (`cpu`) only"),
        (false, _) => refused(Errno::InvalidEncoding, "only graphs of the encoding `onnx` are run"),
    }
}

/// Refuses another number of builders than ONNX has.
fn one_model(builders: usize) -> Result<(), Failed> {
    match builders {
        1 => Ok(()),
        _ => refused(Errno::InvalidArgument, format!("a model in ONNX is one list of bytes, not {builders}")),
    }
}

/// No graph has a name.
fn by_name<T>() -> Result<T, Failed> {
    refused(Errno::NotFound, "no site keeps graphs by name; load the bytes of a model")
}

/// Type and shape of a tensor, checked against the number of its bytes. No axis is empty: engines do not agree about
/// tensors without elements.
fn fact(kind: Kind, dimensions: &[u32], bytes: usize) -> Result<Fact, Failed> {
    check_rank(dimensions.len())?;
    let shape: Vec<usize> = dimensions.iter().map(|&size| size as usize).collect();
    let wanted = shape.iter().try_fold(kind.size(), |product, &size| product.checked_mul(size));
    if shape.contains(&0) || wanted != Some(bytes) {
        let why = format!("{bytes} bytes are no tensor of {} of the shape {shape:?}", kind.as_str());
        return refused(Errno::InvalidArgument, why);
    }
    Ok(Fact { kind, shape })
}

fn check_rank(axes: usize) -> Result<(), Failed> {
    if axes <= RANK {
        Ok(())
    } else {
        refused(Errno::TooLarge, format!("a tensor of {axes} axes; {RANK} are taken"))
    }
}

/// Adds to a list and gives the number there, which is small.
fn number<T>(list: &mut Vec<T>, item: T) -> u32 {
    list.push(item);
    (list.len() - 1).try_into().unwrap_or(u32::MAX)
}

fn find(contexts: &mut [Context], context: u32) -> Result<&mut Context, Failed> {
    let found = contexts.get_mut(context as usize);
    found.ok_or_else(|| {
        Failed::Refused(Errno::InvalidArgument, format!("there is no execution context {context}"))
    })
}

fn failed(trouble: Trouble) -> Failed {
    match trouble {
        Trouble::NoModel(why) => Failed::Refused(Errno::InvalidEncoding, why),
        Trouble::Refused(why) => Failed::Refused(Errno::RuntimeError, why),
        Trouble::Memory => Failed::Memory,
    }
}
