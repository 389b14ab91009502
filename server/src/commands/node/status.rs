//! `fiel node status`.

use super::super::output::{CommandError, OrFail, Result, say, say_json};
use fiel_node::policy::Policy;
use fiel_node::reference_set::{digest, open_document};
use fiel_schemas::dsse::key_id;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::path::Path;

/// Runs `fiel node status`.
pub(super) fn run(data: &Path, as_json: bool) -> Result {
    let config_file = data.join("node.json");
    if !config_file.exists() {
        return Err(CommandError::new(format!("{} is not enrolled", data.display()))
            .hint("`fiel node enrol` with a code from the hub's organizer"));
    }
    let config: Value =
        serde_json::from_slice(&fs_err::read(&config_file)?).or_fail_while(config_file.display())?;
    let key = fiel_node::folder::signing_key(data).or_fail()?.verifying_key();
    let released = fiel_node::verify_log(data).or_fail()?;
    let status = json!({
        "hub": config["hub"], "site": config["site"], "key": key_id(&key), "public_key": base64(key.as_bytes()),
        "policy": Policy::open(data).or_fail()?, "reference_sets": reference_sets(data)?,
        "pending": fiel_node::pending(data).or_fail()?.len(), "released": released,
    });
    if as_json { say_json(&status) } else { say(page(&status)) }
}

fn page(status: &Value) -> String {
    let policy = &status["policy"];
    let text = |v: &Value| v.as_str().unwrap_or("?").to_string();
    let mut page = format!(
        "site         {}\nhub          {}\npublic key   {} (id {})\npolicy       min_cases {}, min_cell {}, release {}\n\
         release log  {} entries, the chain holds\npending      {}",
        text(&status["site"]),
        text(&status["hub"]),
        text(&status["public_key"]),
        text(&status["key"]),
        policy["min_cases"],
        policy["min_cell"],
        text(&policy["release"]),
        status["released"],
        status["pending"]
    );
    for set in status["reference_sets"].as_array().into_iter().flatten() {
        let problem = set["problem"].as_str().map(|p| format!(", NOT USABLE: {p}")).unwrap_or_default();
        let (id, challenge) = (text(&set["id"]), text(&set["challenge"]));
        // Writing to a String cannot fail.
        let _ = write!(page, "\nset          {id} for {challenge}{problem}");
    }
    page
}

/// Every set of the node with its digest, or what is wrong with it.
fn reference_sets(data: &Path) -> Result<Vec<Value>> {
    let folder = data.join("reference-sets");
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut sets = Vec::new();
    for entry in fs_err::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().to_string();
        if name.starts_with('.') {
            continue;
        }
        sets.push(match open_document(&entry.path()) {
            Ok(doc) => json!({"id": doc.id, "challenge": doc.challenge, "digest": digest(&doc)}),
            Err(error) => json!({"id": name, "challenge": null, "problem": error.to_string()}),
        });
    }
    sets.sort_by_key(|set| set["id"].to_string());
    Ok(sets)
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}
