//! What every ONNX engine does: run tensors through a model.

use std::any::Any;

use fiel_schemas::onnx::ElementType;
use ort::environment::Environment;
use tract_onnx::pb::ModelProto;

use super::ort::Ort;
use super::tract::{self, Tract};

/// Type of a tensor's elements, of those that are passed to models and back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    F32,
    F64,
    I32,
    I64,
    U8,
}

impl Kind {
    /// Its code in the ONNX specification.
    pub(super) const fn code(self) -> i32 {
        match self {
            Self::F32 => 1,
            Self::U8 => 2,
            Self::I32 => 6,
            Self::I64 => 7,
            Self::F64 => 11,
        }
    }

    /// Its short name.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F64 => "f64",
            Self::I32 => "i32",
            Self::I64 => "i64",
            Self::U8 => "u8",
        }
    }

    /// Bytes of one element.
    pub(crate) const fn size(self) -> usize {
        match self {
            Self::U8 => 1,
            Self::F32 | Self::I32 => 4,
            Self::F64 | Self::I64 => 8,
        }
    }
}

impl From<ElementType> for Kind {
    fn from(dtype: ElementType) -> Self {
        match dtype {
            ElementType::F32 => Self::F32,
            ElementType::I64 => Self::I64,
            ElementType::U8 => Self::U8,
        }
    }
}

/// The numbers of a tensor, in row-major order.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Values {
    F32(Vec<f32>),
    F64(Vec<f64>),
    I32(Vec<i32>),
    I64(Vec<i64>),
    U8(Vec<u8>),
}

/// The same expression for numbers of every type.
macro_rules! with_numbers {
    ($values:expr, $numbers:ident => $body:expr) => {
        match $values {
            $crate::onnx::backend::Values::F32($numbers) => $body,
            $crate::onnx::backend::Values::F64($numbers) => $body,
            $crate::onnx::backend::Values::I32($numbers) => $body,
            $crate::onnx::backend::Values::I64($numbers) => $body,
            $crate::onnx::backend::Values::U8($numbers) => $body,
        }
    };
}
pub(super) use with_numbers;

/// Numbers from their little-endian bytes; what is left over at the end is no number.
macro_rules! from_bytes {
    ($bytes:expr, $number:ty) => {
        $bytes
            .as_chunks::<{ size_of::<$number>() }>()
            .0
            .iter()
            .map(|&raw| <$number>::from_le_bytes(raw))
            .collect()
    };
}

impl Values {
    /// Numbers of this type from their little-endian bytes.
    pub(crate) fn from_bytes(kind: Kind, bytes: &[u8]) -> Self {
        match kind {
            Kind::F32 => Self::F32(from_bytes!(bytes, f32)),
            Kind::F64 => Self::F64(from_bytes!(bytes, f64)),
            Kind::I32 => Self::I32(from_bytes!(bytes, i32)),
            Kind::I64 => Self::I64(from_bytes!(bytes, i64)),
            Kind::U8 => Self::U8(bytes.to_vec()),
        }
    }

    /// Writes the numbers as little-endian bytes, as far as there is room.
    pub(crate) fn write_to(&self, target: &mut [u8]) {
        let size = self.kind().size();
        let slots = target.chunks_exact_mut(size);
        with_numbers!(self, numbers => {
            slots.zip(numbers).for_each(|(slot, number)| slot.copy_from_slice(&number.to_le_bytes()));
        });
    }

    /// Type of the numbers.
    pub(crate) const fn kind(&self) -> Kind {
        match self {
            Self::F32(_) => Kind::F32,
            Self::F64(_) => Kind::F64,
            Self::I32(_) => Kind::I32,
            Self::I64(_) => Kind::I64,
            Self::U8(_) => Kind::U8,
        }
    }

    /// Bytes that all numbers take.
    pub(crate) fn bytes(&self) -> usize {
        with_numbers!(self, numbers => size_of_val(numbers.as_slice()))
    }
}

/// A tensor; [`Values`] hold numbers of whatever type.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Tensor<V = Values> {
    pub(crate) shape: Vec<usize>,
    /// In row-major order.
    pub(crate) values: V,
}

impl Tensor {
    /// Its type and shape.
    pub(crate) fn fact(&self) -> Fact {
        Fact { kind: self.values.kind(), shape: self.shape.clone() }
    }

    /// The same tensor where its numbers are of single precision.
    pub(super) fn into_floats(self) -> Result<Tensor<Vec<f32>>, String> {
        match self.values {
            Values::F32(values) => Ok(Tensor { shape: self.shape, values }),
            other => Err(format!("an output is of type {}; f32 is read", other.kind().as_str())),
        }
    }
}

/// Type and shape of a tensor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fact {
    pub(crate) kind: Kind,
    pub(crate) shape: Vec<usize>,
}

impl Fact {
    /// A tensor of zeros.
    pub(super) fn zeros(&self) -> Tensor {
        let bytes = vec![0; self.shape.iter().product::<usize>() * self.kind.size()];
        Tensor { shape: self.shape.clone(), values: Values::from_bytes(self.kind, &bytes) }
    }
}

/// Names of the tensors that a model is given and of those that are asked for, in the order in which they pass.
#[derive(Debug, Clone)]
pub(super) struct Names {
    pub(super) inputs: Vec<String>,
    pub(super) outputs: Vec<String>,
}

/// A loaded model.
pub(super) trait Backend: Send {
    /// Makes the model ready for inputs of these types and shapes; what was made is kept while they stay the same.
    fn prepare(&mut self, inputs: &[Fact]) -> Result<(), String>;

    /// Runs one set of tensors, of the types and shapes it was made ready for; gives the outputs. The error may hold
    /// numbers of the case: it is for the site's log.
    fn run(&mut self, feeds: &[Tensor]) -> Result<Vec<Tensor>, String>;
}

/// Loads a checked model: by onnxruntime where it was started, else by tract.
pub(super) fn load(
    onnxruntime: Option<&Environment>,
    model: &ModelProto,
    bytes: &[u8],
    names: Names,
) -> Result<Box<dyn Backend>, String> {
    Ok(match onnxruntime {
        Some(environment) => Box::new(Ort::load(environment, bytes, names)?),
        None => Box::new(Tract::load(model, &names)?),
    })
}

/// Which operators the engine knows: onnxruntime says itself what it lacks.
pub(super) fn known(onnxruntime: Option<&Environment>) -> Box<dyn Fn(&str) -> bool> {
    if onnxruntime.is_some() { Box::new(|_| true) } else { Box::new(tract::knows()) }
}

/// What an engine says that panicked, as far as it says anything.
pub(super) fn last_words(panic: &(dyn Any + Send)) -> String {
    let words = panic.downcast_ref::<String>().map(String::as_str);
    let words = words.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no reason given");
    format!("the engine failed inside: {words}")
}

/// Whether an engine asked for memory in vain: onnxruntime in the words of C++, tract in its own. An allocation of
/// another part of tract, or one that the kernel refuses only when it is used, ends the process instead.
pub(super) fn no_memory(error: &str) -> bool {
    ["bad_alloc", "bad allocation", "Failed to allocate memory", "failed to allocate Layout"]
        .iter()
        .any(|words| error.contains(words))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_become_numbers_and_numbers_the_same_bytes() {
        let bytes: Vec<u8> = (1..=48).collect();
        for kind in [Kind::F32, Kind::F64, Kind::I32, Kind::I64, Kind::U8] {
            let values = Values::from_bytes(kind, &bytes);
            assert_eq!((values.kind(), values.bytes()), (kind, 48));
            let mut back = vec![0; 50];
            values.write_to(&mut back);
            assert_eq!((&back[..48], &back[48..]), (bytes.as_slice(), [0, 0].as_slice()), "{kind:?}");
        }
        assert_eq!(Values::from_bytes(Kind::I32, &[1, 0, 0, 0, 9]), Values::I32(vec![1]));
    }
}
