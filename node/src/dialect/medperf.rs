//! MedPerf's `infer`: a folder of data, a file of parameters, a folder of predictions.
//!
//! The files keep the challenge's paths below `data/` and `predictions/`; the container engine shows both, and
//! `parameters.yaml`, below `/mlcommons/volumes` as well. A challenge passes no parameters, so the file holds none.

use super::{Case, InputFile, fiel};
use fiel_schemas::challenge::{Interface, Port};

pub(super) fn inputs(interface: &Interface, case: Case<'_>) -> Vec<InputFile> {
    let mut files = vec![("parameters.yaml".to_owned(), b"{}\n".to_vec())];
    for (port, value) in interface.inputs.iter().zip(case.values) {
        files.push((format!("data/{}", port.path), fiel::content(port, case.name, value)));
    }
    files
}

/// Where the answer to a port is looked for, below `/output`.
pub(super) fn prediction(port: &Port) -> String {
    format!("predictions/{}", port.path)
}
