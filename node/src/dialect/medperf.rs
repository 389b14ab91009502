//! MedPerf's `infer`: a folder of data with a file of parameters, and a folder of predictions.
//!
//! The container engine shows `/input` as `/mlcommons/volumes/data` and `/output` as `/mlcommons/volumes/predictions` too, so
//! that the files keep the challenge's paths. A challenge passes no parameters, so that their file holds none.

use super::{Case, InputFile, fiel};
use fiel_schemas::challenge::Interface;

pub(super) fn inputs(interface: &Interface, case: Case<'_>) -> Vec<InputFile> {
    let mut files = vec![("parameters.yaml".to_owned(), b"{}\n".to_vec())];
    for (port, value) in interface.inputs.iter().zip(case.values) {
        files.push((port.path.clone(), fiel::content(port, case.name, value)));
    }
    files
}
