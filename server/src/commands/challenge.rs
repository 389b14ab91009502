//! `fiel challenge`: definitions of challenges, for organizers.

use super::client::{Client, HubArgs, word};
use super::embedded;
use super::output::{CommandError, OrFail, Result, block_on, note, say, say_json};
use fiel_metrics::registry::MetricTask;
use fiel_schemas::challenge::{Challenge, Task};
use fiel_schemas::digest::{challenge_digest, sha256_hex};
use fiel_schemas::validate::{DocumentError, Kind, from_yaml};
use serde_json::json;
use std::path::{Path, PathBuf};

/// Check challenge definitions, publish them at a hub, or fetch one with its public cases.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  fiel challenge check challenges/breast-fna
  fiel challenge create challenges/breast-fna --hub https://hub.example.org
  fiel challenge fetch breast-fna --hub https://hub.example.org")]
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
    /// Fetch a challenge with its public cases from a hub into a folder, for `fiel try`.
    Fetch {
        /// Challenge id.
        id: String,
        /// Folder to make; the challenge's id when absent.
        #[arg(long, value_name = "DIR")]
        into: Option<PathBuf>,
        #[command(flatten)]
        hub: HubArgs,
    },
    /// Publish a definition at a hub, with the files of `public/`; needs an organizer's token.
    Create {
        /// The challenge's folder, or `challenge.yaml` alone.
        path: PathBuf,
        #[command(flatten)]
        hub: HubArgs,
    },
}

/// Runs `fiel challenge`.
pub(crate) fn run(args: &Args) -> Result {
    match &args.action {
        Action::Check { path, json } => check(path, *json),
        Action::Fetch { id, into, hub } => {
            let folder = into.clone().unwrap_or_else(|| PathBuf::from(id));
            let count = block_on(fetch(&Client::new(hub)?, id, &folder))?;
            say(format!("{count} files in {0}; next: `fiel try {0} MODEL`", folder.display()))
        }
        Action::Create { path, hub } => {
            let source = source(path)?;
            let challenge: Challenge = from_yaml(Kind::Challenge, &source).map_err(|e| refuse(path, &e))?;
            let files = public_files(path)?;
            block_on(create(&Client::new(hub)?, &challenge.id, source, &files))?;
            let count = files.len();
            say(format!("{} {} is published with {count} public files", challenge.id, challenge.version))
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

/// A public file: its path in the challenge's folder, and its content.
pub(crate) type PublicFile = (String, Vec<u8>);

/// Publishes a definition with its public files.
pub(crate) async fn create(client: &Client, id: &str, yaml: String, files: &[PublicFile]) -> Result {
    client.post_text::<serde_json::Value>("/challenges", "application/yaml", yaml).await?;
    for (path, bytes) in files {
        let address = format!("/challenges/{id}/files/{path}?sha256={}", sha256_hex(bytes));
        client.put(&address, "application/octet-stream", bytes.clone()).await?;
    }
    Ok(())
}

/// Fetches a definition and its public files into a new folder; returns the number of files.
async fn fetch(client: &Client, id: &str, folder: &Path) -> Result<usize> {
    let entry: serde_json::Value = client.get(&format!("/challenges/{id}")).await?;
    let files: Vec<serde_json::Value> = client.get(&format!("/challenges/{id}/files")).await?;
    fs_err::create_dir(folder)?;
    // JSON is YAML too.
    let definition = serde_json::to_vec_pretty(&entry["challenge"]).or_fail()?;
    fs_err::write(folder.join("challenge.yaml"), definition)?;
    for file in &files {
        let (path, digest) = (word(file, "path")?, word(file, "sha256")?);
        let plain = Path::new(&path).components().all(|c| matches!(c, std::path::Component::Normal(_)));
        if !plain || path.is_empty() {
            return Err(CommandError::new(format!("the hub offers a file outside of its folder: `{path}`")));
        }
        let bytes = client.bytes(&format!("/challenges/{id}/files/{path}")).await?;
        if sha256_hex(&bytes) != digest {
            return Err(CommandError::new(format!("{path} arrived with other bytes than the hub announced"))
                .hint("remove the folder and fetch again"));
        }
        let target = folder.join(&path);
        fs_err::create_dir_all(target.parent().unwrap_or(folder))?;
        fs_err::write(target, bytes)?;
    }
    Ok(files.len() + 1)
}

/// The files below `public/` of a challenge's folder, and its README.
fn public_files(path: &Path) -> Result<Vec<PublicFile>> {
    let Some(folder) = path.is_dir().then_some(path) else { return Ok(Vec::new()) };
    let mut files = Vec::new();
    let readme = folder.join("README.md");
    if readme.is_file() {
        files.push(("README.md".to_string(), fs_err::read(readme)?));
    }
    let mut folders = vec![folder.join("public")];
    while let Some(next) = folders.pop().filter(|next| next.is_dir()) {
        for entry in fs_err::read_dir(next)? {
            let at = entry?.path();
            if at.is_dir() {
                folders.push(at);
            } else if let Some(name) = at.strip_prefix(folder).ok().and_then(Path::to_str) {
                files.push((name.to_string(), fs_err::read(&at)?));
            }
        }
    }
    files.sort();
    Ok(files)
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
            Some(spec)
                if spec.task != MetricTask::Technical
                    && matches!(spec.task, MetricTask::Classification)
                        != matches!(challenge.task, Task::Classification) =>
            {
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
