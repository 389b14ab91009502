//! The container engine: runs an unpacked image with an established low-level runtime.
//!
//! ```text
//! Containers ── engine ──▶ Setup            what was found here, and how containers are started
//!     │                      │ start
//!     └─ runner ─▶ ExecRunner / InvokeRunner ──▶ Running   one container, its control group, its pipes
//! ```
//!
//! Nothing is trusted of an image but that its files lie in a folder. Its container gets namespaces of its own, no
//! capabilities, a filter of system calls, a read-only root, and a control group made and read by the node.

mod canary;
mod cdi;
mod exec;
mod guard;
mod http;
mod invoke;
mod launch;
mod podman;
mod probe;
mod recipe;
mod running;
mod runtime;
mod seccomp;
mod spec;
mod stage;

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use fiel_schemas::api::FailureReason;
use fiel_schemas::assessment::EngineInfo;
use fiel_schemas::challenge::Limits;
use fs_err as fs;

pub(crate) use canary::{Canary, fly};
pub(crate) use guard::stand_guard;

use crate::cgroup::{Bounds, Group};
use crate::image::Image;
use crate::runner::{Runner, mebibytes};
use crate::slot::{Slot, io_error};
use crate::types::{
    Api, ContainerConfig, DeviceReport, Dialect, EngineReport, Protection, Refusal, SandboxError,
    WorkerCommand,
};
use cdi::Edits;
use cdi::registry::Registry;
use exec::ExecRunner;
use guard::Guard;
use invoke::{InvokeRunner, READY};
use launch::{Allowance, Setup};
use recipe::Recipe;
use runtime::Runtime;
use spec::Mapping;

/// First of the host's users that stand for the users of containers: above those that systems and directories give
/// to people and services.
const SHIFTED: u32 = 1_900_000_000;

/// What to do about an engine that is not there.
const INSTALL: &str = "install runc (Debian: `apt-get install runc`) and run the node as root, or as a service with \
                       delegated control groups";

/// What to do about an engine that does not keep here what it should.
const EMPOWER: &str = "run the node as root, or as a service with delegated control groups";

/// The container engine of a node: what it found, and what it found to hold.
#[derive(Debug)]
pub(crate) struct Containers {
    config: ContainerConfig,
    work: PathBuf,
    worker: WorkerCommand,
    engine: OnceLock<Engine>,
}

/// What was found on this machine.
#[derive(Debug)]
struct Engine {
    report: EngineReport,
    /// How containers are started, or why none is.
    setup: Result<Setup, String>,
    _guard: Option<Guard>,
}

impl Containers {
    /// An engine that works below `work`. What the machine offers is tried when it is first asked for, so that a
    /// sandbox that never meets an image starts at once.
    pub(crate) fn find(config: &ContainerConfig, work: &Path, worker: &WorkerCommand) -> Self {
        let work = work.join("containers");
        Self { config: config.clone(), work, worker: worker.clone(), engine: OnceLock::new() }
    }

    /// What was found and tried.
    pub(crate) fn report(&self) -> &EngineReport {
        &self.engine().report
    }

    /// Engine, version and the protections that were tried and held.
    pub(crate) fn info(&self) -> EngineInfo {
        let report = self.report();
        let held = report.protections.iter().filter(|protection| protection.holds);
        let none = Edits::default();
        let devices = self.engine().setup.as_ref().map_or(&none, |setup| &setup.devices);
        EngineInfo {
            name: report.name.clone(),
            version: report.version.clone().unwrap_or_default(),
            config_digest: spec::config_digest(&report.name, devices),
            confinement: held.map(|protection| protection.name.clone()).collect(),
            hardware: (!devices.names.is_empty()).then(|| devices.names.join(", ")),
        }
    }

    /// Which user of the host stands for an image's root, once the engine is known; 0 where users are the same.
    pub(crate) fn owner_base(&self) -> u32 {
        match self.engine().setup.as_ref().map(|setup| setup.mapping) {
            Ok(Mapping::Shifted { base }) => base,
            _ => 0,
        }
    }

    /// Refuses when images are not run here.
    pub(crate) fn require(&self) -> Result<(), Refusal> {
        self.setup().map(|_| ())
    }

    /// How an image is called and how files pass to it, by its labels; makes the places of its folders.
    pub(crate) fn accept(&self, image: &Image) -> Result<(Api, Dialect), Refusal> {
        let setup = self.setup()?;
        let (api, dialect) = (recipe::api(&image.config)?, recipe::dialect(&image.config)?);
        if api == Api::Invoke && !setup.runtime.shares_loopback() {
            return Err(unavailable("gVisor does not let the node reach a model that serves over HTTP"));
        }
        let places = Recipe::of(image, dialect).with(&setup.devices).make_places(self.owner_base());
        places.map_err(|error| {
            tracing::warn!(%error, "an image has no room for its folders");
            Refusal {
                reason: FailureReason::ImageInvalid,
                message: "the image has something else where `/input`, `/output`, `/tmp`, `/proc`, `/sys`, `/dev` or \
                          a folder for files of the site's devices must be"
                    .to_owned(),
            }
        })?;
        Ok((api, dialect))
    }

    /// Runs an accepted image.
    pub(crate) fn runner<'a>(
        &'a self,
        image: &Image,
        api: Api,
        dialect: Dialect,
    ) -> Result<Box<dyn Runner + 'a>, SandboxError> {
        let setup = self.setup().map_err(|refusal| SandboxError::Worker(refusal.message))?;
        let recipe = Recipe::of(image, dialect).with(&setup.devices);
        let (cores, processes) = (self.config.cores.max(1), self.config.processes.max(1));
        Ok(match api {
            Api::Exec => Box::new(ExecRunner { setup, cores, processes, recipe }),
            Api::Invoke => {
                Box::new(InvokeRunner { setup, cores, processes, recipe, ready: READY, warm: None })
            }
        })
    }

    fn setup(&self) -> Result<&Setup, Refusal> {
        self.engine().setup.as_ref().map_err(|reason| unavailable(reason))
    }

    fn engine(&self) -> &Engine {
        self.engine.get_or_init(|| self.try_everything())
    }

    fn try_everything(&self) -> Engine {
        let registry = Registry::read(&self.config.cdi_folders);
        let devices = registry.report(&self.config.devices);
        let unusable = |name: &str, version: Option<String>, reason: String, advice: String| Engine {
            report: EngineReport {
                name: name.to_owned(),
                version,
                available: false,
                protections: Vec::new(),
                advice,
                devices: devices.clone(),
            },
            setup: Err(reason),
            _guard: None,
        };
        let missing = |name: &str, version: Option<String>, reason: String, advice: &str| {
            let advice = format!("{reason}; {advice}");
            unusable(name, version, reason, advice)
        };
        let runtime = match Runtime::find(self.config.runtime.as_deref()) {
            Ok(runtime) => runtime,
            Err(reason) => return missing("containers", None, reason, INSTALL),
        };
        let (name, version) = (runtime.name(), Some(runtime.version.clone()));
        if let Err(error) = fs::create_dir_all(&self.work) {
            return missing(name, version, error.to_string(), EMPOWER);
        }
        let edits = match registry.resolve(&self.config.devices) {
            Ok(edits) if !edits.names.is_empty() && !runtime.hands_on_devices() => {
                let reason =
                    format!("{name} does not hand on devices; name runc or crun in `engines.runtime`");
                return unusable(name, version, reason.clone(), reason);
            }
            Ok(edits) => edits,
            Err(reason) => return unusable(name, version, reason.clone(), reason),
        };
        let group = Group::create(allowance(&TRIAL, 1, 1).bounds).map(drop);
        let staged = rustix::process::geteuid().is_root() && fs::create_dir_all(stage::STAGE).is_ok();
        if runtime.needs_root() && !(staged && group.is_ok()) {
            let reason = format!("{name} is driven only by a node that is root and may make control groups");
            return missing(name, version, explained(reason, group), "name runc in `engines.runtime`");
        }
        let mut why = String::new();
        for mapping in mappings(&runtime) {
            let setup = Setup {
                runtime: runtime.clone(),
                mapping,
                grouped: group.is_ok(),
                staged,
                work: self.work.clone(),
                devices: edits.clone(),
            };
            match probe::protections(&setup, &self.worker) {
                Ok(protections) => return self.judged(setup, protections, devices, group),
                Err(error) => {
                    tracing::info!(?mapping, error, "containers do not run like this here");
                    why = error;
                }
            }
        }
        missing(name, version, explained(why, group), EMPOWER)
    }

    fn judged(
        &self,
        setup: Setup,
        protections: Vec<Protection>,
        devices: Vec<DeviceReport>,
        group: Result<(), String>,
    ) -> Engine {
        let fails = |name: &&String| !protections.iter().any(|held| held.holds && held.name == **name);
        // A device that cannot be used is not silently left out.
        let devices_wrong = protections.iter().find(|tried| tried.name == probe::DEVICES && !tried.holds);
        let lacking: Vec<&str> = self.config.required.iter().filter(fails).map(String::as_str).collect();
        let (name, version) = (setup.runtime.name().to_owned(), Some(setup.runtime.version.clone()));
        let mut reason = (!lacking.is_empty())
            .then(|| explained(format!("{name} cannot guarantee here: {}", lacking.join(", ")), group));
        if let Some(wrong) = devices_wrong {
            reason.get_or_insert_with(|| {
                format!("{name} does not hand on the devices as asked: {}", wrong.detail)
            });
        }
        let guard = Guard::start(&self.worker);
        if let Err(error) = &guard {
            reason.get_or_insert_with(|| format!("no guard process could be started: {error}"));
        }
        let advice = reason.as_ref().map(|reason| format!("{reason}; {EMPOWER}")).unwrap_or_default();
        let report =
            EngineReport { name, version, available: reason.is_none(), protections, advice, devices };
        let setup = match reason {
            Some(reason) => Err(reason),
            None => Ok(setup),
        };
        Engine { report, setup, _guard: guard.ok() }
    }
}

/// Why containers are not run, with the reason why none of them can be bounded where that is so.
fn explained(why: String, group: Result<(), String>) -> String {
    match group {
        Ok(()) => why,
        Err(error) => format!("{why}; the node cannot make a control group ({error})"),
    }
}

/// The smallest limits, to see whether a control group can be made.
const TRIAL: Limits = Limits { memory_mib: 16, case_ms: 1, output_mib: 1, artifact_mib: 1 };

/// In which ways users may be mapped, the best first.
fn mappings(runtime: &Runtime) -> Vec<Mapping> {
    let (user, group) = (rustix::process::geteuid(), rustix::process::getegid());
    if user.is_root() && !runtime.maps_users() {
        return vec![Mapping::Same];
    }
    if user.is_root() {
        return vec![Mapping::Shifted { base: SHIFTED }, Mapping::Same];
    }
    vec![Mapping::Own { user: user.as_raw(), group: group.as_raw() }]
}

fn unavailable(reason: &str) -> Refusal {
    Refusal {
        reason: FailureReason::EngineUnavailable,
        message: format!("this site does not run container images: {reason}"),
    }
}

/// What a container may use under a challenge's limits.
fn allowance(limits: &Limits, cores: u64, processes: u64) -> Allowance {
    let bounds = Bounds { memory_bytes: mebibytes(limits.memory_mib), processes, cores };
    Allowance { bounds, output_bytes: mebibytes(limits.output_mib) }
}

/// Gives `output` to the user that the image's program is outside.
fn give_output(slot: &Slot, recipe: &Recipe, mapping: Mapping) -> Result<(), SandboxError> {
    let (user, group) = match mapping {
        Mapping::Same => (recipe.user, recipe.group),
        // A number beyond the container's users belongs to nobody in it; the runtime refuses it.
        Mapping::Shifted { base } => (base.saturating_add(recipe.user), base.saturating_add(recipe.group)),
        Mapping::Own { .. } => return Ok(()),
    };
    slot.give_output(user, group).map_err(|source| io_error("give away", slot.folder(), source))
}
