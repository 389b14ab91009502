//! Devices that a site hands to its containers.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use fiel_sandbox::{ContainerConfig, EngineReport};
use fiel_schemas::api::FailureReason;
use serde_json::{Value, json};

use super::bench::{Bench, answer, bench_with, case, hostile, limits, python};
use super::engines::Engine;

const NAME: &str = "fiel.eu/test=fuse";

/// Major and minor number of `/dev/fuse`: a device that no runtime gives of itself, and that does nothing when opened.
const NUMBERS: [&str; 2] = ["10", "229"];

/// Tells in which ways the device can be opened, what else of the host can be, and what came with the device.
const SCRIPT: &str = r"
import os
def tell(act):
    try:
        return act()
    except (OSError, KeyError) as error:
        return type(error).__name__
def opened(path, way):
    file = os.open(path, way)
    number = os.fstat(file).st_rdev
    os.close(file)
    return f'{os.major(number)}:{os.minor(number)}'
def write(path):
    with open(path, 'w') as file:
        return file.write('x')
device = '/dev/fiel/test0'
told = [
    tell(lambda: opened(device, os.O_RDONLY)),
    tell(lambda: opened(device, os.O_RDWR)),
    tell(lambda: os.environ['FIEL_DEVICE']),
    tell(lambda: open('/usr/lib/fiel/driver').read()),
    tell(lambda: write('/usr/lib/fiel/driver')),
    tell(lambda: str(os.path.samefile('/usr/lib/fiel/libfiel.so.99', '/usr/lib/fiel/libc.so.6'))),
    tell(lambda: opened('/dev/fuse', os.O_RDONLY)),
    tell(lambda: opened('/dev/kmsg', os.O_RDONLY)),
    tell(lambda: os.mknod('/tmp/node', 0o20666, os.makedev(1, 11))),
    tell(lambda: open('/dev/zero', 'rb', buffering=0).read(2).hex()),
]
open('/output/answer', 'w').write(' '.join(told))
";

/// A specification of a device made for it, with a driver's file and a hook that would leave a trace.
fn specify(folder: &Path, permissions: &str) {
    let (driver, node, trace) = (folder.join("driver.txt"), folder.join("node"), folder.join("trace"));
    std::fs::write(&driver, "driver").unwrap();
    let made = Command::new("mknod").args(["-m", "666"]).arg(&node).arg("c").args(NUMBERS).status().unwrap();
    assert!(made.success(), "the test of devices makes one, as root");
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let libc = maps.split_whitespace().find(|word| word.ends_with("/libc.so.6")).unwrap();
    let library = folder.join("libfiel.so.99");
    std::fs::copy(libc, &library).unwrap();
    let edits = json!({
        "env": ["FIEL_DEVICE=mine"],
        "deviceNodes": [{"path": "/dev/fiel/test0", "hostPath": node, "permissions": permissions}],
        "mounts": [
            {"hostPath": driver, "containerPath": "/usr/lib/fiel/driver", "options": ["rw"]},
            {"hostPath": library, "containerPath": "/usr/lib/fiel/libfiel.so.99"},
        ],
        "hooks": [{"hookName": "createRuntime", "path": "/bin/touch", "args": ["touch", trace]}],
    });
    write(folder, &edits);
}

fn write(folder: &Path, edits: &Value) {
    let devices = json!([{"name": "fuse", "containerEdits": edits}]);
    let spec = json!({"cdiVersion": "0.6.0", "kind": "fiel.eu/test", "devices": devices});
    let file = folder.join("test.json");
    std::fs::write(&file, spec.to_string()).unwrap();
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o644)).unwrap();
}

fn with(folder: &Path, engine: Engine, devices: &[&str]) -> Bench {
    let config = ContainerConfig {
        runtime: Some(engine.name().to_owned()),
        devices: devices.iter().map(|&name| name.to_owned()).collect(),
        cdi_folders: vec![folder.to_owned()],
        ..ContainerConfig::default()
    };
    bench_with(1, config)
}

fn refused(bench: &Bench, engine: Engine) -> (String, EngineReport) {
    let refusal = bench.try_prepare(&hostile(&json!({}))).unwrap_err();
    assert_eq!(refusal.reason, FailureReason::EngineUnavailable);
    let report = engine.report(bench);
    assert!(!report.available, "{report:?}");
    (refusal.message, report)
}

/// Runs the script; gives what it told.
fn told(bench: &Bench, devices: &[&str]) -> String {
    let prepared = bench.prepare(&python(SCRIPT, &json!({})));
    assert_eq!(bench.sandbox.info(&prepared).hardware.as_deref(), devices.first().copied());
    let results = bench.cases(&prepared, &limits(), vec![case(&[])]);
    bench.assert_nothing_left("a device");
    answer(&results[0])
}

fn a_listed_device_can_be_used_and_nothing_else(engine: Engine) {
    let folder = tempfile::tempdir().unwrap();
    specify(folder.path(), "rw");
    let none = "FileNotFoundError";
    for (devices, expected) in [
        (&[NAME][..], format!("10:229 10:229 mine driver OSError True {none} {none} PermissionError 0000")),
        (&[], format!("{none} {none} KeyError {none} {none} {none} {none} {none} PermissionError 0000")),
    ] {
        let bench = with(folder.path(), engine, devices);
        let report = engine.report(&bench);
        let [device] = &report.devices[..] else { panic!("{report:?}") };
        assert_eq!((device.name.as_str(), device.configured), (NAME, !devices.is_empty()));
        assert_eq!((&device.problem, &device.nodes[..]), (&None, &[(folder.path().join("node"), true)][..]));
        assert!(device.left_out[0].contains("`/bin/touch"), "{device:?}");
        let tried = report.protections.iter().find(|tried| tried.name == "devices");
        assert_eq!(tried.map(|tried| tried.holds), devices.first().map(|_| true), "{report:?}");
        assert_eq!(told(&bench, devices), expected);
        assert!(!folder.path().join("trace").exists(), "a hook was run");
        assert_eq!(std::fs::read_to_string(folder.path().join("driver.txt")).unwrap(), "driver");
    }
}

#[test]
fn a_listed_device_can_be_used_and_nothing_else_with_runc() {
    a_listed_device_can_be_used_and_nothing_else(Engine::Runc);
}

#[test]
fn a_listed_device_can_be_used_and_nothing_else_with_crun() {
    a_listed_device_can_be_used_and_nothing_else(Engine::Crun);
}

#[test]
fn a_device_to_read_is_not_written_or_not_handed_on_at_all() {
    let folder = tempfile::tempdir().unwrap();
    specify(folder.path(), "r");
    // runc has the kernel watch over devices; crun, which leaves control groups to the node, does not.
    let expected = "10:229 PermissionError mine driver OSError";
    assert!(told(&with(folder.path(), Engine::Runc, &[NAME]), &[NAME]).starts_with(expected));
    let (message, _) = refused(&with(folder.path(), Engine::Crun, &[NAME]), Engine::Crun);
    assert!(message.contains("/dev/fiel/test0 can be opened to write"), "{message}");
}

#[test]
fn an_unknown_device_makes_the_engine_unavailable_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &json!({}));
    std::fs::write(folder.path().join("broken.yaml"), "kind: [\n").unwrap();
    let (message, report) = refused(&with(folder.path(), Engine::Runc, &["fiel.eu/test=one"]), Engine::Runc);
    for words in ["`fiel.eu/test=one`", NAME, "broken.yaml"] {
        assert!(message.contains(words), "{message}");
    }
    assert!(report.advice.contains("`engines.devices`"), "{}", report.advice);
    let problems = report.devices.iter().filter(|device| device.problem.is_some());
    assert_eq!(problems.count(), 2, "{:?}", report.devices);
}

#[test]
fn gvisor_says_that_it_hands_on_no_device() {
    let folder = tempfile::tempdir().unwrap();
    specify(folder.path(), "rw");
    let (message, report) = refused(&with(folder.path(), Engine::Runsc, &[NAME]), Engine::Runsc);
    for told in [message, report.advice] {
        assert!(told.contains("runc or crun"), "{told}");
    }
}
