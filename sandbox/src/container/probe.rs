//! What containers keep on this machine: each protection found by an attempt to break it, none by a version number.
//!
//! The canary is the worker program itself, in a container like any model's. It gets the host's libraries to read,
//! since it is linked to them, and an order on its standard input.

use std::fs::File;
use std::io::{Seek, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use fiel_schemas::challenge::Limits;
use fs_err as fs;

use super::canary::{Canary, Granted, Sight, kernel, namespaces};
use super::cdi::Node;
use super::launch::{Allowance, Setup};
use super::recipe::{Bind, Recipe, Source};
use super::running::{Event, Running};
use super::runtime::Kind;
use super::spec::Mapping;
use super::{allowance, give_output};
use crate::protocol::{self, Order};
use crate::runner::Watch;
use crate::slot::Slot;
use crate::types::{Protection, SandboxError, WorkerCommand};

/// What a canary may use.
const LIMITS: Limits = Limits { memory_mib: 64, case_ms: 20_000, output_mib: 1, artifact_mib: 1 };

/// Processes a canary may have.
const PROCESSES: u64 = 16;

/// Folders in which a program finds the libraries it is linked to.
const LIBRARIES: [&str; 4] = ["/lib", "/lib64", "/usr", "/nix/store"];

/// The canary's own program, within its container.
const PROGRAM: &str = "/worker";

/// That the site's devices, and nothing beyond what their specifications allow, can be used.
pub(super) const DEVICES: &str = "devices";

/// Tries every protection. An error says why no container could be run at all.
pub(super) fn protections(setup: &Setup, worker: &WorkerCommand) -> Result<Vec<Protection>, String> {
    let mut cage = Cage::build(setup, worker).map_err(|error| error.to_string())?;
    let (sight, processes) = cage.look()?;
    let mut found = judge(&sight, setup);
    if !setup.devices.names.is_empty() {
        let detail = match &sight.devices[..] {
            [] => format!("a container reaches the devices {} and no other", setup.devices.names.join(", ")),
            wrong => wrong.join("; "),
        };
        found.push(protection(DEVICES, sight.devices.is_empty(), detail));
    }
    found.push(cage.user());
    found.push(cage.processes(processes));
    found.push(cage.memory());
    found.push(cage.nothing_left());
    Ok(found)
}

/// Where a canary is let fly.
struct Cage<'a> {
    setup: &'a Setup,
    recipe: Recipe,
    slot: Slot,
    /// A file of the node that no container may see.
    secret: PathBuf,
}

impl<'a> Cage<'a> {
    fn build(setup: &'a Setup, worker: &WorkerCommand) -> Result<Self, SandboxError> {
        let failed = |source| crate::slot::io_error("prepare a canary in", &setup.work, source);
        let root = setup.work.join("canary");
        let make = || -> std::io::Result<Recipe> {
            let program = fs::canonicalize(&worker.program)?;
            if root.exists() {
                fs::remove_dir_all(&root)?;
            }
            for folder in ["etc", "worker-has-no-shell"] {
                fs::create_dir_all(root.join(folder))?;
            }
            fs::write(root.join(PROGRAM.trim_start_matches('/')), "")?;
            let mut recipe = Recipe::empty(&root);
            recipe.argv = std::iter::once(PROGRAM.to_owned()).chain(worker.args.iter().cloned()).collect();
            let libraries = LIBRARIES.into_iter().filter(|folder| Path::new(folder).is_dir());
            let host = libraries.map(|folder| (PathBuf::from(folder), folder));
            for (source, destination) in host.chain([(program, PROGRAM)]) {
                let source = Source::Host(fs::canonicalize(source)?);
                recipe.binds.push(Bind::new(source, destination));
            }
            // Their files would lie within the host's libraries here, and their variables are no concern of a canary.
            recipe.devices.clone_from(&setup.devices.nodes);
            recipe.make_places(0)?;
            if let Mapping::Shifted { base } = setup.mapping {
                // As in an image: a runtime may put files of its own there.
                for folder in ["", "etc"] {
                    std::os::unix::fs::chown(root.join(folder), Some(base), Some(base))?;
                }
            }
            Ok(recipe)
        };
        let recipe = make().map_err(failed)?;
        let slot = Slot::create(setup.work.join("canary-slot"))?;
        let secret = setup.work.join("canary-secret");
        fs::write(&secret, "").map_err(failed)?;
        Ok(Self { setup, recipe, slot, secret })
    }

    /// Sends a canary; gives how it ended and its container, stopped.
    fn send(&mut self, errand: Canary, allowance: Allowance) -> Result<(Event, Running), String> {
        let text = |error: &dyn std::fmt::Display| error.to_string();
        self.slot.fill(&[]).map_err(|error| text(&error))?;
        give_output(&self.slot, &self.recipe, self.setup.mapping).map_err(|error| text(&error))?;
        let order = Self::order(errand).map_err(|error| text(&error))?;
        // What the canary writes shall meet the limit of files, not the watch.
        let mut watch = Watch::start(&self.slot, &Limits { output_mib: u64::MAX, ..LIMITS }, &|| false);
        let mut running = self
            .setup
            .start(&self.recipe, &self.slot, allowance, Stdio::from(order))
            .map_err(|error| text(&error))?;
        let until = watch.deadline;
        let event = running.attend(&mut watch, until, None).map_err(|error| text(&error))?;
        running.stop();
        Ok((event, running))
    }

    fn order(errand: Canary) -> std::io::Result<File> {
        let flags = rustix::fs::MemfdFlags::CLOEXEC;
        let mut file = File::from(rustix::fs::memfd_create("order", flags)?);
        protocol::send(&mut file, &Order::Canary(errand))?;
        file.flush()?;
        file.rewind()?;
        Ok(file)
    }

    /// What a canary saw, and how many processes it could start; `None` if its container did not survive that.
    fn look(&mut self) -> Result<(Sight, Option<u64>), String> {
        let allowance = allowance(&LIMITS, 1, PROCESSES);
        let errand = Canary::Look {
            hidden: vec![self.secret.clone(), PathBuf::from("/etc/passwd")],
            processes: 2 * usize::try_from(self.most_processes()).unwrap_or(64),
            file_bytes: 2 * allowance.file_bytes(),
            devices: self.recipe.devices.iter().map(Cage::granted).collect(),
        };
        let (event, mut running) = self.send(errand, allowance)?;
        let log = running.take_log();
        let mut reports = log.as_slice();
        if let Ok(Some(sight)) = protocol::receive(&mut reports) {
            return Ok((sight, protocol::receive(&mut reports).unwrap_or(None)));
        }
        let why = match running.complaint() {
            Some(complaint) => message(&complaint),
            None => format!("{event:?} {}", String::from_utf8_lossy(&log)),
        };
        Err(format!("a trial container did not run: {}", why.trim()))
    }

    fn granted(node: &Node) -> Granted {
        let may = |right| node.access.contains(right);
        Granted { path: node.destination.clone(), read: may('r'), write: may('w') }
    }

    /// Whose user the canary was: the owner of the file it wrote.
    fn user(&self) -> Protection {
        let written = fs::metadata(self.slot.folder().join("output/canary"));
        let owner = written.map(|found| std::os::unix::fs::MetadataExt::uid(&found));
        let detail = match &owner {
            Ok(owner) => format!("its files belong to user {owner} of the host"),
            Err(error) => error.to_string(),
        };
        protection("not-root", owner.is_ok_and(|owner| owner != 0), detail)
    }

    fn most_processes(&self) -> u64 {
        PROCESSES + self.setup.runtime.own_processes()
    }

    fn processes(&self, started: Option<u64>) -> Protection {
        let most = self.most_processes();
        let detail = match started {
            Some(started) => format!("{started} processes started, {most} allowed"),
            None => format!("the container did not survive more than {most} processes"),
        };
        protection("process-limit", started.is_none_or(|started| started < most), detail)
    }

    fn memory(&mut self) -> Protection {
        let bytes = usize::try_from(4 * (LIMITS.memory_mib << 20)).unwrap_or(usize::MAX);
        let sent = self.send(Canary::Eat { bytes }, allowance(&LIMITS, 1, PROCESSES));
        let killed = sent.map(|(event, running)| running.out_of_memory().then_some(()).ok_or(event));
        let detail = match &killed {
            Ok(Ok(())) => format!("a canary that used more than {} MiB was killed", LIMITS.memory_mib),
            Ok(Err(event)) => format!(
                "a canary that asked for more than {} MiB was not killed for it: {event:?}",
                LIMITS.memory_mib
            ),
            Err(error) => error.clone(),
        };
        protection("memory-limit", matches!(killed, Ok(Ok(()))), detail)
    }

    /// Whether everything of the canaries has gone: their bundles, and with them processes and control groups.
    fn nothing_left(&self) -> Protection {
        let patience = Instant::now() + Duration::from_millis(200);
        let own = format!("fiel-{}-", std::process::id());
        let left = loop {
            let entries = fs::read_dir(&self.setup.work).into_iter().flatten().flatten();
            let left = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(&own)).count();
            if left == 0 || Instant::now() > patience {
                break left;
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        protection("cleanup", left == 0, format!("{left} folders of ended canaries are left"))
    }
}

/// What a line of a runtime's log says, without the time and the place in its source.
fn message(line: &str) -> String {
    let parsed: Option<serde_json::Value> = serde_json::from_str(line).ok();
    let told = parsed.as_ref().and_then(|line| line.get("msg")?.as_str());
    told.unwrap_or(line).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The protections that a canary's report proves or disproves.
fn judge(sight: &Sight, setup: &Setup) -> Vec<Protection> {
    // gVisor's programs meet no kernel but gVisor's, with namespaces, sockets and calls of its own.
    let other_kernel = setup.runtime.kind == Kind::Runsc && sight.kernel != kernel();
    let own = namespaces();
    let apart = |kind: &str| sight.namespaces.get(kind).is_some_and(|name| own.get(kind) != Some(name));
    let shared: Vec<&str> =
        own.keys().map(String::as_str).filter(|kind| *kind != "user" && !apart(kind)).collect();
    let filtered = sight.seccomp == 2 && sight.calls.is_empty();
    let filter = if other_kernel {
        format!("a kernel of its own answers: {}", sight.kernel)
    } else {
        format!("filter in mode {}; not refused: {}", sight.seccomp, list(&sight.calls))
    };
    let alone = sight.interfaces.iter().all(|name| name == "lo") && sight.reached.is_empty();
    let network = format!("interfaces: {}; reached: {}", list(&sight.interfaces), list(&sight.reached));
    let largest = allowance(&LIMITS, 1, PROCESSES).file_bytes();
    vec![
        protection(
            "namespaces",
            other_kernel || shared.is_empty(),
            format!("shared with the node: {}", list(&shared)),
        ),
        protection(
            "user-namespace",
            apart("user"),
            "the users of a container are no users of the host".to_owned(),
        ),
        protection("no-network", alone, network),
        protection("read-only-root", sight.written.is_empty(), format!("written: {}", list(&sight.written))),
        protection("no-capabilities", sight.capabilities == 0, format!("{:#x}", sight.capabilities)),
        protection("no-new-privs", sight.no_new_privs, "asked by prctl".to_owned()),
        protection("seccomp", other_kernel || filtered, filter),
        protection(
            "no-host-files",
            sight.seen.is_empty(),
            format!("{} files of the host seen", sight.seen.len()),
        ),
        protection(
            "file-limit",
            sight.file_bytes <= largest,
            format!("{} bytes written to a file, {largest} allowed", sight.file_bytes),
        ),
    ]
}

fn list<T: AsRef<str>>(found: &[T]) -> String {
    let names: Vec<&str> = found.iter().map(AsRef::as_ref).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

fn protection(name: &str, holds: bool, detail: String) -> Protection {
    Protection { name: name.to_owned(), holds, detail }
}
