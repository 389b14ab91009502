//! Between a challenge's ports and the files that a model finds and writes: one layout for each dialect.
//!
//! A layout decides about paths and forms only. What is measured does not depend on it: a probability is a number
//! between 0 and 1 and a mask lies on the grid of the reference, whoever wrote them.

mod fiel;
mod grand_challenge;
mod medperf;

use crate::NodeError;
use crate::outputs::{self, BrokenRule};
use fiel_metrics::image::Volume;
use fiel_sandbox::{Dialect, Expected};
use fiel_schemas::challenge::{Challenge, Interface, Port, PortKind};

/// One case of a reference set, in the terms of the challenge.
#[derive(Debug)]
pub struct Case<'a> {
    /// The name under which the model knows it.
    pub name: &'a str,
    /// The value of every input port, in the order of the ports.
    pub values: Vec<Value<'a>>,
}

/// The value of an input port.
#[derive(Debug)]
pub enum Value<'a> {
    /// The texts of a table's columns, in the order of the port's.
    Row(Vec<&'a str>),
    /// A clean, uncompressed NIfTI-1 file of an image or a mask.
    Image(Vec<u8>),
}

/// A file below `/input`: relative path and content.
pub type InputFile = (String, Vec<u8>);

/// Where a model of a dialect finds its inputs and leaves its outputs.
#[derive(Debug, Clone, Copy)]
pub struct Layout<'a> {
    dialect: Dialect,
    interface: &'a Interface,
}

impl<'a> Layout<'a> {
    /// The layout of a challenge's ports in a dialect.
    pub fn new(dialect: Dialect, challenge: &'a Challenge) -> Self {
        Self { dialect, interface: &challenge.interface }
    }

    /// The files below `/input` of one case.
    pub fn inputs(&self, case: Case<'_>) -> Result<Vec<InputFile>, NodeError> {
        match self.dialect {
            Dialect::Fiel => fiel::inputs(self.interface, case),
            Dialect::GrandChallenge => grand_challenge::inputs(self.interface, case),
            Dialect::MedPerf => Ok(medperf::inputs(self.interface, case)),
        }
    }

    /// The files below `/output` that a model must write, one for each output port.
    pub fn expected(&self) -> Vec<Expected> {
        self.interface.outputs.iter().map(|port| self.output(port)).collect()
    }

    /// The file that answers an output port.
    pub fn output(&self, port: &Port) -> Expected {
        match (self.dialect, port.kind) {
            (Dialect::Fiel | Dialect::MedPerf, _) => Expected::File(port.path.clone()),
            (Dialect::GrandChallenge, PortKind::Table) => Expected::File(port.socket_path()),
            (Dialect::GrandChallenge, PortKind::Image | PortKind::Mask) => {
                Expected::OnlyFileIn(port.socket_path())
            }
        }
    }

    /// The probability in the answer to a table of one column.
    pub fn probability(&self, port: &Port, bytes: &[u8], case: &str) -> Result<f64, BrokenRule> {
        let column = port.columns.first().map_or("", String::as_str);
        match self.dialect {
            Dialect::Fiel | Dialect::MedPerf => outputs::probability(bytes, case, column),
            Dialect::GrandChallenge => outputs::json_probability(bytes, column),
        }
    }

    /// The mask in the answer to a port of masks, on the grid of the reference.
    pub fn mask(&self, bytes: &[u8], reference: &Volume<u8>) -> Result<Volume<u8>, BrokenRule> {
        match self.dialect {
            Dialect::Fiel | Dialect::MedPerf => outputs::mask(bytes, reference),
            Dialect::GrandChallenge => outputs::image_mask(bytes, reference),
        }
    }
}

/// The word for a dialect in documents and on the command line.
pub fn name(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Fiel => "fiel",
        Dialect::GrandChallenge => "grand-challenge",
        Dialect::MedPerf => "medperf",
    }
}

#[cfg(test)]
mod tests;
