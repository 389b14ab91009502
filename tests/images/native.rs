//! The scripts of the images, run without any container on the files that the images find.

use fiel_sandbox::{CaseInput, Expected};
use fiel_tests::free_port;
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

/// The expected files of one case: path and bytes.
pub(crate) type Answer = BTreeMap<String, Vec<u8>>;

/// Lays every case out in a folder of its own, `input` and `output`, lets `run` do it, and gathers what was written.
pub(crate) fn answers(cases: &[CaseInput], expected: &[Expected], mut run: impl FnMut(&Path)) -> Vec<Answer> {
    let mut answers = Vec::new();
    for input in cases {
        let case = tempfile::tempdir().expect("a temporary folder");
        for (path, bytes) in &input.files {
            let path = case.path().join("input").join(path);
            fs_err::create_dir_all(path.parent().expect("a file lies in a folder")).expect("a folder");
            fs_err::write(path, bytes).expect("an input can be written");
        }
        let output = case.path().join("output");
        fs_err::create_dir(&output).expect("a folder");
        run(case.path());
        answers.push(expected.iter().map(|e| (e.path().to_owned(), written(&output, e))).collect());
    }
    answers
}

fn written(output: &Path, expected: &Expected) -> Vec<u8> {
    let path = output.join(expected.path());
    let path = match expected {
        Expected::File(_) => path,
        Expected::OnlyFileIn(_) => {
            let found: Vec<PathBuf> =
                fs_err::read_dir(path).expect("the folder").map(|e| e.expect("an entry").path()).collect();
            assert_eq!(found.len(), 1, "{found:?}");
            found[0].clone()
        }
    };
    fs_err::read(path).expect("the answer was written")
}

/// `python3` on a script, with the modules of a folder and a case in another.
fn python(script: &Path, modules: &Path, case: &Path) -> Command {
    let mut command = Command::new("python3");
    command.arg(script).env("PYTHONPATH", modules).env("FIEL_ROOT", case);
    command.env("PYTHONDONTWRITEBYTECODE", "1");
    command
}

/// Runs a script on one case.
pub(crate) fn once(script: &Path, modules: &Path, case: &Path) {
    let ran = python(script, modules, case).output().expect("python3 is installed (tests/run.sh)");
    assert!(ran.status.success(), "{}: {}", script.display(), String::from_utf8_lossy(&ran.stderr));
}

/// A script that stays, and answers over HTTP for one case after the other.
pub(crate) struct Warm {
    child: Child,
    port: u16,
    root: PathBuf,
    _place: tempfile::TempDir,
}

impl Warm {
    /// Starts the script that lies among `files`, which are put into one folder, as the image has them.
    pub(crate) fn start(files: &[PathBuf], script: &str) -> Self {
        let place = tempfile::tempdir().expect("a temporary folder");
        for file in files {
            let name = file.file_name().expect("a file has a name");
            fs_err::copy(file, place.path().join(name)).expect("the file is in the repository");
        }
        let (port, root) = (free_port(), place.path().join("root"));
        let mut command = python(&place.path().join(script), place.path(), &root);
        let child = command.env("FIEL_PORT", port.to_string()).spawn();
        let child = child.expect("python3 is installed (tests/run.sh)");
        let warm = Self { child, port, root, _place: place };
        let start = Instant::now();
        while warm.ask("GET /health") != Some(200) {
            assert!(start.elapsed() < Duration::from_secs(30), "{script} never became ready");
            std::thread::sleep(Duration::from_millis(20));
        }
        warm
    }

    /// Answers one case.
    pub(crate) fn invoke(&self, case: &Path) {
        let _ = std::fs::remove_file(&self.root);
        std::os::unix::fs::symlink(case, &self.root).expect("a link can be made");
        assert_eq!(self.ask("POST /invoke"), Some(201));
    }

    /// The status of an answer; `None` where nobody listens yet.
    fn ask(&self, request: &str) -> Option<u16> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        write!(stream, "{request} HTTP/1.0\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        answer.split(' ').nth(1)?.parse().ok()
    }
}

impl Drop for Warm {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
