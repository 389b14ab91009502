//! What a JSON Schema cannot say: names that must exist, dates in order, files listed once.

use super::text::quoted;
use super::{Kind, Problem};
use crate::assessment::Statement;
use crate::challenge::{Challenge, Port, PortKind, Task};
use crate::digest::challenge_digest;
use crate::reference::{is_registry, is_repository};
use crate::reference_set::ReferenceSet;
use crate::run_order::RunOrder;
use crate::submission::{ArtifactKind, MediaType, Submission};
use crate::summary::Summary;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::HashMap;

/// Problems of meaning in a document that is valid under its schema.
pub(super) fn problems(kind: Kind, value: &Value) -> Vec<Problem> {
    match kind {
        Kind::Challenge => check(value, challenge),
        Kind::ReferenceSet => check(value, reference_set),
        Kind::RunOrder => check(value, run_order),
        Kind::Statement => check(value, statement),
        Kind::OnnxManifest => check(value, super::onnx::problems),
        Kind::Submission => check(value, submission),
        Kind::Leaderboard => Vec::new(),
    }
}

fn check<T: DeserializeOwned>(value: &Value, rules: fn(&T) -> Vec<Problem>) -> Vec<Problem> {
    match T::deserialize(value) {
        Ok(document) => rules(&document),
        Err(error) => vec![Problem::new("", error.to_string(), "a document of the published form")],
    }
}

fn challenge(challenge: &Challenge) -> Vec<Problem> {
    let mut problems: Vec<Problem> = primary_metric(challenge).into_iter().collect();
    problems.extend(ports("/interface/inputs", &challenge.interface.inputs));
    problems.extend(ports("/interface/outputs", &challenge.interface.outputs));
    problems.extend(sockets("/interface/inputs", &challenge.interface.inputs));
    problems.extend(sockets("/interface/outputs", &challenge.interface.outputs));
    problems.extend(task(challenge));
    problems.extend(phases(challenge));
    problems.extend(predictions(challenge));
    problems
}

/// Predictions can only be made by who has the inputs.
fn predictions(challenge: &Challenge) -> Option<Problem> {
    let index = challenge.accepts.iter().position(|kind| *kind == ArtifactKind::Predictions)?;
    challenge.phases.iter().all(|phase| !phase.public_inputs).then(|| {
        Problem::new(format!("/accepts/{index}"), "`predictions`", "a kind that a phase can take")
            .hint("set `public_inputs: true` in the phases whose inputs participants have")
    })
}

fn primary_metric(challenge: &Challenge) -> Option<Problem> {
    let metric = &challenge.ranking.metric;
    (!challenge.metrics.contains(metric)).then(|| {
        Problem::new(
            "/ranking/metric",
            quoted(metric),
            format!("one of the listed metrics: {}", challenge.metrics.join(", ")),
        )
        .hint(format!("add `{metric}` to `metrics`, or rank by a metric that is listed"))
    })
}

/// Problems for every value that has stood before in the same list.
pub(super) fn doubled<'a>(
    values: impl Iterator<Item = &'a str>,
    pointer: impl Fn(usize) -> String,
    what: &str,
) -> Vec<Problem> {
    let mut first: HashMap<&str, usize> = HashMap::new();
    let mut problems = Vec::new();
    for (index, value) in values.enumerate() {
        if let Some(before) = first.get(value) {
            let expected =
                format!("a {what} that is not used before (it is the one of number {})", before + 1);
            problems.push(Problem::new(pointer(index), quoted(value), expected));
        } else {
            first.insert(value, index);
        }
    }
    problems
}

fn ports(list: &str, ports: &[Port]) -> Vec<Problem> {
    let mut problems =
        doubled(ports.iter().map(|port| port.name.as_str()), |index| format!("{list}/{index}/name"), "name");
    problems.extend(doubled(
        ports.iter().map(|port| port.path.as_str()),
        |index| format!("{list}/{index}/path"),
        "path",
    ));
    for (index, port) in ports.iter().enumerate() {
        problems.extend(port_columns(&format!("{list}/{index}"), port));
        let pointer = format!("{list}/{index}/path");
        if port.path == "inputs.json" {
            problems.push(Problem::new(pointer, "`inputs.json`", "another name: this one is the platform's"));
        } else if ports.iter().any(|other| port.path.starts_with(&format!("{}/", other.path))) {
            problems.push(Problem::new(
                pointer,
                quoted(&port.path),
                "a path that is not inside another port's file",
            ));
        }
    }
    problems
}

fn port_columns(pointer: &str, port: &Port) -> Option<Problem> {
    let pointer = format!("{pointer}/columns");
    match (port.kind, port.columns.is_empty()) {
        (PortKind::Table, true) => {
            Some(Problem::new(pointer, "no columns", "at least one column after `case_id` for a table"))
        }
        (PortKind::Image | PortKind::Mask, false) => {
            Some(Problem::new(pointer, "columns", "none: only tables have columns").hint("remove `columns`"))
        }
        _ if port.columns.iter().any(|column| column == "case_id") => {
            Some(Problem::new(pointer, "`case_id`", "the columns after `case_id`").hint("remove `case_id`"))
        }
        _ => None,
    }
}

/// Sockets have names and places of their own, also where they follow from the ports. Ports of the same name are
/// told of by [`ports`].
fn sockets(list: &str, ports: &[Port]) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (index, port) in ports.iter().enumerate() {
        let (slug, path) = (port.socket_slug(), port.socket_path());
        let mut others = ports.iter().enumerate().filter(|(other, p)| *other != index && p.name != port.name);
        let taken = |(other, p): (usize, &Port)| {
            let theirs = p.socket_path();
            let inside = path.strip_prefix(&theirs).is_some_and(|rest| rest.starts_with('/'));
            inside || other < index && (theirs == path || p.socket_slug() == slug)
        };
        let pointer = format!("{list}/{index}/socket");
        if path == "inputs.json" {
            problems.push(Problem::new(
                pointer,
                "`inputs.json`",
                "another place: this one is the platform's",
            ));
        } else if others.any(taken) {
            let found = format!("{} at {}", quoted(&slug), quoted(&path));
            problems.push(
                Problem::new(pointer, found, "a slug and a path that no other socket has or lies in")
                    .hint("name the socket in `socket: {slug: ..., relative_path: ...}`"),
            );
        }
    }
    problems
}

/// The answer's kind fits the task.
fn task(challenge: &Challenge) -> Option<Problem> {
    let (wanted, words) = match challenge.task {
        Task::Classification => (PortKind::Table, "an output of kind `table` for task `classification`"),
        Task::Segmentation => (PortKind::Mask, "an output of kind `mask` for task `segmentation`"),
    };
    let there = challenge.interface.outputs.iter().any(|port| port.kind == wanted);
    (!there).then(|| Problem::new("/interface/outputs", "none of that kind", words))
}

fn phases(challenge: &Challenge) -> Vec<Problem> {
    let ids = challenge.phases.iter().map(|phase| phase.id.as_str());
    let mut problems = doubled(ids, |index| format!("/phases/{index}/id"), "phase id");
    for (index, phase) in challenge.phases.iter().enumerate() {
        if let Some(closes) = phase.closes.filter(|closes| *closes <= phase.opens) {
            let expected = format!("a time after the phase opens ({})", phase.opens.to_rfc3339());
            problems.push(Problem::new(format!("/phases/{index}/closes"), closes.to_rfc3339(), expected));
        }
    }
    problems
}

fn reference_set(set: &ReferenceSet) -> Vec<Problem> {
    let mut problems = doubled(
        set.files.iter().map(|file| file.path.as_str()),
        |index| format!("/files/{index}/path"),
        "path",
    );
    if let Some(index) = set.files.windows(2).position(|pair| pair[0].path > pair[1].path) {
        let pointer = format!("/files/{}/path", index + 1);
        problems.push(Problem::new(pointer, quoted(&set.files[index + 1].path), "files sorted by path"));
    }
    if !set.files.iter().any(|file| file.path == set.table) {
        problems.push(
            Problem::new("/table", quoted(&set.table), "a path that is listed in `files`")
                .hint("seal the reference set again"),
        );
    }
    problems
}

/// Only an image can be elsewhere, and only in a registry.
fn submission(submission: &Submission) -> Vec<Problem> {
    let artifact = &submission.artifact;
    let Some(source) = &artifact.source else { return Vec::new() };
    let mut problems = Vec::new();
    if artifact.media_type != MediaType::ImageManifest {
        let expected = format!("none for `{}`: only images stay in other registries", artifact.media_type);
        problems.push(Problem::new("/artifact/source", quoted(&source.to_string()), expected));
    }
    if !is_registry(&source.registry) {
        let expected = "a host with a port or without, for instance registry.example.org:5000";
        problems.push(Problem::new("/artifact/source/registry", quoted(&source.registry), expected));
    }
    if !is_repository(&source.repository) {
        let expected = "a repository's name, for instance group/tool";
        problems.push(Problem::new("/artifact/source/repository", quoted(&source.repository), expected));
    }
    problems
}

/// Problems of a part, with the place of the part before theirs.
fn within(place: &str, problems: Vec<Problem>) -> impl Iterator<Item = Problem> {
    problems
        .into_iter()
        .map(move |problem| Problem { pointer: format!("{place}{}", problem.pointer), ..problem })
}

fn run_order(order: &RunOrder) -> Vec<Problem> {
    let mut problems: Vec<Problem> = within("/challenge", challenge(&order.challenge)).collect();
    problems.extend(within("/submission", submission(&order.submission)));
    if order.challenge_digest != challenge_digest(&order.challenge) {
        let expected = format!("the digest of `challenge`, {}", challenge_digest(&order.challenge));
        problems.push(Problem::new("/challenge_digest", quoted(&order.challenge_digest), expected));
    }
    if order.submission.challenge != order.challenge.id {
        let found = quoted(&order.submission.challenge);
        problems.push(Problem::new("/submission/challenge", found, quoted(&order.challenge.id)));
    }
    problems
}

fn statement(statement: &Statement) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (id, metric) in &statement.predicate.metrics {
        let pointer = format!("/predicate/metrics/{}", id.replace('~', "~0").replace('/', "~1"));
        if let Some([lower, upper]) = metric.estimate.ci95.filter(|[lower, upper]| lower > upper) {
            let found = format!("[{lower}, {upper}]");
            problems.push(Problem::new(format!("{pointer}/estimate/ci95"), found, "the lower end first"));
        }
        if metric.estimate.bound.is_none() && metric.estimate.pooling.is_none() {
            let expected = "a number, unless `pooling` says that the value is another quantity";
            problems.push(Problem::new(format!("{pointer}/estimate/bound"), "null", expected));
        }
        if let Some(replicates) = metric.replicates.as_ref().filter(|r| r.sums.len() != r.weights.len()) {
            let found = format!("{} weights", replicates.weights.len());
            let expected = format!("as many as sums, {}", replicates.sums.len());
            problems.push(Problem::new(format!("{pointer}/replicates/weights"), found, expected));
        }
        problems.extend(summary(&format!("{pointer}/summary"), &metric.summary));
    }
    problems
}

fn summary(pointer: &str, summary: &Summary) -> Vec<Problem> {
    match summary {
        Summary::Moments(moments) => {
            let mut problems = all_fixed(pointer, &[("sum", &moments.sum), ("sum_sq", &moments.sum_sq)]);
            problems.extend(ranges(pointer, moments.cells.iter().map(|cell| (cell.first, cell.last))));
            problems
        }
        Summary::Agreement(a) => all_fixed(
            pointer,
            &[
                ("sum_p", &a.sum_p),
                ("sum_r", &a.sum_r),
                ("sum_pp", &a.sum_pp),
                ("sum_rr", &a.sum_rr),
                ("sum_pr", &a.sum_pr),
            ],
        ),
        Summary::Scores(scores) => {
            let cells = scores.cells.iter().map(|cell| (cell.first.into(), cell.last.into()));
            ranges(pointer, cells)
        }
        // Counts of decisions are independent of each other, and so are sites' values.
        Summary::Confusion(_) | Summary::PerSite(_) => Vec::new(),
        Summary::Calibration(calibration) => {
            let bins = calibration.bins.iter().enumerate();
            bins.flat_map(|(index, bin)| {
                let pointer = format!("{pointer}/bins/{index}");
                let more = (bin.pos > bin.n).then(|| {
                    Problem::new(
                        format!("{pointer}/pos"),
                        bin.pos.to_string(),
                        format!("at most n, {}", bin.n),
                    )
                });
                more.into_iter().chain(fixed(format!("{pointer}/sum_p"), &bin.sum_p))
            })
            .collect()
        }
    }
}

/// Cells that end before they start.
fn ranges(pointer: &str, cells: impl Iterator<Item = (i32, i32)>) -> Vec<Problem> {
    let problem = |(index, (first, last)): (usize, (i32, i32))| {
        let found = format!("{first} after {last}");
        Problem::new(format!("{pointer}/cells/{index}/first"), found, "`first` not above `last`")
    };
    cells.enumerate().filter(|(_, (first, last))| first > last).map(problem).collect()
}

fn all_fixed(pointer: &str, fields: &[(&str, &String)]) -> Vec<Problem> {
    fields.iter().filter_map(|(field, text)| fixed(format!("{pointer}/{field}"), text)).collect()
}

/// 39 digits can exceed the 128 bits that a sum is held in.
fn fixed(pointer: String, text: &str) -> Option<Problem> {
    text.parse::<i128>()
        .is_err()
        .then(|| Problem::new(pointer, quoted(text), "an integer of at most 128 bits"))
}
