//! The low-level runtimes that can be driven, and how each is called.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::podman;
use super::spec::Spec;

/// Folders searched beside those of `PATH`, which a service may have without the system's own.
const USUAL: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// In which order runtimes are looked for.
const ORDER: [&str; 3] = ["runc", "crun", "runsc"];

/// A family of runtimes that are called alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Runc,
    Crun,
    /// gVisor, a kernel of its own in user space.
    Runsc,
    /// What drives crun in turn, for sites where nothing else may start containers.
    Podman,
}

/// A runtime that was found.
#[derive(Debug, Clone)]
pub(crate) struct Runtime {
    pub(crate) kind: Kind,
    program: PathBuf,
    /// What it says about itself, for instance `1.1.5+ds1`.
    pub(crate) version: String,
}

/// The paths of one container.
#[derive(Debug)]
pub(super) struct Places {
    /// Name of the container.
    pub(super) id: String,
    /// Folder of its own, with `config.json`.
    pub(super) bundle: PathBuf,
}

impl Places {
    /// Where the runtime keeps its state.
    pub(super) fn state(&self) -> PathBuf {
        self.bundle.join("state")
    }

    /// Where the runtime says what went wrong.
    pub(super) fn complaints(&self) -> PathBuf {
        self.bundle.join("runtime.log")
    }

    /// Where the runtime writes the process id of the container.
    pub(super) fn process(&self) -> PathBuf {
        self.bundle.join("process")
    }
}

impl Runtime {
    /// The configured runtime, or the first that is there. An error says what is missing.
    pub(crate) fn find(configured: Option<&str>) -> Result<Self, String> {
        if let Some(name) = configured {
            let program = which(name)
                .ok_or_else(|| format!("the configured container runtime `{name}` is not here"))?;
            return Self::of(program);
        }
        let program = ORDER.iter().find_map(|name| which(name));
        Self::of(program.ok_or_else(|| format!("no container runtime is installed ({})", ORDER.join(", ")))?)
    }

    fn of(program: PathBuf) -> Result<Self, String> {
        let name = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let kind = match name.as_str() {
            name if name.starts_with("runc") => Kind::Runc,
            name if name.starts_with("crun") => Kind::Crun,
            name if name.starts_with("runsc") => Kind::Runsc,
            name if name.starts_with("podman") => Kind::Podman,
            _ => return Err(format!("`{}` is none of {}, podman", program.display(), ORDER.join(", "))),
        };
        let version = version(&program)?;
        Ok(Self { kind, program, version })
    }

    /// Its usual name.
    pub(crate) fn name(&self) -> &'static str {
        match self.kind {
            Kind::Runc => "runc",
            Kind::Crun => "crun",
            Kind::Runsc => "runsc",
            Kind::Podman => "podman",
        }
    }

    /// Whether the runtime makes its control group below the node's, or runs in the node's own group.
    pub(super) fn makes_group(&self) -> bool {
        self.kind == Kind::Runc
    }

    /// Whether it refuses machines that mix both versions of control groups.
    pub(super) fn refuses_mixed_groups(&self) -> bool {
        matches!(self.kind, Kind::Crun | Kind::Podman)
    }

    /// Whether a container's loopback can be reached from its network namespace; gVisor's network is within itself.
    pub(crate) fn shares_loopback(&self) -> bool {
        self.kind != Kind::Runsc
    }

    /// Whether a device of the host can be bound into a container; gVisor's devices are its own kernel's, and podman
    /// has its own ways.
    pub(super) fn hands_on_devices(&self) -> bool {
        matches!(self.kind, Kind::Runc | Kind::Crun)
    }

    /// Whether it can only be driven by a node that makes control groups and mount namespaces: what it leaves behind
    /// ends with these.
    pub(super) fn needs_root(&self) -> bool {
        self.kind == Kind::Podman
    }

    /// Whether users can be mapped; gVisor's users are its own kernel's, and Debian's build cannot also map them.
    pub(super) fn maps_users(&self) -> bool {
        self.kind != Kind::Runsc
    }

    /// Processes and threads the runtime itself needs in the container's group.
    pub(super) fn own_processes(&self) -> u64 {
        match self.kind {
            Kind::Runc | Kind::Crun => 0,
            Kind::Runsc => 64,
            Kind::Podman => podman::OWN_PROCESSES,
        }
    }

    /// Memory it needs there, bytes.
    pub(super) fn own_memory(&self) -> u64 {
        if self.kind == Kind::Podman { podman::OWN_MEMORY } else { 0 }
    }

    /// Writes the specification into the bundle; gives the command that runs the container in the foreground. `state` is
    /// the folder of that name on the stage, for a runtime that [needs root](Self::needs_root).
    pub(super) fn run(&self, places: &Places, state: Option<&Path>, spec: &Spec<'_>) -> io::Result<Command> {
        let mut command = self.command(places);
        if self.kind == Kind::Podman {
            podman::run(&mut command, places, state.unwrap_or(&places.state()), spec)?;
            return Ok(command);
        }
        fs_err::write(places.bundle.join("config.json"), serde_json::to_vec(spec)?)?;
        // Kept, so that its control group can be read before it is removed.
        command.args(if self.kind == Kind::Runc { &["run", "--keep"][..] } else { &["run"] });
        command.arg("--bundle").arg(&places.bundle).arg("--pid-file").arg(places.process()).arg(&places.id);
        Ok(command)
    }

    /// The command that removes what is left of a container.
    pub(super) fn delete(&self, places: &Places) -> Command {
        let mut command = self.command(places);
        command.args(["delete", "--force"]).arg(&places.id);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    fn command(&self, places: &Places) -> Command {
        let mut command = Command::new(&self.program);
        command.env_clear().env("PATH", USUAL).current_dir("/");
        let option = |name: &str, path: PathBuf| [OsString::from(name), path.into_os_string()];
        if self.kind != Kind::Podman {
            command.args(option("--root", places.state())).args(option("--log", places.complaints()));
        }
        match self.kind {
            Kind::Runc => command.args(["--log-format", "json"]),
            Kind::Crun => command.args(["--log-format", "json", "--cgroup-manager", "disabled"]),
            Kind::Runsc => {
                command.args(["--log-format=json", "--platform=ptrace", "--network=none", "--ignore-cgroups"])
            }
            // Complains on its standard error.
            Kind::Podman => &mut command,
        };
        command
    }
}

fn which(name: &str) -> Option<PathBuf> {
    if name.contains('/') {
        return Some(PathBuf::from(name)).filter(|path| executable(path));
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<_> = std::env::split_paths(&path).chain(std::env::split_paths(USUAL)).collect();
    folders
        .iter()
        .filter(|folder| folder.is_absolute())
        .map(|folder| folder.join(name))
        .find(|path| executable(path))
}

fn executable(path: &Path) -> bool {
    path.is_file() && rustix::fs::access(path, rustix::fs::Access::EXEC_OK).is_ok()
}

/// The last word of the first line of `--version`.
fn version(program: &Path) -> Result<String, String> {
    let shown = program.display();
    let told = Command::new(program).arg("--version").env_clear().output();
    let told = told.map_err(|error| format!("`{shown}` does not run: {error}"))?;
    let text = String::from_utf8_lossy(&told.stdout);
    let word = text.lines().next().and_then(|line| line.split_whitespace().last());
    word.map(str::to_owned).ok_or_else(|| format!("`{shown} --version` says nothing"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_there_or_is_no_runtime_is_named() {
        let error = |name| Runtime::find(Some(name)).unwrap_err();
        assert_eq!(error("no-such"), "the configured container runtime `no-such` is not here");
        assert_eq!(error("/no/such/runc"), "the configured container runtime `/no/such/runc` is not here");
        assert_eq!(error("/bin/sh"), "`/bin/sh` is none of runc, crun, runsc, podman");
    }
}
