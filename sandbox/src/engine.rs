//! The WebAssembly engine and the world a module sees.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sha2::{Digest, Sha256};
use wasmtime::{Config, Engine, Linker, OptLevel, ResourceLimiter};
use wasmtime_wasi::p1::{self, WasiP1Ctx};
use wasmtime_wasi::{Deterministic, FsPerms, HostMonotonicClock, HostWallClock, WasiCtxBuilder};

use crate::log::Log;

/// Version of the engine, as in the lock file (a test compares).
pub(crate) const VERSION: &str = "48.0.8";

/// Everything that decides what a module computes, in words; its digest names the configuration.
const DESCRIPTION: &str = "cranelift speed; wasi_snapshot_preview1; threads off; relaxed-simd off; memory64 off; \
    multi-memory off; simd on; wasm stack 1 MiB; wall clock 2000-01-01; monotonic clock counts; random seeded";

/// Stack of a module; deeper recursion traps.
const WASM_STACK: usize = 1 << 20;

/// Most elements in all tables of a module.
const TABLE_ELEMENTS: usize = 1 << 20;

/// Digest of the engine's configuration, equal on every machine.
pub(crate) fn config_digest(metered: bool) -> String {
    let text = format!("wasmtime {VERSION}; {DESCRIPTION}; fuel {}", if metered { "on" } else { "off" });
    fiel_schemas::digest::sha256_hex(text.as_bytes())
}

/// The engine.
pub(crate) fn engine(metered: bool) -> wasmtime::Result<Engine> {
    let mut config = Config::new();
    config
        .cranelift_opt_level(OptLevel::Speed)
        .consume_fuel(metered)
        .epoch_interruption(false)
        .wasm_relaxed_simd(false)
        .wasm_memory64(false)
        .wasm_multi_memory(false)
        .wasm_backtrace_max_frames(None)
        .max_wasm_stack(WASM_STACK);
    Engine::new(&config)
}

/// Names engine, configuration and the processor's features: compiled modules fit only the same name.
pub(crate) fn compatibility(engine: &Engine) -> String {
    let mut hasher = DefaultHasher::new();
    engine.precompile_compatibility_hash().hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

/// Every function a module may import.
pub(crate) fn linker(engine: &Engine) -> wasmtime::Result<Linker<World>> {
    let mut linker = Linker::new(engine);
    p1::add_to_linker_sync(&mut linker, |world: &mut World| &mut world.wasi)?;
    Ok(linker)
}

/// What one instance can reach.
pub(crate) struct World {
    wasi: WasiP1Ctx,
    /// Bounds of its memory.
    pub(crate) bounds: Bounds,
}

impl World {
    /// A fresh world over the folders `input` and `output` of the working folder.
    pub(crate) fn new(memory_bytes: u64, out: &Log, err: &Log) -> wasmtime::Result<Self> {
        let mut builder = WasiCtxBuilder::new();
        builder
            .allow_blocking_current_thread(true)
            .arg("model")
            .stdout(out.clone())
            .stderr(err.clone())
            .wall_clock(StandingClock)
            .monotonic_clock(CountingClock::default())
            .secure_random(seeded(1))
            .insecure_random(seeded(2))
            .insecure_random_seed(3)
            .preopened_dir("input", "/input", FsPerms::ReadOnly)?
            .preopened_dir("output", "/output", FsPerms::ReadWrite)?;
        let limit = usize::try_from(memory_bytes).unwrap_or(usize::MAX);
        Ok(Self { wasi: builder.build_p1(), bounds: Bounds { limit, exceeded: false } })
    }

    /// A world without any folder, to look imports up.
    pub(crate) fn empty() -> Self {
        Self { wasi: WasiCtxBuilder::new().build_p1(), bounds: Bounds { limit: 0, exceeded: false } }
    }
}

/// Bounds memory and tables, and remembers that memory was refused.
pub(crate) struct Bounds {
    limit: usize,
    pub(crate) exceeded: bool,
}

impl ResourceLimiter for Bounds {
    fn memory_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        if desired <= self.limit {
            return Ok(true);
        }
        self.exceeded = true;
        Err(wasmtime::Error::msg("memory limit"))
    }

    fn memory_grow_failed(&mut self, _: wasmtime::Error) -> wasmtime::Result<()> {
        self.exceeded = true;
        Err(wasmtime::Error::msg("memory limit of the process"))
    }

    fn table_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        Ok(desired <= TABLE_ELEMENTS)
    }

    fn instances(&self) -> usize {
        1
    }

    fn memories(&self) -> usize {
        1
    }

    fn tables(&self) -> usize {
        16
    }
}

/// A wall clock that stands at the beginning of the year 2000.
struct StandingClock;

impl HostWallClock for StandingClock {
    fn resolution(&self) -> Duration {
        Duration::from_secs(1)
    }

    fn now(&self) -> Duration {
        // 10,957 days after the beginning of 1970.
        Duration::from_hours(10_957 * 24)
    }
}

/// A clock that moves on by a microsecond each time it is read.
#[derive(Default)]
struct CountingClock(AtomicU64);

impl HostMonotonicClock for CountingClock {
    fn resolution(&self) -> u64 {
        1_000
    }

    fn now(&self) -> u64 {
        self.0.fetch_add(1_000, Ordering::Relaxed)
    }
}

/// The same 8 KiB of noise for every instance, over and over.
fn seeded(stream: u8) -> Deterministic {
    let block = |count: u8| Sha256::digest([b'f', b'i', b'e', b'l', stream, count]);
    Deterministic::new((0..=255_u8).flat_map(block).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stated_version_is_the_locked_one() {
        let lock = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.lock")).unwrap();
        assert!(lock.contains(&format!("name = \"wasmtime\"\nversion = \"{VERSION}\"")));
    }

    #[test]
    fn metering_changes_the_configuration() {
        assert_ne!(config_digest(true), config_digest(false));
    }
}
