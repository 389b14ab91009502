//! The challenges that the binary carries.

use super::output::{CommandError, OrFail, Result};
use std::path::Path;

/// Path below `challenges/` and content of every embedded file, in order of path.
static FILES: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/challenges.rs"));

/// Ids of the embedded challenges.
pub(crate) fn ids() -> Vec<&'static str> {
    FILES.iter().filter_map(|(path, _)| path.strip_suffix("/challenge.yaml")).collect()
}

/// A file of a challenge.
pub(crate) fn file(challenge: &str, path: &str) -> Option<&'static [u8]> {
    let (_, bytes) = FILES.iter().find(|(name, _)| {
        name.strip_prefix(challenge).and_then(|rest| rest.strip_prefix('/')).is_some_and(|rest| rest == path)
    })?;
    Some(*bytes)
}

/// A text file of a challenge that must be there.
pub(crate) fn text(challenge: &str, path: &str) -> Result<&'static str> {
    let bytes = file(challenge, path)
        .ok_or_else(|| CommandError::new(format!("this binary carries no {challenge}/{path}")))?;
    std::str::from_utf8(bytes).or_fail_while(format!("reading {challenge}/{path}"))
}

/// Files below a folder of a challenge: path relative to that folder, and content.
pub(crate) fn below(challenge: &str, folder: &str) -> Vec<(&'static str, &'static [u8])> {
    let prefix = format!("{challenge}/{folder}/");
    FILES.iter().filter_map(|(path, bytes)| Some((path.strip_prefix(prefix.as_str())?, *bytes))).collect()
}

/// Name and module of every baseline of a challenge.
pub(crate) fn baselines(challenge: &str) -> Vec<(&'static str, &'static [u8])> {
    let files = below(challenge, "baselines").into_iter();
    files.filter_map(|(path, bytes)| Some((path.strip_suffix(".wasm")?, bytes))).collect()
}

/// Names of the baselines of a challenge that are container images, which `challenges/build-images.sh` builds.
pub(crate) fn image_baselines(challenge: &str) -> Vec<&'static str> {
    let files = below(challenge, "baselines").into_iter();
    files.filter_map(|(path, _)| path.strip_suffix("/Containerfile")).collect()
}

/// README and public part of a challenge: path in the challenge's folder, and content.
pub(crate) fn public_files(challenge: &str) -> Vec<(String, Vec<u8>)> {
    let public = below(challenge, "public")
        .into_iter()
        .map(|(path, bytes)| (format!("public/{path}"), bytes.to_vec()));
    let readme = file(challenge, "README.md").map(|bytes| ("README.md".to_string(), bytes.to_vec()));
    readme.into_iter().chain(public).collect()
}

/// Writes a challenge's definition and public part into a folder.
pub(crate) fn unpack(challenge: &str, folder: &Path) -> Result {
    let definition = ("challenge.yaml".to_string(), text(challenge, "challenge.yaml")?.as_bytes().to_vec());
    for (path, bytes) in std::iter::once(definition).chain(public_files(challenge)) {
        let target = folder.join(path);
        if let Some(parent) = target.parent() {
            fs_err::create_dir_all(parent)?;
        }
        fs_err::write(target, bytes)?;
    }
    Ok(())
}
