//! The interfaces of wasi-nn as a component calls them (`sandbox/wit/nn/nn.wit`): values in and out, handles kept by the
//! case's world.

use wasmtime::component::{HasSelf, Linker, Resource};

use super::{Errno, Failed, WORDS, by_name, fact, one_model, refused, runs};
use crate::onnx::{Kind, Tensor, Values};
use crate::world::World;

#[allow(
    missing_docs,
    unreachable_pub,
    clippy::pedantic,
    reason = "made by the engine's macro from sandbox/wit/nn/nn.wit"
)]
mod bindings {
    wasmtime::component::bindgen!({
        path: "wit/nn",
        world: "ml",
        imports: { default: trappable },
        with: {
            "wasi:nn/tensor.tensor": super::handles::Given,
            "wasi:nn/graph.graph": super::handles::Graph,
            "wasi:nn/inference.graph-execution-context": super::handles::Context,
            "wasi:nn/errors.error": super::handles::Refusal,
        },
    });
}

use bindings::wasi::nn::{errors, graph, inference, tensor};
use handles::{Context, Given, Graph, Refusal};

/// What the handles of a component stand for.
#[allow(unreachable_pub, reason = "the engine's macro exports them once more")]
mod handles {
    use super::{errors, tensor};

    /// A tensor as it was given: what is wrong with it is said when it is used, since its constructor cannot fail.
    pub struct Given {
        pub(super) dimensions: Vec<u32>,
        pub(super) ty: tensor::TensorType,
        pub(super) data: Vec<u8>,
    }

    /// The number of a graph; it stays until the case ends.
    pub struct Graph(pub(super) u32);

    /// An execution context: the number of the graph that it runs.
    pub struct Context(pub(super) u32);

    /// Why a call was refused.
    pub struct Refusal {
        pub(super) code: errors::ErrorCode,
        pub(super) why: String,
    }
}

/// What all of its interfaces begin with.
const PACKAGE: &str = "wasi:nn/";

/// Their version, the only one there is of this form.
const VERSION: &str = "0.2.0-rc-2024-10-28";

/// Adds all interfaces.
pub(crate) fn add_component_to_linker(linker: &mut Linker<World>) -> wasmtime::Result<()> {
    tensor::add_to_linker::<World, HasSelf<World>>(linker, |world| world)?;
    graph::add_to_linker::<World, HasSelf<World>>(linker, |world| world)?;
    inference::add_to_linker::<World, HasSelf<World>>(linker, |world| world)?;
    errors::add_to_linker::<World, HasSelf<World>>(linker, |world| world)
}

/// Whether an import is one of its interfaces, in the version that is offered.
pub(crate) fn offered(import: &str) -> bool {
    let interface = import.strip_prefix(PACKAGE).and_then(|rest| rest.split_once('@'));
    interface.is_some_and(|(name, version)| {
        ["tensor", "graph", "inference", "errors"].contains(&name) && version == VERSION
    })
}

impl Given {
    /// Bytes that are kept for it.
    fn bytes(&self) -> usize {
        self.data.len() + size_of_val(self.dimensions.as_slice())
    }

    fn of(tensor: &Tensor) -> Self {
        let mut data = vec![0; tensor.values.bytes()];
        tensor.values.write_to(&mut data);
        let dimensions = tensor.shape.iter().map(|&size| u32::try_from(size).unwrap_or(u32::MAX)).collect();
        let ty = match tensor.values.kind() {
            Kind::F32 => tensor::TensorType::Fp32,
            Kind::F64 => tensor::TensorType::Fp64,
            Kind::I32 => tensor::TensorType::I32,
            Kind::I64 => tensor::TensorType::I64,
            Kind::U8 => tensor::TensorType::U8,
        };
        Self { dimensions, ty, data }
    }

    fn tensor(&self) -> Result<Tensor, Failed> {
        let kind = match self.ty {
            tensor::TensorType::Fp32 => Kind::F32,
            tensor::TensorType::Fp64 => Kind::F64,
            tensor::TensorType::I32 => Kind::I32,
            tensor::TensorType::I64 => Kind::I64,
            tensor::TensorType::U8 => Kind::U8,
            tensor::TensorType::Fp16 | tensor::TensorType::Bf16 => {
                return refused(Errno::UnsupportedOperation, "tensors of FP16 and BF16 are not taken");
            }
        };
        let fact = fact(kind, &self.dimensions, self.data.len())?;
        Ok(Tensor { shape: fact.shape, values: Values::from_bytes(kind, &self.data) })
    }
}

/// What a call gives: its value, or a handle of the reason why there is none.
type Answer<T> = wasmtime::Result<Result<T, Resource<Refusal>>>;

impl World {
    /// Answers with what came of a call.
    fn answer<T>(&mut self, call: &str, done: Result<T, Failed>) -> Answer<T> {
        match done {
            Ok(value) => Ok(Ok(value)),
            Err(Failed::Memory) => Err(self.no_memory()),
            Err(Failed::Refused(code, why)) => {
                let why = why.chars().take(WORDS).collect::<String>();
                self.networks.say(call, &why);
                let code = match code {
                    Errno::InvalidArgument => errors::ErrorCode::InvalidArgument,
                    Errno::InvalidEncoding => errors::ErrorCode::InvalidEncoding,
                    Errno::RuntimeError => errors::ErrorCode::RuntimeError,
                    Errno::UnsupportedOperation => errors::ErrorCode::UnsupportedOperation,
                    Errno::TooLarge => errors::ErrorCode::TooLarge,
                    Errno::NotFound => errors::ErrorCode::NotFound,
                };
                Ok(Err(self.table().push(Refusal { code, why })?))
            }
        }
    }

    /// Keeps a tensor for the component.
    fn give(&mut self, given: Given) -> wasmtime::Result<Resource<Given>> {
        if self.networks.room.take(given.bytes()).is_err() {
            return Err(self.no_memory());
        }
        Ok(self.table().push(given)?)
    }

    /// Takes a tensor back.
    fn take(&mut self, handle: Resource<Given>) -> wasmtime::Result<Given> {
        let given = self.table().delete(handle)?;
        self.networks.room.give_back(given.bytes());
        Ok(given)
    }
}

impl tensor::Host for World {}

impl tensor::HostTensor for World {
    fn new(
        &mut self,
        dimensions: Vec<u32>,
        ty: tensor::TensorType,
        data: Vec<u8>,
    ) -> wasmtime::Result<Resource<Given>> {
        self.give(Given { dimensions, ty, data })
    }

    fn dimensions(&mut self, handle: Resource<Given>) -> wasmtime::Result<Vec<u32>> {
        Ok(self.table().get(&handle)?.dimensions.clone())
    }

    fn ty(&mut self, handle: Resource<Given>) -> wasmtime::Result<tensor::TensorType> {
        Ok(self.table().get(&handle)?.ty)
    }

    fn data(&mut self, handle: Resource<Given>) -> wasmtime::Result<Vec<u8>> {
        Ok(self.table().get(&handle)?.data.clone())
    }

    fn drop(&mut self, handle: Resource<Given>) -> wasmtime::Result<()> {
        self.take(handle).map(|_| ())
    }
}

impl graph::Host for World {
    fn load(
        &mut self,
        builder: Vec<Vec<u8>>,
        encoding: graph::GraphEncoding,
        target: graph::ExecutionTarget,
    ) -> Answer<Resource<Graph>> {
        let onnx = matches!(encoding, graph::GraphEncoding::Onnx | graph::GraphEncoding::Autodetect);
        let loaded = runs(onnx, target == graph::ExecutionTarget::Cpu)
            .and_then(|()| one_model(builder.len()))
            .and_then(|()| self.networks.load(&builder[0]));
        let handle = loaded.map(|number| self.table().push(Graph(number)));
        self.answer("load", handle)?.map_or_else(|refusal| Ok(Err(refusal)), |handle| Ok(Ok(handle?)))
    }

    fn load_by_name(&mut self, _: String) -> Answer<Resource<Graph>> {
        self.answer("load-by-name", by_name())
    }
}

impl graph::HostGraph for World {
    fn init_execution_context(&mut self, handle: Resource<Graph>) -> Answer<Resource<Context>> {
        let Graph(number) = *self.table().get(&handle)?;
        Ok(Ok(self.table().push(Context(number))?))
    }

    fn drop(&mut self, handle: Resource<Graph>) -> wasmtime::Result<()> {
        self.table().delete(handle)?;
        Ok(())
    }
}

impl inference::Host for World {}

impl inference::HostGraphExecutionContext for World {
    fn compute(
        &mut self,
        handle: Resource<Context>,
        inputs: Vec<(String, Resource<Given>)>,
    ) -> Answer<Vec<(String, Resource<Given>)>> {
        let Context(number) = *self.table().get(&handle)?;
        let mut given = Vec::with_capacity(inputs.len());
        for (name, tensor) in inputs {
            given.push((name, self.take(tensor)?));
        }
        let tensors: Result<Vec<_>, Failed> =
            given.iter().map(|(name, given)| Ok((name.as_str(), given.tensor()?))).collect();
        let computed = tensors.and_then(|tensors| self.networks.compute_named(number, tensors));
        let outputs = match self.answer("compute", computed)? {
            Ok(outputs) => outputs,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let mut handles = Vec::with_capacity(outputs.len());
        for (name, tensor) in outputs {
            handles.push((name, self.give(Given::of(&tensor))?));
        }
        Ok(Ok(handles))
    }

    fn drop(&mut self, handle: Resource<Context>) -> wasmtime::Result<()> {
        self.table().delete(handle)?;
        Ok(())
    }
}

impl errors::Host for World {}

impl errors::HostError for World {
    fn code(&mut self, handle: Resource<Refusal>) -> wasmtime::Result<errors::ErrorCode> {
        Ok(self.table().get(&handle)?.code)
    }

    fn data(&mut self, handle: Resource<Refusal>) -> wasmtime::Result<String> {
        Ok(self.table().get(&handle)?.why.clone())
    }

    fn drop(&mut self, handle: Resource<Refusal>) -> wasmtime::Result<()> {
        self.table().delete(handle)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_interfaces_of_this_version_are_offered() {
        for interface in ["tensor", "graph", "inference", "errors"] {
            assert!(offered(&format!("wasi:nn/{interface}@0.2.0-rc-2024-10-28")), "{interface}");
            assert!(!offered(&format!("wasi:nn/{interface}@0.2.0-rc-2024-06-25")), "{interface}");
            assert!(!offered(&format!("wasi:nn/{interface}")), "{interface}");
        }
        assert!(
            !offered("wasi:nn/graphs@0.2.0-rc-2024-10-28") && !offered("wasi:io/errors@0.2.0-rc-2024-10-28")
        );
    }
}
