//! The part of the OCI runtime specification that the engine writes: `config.json` of a bundle.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::cdi::Edits;
use super::recipe::Recipe;
use super::seccomp::{self, Seccomp};

/// Version of the specification that is written.
const VERSION: &str = "1.0.2";

/// Name of the machine a model sees.
pub(super) const HOSTNAME: &str = "model";

/// Open files of a process.
const OPEN_FILES: u64 = 4_096;

/// Users and groups a container has.
pub(super) const IDS: u32 = 65_536;

/// What tells about the host or reaches into it through `/proc` and `/sys`.
const MASKED: &[&str] = &[
    "/proc/acpi",
    "/proc/asound",
    "/proc/bus",
    "/proc/config.gz",
    "/proc/driver",
    "/proc/fs",
    "/proc/interrupts",
    "/proc/iomem",
    "/proc/irq",
    "/proc/kallsyms",
    "/proc/kcore",
    "/proc/key-users",
    "/proc/keys",
    "/proc/kmsg",
    "/proc/latency_stats",
    "/proc/modules",
    "/proc/mtrr",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/sysrq-trigger",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/block",
    "/sys/bus",
    "/sys/class",
    "/sys/dev",
    "/sys/devices/virtual",
    "/sys/firmware",
    "/sys/fs",
    "/sys/kernel",
    "/sys/module",
    "/sys/power",
];

/// What stays visible and cannot be changed.
const READ_ONLY: &[&str] = &["/proc/sys"];

/// How users in a container are related to users of the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mapping {
    /// They are the same.
    Same,
    /// A user namespace: user `u` is `base + u` outside.
    Shifted { base: u32 },
    /// A user namespace in which the node's own user is the only one.
    Own { user: u32, group: u32 },
}

/// What the specification needs to know beside the recipe.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) mapping: Mapping,
    /// Where the runtime makes its control group; `None` leaves that to the runtime.
    pub(super) group: Option<String>,
    /// Sizes of `/tmp` and `/dev/shm`, bytes.
    pub(super) scratch_bytes: u64,
    /// Largest file a process may write, bytes.
    pub(super) file_bytes: u64,
    /// Root file system and the sources of the recipe's binds, as the runtime reaches them.
    pub(super) rootfs: PathBuf,
    pub(super) sources: Vec<PathBuf>,
    /// The same for the recipe's devices.
    pub(super) devices: Vec<PathBuf>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Spec<'a> {
    oci_version: &'static str,
    pub(super) hostname: &'static str,
    pub(super) process: Process<'a>,
    pub(super) root: Root,
    pub(super) mounts: Vec<Mount>,
    pub(super) linux: Linux,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Process<'a> {
    terminal: bool,
    pub(super) user: User,
    pub(super) args: &'a [String],
    pub(super) env: Vec<String>,
    pub(super) cwd: &'a str,
    capabilities: Capabilities,
    no_new_privileges: bool,
    pub(super) rlimits: Vec<Rlimit>,
    pub(super) oom_score_adj: i32,
}

#[derive(Debug, Serialize)]
pub(super) struct User {
    pub(super) uid: u32,
    pub(super) gid: u32,
    umask: u32,
}

/// None of any kind.
#[derive(Debug, Default, Serialize)]
struct Capabilities {
    bounding: [String; 0],
    effective: [String; 0],
    inheritable: [String; 0],
    permitted: [String; 0],
    ambient: [String; 0],
}

#[derive(Debug, Serialize)]
pub(super) struct Rlimit {
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    pub(super) hard: u64,
    pub(super) soft: u64,
}

#[derive(Debug, Serialize)]
pub(super) struct Root {
    pub(super) path: PathBuf,
    readonly: bool,
}

#[derive(Debug, Serialize)]
pub(super) struct Mount {
    pub(super) destination: PathBuf,
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    pub(super) source: PathBuf,
    pub(super) options: Vec<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Linux {
    namespaces: Vec<Namespace>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) uid_mappings: Vec<IdMapping>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) gid_mappings: Vec<IdMapping>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cgroups_path: Option<String>,
    resources: Resources,
    pub(super) seccomp: Seccomp,
    pub(super) masked_paths: &'static [&'static str],
    readonly_paths: &'static [&'static str],
}

#[derive(Debug, Serialize)]
struct Namespace {
    #[serde(rename = "type")]
    kind: &'static str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct IdMapping {
    #[serde(rename = "containerID")]
    pub(super) container: u32,
    #[serde(rename = "hostID")]
    pub(super) host: u32,
    pub(super) size: u32,
}

#[derive(Debug, Serialize)]
struct Resources {
    devices: Vec<Rule>,
}

/// Which devices may be used.
#[derive(Debug, Serialize)]
struct Rule {
    allow: bool,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    major: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    minor: Option<u32>,
    access: String,
}

/// What a filter does with a system call.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) enum Action {
    #[serde(rename = "SCMP_ACT_ALLOW")]
    Allow,
    #[serde(rename = "SCMP_ACT_ERRNO")]
    Errno,
}

/// The specification of one container.
pub(super) fn spec<'a>(recipe: &'a Recipe, frame: &Frame) -> Spec<'a> {
    let (uid, gid) = match frame.mapping {
        // Where there is but one user it is called root inside, without any of root's rights outside.
        Mapping::Own { .. } => (0, 0),
        _ => (recipe.user, recipe.group),
    };
    Spec {
        oci_version: VERSION,
        hostname: HOSTNAME,
        process: Process {
            terminal: false,
            user: User { uid, gid, umask: 0o022 },
            args: &recipe.argv,
            env: recipe.env.iter().map(|(name, value)| format!("{name}={value}")).collect(),
            cwd: &recipe.cwd,
            capabilities: Capabilities::default(),
            no_new_privileges: true,
            rlimits: rlimits(frame.file_bytes),
            oom_score_adj: 1000,
        },
        root: Root { path: frame.rootfs.clone(), readonly: true },
        mounts: mounts(recipe, frame),
        linux: linux(recipe, frame),
    }
}

fn rlimits(file_bytes: u64) -> Vec<Rlimit> {
    use rustix::process::{Resource, getrlimit};
    let limits = [
        ("RLIMIT_FSIZE", Resource::Fsize, file_bytes),
        ("RLIMIT_NOFILE", Resource::Nofile, OPEN_FILES),
        ("RLIMIT_CORE", Resource::Core, 0),
    ];
    // A node without the right to raise its own limits cannot give more than it has.
    let within = |resource, value: u64| getrlimit(resource).maximum.map_or(value, |hard| hard.min(value));
    limits
        .into_iter()
        .map(|(kind, resource, value)| (kind, within(resource, value)))
        .map(|(kind, value)| Rlimit { kind, hard: value, soft: value })
        .collect()
}

fn mounts(recipe: &Recipe, frame: &Frame) -> Vec<Mount> {
    let special = |destination: &str, kind: &'static str, options: &[&str]| Mount {
        destination: destination.into(),
        kind,
        source: kind.into(),
        options: options.iter().map(|&option| option.to_owned()).collect(),
    };
    let size = format!("size={}", frame.scratch_bytes);
    let mut mounts = vec![
        special("/proc", "proc", &["nosuid", "noexec", "nodev"]),
        special("/dev", "tmpfs", &["nosuid", "noexec", "mode=755", "size=1048576"]),
        special("/dev/shm", "tmpfs", &["nosuid", "noexec", "nodev", "mode=1777", &size]),
        special("/sys", "sysfs", &["nosuid", "noexec", "nodev", "ro"]),
        special("/tmp", "tmpfs", &["nosuid", "nodev", "mode=1777", &size]),
    ];
    mounts.extend(recipe.binds.iter().zip(&frame.sources).map(|(bind, source)| Mount {
        destination: bind.destination.clone(),
        kind: "bind",
        source: source.clone(),
        options: bind.options().iter().map(|&option| option.to_owned()).collect(),
    }));
    // Bound and not made: a user namespace could not make them.
    mounts.extend(recipe.devices.iter().zip(&frame.devices).map(|(node, source)| Mount {
        destination: node.destination.clone(),
        kind: "bind",
        source: source.clone(),
        options: ["bind", "nosuid", "noexec"].map(str::to_owned).to_vec(),
    }));
    mounts
}

/// No device but the recipe's, and those every container has.
fn rules(recipe: &Recipe) -> Vec<Rule> {
    let none = Rule { allow: false, kind: None, major: None, minor: None, access: "rwm".to_owned() };
    let allowed = recipe.devices.iter().map(|node| Rule {
        allow: true,
        kind: Some(node.kind),
        major: Some(node.major),
        minor: Some(node.minor),
        access: node.access.clone(),
    });
    std::iter::once(none).chain(allowed).collect()
}

fn linux(recipe: &Recipe, frame: &Frame) -> Linux {
    let mut kinds = vec!["pid", "network", "ipc", "uts", "mount", "cgroup"];
    let (uid_mappings, gid_mappings) = match frame.mapping {
        Mapping::Same => (Vec::new(), Vec::new()),
        Mapping::Shifted { base } => (ids(base, IDS), ids(base, IDS)),
        Mapping::Own { user, group } => (ids(user, 1), ids(group, 1)),
    };
    if frame.mapping != Mapping::Same {
        kinds.push("user");
    }
    Linux {
        namespaces: kinds.into_iter().map(|kind| Namespace { kind }).collect(),
        uid_mappings,
        gid_mappings,
        cgroups_path: frame.group.clone(),
        resources: Resources { devices: rules(recipe) },
        seccomp: seccomp::profile(),
        masked_paths: MASKED,
        readonly_paths: READ_ONLY,
    }
}

fn ids(host: u32, size: u32) -> Vec<IdMapping> {
    vec![IdMapping { container: 0, host, size }]
}

/// Digest of everything that is the same for every container, SHA-256 in hexadecimal.
pub(super) fn config_digest(runtime: &str, devices: &Edits) -> String {
    let frame = Frame {
        mapping: Mapping::Same,
        group: None,
        scratch_bytes: 0,
        file_bytes: 0,
        rootfs: PathBuf::new(),
        sources: devices.binds.iter().map(|bind| bind.destination.clone()).collect(),
        devices: devices.nodes.iter().map(|node| node.source.clone()).collect(),
    };
    let mut recipe = Recipe::empty(Path::new("/"));
    recipe.binds.clear();
    let recipe = recipe.with(devices);
    // A structure of plain fields is always written.
    let text = serde_json::to_string(&spec(&recipe, &frame)).unwrap_or_default();
    fiel_schemas::digest::sha256_hex(format!("{runtime}\n{text}").as_bytes())
}
