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

use super::canary::{Canary, Sight, namespaces};
use super::recipe::{Bind, Recipe, Source};
use super::running::{Allowance, Event, Running, Setup};
use super::runtime::Kind;
use super::{allowance, give_output};
use crate::protocol::{self, Order};
use crate::runner::Watch;
use crate::slot::Slot;
use crate::types::{Protection, SandboxError, WorkerCommand};

/// What a canary may use.
const LIMITS: Limits = Limits { memory_mib: 128, case_ms: 20_000, output_mib: 1, artifact_mib: 1 };

/// Processes a canary may have.
const PROCESSES: u64 = 16;

/// Folders in which a program finds the libraries it is linked to.
const LIBRARIES: [&str; 4] = ["/lib", "/lib64", "/usr", "/nix/store"];

/// The canary's own program, within its container.
const PROGRAM: &str = "/worker";

/// Tries every protection. An error says why no container could be run at all.
pub(super) fn protections(setup: &Setup, worker: &WorkerCommand) -> Result<Vec<Protection>, String> {
    let cage = Cage::build(setup, worker).map_err(|error| error.to_string())?;
    let sight = cage.look()?;
    let mut found = judge(&sight, setup);
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
            recipe.make_places(0)?;
            Ok(recipe)
        };
        let recipe = make().map_err(failed)?;
        let slot = Slot::create(setup.work.join("canary-slot"))?;
        let secret = setup.work.join("canary-secret");
        fs::write(&secret, "").map_err(failed)?;
        Ok(Self { setup, recipe, slot, secret })
    }

    /// Sends a canary; gives how it ended and its container, stopped.
    fn send(&self, errand: Canary, allowance: Allowance) -> Result<(Event, Running), String> {
        let text = |error: &dyn std::fmt::Display| error.to_string();
        give_output(&self.slot, &self.recipe, self.setup.mapping).map_err(|error| text(&error))?;
        let order = self.order(errand).map_err(|error| text(&error))?;
        let mut watch = Watch::start(&self.slot, &Limits { output_mib: 64, ..LIMITS });
        let mut running = self
            .setup
            .start(&self.recipe, &self.slot, allowance, Stdio::from(order))
            .map_err(|error| text(&error))?;
        let until = watch.deadline;
        let event = running.attend(&mut watch, until, None).map_err(|error| text(&error))?;
        running.stop();
        Ok((event, running))
    }

    fn order(&self, errand: Canary) -> std::io::Result<File> {
        let flags = rustix::fs::MemfdFlags::CLOEXEC;
        let mut file = File::from(rustix::fs::memfd_create("order", flags)?);
        protocol::send(&mut file, &Order::Canary(errand))?;
        file.flush()?;
        file.rewind()?;
        Ok(file)
    }

    fn look(&self) -> Result<Sight, String> {
        let allowance = allowance(&LIMITS, 1, PROCESSES);
        let errand = Canary::Look {
            hidden: vec![self.secret.clone(), PathBuf::from("/etc/passwd")],
            processes: 2 * usize::try_from(PROCESSES + self.setup.runtime.own_processes()).unwrap_or(64),
            file_bytes: 2 * allowance.file_bytes(),
        };
        let (event, mut running) = self.send(errand, allowance)?;
        let log = running.take_log();
        match protocol::receive(&mut log.as_slice()) {
            Ok(Some(sight)) => Ok(sight),
            _ => {
                let complaint = running.complaint().unwrap_or_else(|| String::from_utf8_lossy(&log).into_owned());
                Err(format!("a trial container did not run ({event:?}): {}", complaint.trim()))
            }
        }
    }

    fn memory(&self) -> Protection {
        let bytes = usize::try_from(4 * (LIMITS.memory_mib << 20)).unwrap_or(usize::MAX);
        let sent = self.send(Canary::Eat { bytes }, allowance(&LIMITS, 1, PROCESSES));
        let killed = sent.map(|(_, running)| running.out_of_memory());
        let detail = match &killed {
            Ok(true) => format!("a canary that used more than {} MiB was killed", LIMITS.memory_mib),
            Ok(false) => format!("a canary could use more than {} MiB", LIMITS.memory_mib),
            Err(error) => error.clone(),
        };
        protection("memory-limit", killed == Ok(true), detail)
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

/// The protections that a canary's report proves or disproves.
fn judge(sight: &Sight, setup: &Setup) -> Vec<Protection> {
    let gvisor = setup.runtime.kind == Kind::Runsc;
    let own = namespaces();
    let shared: Vec<&str> = own
        .iter()
        .filter(|(kind, name)| kind.as_str() != "user" && sight.namespaces.get(*kind) == Some(*name))
        .map(|(kind, _)| kind.as_str())
        .collect();
    let mapped = sight.namespaces.get("user") != own.get("user");
    // gVisor's kernel lets a program make user namespaces, within itself.
    let calls: Vec<&str> =
        sight.calls.iter().map(String::as_str).filter(|call| !(gvisor && *call == "unshare")).collect();
    let filter = if gvisor { "gVisor's own kernel answers".to_owned() } else { format!("mode {}", sight.seccomp) };
    let alone = sight.interfaces.iter().all(|name| name == "lo") && sight.reached.is_empty();
    let most = usize::try_from(PROCESSES + setup.runtime.own_processes()).unwrap_or(usize::MAX);
    let largest = allowance(&LIMITS, 1, PROCESSES).file_bytes();
    let listed = |what: &str, found: &[&str]| if found.is_empty() { format!("no {what}") } else { format!("{what}: {}", found.join(", ")) };
    let texts = |found: &[String]| found.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
    vec![
        protection("namespaces", shared.is_empty(), listed("namespace shared with the node", &shared)),
        protection("user-namespace", mapped, format!("user {} of the host", sight.user.map_or("unknown".to_owned(), |user| user.to_string()))),
        protection("not-root", sight.user.is_some_and(|user| user != 0), "by the map of users".to_owned()),
        protection("no-network", alone, format!("interfaces: {}; reached: {}", texts(&sight.interfaces), texts(&sight.reached))),
        protection("read-only-root", sight.written.is_empty(), format!("written: {}", texts(&sight.written))),
        protection("no-capabilities", sight.capabilities == 0, format!("capabilities {:#x}", sight.capabilities)),
        protection("no-new-privs", sight.no_new_privs, String::new()),
        protection("seccomp", calls.is_empty() && (gvisor || sight.seccomp == 2), format!("{filter}; {}", listed("call that should be refused", &calls))),
        protection("no-host-files", sight.seen.is_empty(), format!("{} files of the host seen", sight.seen.len())),
        protection("process-limit", sight.processes < most, format!("{} processes started, {most} allowed", sight.processes)),
        protection("file-limit", sight.file_bytes <= largest, format!("{} bytes written, {largest} allowed", sight.file_bytes)),
    ]
}

fn protection(name: &str, holds: bool, detail: String) -> Protection {
    Protection { name: name.to_owned(), holds, detail }
}
