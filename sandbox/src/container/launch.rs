//! How a container is started: its control group, its bundle, its stage, the runtime.

use std::io;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use fs_err as fs;
use rustix::process::Signal;

use super::cdi::Edits;
use super::recipe::{Recipe, Source};
use super::running::Running;
use super::runtime::{Places, Runtime};
use super::spec::{self, Frame, Mapping};
use super::stage::Stage;
use crate::cgroup::{Bounds, Group};
use crate::slot::{Slot, io_error};
use crate::types::SandboxError;
use crate::workplace;

/// How containers are started on this machine.
#[derive(Debug)]
pub(super) struct Setup {
    pub(super) runtime: Runtime,
    pub(super) mapping: Mapping,
    /// Whether each container gets a control group of its own.
    pub(super) grouped: bool,
    /// Whether the node may make mount namespaces; without them it uses its own paths.
    pub(super) staged: bool,
    /// Folder for bundles.
    pub(super) work: PathBuf,
    /// What the site's devices add to every model's container.
    pub(super) devices: Edits,
}

/// What one container may use.
#[derive(Debug, Clone, Copy)]
pub(super) struct Allowance {
    pub(super) bounds: Bounds,
    /// Bytes of `/output`.
    pub(super) output_bytes: u64,
}

impl Allowance {
    /// Size of `/tmp` and of `/dev/shm`: half the memory each, which they share with the processes.
    fn scratch_bytes(&self) -> u64 {
        self.bounds.memory_bytes / 2
    }

    /// Largest file: one byte more than allowed, so that a file cut at the limit is seen to be too large; shared
    /// memory may be larger than an output.
    pub(super) fn file_bytes(&self) -> u64 {
        self.output_bytes.max(self.scratch_bytes()).saturating_add(1)
    }
}

impl Setup {
    /// Starts a container on the folders of a slot.
    pub(super) fn start(
        &self,
        recipe: &Recipe,
        slot: &Slot,
        allowance: Allowance,
        stdin: Stdio,
    ) -> Result<Running, SandboxError> {
        let id = format!("fiel-{}-{}", std::process::id(), workplace::unique());
        let places = Places { bundle: self.work.join(&id), id };
        let group = if self.grouped { Some(self.group(allowance.bounds)?) } else { None };
        let prepared = Prepared { setup: self, recipe, slot, allowance, group, places };
        let bundle = prepared.places.bundle.clone();
        prepared.start(stdin).map_err(|source| {
            let _unmade = fs::remove_dir_all(&bundle);
            io_error("start a container in", &bundle, source)
        })
    }

    fn group(&self, mut bounds: Bounds) -> Result<Group, SandboxError> {
        bounds.processes += self.runtime.own_processes();
        bounds.memory_bytes = bounds.memory_bytes.saturating_add(self.runtime.own_memory());
        let group =
            Group::create(bounds).map_err(|error| SandboxError::Worker(format!("control group: {error}")))?;
        group.make_ready();
        Ok(group)
    }
}

/// All that is needed to start one container.
struct Prepared<'a> {
    setup: &'a Setup,
    recipe: &'a Recipe,
    slot: &'a Slot,
    allowance: Allowance,
    group: Option<Group>,
    places: Places,
}

impl Prepared<'_> {
    fn start(self, stdin: Stdio) -> io::Result<Running> {
        fs::create_dir(&self.places.bundle)?;
        fs::create_dir(self.places.state())?;
        let (mut stage, frame) = self.frame()?;
        let runtime = &self.setup.runtime;
        let doors = match &self.group {
            Some(group) if !runtime.makes_group() => group.doors()?,
            _ => Vec::new(),
        };
        let state = match &mut stage {
            Some(stage) if runtime.needs_root() => Some(stage.add(&self.places.state(), false)?),
            _ => None,
        };
        let mut command = runtime.run(&self.places, state.as_deref(), &spec::spec(self.recipe, &frame))?;
        command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        before_exec(&mut command, move || {
            // Should the node die, so does the runtime; the guard ends the container itself.
            rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
            for door in &doors {
                rustix::io::write(door, b"0")?;
            }
            stage.as_ref().map_or(Ok(()), Stage::build)
        });
        Running::new(command.spawn()?, runtime.clone(), self.group, self.places)
    }

    /// The stage and what the specification says about it.
    fn frame(&self) -> io::Result<(Option<Stage>, Frame)> {
        let mut stage = Stage::new(self.setup.runtime.refuses_mixed_groups());
        let staged = self.setup.staged;
        let mut devices: Vec<PathBuf> = Vec::new();
        for node in &self.recipe.devices {
            let source = &node.source;
            devices.push(if staged { stage.add_device(source)? } else { source.clone() });
        }
        let mut place =
            |path: PathBuf, read_only| if staged { stage.add(&path, read_only) } else { Ok(path) };
        let rootfs = place(self.recipe.rootfs.clone(), true)?;
        let source = |source: &Source| match source {
            Source::Input => self.slot.folder().join("input"),
            Source::Output => self.slot.folder().join("output"),
            Source::Host(path) => path.clone(),
        };
        let binds = &self.recipe.binds;
        let sources: io::Result<_> =
            binds.iter().map(|bind| place(source(&bind.source), !bind.writable)).collect();
        let frame = Frame {
            mapping: self.setup.mapping,
            group: self.group.as_ref().filter(|_| self.setup.runtime.makes_group()).map(Group::path),
            scratch_bytes: self.allowance.scratch_bytes(),
            file_bytes: self.allowance.file_bytes(),
            rootfs,
            sources: sources?,
            devices,
        };
        Ok((staged.then_some(stage), frame))
    }
}

#[expect(unsafe_code, reason = "std calls code between fork and exec unsafe")]
fn before_exec(command: &mut Command, act: impl FnMut() -> io::Result<()> + Send + Sync + 'static) {
    // SAFETY: what is given makes system calls with memory that was prepared before the fork; it neither allocates
    // nor takes a lock.
    unsafe { command.pre_exec(act) };
}
