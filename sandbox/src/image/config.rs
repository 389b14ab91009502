//! How an image wants to be started, checked and completed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::documents::Execution;
use super::layer::components;
use super::limits::{TEXT_BYTES, TEXTS};
use super::refusal::{invalid, quote};
use super::root::Root;
use super::users;
use crate::types::Refusal;

/// Variables that only the platform may set.
const RESERVED: &str = "GRAND_CHALLENGE_";

/// How to start an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageConfig {
    /// Numeric user; names are resolved against the image's own `/etc/passwd`. 0 when the image says nothing.
    pub user: u32,
    /// Numeric group, likewise.
    pub group: u32,
    /// Entrypoint and command; never empty.
    pub argv: Vec<String>,
    /// Environment variables, sorted by name, without those that begin with `GRAND_CHALLENGE_`.
    pub env: Vec<(String, String)>,
    /// Working folder, absolute; it exists in the image.
    pub cwd: String,
    /// Labels; keys in lower case and trimmed.
    pub labels: BTreeMap<String, String>,
}

/// Reads the configuration; the root file system must be complete.
pub(super) fn read(wanted: Execution, root: &mut Root) -> Result<ImageConfig, Refusal> {
    let mut argv = wanted.entrypoint.unwrap_or_default();
    argv.extend(wanted.cmd.unwrap_or_default());
    if argv.first().is_none_or(String::is_empty) {
        return Err(invalid("the image has neither entrypoint nor command; set ENTRYPOINT or CMD"));
    }
    bounded("arguments", argv.iter())?;
    let env = wanted.env.unwrap_or_default();
    bounded("environment variables", env.iter())?;
    let labels = wanted.labels.unwrap_or_default();
    bounded("labels", labels.iter().flat_map(|(key, value)| [key, value]))?;
    let (user, group) = users::resolve(root, wanted.user.as_deref().unwrap_or_default())?;
    Ok(ImageConfig {
        user,
        group,
        argv,
        env: variables(&env),
        cwd: folder(wanted.working_dir.as_deref().unwrap_or_default(), root)?,
        labels: labels.into_iter().map(|(key, value)| (key.trim().to_lowercase(), value)).collect(),
    })
}

fn bounded<'a>(what: &str, texts: impl Iterator<Item = &'a String>) -> Result<(), Refusal> {
    let (mut count, mut bytes) = (0, 0);
    for text in texts {
        count += 1;
        bytes += text.len();
        if text.contains('\0') {
            return Err(invalid(format!("a NUL among the {what} of the image")));
        }
    }
    // A label counts as two.
    if count > 2 * TEXTS || bytes > TEXT_BYTES {
        return Err(invalid(format!(
            "the {what} of the image have more than {TEXT_BYTES} bytes or are too many"
        )));
    }
    Ok(())
}

/// What is not `NAME=value` sets nothing; of two with one name the last counts.
fn variables(env: &[String]) -> Vec<(String, String)> {
    let pairs = env.iter().filter_map(|text| text.split_once('='));
    let usable = pairs.filter(|(name, _)| !name.is_empty() && !name.starts_with(RESERVED));
    let last: BTreeMap<&str, &str> = usable.collect();
    last.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// The working folder, made if it is missing.
fn folder(wanted: &str, root: &mut Root) -> Result<String, Refusal> {
    if wanted.is_empty() {
        return Ok("/".to_owned());
    }
    let described = || format!("the working folder {}", quote(wanted.as_bytes()));
    if !wanted.starts_with('/') {
        return Err(invalid(format!("{} is not absolute", described())));
    }
    let path = components(wanted.as_bytes()).map_err(|why| super::refusal::at(&described(), why))?;
    root.make_folder(&path).map_err(|why| super::refusal::at(&described(), why))?;
    Ok(format!("/{}", path.join("/")))
}
