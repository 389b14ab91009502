//! `fiel challenge`: definitions of challenges, for organizers.

use super::client::{Client, HubArgs};
use super::embedded;
use super::output::{CommandError, OrFail, Result, block_on, note, say, say_json};
use fiel_schemas::challenge::Challenge;
use fiel_schemas::digest::challenge_digest;
use fiel_schemas::validate::{DocumentError, Kind, from_yaml};
use serde_json::json;
use std::path::{Path, PathBuf};

/// Check challenge definitions, or publish them at a hub.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  fiel challenge check challenges/breast-fna
  fiel challenge create challenge.yaml --hub https://hub.example.org")]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Check a definition: every problem with its place, what was expected, and a hint.
    Check {
        /// `challenge.yaml`, or the folder that holds it.
        path: PathBuf,
        /// Print the problems as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Publish a definition at a hub; needs an organizer's token.
    Create {
        /// `challenge.yaml`, or the folder that holds it.
        path: PathBuf,
        #[command(flatten)]
        hub: HubArgs,
    },
}

/// Runs `fiel challenge`.
pub(crate) fn run(args: &Args) -> Result {
    match &args.action {
        Action::Check { path, json } => check(path, *json),
        Action::Create { path, hub } => {
            let source = source(path)?;
            let challenge: Challenge = from_yaml(Kind::Challenge, &source).map_err(|e| refuse(path, &e))?;
            block_on(create(&Client::new(hub)?, source))?;
            say(format!("{} {} is published", challenge.id, challenge.version))
        }
    }
}

fn check(path: &Path, json: bool) -> Result {
    let checked: std::result::Result<Challenge, DocumentError> = from_yaml(Kind::Challenge, &source(path)?);
    match checked {
        Ok(challenge) if json => {
            say_json(&json!({"valid": true, "id": challenge.id, "digest": challenge_digest(&challenge)}))
        }
        Ok(challenge) => {
            say(format!(
                "{} {} is valid, digest {}",
                challenge.id,
                challenge.version,
                challenge_digest(&challenge)
            ))?;
            remarks(path, &challenge);
            Ok(())
        }
        Err(error) => {
            if json {
                say_json(&json!({"valid": false, "problems": error.problems}))?;
            }
            Err(refuse(path, &error))
        }
    }
}

/// Publishes a definition.
pub(crate) async fn create(client: &Client, yaml: String) -> Result {
    client.post_text::<serde_json::Value>("/challenges", "application/yaml", yaml).await.map(drop)
}

fn refuse(path: &Path, error: &DocumentError) -> CommandError {
    CommandError::new(format!("{}: {error}", definition(path).display())).hint(
        "schemas/json/challenge.schema.json is the rule, challenges/breast-fna/challenge.yaml an example",
    )
}

/// What a valid definition may still lack.
fn remarks(path: &Path, challenge: &Challenge) {
    for metric in &challenge.metrics {
        match fiel_metrics::registry::find(metric) {
            None => note(format!("remark: this build knows no metric `{metric}`; see `fiel metrics`")),
            Some(spec) if spec.task != challenge.task => {
                note(format!("remark: `{metric}` measures another task than the challenge's"));
            }
            Some(_) => {}
        }
    }
    if path.is_dir() && !path.join("public").join("reference-set.json").exists() {
        note("remark: no `public/reference-set.json`; participants will have no sample cases to try");
    }
}

/// The definition's file: the path itself, or `challenge.yaml` in it.
fn definition(path: &Path) -> PathBuf {
    if path.is_dir() { path.join("challenge.yaml") } else { path.to_path_buf() }
}

fn source(path: &Path) -> Result<String> {
    let file = definition(path);
    fs_err::read_to_string(&file).map_err(|e| {
        CommandError::new(e.to_string()).hint("give `challenge.yaml` or the folder that holds it")
    })
}

/// A challenge on disk: its definition and its folder.
#[derive(Debug)]
pub(crate) struct Opened {
    /// The definition.
    pub(crate) challenge: Challenge,
    /// The folder that holds `public/`.
    pub(crate) folder: PathBuf,
    /// Keeps an unpacked challenge until the end.
    _unpacked: Option<tempfile::TempDir>,
}

/// Opens a challenge given as a folder, as its `challenge.yaml`, or as the id of an embedded one.
pub(crate) fn open(name: &str) -> Result<Opened> {
    let path = Path::new(name);
    if path.exists() {
        let text = source(path)?;
        let challenge = from_yaml(Kind::Challenge, &text).map_err(|e| refuse(path, &e))?;
        let folder = definition(path).parent().map(Path::to_path_buf).unwrap_or_default();
        return Ok(Opened { challenge, folder, _unpacked: None });
    }
    if !embedded::ids().contains(&name) {
        let ids = embedded::ids().join("`, `");
        return Err(CommandError::new(format!(
            "there is no folder `{name}` and no embedded challenge of that name"
        ))
        .hint(format!("give the folder of a challenge, or one of `{ids}`")));
    }
    let unpacked = tempfile::Builder::new().prefix("fiel-challenge-").tempdir()?;
    embedded::unpack(name, unpacked.path())?;
    let challenge = from_yaml(Kind::Challenge, embedded::text(name, "challenge.yaml")?).or_fail()?;
    Ok(Opened { challenge, folder: unpacked.path().to_path_buf(), _unpacked: Some(unpacked) })
}
