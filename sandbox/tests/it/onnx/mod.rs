//! ONNX models: what they compute, how they fail, whether two engines agree.

pub(crate) mod bundles;
mod engines;
mod hostile;
mod parity;
mod values;
