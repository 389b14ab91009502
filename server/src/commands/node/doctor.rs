//! `fiel node doctor`: what this machine can run, tried and not guessed.

use super::super::output::{CommandError, OrFail as _, Result, say, say_json};
use super::super::{sandbox_worker, tables};
use fiel_node::policy::{Engines, Policy};
use fiel_sandbox::{EngineReport, Sandbox, SandboxConfig};
use serde_json::json;
use std::path::Path;

/// Name of the engine that every node has.
const WASM: &str = "wasmtime";

/// Runs `fiel node doctor`, under the policy of a node's data folder where there is one.
pub(super) fn run(data: &Path, as_json: bool) -> Result {
    let engines = if data.join("policy.json").exists() {
        Policy::open(data).or_fail()?.engines
    } else {
        Engines::default()
    };
    let work = tempfile::Builder::new().prefix("fiel-doctor-").tempdir()?;
    let (work_dir, cache_dir) = (work.path().join("work"), work.path().join("cache"));
    let config = SandboxConfig::new(work_dir, cache_dir, sandbox_worker::command());
    let sandbox = Sandbox::new(engines.sandbox(config)).map_err(|e| {
        CommandError::new(format!("the sandbox does not work here: {e}"))
            .hint("a node needs Linux with /proc, and leave to start its own program again")
    })?;
    let engines = sandbox.engines();
    if as_json {
        say_json(&json!({"engines": engines.iter().map(document).collect::<Vec<_>>()}))?;
    } else {
        for engine in &engines {
            say(page(engine))?;
        }
    }
    if engines.iter().any(|engine| engine.name == WASM && engine.available) {
        return Ok(());
    }
    Err(CommandError::new("no WebAssembly engine works here, so that this machine cannot serve as a node"))
}

fn document(engine: &EngineReport) -> serde_json::Value {
    let protections = engine.protections.iter();
    let protections: Vec<_> =
        protections.map(|p| json!({"name": p.name, "holds": p.holds, "detail": p.detail})).collect();
    json!({
        "name": engine.name, "version": engine.version, "available": engine.available, "protections": protections,
        "advice": engine.advice,
    })
}

fn page(engine: &EngineReport) -> String {
    let version = engine.version.as_deref().unwrap_or_default();
    let state = if engine.available { "available" } else { "NOT available" };
    let mut parts = vec![format!("{} {version}: {state}", engine.name).replace(" :", ":")];
    if !engine.protections.is_empty() {
        let mut table = tables::table(["protection", "holds", "what it does, or why it does not hold"]);
        for protection in &engine.protections {
            let holds = if protection.holds { "yes" } else { "NO" };
            table.add_row([protection.name.as_str(), holds, protection.detail.as_str()]);
        }
        parts.push(table.trim_fmt());
    }
    if !engine.advice.is_empty() {
        parts.push(format!("  to do: {}", engine.advice));
    }
    parts.join("\n") + "\n"
}
