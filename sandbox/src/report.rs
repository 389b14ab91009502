//! What this machine can run, and how well confined.

use crate::sandbox::Sandbox;

/// An engine of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineReport {
    /// `wasmtime`, `runc`, `tract`, ...
    pub name: String,
    /// Its version, where it is there.
    pub version: Option<String>,
    /// Whether it runs models here.
    pub available: bool,
    /// What was tried to confine models, and whether it holds.
    pub protections: Vec<Protection>,
    /// What to install or to change; empty where nothing is missing.
    pub advice: String,
}

/// A confinement, tried by an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Protection {
    /// Name, as in statements and policies.
    pub name: String,
    /// Whether the attempt was refused as it should be.
    pub holds: bool,
    /// What it does, or why it does not hold.
    pub detail: String,
}

/// Confinements of a worker, with what each does.
const OF_WORKERS: [(&str, &str); 8] = [
    ("nobody", "models run as the user nobody; needs a node started as root"),
    ("chroot", "nothing of the file system is visible but the case; needs a node started as root"),
    ("landlock", "only the case can be read and only its output written; needs Linux 5.13 or newer"),
    ("seccomp", "only the system calls of computing are allowed"),
    ("no-new-privs", "no program raises its rights"),
    ("no-host-files", "files of the machine cannot be opened"),
    ("rlimits", "open files, file sizes and memory are limited"),
    ("memory-cgroup", "memory is limited by a control group; needs rights to make one"),
];

impl Sandbox {
    /// Every engine, whether it is there, and what confines it.
    pub fn engines(&self) -> Vec<EngineReport> {
        let info = self.info();
        let held = |name: &str| info.confinement.iter().any(|held| held == name);
        let protections = OF_WORKERS.map(|(name, detail)| Protection {
            name: name.to_owned(),
            holds: held(name),
            detail: detail.to_owned(),
        });
        vec![EngineReport {
            name: info.name.clone(),
            version: Some(info.version.clone()),
            available: true,
            protections: protections.to_vec(),
            advice: String::new(),
        }]
    }
}
