//! The container runtimes that a site may configure, and how a test is held against each of them.

use fiel_sandbox::{ContainerConfig, EngineReport};
use fiel_schemas::challenge::Limits;

use super::bench::{Bench, bench_with, limits};

/// A container runtime that a site may configure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Engine {
    Runc,
    Crun,
    /// gVisor, whose own kernel answers a container's system calls.
    Runsc,
    /// Which drives crun.
    Podman,
}

impl Engine {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Runc => "runc",
            Self::Crun => "crun",
            Self::Runsc => "runsc",
            Self::Podman => "podman",
        }
    }

    /// A sandbox that runs images with this engine. Fails where it is not installed or not fit for a container.
    pub(crate) fn bench(self) -> Bench {
        self.bench_with(1)
    }

    pub(crate) fn bench_with(self, parallel: usize) -> Bench {
        let runtime = Some(self.name().to_owned());
        let bench = bench_with(parallel, ContainerConfig { runtime, ..ContainerConfig::default() });
        let report = self.report(&bench);
        assert!(report.available, "apt-get install {}: {report:?}", self.name());
        bench
    }

    /// What the sandbox found out about the engine.
    pub(crate) fn report(self, bench: &Bench) -> EngineReport {
        let mut engines = bench.sandbox.engines().into_iter();
        let found = engines.find(|engine| ["containers", self.name()].contains(&engine.name.as_str()));
        found.expect("a sandbox reports on its container engine, found or not")
    }

    /// The limits of a program that ends. gVisor's own kernel lives within them.
    pub(crate) fn limits(self) -> Limits {
        let memory_mib = if self == Self::Runsc { 128 } else { 64 };
        Limits { memory_mib, ..limits() }
    }

    /// What a case may use beside its own limit, bytes: podman and its monitor count with the model.
    pub(crate) fn own_memory(self) -> u64 {
        if self == Self::Podman { 64 << 20 } else { 0 }
    }

    /// Whether what a program printed just before it was ended may be lost: podman's monitor, which passes it on, ends with
    /// the program.
    pub(crate) fn loses_words(self) -> bool {
        self == Self::Podman
    }

    /// The limits of a program that never ends: long enough for the engine to start it beside other tests.
    pub(crate) fn patience(self) -> Limits {
        let case_ms = if matches!(self, Self::Runsc | Self::Podman) { 2_000 } else { 600 };
        // Room for as many processes as a case may have, so that time alone ends it.
        Limits { memory_mib: 1_024, case_ms, ..limits() }
    }
}

/// Makes of each function that takes an [`Engine`] one test for each engine that runs programs on the host's kernel.
macro_rules! on_the_hosts_kernel {
    ($($check:ident),+ $(,)?) => {
        mod runc {
            $(#[test] fn $check() { super::$check(crate::containers::engines::Engine::Runc); })+
        }
        mod crun {
            $(#[test] fn $check() { super::$check(crate::containers::engines::Engine::Crun); })+
        }
        mod podman {
            $(#[test] fn $check() { super::$check(crate::containers::engines::Engine::Podman); })+
        }
    };
}

/// The same for every engine.
macro_rules! on_every_engine {
    ($($check:ident),+ $(,)?) => {
        crate::containers::engines::on_the_hosts_kernel!($($check),+);
        mod runsc {
            $(#[test] fn $check() { super::$check(crate::containers::engines::Engine::Runsc); })+
        }
    };
}

pub(crate) use {on_every_engine, on_the_hosts_kernel};
