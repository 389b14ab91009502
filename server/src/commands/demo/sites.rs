//! The data of the demo's three sites.

use super::super::embedded;
use super::super::output::{CommandError, OrFail, Result};
use fiel_node::reference_set::seal;
use fiel_schemas::challenge::Task;
use lesion_phantom::{PhantomSpec, generate};
use serde_json::json;
use std::collections::HashSet;
use std::path::Path;

/// The sites, as `challenges/breast-fna/data/split.csv` and the phantom generator name them.
pub(super) const NAMES: [&str; 3] = ["site-a", "site-b", "site-c"];

/// A site's name for people.
pub(super) fn title(name: &str) -> String {
    format!("Simulated site {}", name.trim_start_matches("site-").to_uppercase())
}

/// Writes a site's policy and its reference sets into its node's data folder.
pub(super) fn write(name: &str, data: &Path) -> Result {
    fs_err::create_dir_all(data)?;
    // The data is public, so the finest histogram and bootstrap replicates tell nobody anything new.
    let policy = json!({
        "schema": "fiel/policy/v1", "min_cases": 10, "min_cell": 1, "replicates": 200, "release": "automatic",
    });
    fs_err::write(data.join("policy.json"), format!("{policy:#}\n"))?;
    breast_fna(name, &data.join("reference-sets").join(format!("breast-fna-{name}")))?;
    lesion_phantom(name, &data.join("reference-sets").join(format!("lesion-phantom-{name}")))
}

fn breast_fna(site: &str, folder: &Path) -> Result {
    let table = embedded::text("breast-fna", "data/wdbc.csv")?;
    let split = embedded::text("breast-fna", "data/split.csv")?;
    let parts = split.lines().filter_map(|line| line.split_once(','));
    let chosen: HashSet<&str> = parts.filter(|(_, part)| *part == site).map(|(case, _)| case).collect();
    let mut lines = table.lines();
    let header = lines.next().unwrap_or_default();
    let rows = lines.filter(|line| line.split(',').next().is_some_and(|case| chosen.contains(case)));
    let text: String = std::iter::once(header).chain(rows).flat_map(|line| [line, "\n"]).collect();
    fs_err::create_dir_all(folder)?;
    fs_err::write(folder.join("cases.csv"), text)?;
    let id = format!("breast-fna-{site}");
    seal(folder, &id, "breast-fna", Task::Classification, "cases.csv", "malignant").or_fail()?;
    Ok(())
}

fn lesion_phantom(site: &str, folder: &Path) -> Result {
    let spec = PhantomSpec::sites().into_iter().find(|spec| spec.name == site);
    let spec = spec.ok_or_else(|| CommandError::new(format!("no phantoms are defined for {site}")))?;
    generate(folder, &spec)?;
    let id = format!("lesion-phantom-{site}");
    seal(folder, &id, "lesion-phantom", Task::Segmentation, "cases.csv", "lesions").or_fail()?;
    Ok(())
}
