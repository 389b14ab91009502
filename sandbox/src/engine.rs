//! The WebAssembly engine: one configuration for modules and components.

use std::hash::{DefaultHasher, Hash, Hasher};

use wasmtime::{Config, Engine, OptLevel};

/// Version of the engine, as in the lock file (a test compares).
pub(crate) const VERSION: &str = "48.0.8";

/// Everything that decides what a module computes, in words; its digest names the configuration.
const DESCRIPTION: &str = "cranelift speed; wasi_snapshot_preview1; components with wasi 0.2 without sockets; \
    fiel:model/inference@1.0.0; threads off; relaxed-simd off; memory64 off; multi-memory off; simd on; \
    wasm stack 1 MiB; wall clock 2000-01-01; monotonic clock counts; random seeded";

/// Stack of a module; deeper recursion traps.
const WASM_STACK: usize = 1 << 20;

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
        .wasm_component_model(true)
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
