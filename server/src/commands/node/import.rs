//! `fiel node import-set`.

use super::super::output::{CommandError, OrFail, Result, say};
use clap::ValueEnum;
use fiel_node::reference_set::{DOCUMENT, LoadedReferenceSet, load, seal};
use fiel_schemas::challenge::Task;
use std::path::{Path, PathBuf};

/// Arguments of `fiel node import-set`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Folder with the table of cases and the files it names; one with `reference-set.json` is checked against it.
    folder: PathBuf,
    /// Challenge the set serves; needed where the folder has no `reference-set.json`.
    #[arg(long, value_name = "ID")]
    challenge: Option<String>,
    /// Column of the truth: 0/1 labels, or paths of masks; needed where the folder has no `reference-set.json`.
    #[arg(long, value_name = "COLUMN")]
    truth: Option<String>,
    /// Kind of truth; told from the table when absent.
    #[arg(long, value_enum)]
    task: Option<TaskArg>,
    /// The table, relative to the folder.
    #[arg(long, value_name = "FILE", default_value = "cases.csv")]
    table: String,
    /// Name of the set; the folder's name when absent.
    #[arg(long, value_name = "NAME")]
    id: Option<String>,
    #[command(flatten)]
    data: super::DataArgs,
}

/// Kind of truth.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum TaskArg {
    /// 0/1 labels.
    Classification,
    /// Masks.
    Segmentation,
}

/// Runs `fiel node import-set`.
pub(super) fn run(args: &Args) -> Result {
    let sets = args.data.data.join("reference-sets");
    fs_err::create_dir_all(&sets)?;
    let work = tempfile::Builder::new().prefix(".importing-").tempdir_in(&sets)?;
    let copy = work.path().join("set");
    copy_tree(&args.folder, &copy)?;
    let set = if copy.join(DOCUMENT).exists() { load(&copy).or_fail()? } else { fresh(args, &copy)? };
    let target = sets.join(&set.doc.id);
    if target.exists() {
        return Err(CommandError::new(format!("{} exists already", target.display()))
            .hint("a reference set is fixed once it is offered; import the new one under another `--id`"));
    }
    fs_err::rename(&copy, &target)?;
    say(format!("{} for {}: {} cases, digest {}", set.doc.id, set.doc.challenge, set.cases(), set.digest))
}

/// Seals a folder that has no document yet.
fn fresh(args: &Args, copy: &Path) -> Result<LoadedReferenceSet> {
    let (Some(challenge), Some(truth)) = (&args.challenge, &args.truth) else {
        return Err(CommandError::usage(format!("{} has no {DOCUMENT}", args.folder.display()))
            .hint("say what it serves: `--challenge ID --truth COLUMN`"));
    };
    let named = fs_err::canonicalize(&args.folder)?;
    let name = named.file_name().map(|n| n.to_string_lossy().to_string());
    let id = args.id.clone().or(name).unwrap_or_else(|| challenge.clone());
    let task = match args.task {
        Some(TaskArg::Classification) => Task::Classification,
        Some(TaskArg::Segmentation) => Task::Segmentation,
        None => guess(&copy.join(&args.table), truth)?,
    };
    seal(copy, &id, challenge, task, &args.table, truth).or_fail()?;
    load(copy).or_fail()
}

/// Labels are 0 or 1; anything else is taken for a path of a mask.
fn guess(table: &Path, truth: &str) -> Result<Task> {
    let text = fs_err::read_to_string(table)?;
    let mut rows = text.lines().map(|line| line.split(',').map(|cell| cell.trim().trim_matches('"')));
    let place =
        rows.next().and_then(|mut header| header.position(|name| name == truth)).ok_or_else(|| {
            CommandError::new(format!("{} has no column `{truth}`", table.display()))
                .hint("name the column of the truth with `--truth`")
        })?;
    let labels = rows.filter_map(|mut row| row.nth(place)).all(|cell| matches!(cell, "0" | "1"));
    Ok(if labels { Task::Classification } else { Task::Segmentation })
}

fn copy_tree(from: &Path, to: &Path) -> Result {
    fs_err::create_dir_all(to)?;
    for entry in fs_err::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        let kind = entry.file_type()?;
        if kind.is_dir() {
            copy_tree(&entry.path(), &target)?;
        } else if kind.is_file() {
            fs_err::copy(entry.path(), target)?;
        } else {
            return Err(CommandError::new(format!("{} is a link or a special file", entry.path().display()))
                .hint("a reference set holds regular files only; copy the file itself into the folder"));
        }
    }
    Ok(())
}
