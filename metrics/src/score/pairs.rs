//! Which prediction belongs to which reference.

use crate::error::ScoreError;
use fiel_kernels::ImageError;
use fiel_kernels::image::Format;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// (case, reference, prediction), by case.
pub(super) fn pairs(
    reference: &Path,
    prediction: &Path,
) -> Result<Vec<(String, PathBuf, PathBuf)>, ScoreError> {
    let failed = |path: &Path, problem: &str| {
        Err(ScoreError::Pairing { path: path.to_owned(), problem: problem.to_owned() })
    };
    for path in [reference, prediction] {
        if !path.exists() {
            return failed(path, "there is no such file or folder");
        }
    }
    match (reference.is_dir(), prediction.is_dir()) {
        (false, false) => {
            let case = stem(prediction).unwrap_or_else(|| prediction.display().to_string());
            return Ok(vec![(case, reference.to_owned(), prediction.to_owned())]);
        }
        (true, true) => {}
        (true, false) => {
            return failed(prediction, "the reference is a folder; give a folder of predictions as well");
        }
        (false, true) => {
            return failed(prediction, "the reference is one file; give one file as prediction as well");
        }
    }
    let (truths, mut answers) = (masks(reference)?, masks(prediction)?);
    let mut pairs = Vec::with_capacity(truths.len());
    for (case, path) in truths {
        let Some(answer) = answers.remove(&case) else {
            return failed(
                &path,
                &format!("there is no prediction of that name in {}", prediction.display()),
            );
        };
        pairs.push((case, path, answer));
    }
    if let Some(path) = answers.values().next() {
        return failed(path, &format!("there is no reference of that name in {}", reference.display()));
    }
    Ok(pairs)
}

/// The images of a folder by name without the ending of their format.
fn masks(folder: &Path) -> Result<BTreeMap<String, PathBuf>, ScoreError> {
    let io = |source| ImageError::Io { path: folder.to_owned(), source };
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).map_err(io)? {
        let path = entry.map_err(io)?.path();
        let Some(case) = stem(&path) else { continue };
        if let Some(other) = found.insert(case, path.clone()) {
            let problem = format!("{} has the same name; keep one of them", other.display());
            return Err(ScoreError::Pairing { path, problem });
        }
    }
    if found.is_empty() {
        let problem = "the folder holds no image (.nii, .nii.gz, .mha, .mhd, .npy, .dcm)".to_owned();
        return Err(ScoreError::Pairing { path: folder.to_owned(), problem });
    }
    Ok(found)
}

fn stem(path: &Path) -> Option<String> {
    Format::of_name(path)?;
    let name = path.file_name()?.to_str()?;
    let name = name.strip_suffix(".gz").unwrap_or(name);
    let (stem, _) = name.rsplit_once('.')?;
    (!stem.is_empty() && !stem.starts_with('.')).then(|| stem.to_owned())
}
