//! `fiel submit`.

use super::artifact;
use super::client::{Client, HubArgs};
use super::output::{CommandError, OrFail, Result, block_on, say, say_json};
use crate::pages::views::reasons::run_failure;
use fiel_node::{NodeError, registry};
use fiel_schemas::api::{ExternalImage, NewSubmission, SubmissionStatus};
use fiel_schemas::reference::Reference;
use fiel_schemas::submission::{MediaType, Source};
use indicatif::{ProgressBar, ProgressStyle};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Submit a model to a challenge.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  export FIEL_HUB=http://127.0.0.1:8080 FIEL_TOKEN=fiel_...
  fiel submit breast-fna model.wasm --tool my-model --version 0.1 --watch
  fiel submit breast-fna docker://registry.example.org/group/tool:0.1 --tool my-model --version 0.1")]
pub(crate) struct Args {
    /// Challenge id.
    challenge: String,
    /// WebAssembly module, archive of a container image, ONNX bundle, file of predictions, or
    /// `docker://REGISTRY/REPOSITORY:TAG`: an image that everybody may read in another registry.
    model: PathBuf,
    /// Name of the tool on the leaderboard.
    #[arg(long, value_name = "NAME")]
    tool: String,
    /// Version of the tool.
    #[arg(long, value_name = "VERSION", default_value = "1")]
    version: String,
    /// What the tool is, Markdown.
    #[arg(long, default_value = "")]
    description: String,
    /// Phase id; the open phase when absent.
    #[arg(long)]
    phase: Option<String>,
    /// Sent with the submission: the same key again gives the same submission; made up when absent.
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
    /// Follow the runs at the sites until all have ended; exit code 1 unless at least one reported.
    #[arg(long)]
    watch: bool,
    /// Print the submission with its runs as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    hub: HubArgs,
}

/// Runs `fiel submit`.
pub(crate) fn run(args: &Args) -> Result {
    block_on(submit(args))
}

async fn submit(args: &Args) -> Result {
    let client = Client::new(&args.hub)?;
    let (artifact, image) = match reference(&args.model) {
        Some(text) => {
            let pinned = pin(text).await?;
            let Source { registry, repository } = pinned.source;
            (pinned.sha256, Some(ExternalImage { registry, repository, size: pinned.size }))
        }
        None => (upload(&client, &args.model).await?, None),
    };
    let is_elsewhere = image.is_some();
    let body = NewSubmission {
        phase: args.phase.clone(),
        tool: args.tool.clone(),
        version: args.version.clone(),
        description: args.description.clone(),
        artifact,
        image,
    };
    let made_up = uuid::Uuid::now_v7().to_string();
    let key = args.idempotency_key.as_deref().unwrap_or(&made_up);
    let path = format!("/challenges/{}/submissions", args.challenge);
    let mut status: SubmissionStatus = client.post_once(&path, key, &body).await?;
    let id = status.submission.id.clone();
    if !args.json {
        say(format!("submitted {} {} as {id}", args.tool, args.version))?;
        let artifact = &status.submission.artifact;
        if let Some(source) = &artifact.source {
            say(format!("sites pull {source}@sha256:{}, {} bytes", artifact.sha256, artifact.size))?;
        }
        say(format!("{}/submissions/{id}", client.base()))?;
    }
    if args.watch {
        status = watch(&client, status, args.json).await?;
    }
    if args.json {
        say_json(&status)?;
    }
    if args.watch && status.state == "failed" {
        let refused = status.runs.iter().any(|run| run.reason.as_deref() == Some("policy-refused"));
        return Err(CommandError::new("no run of the submission gave a result").hint(
            if is_elsewhere && refused {
                "a site runs images of another registry only where its policy lists that registry; push the image to \
                 the hub (docs/participants.md), or ask the site to list it"
            } else {
                "`fiel try` runs the same model with the same limits on the public cases and shows what fails"
            },
        ));
    }
    Ok(())
}

/// The reference in the place of a model, if it is one: `docker://` as other tools write it.
fn reference(model: &Path) -> Option<&str> {
    model.to_str()?.strip_prefix("docker://")
}

/// Asks the registry which image the reference means now. The hub asks no registry: it would knock wherever somebody
/// tells it to.
async fn pin(text: &str) -> Result<registry::Pinned> {
    let reference = Reference::parse(text).map_err(CommandError::usage)?;
    registry::pin(&reference).await.map_err(|error| {
        let message = match error {
            NodeError::Refused { message, .. } => message,
            other => other.to_string(),
        };
        CommandError::new(message)
            .hint("sites read the registry without an account: the image must be public")
    })
}

/// Uploads a model of any kind and returns its digest.
async fn upload(client: &Client, model: &Path) -> Result<String> {
    let opened = artifact::open(model)?;
    if opened.media_type == MediaType::ImageManifest {
        return Err(CommandError::usage(format!(
            "{} is a folder; a submission is one file",
            model.display()
        ))
        .hint("`skopeo copy oci:FOLDER oci-archive:FILE` makes one of it"));
    }
    let digest = opened.sha256;
    let style = ProgressStyle::with_template("uploading {bar:30} {bytes}/{total_bytes}");
    let size = fs_err::metadata(model)?.len();
    let bar = ProgressBar::new(size).with_style(style.or_fail_while("preparing a progress bar")?);
    let moving = bar.clone();
    client.put_file(&format!("/artifacts/{digest}"), model, move |n| moving.inc(n)).await?;
    bar.finish_and_clear();
    Ok(digest)
}

/// Follows a submission until every run has ended, telling each change once.
async fn watch(client: &Client, mut status: SubmissionStatus, quiet: bool) -> Result<SubmissionStatus> {
    let path = format!("/submissions/{}", status.submission.id);
    let mut told: BTreeMap<String, String> = BTreeMap::new();
    let bar = ProgressBar::new(0);
    bar.set_style(
        ProgressStyle::with_template("{bar:30} {pos}/{len} cases").or_fail_while("preparing a bar")?,
    );
    let is_elsewhere = status.submission.artifact.source.is_some();
    loop {
        bar.set_length(status.runs.iter().map(|r| r.total).sum());
        bar.set_position(status.runs.iter().map(|r| r.done).sum());
        for run in &status.runs {
            let line = describe(run, is_elsewhere);
            if !quiet && told.get(&run.run) != Some(&line) {
                bar.suspend(|| say(&line))?;
                told.insert(run.run.clone(), line);
            }
        }
        if status.state != "running" {
            bar.finish_and_clear();
            return Ok(status);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        status = client.get(&path).await?;
    }
}

/// A run in a line, with why it ended badly in words. `is_elsewhere`: the image is in another registry.
fn describe(run: &fiel_schemas::api::RunStatus, is_elsewhere: bool) -> String {
    let counts: Vec<String> =
        run.cases.iter().filter(|(_, n)| **n > 0).map(|(k, n)| format!("{n} {k}")).collect();
    let mut line = format!("{}: {}", run.site, run.state);
    if !counts.is_empty() {
        line = format!("{line} ({})", counts.join(", "));
    }
    match &run.reason {
        Some(reason) => format!("{line}: {reason}\n  {}", run_failure(reason, is_elsewhere)),
        None => line,
    }
}
