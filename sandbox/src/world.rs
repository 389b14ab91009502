//! The world a module or component sees, and how much of it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ort::environment::Environment;
use sha2::{Digest, Sha256};
use wasmtime::component::{self, HasSelf};
use wasmtime::{Engine, Linker, ResourceLimiter};
use wasmtime_wasi::cli::{WasiCli, WasiCliView};
use wasmtime_wasi::clocks::{WasiClocks, WasiClocksView};
use wasmtime_wasi::filesystem::{WasiFilesystem, WasiFilesystemView};
use wasmtime_wasi::p1::{self, WasiP1Ctx};
use wasmtime_wasi::p2::bindings::{self, sync};
use wasmtime_wasi::random::{WasiRandom, WasiRandomView};
use wasmtime_wasi::{
    Deterministic, FsPerms, HostMonotonicClock, HostWallClock, ResourceTable, WasiCtxBuilder, WasiCtxView,
    WasiView,
};

use crate::log::Log;
use crate::nn::{self, Networks};

/// Most elements in all tables of all instances of a case.
const TABLE_ELEMENTS: usize = 1 << 20;

/// Most files, streams and the like that a component may hold at once.
const HANDLES: usize = 4096;

/// Every function a module may import.
pub(crate) fn module_linker(engine: &Engine) -> wasmtime::Result<Linker<World>> {
    let mut linker = Linker::new(engine);
    p1::add_to_linker_sync(&mut linker, |world: &mut World| &mut world.wasi)?;
    nn::add_to_linker(&mut linker)?;
    Ok(linker)
}

/// Every interface a component may import: WASI 0.2 but for `wasi:sockets`, and wasi-nn.
pub(crate) fn component_linker(engine: &Engine) -> wasmtime::Result<component::Linker<World>> {
    type Io = HasSelf<ResourceTable>;
    let mut linker = component::Linker::new(engine);
    let l = &mut linker;
    let table = World::table;
    wasmtime_wasi_io::bindings::wasi::io::error::add_to_linker::<World, Io>(l, table)?;
    sync::io::poll::add_to_linker::<World, Io>(l, table)?;
    sync::io::streams::add_to_linker::<World, Io>(l, table)?;
    sync::filesystem::types::add_to_linker::<World, WasiFilesystem>(l, World::filesystem)?;
    bindings::filesystem::preopens::add_to_linker::<World, WasiFilesystem>(l, World::filesystem)?;
    bindings::clocks::wall_clock::add_to_linker::<World, WasiClocks>(l, World::clocks)?;
    bindings::clocks::monotonic_clock::add_to_linker::<World, WasiClocks>(l, World::clocks)?;
    bindings::random::random::add_to_linker::<World, WasiRandom>(l, World::random)?;
    bindings::random::insecure::add_to_linker::<World, WasiRandom>(l, World::random)?;
    bindings::random::insecure_seed::add_to_linker::<World, WasiRandom>(l, World::random)?;
    bindings::cli::exit::add_to_linker::<World, WasiCli>(l, World::cli)?;
    bindings::cli::environment::add_to_linker::<World, WasiCli>(l, World::cli)?;
    bindings::cli::stdin::add_to_linker::<World, WasiCli>(l, World::cli)?;
    bindings::cli::stdout::add_to_linker::<World, WasiCli>(l, World::cli)?;
    bindings::cli::stderr::add_to_linker::<World, WasiCli>(l, World::cli)?;
    bindings::cli::terminal_input::add_to_linker::<World, WasiCli>(l, World::cli)?;
    bindings::cli::terminal_output::add_to_linker::<World, WasiCli>(l, World::cli)?;
    bindings::cli::terminal_stdin::add_to_linker::<World, WasiCli>(l, World::cli)?;
    bindings::cli::terminal_stdout::add_to_linker::<World, WasiCli>(l, World::cli)?;
    bindings::cli::terminal_stderr::add_to_linker::<World, WasiCli>(l, World::cli)?;
    nn::add_component_to_linker(l)?;
    Ok(linker)
}

/// The interfaces of [`component_linker`] that belong to WASI 0.2, without their versions.
pub(crate) const OFFERED: [&str; 20] = [
    "wasi:cli/environment",
    "wasi:cli/exit",
    "wasi:cli/stderr",
    "wasi:cli/stdin",
    "wasi:cli/stdout",
    "wasi:cli/terminal-input",
    "wasi:cli/terminal-output",
    "wasi:cli/terminal-stderr",
    "wasi:cli/terminal-stdin",
    "wasi:cli/terminal-stdout",
    "wasi:clocks/monotonic-clock",
    "wasi:clocks/wall-clock",
    "wasi:filesystem/preopens",
    "wasi:filesystem/types",
    "wasi:io/error",
    "wasi:io/poll",
    "wasi:io/streams",
    "wasi:random/insecure",
    "wasi:random/insecure-seed",
    "wasi:random/random",
];

/// What one case can reach.
pub(crate) struct World {
    wasi: WasiP1Ctx,
    /// Bounds of its memory.
    pub(crate) bounds: Bounds,
    /// What it loaded through wasi-nn.
    pub(crate) networks: Networks,
}

impl World {
    /// A world over the folders `input` and `output` of the working folder.
    pub(crate) fn with_folders(bounds: Bounds, out: &Log, err: &Log) -> wasmtime::Result<Self> {
        let mut builder = deterministic(out, err);
        builder.preopened_dir("input", "/input", FsPerms::ReadOnly)?.preopened_dir(
            "output",
            "/output",
            FsPerms::ReadWrite,
        )?;
        Ok(Self::build(&mut builder, bounds, err))
    }

    /// A world without folders.
    pub(crate) fn without_folders(bounds: Bounds, out: &Log, err: &Log) -> Self {
        Self::build(&mut deterministic(out, err), bounds, err)
    }

    pub(crate) fn table(&mut self) -> &mut ResourceTable {
        self.wasi.ctx().table
    }

    /// The same world with the site's engine for what it loads through wasi-nn.
    pub(crate) fn with_engine(mut self, onnxruntime: Option<Environment>) -> Self {
        self.networks.onnxruntime = onnxruntime;
        self
    }

    /// What ends a case that has asked a function of the world for more memory than there is.
    pub(crate) fn no_memory(&mut self) -> wasmtime::Error {
        self.bounds.exceeded = true;
        wasmtime::Error::msg("memory limit")
    }

    fn build(builder: &mut WasiCtxBuilder, bounds: Bounds, err: &Log) -> Self {
        let mut wasi = builder.build_p1();
        wasi.ctx().table.set_max_capacity(HANDLES);
        let networks = Networks::new(bounds.limit, err);
        Self { wasi, bounds, networks }
    }
}

impl WasiView for World {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        self.wasi.ctx()
    }
}

/// The same clocks and random numbers for every case, no environment.
fn deterministic(out: &Log, err: &Log) -> WasiCtxBuilder {
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
        .insecure_random_seed(3);
    builder
}

/// Bounds the memories and tables of all instances of a case together, and remembers that memory was refused.
pub(crate) struct Bounds {
    /// Most bytes in all memories.
    limit: usize,
    instances: usize,
    memories: usize,
    tables: usize,
    /// Bytes in all memories; they never shrink.
    pub(crate) bytes: usize,
    elements: usize,
    /// Whether more memory was asked for than there may be.
    pub(crate) exceeded: bool,
}

impl Bounds {
    /// Those of a core module: one instance with one memory.
    pub(crate) fn module(memory_bytes: u64) -> Self {
        Self::new(memory_bytes, 1, 1, 16)
    }

    /// Those of a component, which may be linked from many modules.
    pub(crate) fn component(memory_bytes: u64) -> Self {
        Self::new(memory_bytes, 128, 32, 128)
    }

    fn new(memory_bytes: u64, instances: usize, memories: usize, tables: usize) -> Self {
        let limit = usize::try_from(memory_bytes).unwrap_or(usize::MAX);
        Self { limit, instances, memories, tables, bytes: 0, elements: 0, exceeded: false }
    }
}

impl ResourceLimiter for Bounds {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let bytes = self.bytes.saturating_sub(current).saturating_add(desired);
        if bytes > self.limit {
            self.exceeded = true;
            return Err(wasmtime::Error::msg("memory limit"));
        }
        if maximum.is_some_and(|maximum| desired > maximum) {
            // The module's own limit: its instruction answers -1, as the standard says.
            return Ok(false);
        }
        self.bytes = bytes;
        Ok(true)
    }

    fn memory_grow_failed(&mut self, _: wasmtime::Error) -> wasmtime::Result<()> {
        self.exceeded = true;
        Err(wasmtime::Error::msg("memory limit of the process"))
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let elements = self.elements.saturating_sub(current).saturating_add(desired);
        let fits = elements <= TABLE_ELEMENTS && maximum.is_none_or(|maximum| desired <= maximum);
        if fits {
            self.elements = elements;
        }
        Ok(fits)
    }

    fn instances(&self) -> usize {
        self.instances
    }

    fn memories(&self) -> usize {
        self.memories
    }

    fn tables(&self) -> usize {
        self.tables
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
    fn memories_are_bounded_together() {
        let mut bounds = Bounds::component(10 << 16);
        assert!(bounds.memory_growing(0, 6 << 16, None).unwrap());
        assert!(bounds.memory_growing(0, 3 << 16, None).unwrap());
        assert!(!bounds.memory_growing(3 << 16, 4 << 16, Some(3 << 16)).unwrap(), "beyond its own maximum");
        assert!(bounds.memory_growing(3 << 16, 4 << 16, Some(1 << 20)).unwrap());
        assert_eq!((bounds.bytes, bounds.exceeded), (10 << 16, false));
        assert!(bounds.memory_growing(6 << 16, 7 << 16, None).is_err());
        assert!(bounds.exceeded);
    }

    #[test]
    fn tables_are_bounded_together() {
        let mut bounds = Bounds::component(0);
        assert!(bounds.table_growing(0, TABLE_ELEMENTS - 1, None).unwrap());
        assert!(!bounds.table_growing(0, 2, None).unwrap());
        assert!(bounds.table_growing(0, 1, None).unwrap());
        assert!(!bounds.table_growing(1, 2, None).unwrap());
    }
}
