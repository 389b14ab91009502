//! Real images, built from a Debian root by `challenges/build-images.sh`, in the sandbox of a real node: what they
//! answer is, byte for byte, what their scripts answer without any container on the same files.
//!
//! `python3` must have the images' versions of numpy and SimpleITK; `tests/run.sh` installs them and builds the images.

mod native;
mod watch;

use fiel_metrics::image::{self, ReadLimits};
use fiel_node::cases::{CasePlan, CaseSource};
use fiel_node::dialect::Layout;
use fiel_node::evaluate::evaluate;
use fiel_node::reference_set::{self, LoadedReferenceSet};
use fiel_sandbox::{CaseInput, CaseResult, Dialect, Expected, Model, Sandbox, SandboxConfig, WorkerCommand};
use fiel_schemas::challenge::Challenge;
use fiel_schemas::digest::sha256_hex;
use fiel_schemas::outcome::Outcome;
use fiel_schemas::submission::MediaType;
use fiel_schemas::validate::{self, Kind};
use fiel_tests::{fiel, images, repository};
use native::{Answer, Warm};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

/// Who runs a model: the user whom the image names, who is nobody outside.
const ORDINARY_USER: &str =
    "user 1000 group 1000, root outside false, capabilities 0000000000000000, no new privileges 1";

/// A challenge with its public cases, in one order and under one choice of names.
struct Public {
    baselines: PathBuf,
    challenge: Challenge,
    set: LoadedReferenceSet,
    plan: CasePlan,
}

/// What was run of an image.
struct Ran {
    dialect: Dialect,
    cases: Vec<CaseInput>,
    expected: Vec<Expected>,
    /// In the order of the plan.
    answers: Vec<Answer>,
}

impl Public {
    fn open(id: &str) -> Self {
        let folder = repository().join("challenges").join(id);
        let text = fs_err::read_to_string(folder.join("challenge.yaml")).expect("the definition");
        let challenge = validate::from_yaml(Kind::Challenge, &text).expect("a valid challenge");
        let set = reference_set::load(&folder.join("public")).expect("a sealed set");
        let plan = CasePlan::from_seed("real images", set.cases());
        Self { baselines: folder.join("baselines"), challenge, set, plan }
    }

    fn script(&self, name: &str) -> PathBuf {
        self.baselines.join(name).join("model.py")
    }

    /// What a model of a dialect finds, case for case.
    fn cases(&self, layout: Layout<'_>) -> Vec<CaseInput> {
        let (never, failure) = (|| false, Mutex::new(None));
        let source = CaseSource::new(&self.challenge, &self.set, &self.plan, layout, &never, &failure);
        let cases: Vec<CaseInput> = source.expect("the set serves the challenge").collect();
        assert_eq!(cases.len(), self.set.cases(), "{failure:?}");
        cases
    }

    /// Runs an image as a node does, with its user watched from outside.
    fn run(&self, sandbox: &Sandbox, name: &str) -> Ran {
        let prepared = sandbox.prepare(&model(&self.challenge.id, name)).expect("the image can be run here");
        let layout = Layout::new(prepared.dialect, &self.challenge);
        let (cases, expected) = (self.cases(layout), layout.expected());
        let results = Mutex::new(Vec::new());
        let take = |result: CaseResult| results.lock().expect("no panic while held").push(result);
        let (ran, seen) = watch::during(&self.script(name), || {
            sandbox.run_cases(&prepared, &self.challenge.limits, cases.iter().cloned(), &expected, &take)
        });
        ran.expect("the sandbox works");
        assert_eq!(seen, BTreeSet::from([ORDINARY_USER.to_owned()]), "who ran {name}");
        let mut results = results.into_inner().expect("no panic while held");
        results.sort_by_key(|result| result.index);
        let answers = results.into_iter().map(|result| {
            let log = String::from_utf8_lossy(&result.log);
            assert_eq!(result.outcome, Outcome::Ok, "{name}, {}: {} {log}", result.name, result.reason);
            result.outputs
        });
        Ran { dialect: prepared.dialect, answers: answers.collect(), cases, expected }
    }

    /// The voxels of masks that were given as answers.
    fn voxels(&self, ran: &Ran) -> Vec<Vec<u8>> {
        let (layout, limits) = (Layout::new(ran.dialect, &self.challenge), ReadLimits::default());
        let truth = self.set.column(&self.set.doc.truth).expect("the truth is a column");
        let read = |(row, answer): (&usize, &Answer)| {
            let truth = fs_err::read(self.set.dir.join(truth[*row])).expect("a file of the set");
            let truth = image::recode_nifti(&truth, &limits).expect("a NIfTI file");
            let grid = image::parse_nifti_mask(&truth, &limits).expect("a mask");
            let bytes = answer.values().next().expect("one answer for each case");
            layout.mask(bytes, &grid).expect("a mask on the grid of its case").data
        };
        self.plan.order.iter().zip(&ran.answers).map(read).collect()
    }
}

fn model(challenge: &str, name: &str) -> Model {
    let path = images::archive(challenge, name);
    let sha256 = sha256_hex(&fs_err::read(&path).expect("the archive is readable"));
    Model { path, sha256, media_type: MediaType::ImageArchive }
}

/// The sandbox of a node whose worker is the real program.
fn sandbox(folder: &Path, parallel: usize) -> Sandbox {
    let worker = WorkerCommand { program: fiel(), args: vec!["sandbox-worker".to_owned()] };
    let config = SandboxConfig::new(folder.join("work"), folder.join("cache"), worker);
    Sandbox::new(SandboxConfig { parallel, ..config }).expect("the sandbox starts")
}

/// Asserts that the answers have the same bytes, and that they depend on the case.
fn assert_same(name: &str, ran: &Ran, native: &[Answer]) {
    assert_eq!(ran.answers.len(), native.len(), "{name}");
    for ((case, contained), native) in ran.cases.iter().zip(&ran.answers).zip(native) {
        assert!(contained == native, "{name}, {}: {}", case.name, differences(contained, native));
    }
    assert!(
        native.iter().collect::<BTreeSet<_>>().len() > native.len() / 2,
        "{name} gives one answer to all"
    );
}

fn differences(contained: &Answer, native: &Answer) -> String {
    let sizes = |answer: &Answer| -> Vec<String> {
        answer
            .iter()
            .map(|(path, bytes)| format!("{path} {} bytes {}", bytes.len(), sha256_hex(bytes)))
            .collect()
    };
    format!("in the container {:?}, natively {:?}", sizes(contained), sizes(native))
}

#[test]
fn images_that_start_for_each_case_answer_as_their_scripts_do_and_mark_the_same_voxels() {
    let public = Public::open("lesion-phantom");
    let place = tempfile::tempdir().expect("a temporary folder");
    let sandbox = sandbox(place.path(), 2);
    let mut marked = Vec::new();
    for (name, dialect) in [("gc-exec-image", Dialect::GrandChallenge), ("python-image", Dialect::Fiel)] {
        let ran = public.run(&sandbox, name);
        assert_eq!(ran.dialect, dialect, "{name}");
        let modules = public.baselines.join("common");
        let native = native::answers(&ran.cases, &ran.expected, |case| {
            native::once(&public.script(name), &modules, case);
        });
        assert_same(name, &ran, &native);
        marked.push(public.voxels(&ran));
    }
    assert!(marked[0] == marked[1], "the two dialects give different masks");
    assert!(marked[0].iter().any(|mask| mask.contains(&1)), "no lesion was found in any case");
}

#[test]
fn the_image_that_stays_warm_answers_every_case_as_its_script_does() {
    let public = Public::open("breast-fna");
    let place = tempfile::tempdir().expect("a temporary folder");
    let ran = public.run(&sandbox(place.path(), 2), "gc-invoke-image");
    assert_eq!(ran.dialect, Dialect::GrandChallenge);
    let files = ["common/features.h", "logistic/weights.h", "gc-invoke-image/model.py"];
    let warm = Warm::start(&files.map(|file| public.baselines.join(file)), "model.py");
    let native = native::answers(&ran.cases, &ran.expected, |case| warm.invoke(case));
    assert_same("gc-invoke-image", &ran, &native);
}

/// The image as `docker save` writes it.
fn docker_saved(folder: &Path, image: &Model) -> Model {
    let path = folder.join("saved.tar");
    let mut skopeo = Command::new("skopeo");
    skopeo.args(["--insecure-policy", "--tmpdir"]).arg(folder).arg("copy");
    skopeo.arg(format!("oci-archive:{}", image.path.display()));
    skopeo.arg(format!("docker-archive:{}:saved:1", path.display()));
    let ran = skopeo.output().expect("skopeo is installed (apt-get install skopeo)");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let sha256 = sha256_hex(&fs_err::read(&path).expect("the archive was written"));
    Model { path, sha256, media_type: MediaType::ImageArchive }
}

/// Evaluates images of one challenge with one worker and with two: there is one case table.
fn assert_one_table(challenge: &str, folder: &Path, images: &[(&str, Model)]) {
    let public = Public::open(challenge);
    let mut tables = Vec::new();
    for parallel in [1, 2] {
        let sandbox = sandbox(folder, parallel);
        for (name, model) in images {
            let evaluation = evaluate(&public.challenge, &public.set, &sandbox, model, &|_, _| {});
            let evaluation = evaluation.expect("the image can be run here");
            assert_eq!(evaluation.cases.get("ok"), Some(&(public.set.cases() as u64)), "{name}");
            let digest = evaluation.table_digest().expect("a table of known columns");
            tables.push((digest, format!("{name}, {parallel} at once")));
        }
    }
    assert!(tables.iter().all(|(digest, _)| *digest == tables[0].0), "{tables:?}");
}

#[test]
fn the_case_table_is_the_same_for_one_and_two_workers_and_however_the_image_was_saved() {
    let place = tempfile::tempdir().expect("a temporary folder");
    let image = model("breast-fna", "gc-invoke-image");
    let saved = docker_saved(place.path(), &image);
    assert_ne!(saved.sha256, image.sha256);
    assert_one_table("breast-fna", place.path(), &[("oci archive", image), ("docker save", saved)]);
}

#[test]
fn the_case_table_is_the_same_in_batches_for_one_and_two_workers_and_for_every_run() {
    let place = tempfile::tempdir().expect("a temporary folder");
    let image = model("lesion-phantom", "python-image");
    let mut public = Public::open("lesion-phantom");
    let mut tables = Vec::new();
    for (batch, parallel) in [(1, 1), (3, 1), (3, 2), (3, 2), (32, 1)] {
        public.challenge.interface.batch = batch;
        let progress = Mutex::new(Vec::new());
        let count = |done, all| progress.lock().expect("no panic while held").push((done, all));
        let sandbox = sandbox(place.path(), parallel);
        let evaluation = evaluate(&public.challenge, &public.set, &sandbox, &image, &count);
        let evaluation = evaluation.expect("the image can be run here");
        let cases = public.set.cases() as u64;
        assert_eq!(evaluation.cases.get("ok"), Some(&cases), "batches of {batch}");
        let mut progress = progress.into_inner().expect("no panic while held");
        progress.sort_unstable();
        assert_eq!(progress, (0..=cases).map(|done| (done, cases)).collect::<Vec<_>>(), "batches of {batch}");
        // The script prints a line for each case that it finds.
        let seen =
            evaluation.logs.iter().map(|log| String::from_utf8_lossy(&log.bytes).lines().count()).max();
        assert_eq!(seen, Some(public.set.cases().min(batch as usize)), "batches of {batch}");
        tables.push(evaluation.table_digest().expect("a table of known columns"));
    }
    assert!(tables.iter().all(|digest| *digest == tables[0]), "{tables:?}");
}

#[test]
fn the_case_table_is_the_same_for_one_and_two_workers_and_in_both_dialects() {
    let place = tempfile::tempdir().expect("a temporary folder");
    let images = ["gc-exec-image", "python-image"].map(|name| (name, model("lesion-phantom", name)));
    assert_one_table("lesion-phantom", place.path(), &images);
}
