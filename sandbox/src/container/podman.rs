//! Podman as a runtime: what a specification says, as arguments of `podman run`.
//!
//! Podman reads no bundle; it writes one of its own and has crun run it. So each thing that the specification says is
//! said to it in its own words, and what it would add by itself (variables, `/etc/hosts`, the site's default mounts,
//! hooks and limits) is switched off. All its state lies in the container's bundle and goes with that.
//!
//! Podman and its monitor run in the container's control group, so that they end with it; [`OWN_MEMORY`] is what they
//! get beside the model's.

use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::process::Command;

use fs_err as fs;
use rustix::process::{Resource, getrlimit};

use super::runtime::Places;
use super::spec::{Mount, Spec};

/// Memory that podman, its monitor and crun use, bytes: 20 MiB measured.
pub(super) const OWN_MEMORY: u64 = 64 << 20;

/// Processes and threads that they have.
pub(super) const OWN_PROCESSES: u64 = 64;

/// Processes of one user of the host, of which no two cases share one: what podman sets for itself.
const PROCESSES: u64 = 32_768;

/// What stands in place of the site's configuration for podman, which is made for other containers: it may bind
/// secrets of the host, run hooks, raise limits. Locks lie in files, since those in shared memory outlive a killed node.
const CONFIGURATION: &str = "\
[containers]
annotations = []
cgroupns = \"private\"
default_sysctls = []
default_ulimits = []
env = []
volumes = []
[engine]
cgroup_manager = \"cgroupfs\"
events_logger = \"none\"
hooks_dir = []
lock_type = \"file\"
runtime = \"crun\"
";

/// Adds what runs the container in the foreground to a command that is `podman` yet. `state` is where the bundle's folder
/// of that name lies on the stage: podman takes no path of more than 50 characters for it.
pub(super) fn run(command: &mut Command, places: &Places, state: &Path, spec: &Spec<'_>) -> io::Result<()> {
    let file = |name: &str, content: &[u8]| {
        let path = places.bundle.join(name);
        fs::write(&path, content).map(|()| path)
    };
    let configuration = file("containers.conf", CONFIGURATION.as_bytes())?;
    // Podman wants every folder here, though its options name them again.
    let folder = |name: &str| serde_json::to_string(&state.join(name));
    let (root, run) = (folder("root")?, folder("run")?);
    let storage = format!("[storage]\ndriver = \"vfs\"\ngraphroot = {root}\nrunroot = {run}\n");
    let storage = file("storage.conf", storage.as_bytes())?;
    let mounts = file("mounts.conf", b"")?;
    let seccomp = file("seccomp.json", &serde_json::to_vec(&spec.linux.seccomp)?)?;
    command.env("CONTAINERS_CONF", configuration).env("CONTAINERS_STORAGE_CONF", storage);
    for (option, folder) in [("--root", "root"), ("--runroot", "run"), ("--tmpdir", "tmp")] {
        command.arg(option).arg(state.join(folder));
    }
    command.arg("--default-mounts-file").arg(mounts).args(["--log-level", "error"]);
    command.args([
        "run",
        "--rm",
        "--interactive",
        "--log-driver=none",
        "--sdnotify=ignore",
        "--systemd=false",
    ]);
    command.args([
        "--cgroups=disabled",
        "--cgroupns=private",
        "--network=none",
        "--no-hosts",
        "--passwd=false",
    ]);
    command.args([
        "--unsetenv-all",
        "--http-proxy=false",
        "--cap-drop=all",
        "--read-only",
        "--read-only-tmpfs=false",
    ]);
    command.arg("--pidfile").arg(places.process()).args(["--name", &places.id]);
    command.args(["--security-opt", "no-new-privileges", "--security-opt", "label=disable"]);
    command.args(["--security-opt", &format!("mask={}", spec.linux.masked_paths.join(":"))]);
    command.arg("--security-opt").arg(joined("seccomp=", seccomp));
    command.args(words(spec));
    // An overlay, so that what podman puts into the image's folders is not put into the image.
    command.arg("--rootfs").arg(with_end(spec.root.path.clone().into(), ":O")).args(spec.process.args);
    Ok(())
}

/// What differs from container to container.
fn words(spec: &Spec<'_>) -> Vec<OsString> {
    let process = &spec.process;
    let mut words = vec![
        format!("--hostname={}", spec.hostname),
        format!("--user={}:{}", process.user.uid, process.user.gid),
        format!("--workdir={}", process.cwd),
        format!("--oom-score-adj={}", process.oom_score_adj),
    ];
    for limit in &process.rlimits {
        let name = limit.kind.trim_start_matches("RLIMIT_").to_lowercase();
        words.push(format!("--ulimit={name}={}:{}", limit.soft, limit.hard));
    }
    // Podman would raise it, which a node without that right cannot; the control group bounds processes anyway.
    let processes = getrlimit(Resource::Nproc).maximum.map_or(PROCESSES, |most| most.min(PROCESSES));
    words.push(format!("--ulimit=nproc={processes}:{processes}"));
    for (option, mappings) in [("--uidmap", &spec.linux.uid_mappings), ("--gidmap", &spec.linux.gid_mappings)]
    {
        let mapped =
            |map: &super::spec::IdMapping| format!("{option}={}:{}:{}", map.container, map.host, map.size);
        words.extend(mappings.iter().map(mapped));
    }
    words.extend(process.env.iter().map(|variable| format!("--env={variable}")));
    let mut words: Vec<OsString> = words.into_iter().map(OsString::from).collect();
    words.extend(spec.mounts.iter().filter_map(mount));
    words
}

/// A mount, unless podman makes it by itself.
fn mount(mount: &Mount) -> Option<OsString> {
    let to = mount.destination.as_os_str();
    match (mount.kind, to.to_str()) {
        ("tmpfs", Some("/dev/shm")) => {
            let size = mount.options.iter().find_map(|option| option.strip_prefix("size="))?;
            Some(format!("--shm-size={size}b").into())
        }
        ("tmpfs", Some("/dev")) => None,
        ("tmpfs", _) => Some(with_end(joined("--tmpfs=", to), &format!(":{}", mount.options.join(",")))),
        ("bind", _) => {
            let options: Vec<&str> =
                mount.options.iter().map(String::as_str).filter(|option| *option != "bind").collect();
            let from = with_end(joined("--volume=", &mount.source), ":");
            Some(with_end(joined(from, to), &format!(":{}", options.join(","))))
        }
        _ => None,
    }
}

fn joined(start: impl Into<OsString>, end: impl AsRef<std::ffi::OsStr>) -> OsString {
    let mut text = start.into();
    text.push(end);
    text
}

fn with_end(text: OsString, end: &str) -> OsString {
    joined(text, end)
}
