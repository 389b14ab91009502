//! The baselines that are container images, as `tests/run.sh` builds them.

use std::path::PathBuf;

/// Where the images come from.
const HINT: &str = "`bash tests/run.sh` builds the images and sets FIEL_IMAGES; by hand: \
    `challenges/build-images.sh FOLDER` and FIEL_IMAGES=FOLDER, an absolute path";

/// The archive of an image.
///
/// # Panics
/// When `FIEL_IMAGES` names no folder that holds it.
#[must_use]
pub fn archive(challenge: &str, name: &str) -> PathBuf {
    let folder = std::env::var_os("FIEL_IMAGES").filter(|folder| !folder.is_empty());
    let folder = PathBuf::from(folder.unwrap_or_else(|| panic!("FIEL_IMAGES is not set: {HINT}")));
    let path = folder.join(challenge).join(format!("{name}.tar"));
    assert!(path.is_file(), "there is no {}: {HINT}", path.display());
    path
}
