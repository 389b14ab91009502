//! `fiel node doctor`: what this machine can run, tried and not guessed.

use super::super::output::{CommandError, OrFail as _, Result, say, say_json};
use super::super::{sandbox_worker, tables};
use fiel_node::policy::{Engines, Policy};
use fiel_sandbox::{DeviceReport, EngineReport, Sandbox, SandboxConfig};
use serde_json::json;
use std::path::{Path, PathBuf};

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
    let node = |(path, there): &(PathBuf, bool)| json!({"path": path, "there": there});
    let device = |d: &DeviceReport| {
        json!({
            "name": d.name, "file": d.file, "configured": d.configured, "problem": d.problem,
            "nodes": d.nodes.iter().map(node).collect::<Vec<_>>(), "left_out": d.left_out,
        })
    };
    let devices: Vec<_> = engine.devices.iter().map(device).collect();
    json!({
        "name": engine.name, "version": engine.version, "available": engine.available, "protections": protections,
        "advice": engine.advice, "devices": devices,
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
    parts.extend(engine.devices.iter().map(|device| device_lines(device, engine.available)));
    if !engine.advice.is_empty() {
        parts.push(format!("  to do: {}", engine.advice));
    }
    parts.join("\n") + "\n"
}

/// What is to be said about one device, or about a broken file.
fn device_lines(device: &DeviceReport, available: bool) -> String {
    let use_of_it = match (&device.problem, device.configured) {
        (Some(problem), _) => problem.as_str(),
        (None, true) if available => "every container gets it",
        (None, true) => "found, but no container runs here",
        (None, false) => "found; name it in `engines.devices` of policy.json to hand it to containers",
    };
    let mut lines = vec![format!("  device {}: {use_of_it}", device.name)];
    if let Some(file) = device.file.as_ref().filter(|_| device.problem.is_none()) {
        lines.push(format!("    described in {}", file.display()));
    }
    let state = |there: bool| if there { "is there" } else { "is MISSING" };
    lines
        .extend(device.nodes.iter().map(|(path, there)| format!("    {} {}", path.display(), state(*there))));
    lines.extend(device.left_out.iter().map(|what| format!("    {what}")));
    lines.join("\n")
}
