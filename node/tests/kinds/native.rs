//! The scripts of the example containers, run natively on exactly what a container finds: what they answer in one
//! dialect is what they answer in the other, and ITK reads and writes the images that the platform writes and reads.
//!
//! `python3` must have numpy and SimpleITK; `tests/run.sh` installs them.

use super::{archive, baseline, folder, try_it};
use fiel_metrics::image::{self, ReadLimits, Volume};
use fiel_node::dialect::{Case, Layout, Value};
use fiel_node::reference_set::{self, LoadedReferenceSet};
use fiel_sandbox::{Dialect, Expected};
use fiel_schemas::challenge::{Challenge, PortKind};
use fiel_schemas::submission::MediaType;
use fiel_schemas::validate::{self, Kind};
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

/// A challenge with its public cases.
struct Public {
    challenge: Challenge,
    set: LoadedReferenceSet,
}

impl Public {
    fn open(id: &str) -> Self {
        let text = std::fs::read_to_string(folder(id).join("challenge.yaml")).unwrap();
        let challenge = validate::from_yaml(Kind::Challenge, &text).unwrap();
        Self { challenge, set: reference_set::load(&folder(id).join("public")).unwrap() }
    }

    fn nifti(&self, path: &str) -> Vec<u8> {
        image::recode_nifti(&std::fs::read(self.set.dir.join(path)).unwrap(), &ReadLimits::default()).unwrap()
    }

    /// Lays every case out for a dialect, lets `run` do it in its folder, and gathers the answers as predictions.
    fn answers(&self, dialect: Dialect, mut run: impl FnMut(&Path)) -> Vec<u8> {
        let layout = Layout::new(dialect, &self.challenge);
        let output = &self.challenge.interface.outputs[0];
        let (ids, truth) =
            (self.set.column("case_id").unwrap(), self.set.column(&self.set.doc.truth).unwrap());
        let mut files = Vec::new();
        for (row, id) in ids.iter().enumerate() {
            let case = tempfile::tempdir().unwrap();
            let inputs = layout.inputs(Case { name: id, values: self.values(row) }).unwrap();
            for (path, bytes) in inputs {
                let path = case.path().join("input").join(path);
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(path, bytes).unwrap();
            }
            std::fs::create_dir(case.path().join("output")).unwrap();
            run(case.path());
            let found = written(&case.path().join("output"), &layout.output(output));
            let answer = if output.kind == PortKind::Mask {
                let reference =
                    image::parse_nifti_mask(&self.nifti(truth[row]), &ReadLimits::default()).unwrap();
                image::encode_nifti_mask(&layout.mask(&found, &reference).unwrap()).unwrap()
            } else {
                let score = layout.probability(output, &found, id).unwrap();
                format!("case_id,{}\n{id},{score:e}\n", output.columns[0]).into_bytes()
            };
            files.push((format!("{id}/{}", output.path), answer));
        }
        archive(&files)
    }

    fn values(&self, row: usize) -> Vec<Value<'_>> {
        let ports = self.challenge.interface.inputs.iter();
        ports
            .map(|port| match port.kind {
                PortKind::Table => {
                    Value::Row(port.columns.iter().map(|name| self.set.column(name).unwrap()[row]).collect())
                }
                PortKind::Image | PortKind::Mask => {
                    Value::Image(self.nifti(self.set.column(&port.name).unwrap()[row]))
                }
            })
            .collect()
    }
}

fn written(output: &Path, expected: &Expected) -> Vec<u8> {
    match expected {
        Expected::File(path) => std::fs::read(output.join(path)).unwrap(),
        Expected::OnlyFileIn(path) => {
            let found: Vec<_> =
                std::fs::read_dir(output.join(path)).unwrap().map(|e| e.unwrap().path()).collect();
            assert_eq!(found.len(), 1);
            std::fs::read(&found[0]).unwrap()
        }
    }
}

/// `python3` on a script, with the modules of a folder and a case in another.
fn python(script: &Path, modules: &Path, case: &Path) -> Command {
    let mut command = Command::new("python3");
    command.arg(script).env("PYTHONPATH", modules).env("FIEL_ROOT", case);
    command
}

fn digest(challenge: &str, predictions: &[u8]) -> String {
    try_it(challenge, predictions, MediaType::Predictions, 1).unwrap().table_digest().unwrap()
}

#[test]
fn the_example_in_fiel_s_dialect_and_the_one_of_grand_challenge_mark_the_same_voxels() {
    let public = Public::open("lesion-phantom");
    let baselines = folder("lesion-phantom").join("baselines");
    let run = |name: &str, dialect: Dialect| {
        let script = baselines.join(name).join("model.py");
        public.answers(dialect, |case| {
            let ran = python(&script, &baselines.join("common"), case).output().unwrap();
            assert!(ran.status.success(), "{name}: {}", String::from_utf8_lossy(&ran.stderr));
        })
    };
    let (own, theirs) = (run("python-image", Dialect::Fiel), run("gc-exec-image", Dialect::GrandChallenge));
    assert_eq!(digest("lesion-phantom", &own), digest("lesion-phantom", &theirs));
    let evaluation = try_it("lesion-phantom", &theirs, MediaType::Predictions, 1).unwrap();
    let dice = evaluation.table.column("dice").unwrap().f64().unwrap().clone();
    assert!(dice.iter().flatten().any(|value| value > 0.5), "the masks lie where the lesions are: {dice:?}");
}

/// What ITK says about an image that the platform wrote for it.
#[test]
fn itk_sees_the_grid_that_the_platform_means() {
    const SCRIPT: &str = "import SimpleITK, sys; i = SimpleITK.ReadImage(sys.argv[1]); \
        print(*i.GetSize(), *i.GetSpacing(), *i.GetOrigin(), *i.GetDirection(), i[3, 1, 1], \
        *i.TransformContinuousIndexToPhysicalPoint((1.5, 2.0, 0.5)))";
    let (s, c) = 0.3_f64.sin_cos();
    let grid = image::Geometry {
        shape: [4, 3, 2],
        spacing_mm: [0.75, 1.25, 2.5],
        origin_mm: [-102.5, 31.25, 740.0],
        direction: [c, 0.0, s, 0.0, -1.0, 0.0, -s, 0.0, c],
        plane: false,
    };
    let nifti = image::encode_nifti_i16(&Volume { geometry: grid, data: (0..24).collect() }).unwrap();
    // Single precision is what NIfTI holds.
    let grid = image::parse_image_i16(&nifti, &ReadLimits::default()).unwrap().geometry;
    let folder = tempfile::tempdir().unwrap();
    let mut seen = Vec::new();
    for (name, bytes) in [
        ("a.mha", image::encode_meta_image(&nifti, &ReadLimits::default()).unwrap()),
        ("a.nii", nifti.clone()),
    ] {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        let ran = Command::new("python3").args(["-c", SCRIPT]).arg(&path).output().unwrap();
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
        let text = String::from_utf8(ran.stdout).unwrap();
        seen.push(text.split_whitespace().map(|v| v.parse().unwrap()).collect::<Vec<f64>>());
    }
    let position = grid.position([1.5, 2.0, 0.5]);
    let turned = [-position[0], -position[1], position[2]];
    for numbers in &seen {
        assert_eq!((numbers.len(), &numbers[..3], numbers[18]), (22, &[4.0, 3.0, 2.0][..], 19.0));
        assert!(
            numbers[19..].iter().zip(turned).all(|(a, b)| (a - b).abs() < 1e-4),
            "{numbers:?} {turned:?}"
        );
    }
    assert!(seen[0].iter().zip(&seen[1]).all(|(a, b)| (a - b).abs() < 1e-4), "{seen:?}");
}

/// A process that ends with the test.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// The status of an answer; `None` where nobody listens yet.
fn ask(port: u16, request: &str) -> Option<u16> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    write!(stream, "{request} HTTP/1.0\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    answer.split(' ').nth(1)?.parse().ok()
}

#[test]
fn the_example_that_stays_warm_answers_every_case_as_the_module_of_the_same_weights() {
    let public = Public::open("breast-fna");
    let baselines = folder("breast-fna").join("baselines");
    let place = tempfile::tempdir().unwrap();
    for file in ["common/features.h", "logistic/weights.h", "gc-invoke-image/model.py"] {
        let name = Path::new(file).file_name().unwrap();
        std::fs::copy(baselines.join(file), place.path().join(name)).unwrap();
    }
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let root = place.path().join("root");
    let mut command = python(&place.path().join("model.py"), place.path(), &root);
    let _server = Server(command.env("FIEL_PORT", port.to_string()).spawn().unwrap());
    let start = Instant::now();
    while ask(port, "GET /health") != Some(200) {
        assert!(start.elapsed() < Duration::from_secs(30), "it never became ready");
        std::thread::sleep(Duration::from_millis(20));
    }
    let file = public.answers(Dialect::GrandChallenge, |case| {
        let _ = std::fs::remove_file(&root);
        std::os::unix::fs::symlink(case, &root).unwrap();
        assert_eq!(ask(port, "POST /invoke"), Some(201));
    });
    let scores = |bytes: &[u8], media_type: MediaType| -> Vec<f64> {
        let table = try_it("breast-fna", bytes, media_type, 2).unwrap().table;
        table.column("score").unwrap().f64().unwrap().iter().map(Option::unwrap).collect()
    };
    let (warm, module) =
        (scores(&file, MediaType::Predictions), scores(&baseline("logistic"), MediaType::Wasm));
    assert_eq!(warm.len(), public.set.cases());
    // The module prints fewer digits.
    assert!(warm.iter().zip(&module).all(|(a, b)| (a - b).abs() < 1e-6));
}
