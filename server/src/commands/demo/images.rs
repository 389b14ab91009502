//! Baselines that are container images: entered where they were built and a runtime is there, named where not.

use super::super::client::Client;
use super::super::output::{OrFail, Result, note};
use super::super::{artifact, challenge, embedded, sandbox_worker};
use fiel_sandbox::{Sandbox, SandboxConfig};
use std::path::Path;

/// Engines that run no images.
const OTHERS: [&str; 3] = ["wasmtime", "tract", "onnxruntime"];

/// Enters every image baseline that this machine can run and adds its id to `submissions`; returns challenge and name
/// of each.
pub(super) async fn submit(
    client: &Client,
    folder: &Path,
    submissions: &mut Vec<String>,
) -> Result<Vec<(String, String)>> {
    let (mut entered, runtime) = (Vec::new(), has_runtime()?);
    for id in embedded::ids() {
        let limit = challenge::open(id)?.challenge.limits.artifact_mib;
        for name in embedded::image_baselines(id) {
            let path = folder.join(id).join(format!("{name}.tar"));
            let left_out = |why: &str| note(format!("left out     {id} · {name}: {why}"));
            if !path.is_file() {
                left_out(&format!("there is no {}; `challenges/build-images.sh` builds it", path.display()));
                continue;
            }
            if !runtime {
                left_out("no container runtime works here; `fiel node doctor` says what to install");
                continue;
            }
            let model = artifact::open(&path)?;
            if artifact::size(&model)? > limit.saturating_mul(1 << 20) {
                left_out(&format!("{} is larger than {limit} MiB", path.display()));
                continue;
            }
            client.put_file(&format!("/artifacts/{}", model.sha256), &path, |_| ()).await?;
            submissions.push(super::enter(client, id, name, model.sha256).await?);
            entered.push((id.to_string(), name.to_string()));
        }
    }
    Ok(entered)
}

/// Whether any engine of this machine runs container images.
fn has_runtime() -> Result<bool> {
    let work = tempfile::Builder::new().prefix("fiel-demo-").tempdir()?;
    let (work_dir, cache_dir) = (work.path().join("work"), work.path().join("cache"));
    let config = SandboxConfig::new(work_dir, cache_dir, sandbox_worker::command());
    let engines = Sandbox::new(config).or_fail()?.engines();
    Ok(engines.iter().any(|engine| engine.available && !OTHERS.contains(&engine.name.as_str())))
}
