//! The site's policy: what may be released, and who decides.

use crate::{NodeError, folder};
use fiel_sandbox::{ContainerConfig, SandboxConfig};
use fiel_schemas::api::FailureReason;
use fiel_schemas::assessment::PolicyInfo;
use fiel_schemas::digest;
use fiel_schemas::reference::is_registry;
use fiel_schemas::submission::{Artifact, ArtifactKind};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// `schema` of a policy document.
pub const POLICY_SCHEMA: &str = "fiel/policy/v1";

/// The site's policy (`policy.json`). It is read anew for every run, so that an edit holds from the next run on.
/// Values of single cases never leave, whatever it says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// Always [`POLICY_SCHEMA`].
    pub schema: String,
    /// Fewest cases a released aggregate may describe; at least 1, 10 by default.
    pub min_cases: u64,
    /// Fewest cases in a released histogram cell; at least 1, 5 by default.
    pub min_cell: u64,
    /// Bootstrap replicates that are released of the metrics a challenge ranks by, at most 1,000; none by default, since
    /// together with weights that somebody may come to know they are equations for the cases' values.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub replicates: u16,
    /// Who lets a result leave; [`ReleaseRule::Ask`] by default.
    pub release: ReleaseRule,
    /// What may run here, and how well confined.
    #[serde(default)]
    pub engines: Engines,
}

/// What may run at the site, and how well confined.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Engines {
    /// Kinds of artifacts that are run; all by default, and what no engine here can run is refused anyway.
    pub allow: Vec<ArtifactKind>,
    /// The container runtime: `runc`, `crun`, `runsc`, `podman` or a path; the first of the former three found when absent.
    /// A change holds from the next start of the node on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runtime: Option<String>,
    /// Protections without which no container is run, by the names that `fiel node doctor` prints; the sandbox's own
    /// list when absent. A change holds from the next start of the node on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub require: Option<Vec<String>>,
    /// Absolute path of `libonnxruntime.so`, which then runs ONNX models and what programs load through wasi-nn; the
    /// built-in tract when absent. Where the library cannot be used, these are refused. A change holds from the next
    /// start of the node on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub onnxruntime: Option<PathBuf>,
    /// Registries, besides the hub's own, from which images are pulled, each as `registry.example.org` or
    /// `registry.example.org:5000`; none by default.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub registries: Vec<String>,
    /// Devices that every container gets, by the CDI names that `fiel node doctor` prints (`nvidia.com/gpu=0`); none
    /// by default. A change holds from the next start of the node on.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub devices: Vec<String>,
}

impl Default for Engines {
    fn default() -> Self {
        let allow = ArtifactKind::MODELS.into_iter().chain([ArtifactKind::Predictions]).collect();
        Self {
            allow,
            runtime: None,
            require: None,
            onnxruntime: None,
            registries: Vec::new(),
            devices: Vec::new(),
        }
    }
}

impl Engines {
    /// How the sandbox runs containers under the policy.
    pub fn containers(&self) -> ContainerConfig {
        let usual = ContainerConfig::default();
        ContainerConfig {
            runtime: self.runtime.clone(),
            required: self.require.clone().unwrap_or(usual.required),
            devices: self.devices.clone(),
            ..usual
        }
    }

    /// The configuration of a sandbox under the policy.
    pub fn sandbox(&self, config: SandboxConfig) -> SandboxConfig {
        SandboxConfig { containers: self.containers(), onnxruntime: self.onnxruntime.clone(), ..config }
    }

    /// Refuses what the policy does not allow with `policy-refused`.
    pub fn check(&self, artifact: &Artifact) -> Result<(), NodeError> {
        let refused = |message: String| Err(NodeError::refused(FailureReason::PolicyRefused, message));
        let kind = artifact.media_type.kind();
        if !self.allow.contains(&kind) {
            return refused(format!("`engines.allow` of policy.json does not name {}", kind.words()));
        }
        match &artifact.source {
            Some(source) if !self.registries.contains(&source.registry) => refused(format!(
                "the image stays in {source}, and `engines.registries` of policy.json does not list {}",
                source.registry
            )),
            _ => Ok(()),
        }
    }

    /// What is wrong with the settings, as a sentence.
    fn problem(&self) -> Option<String> {
        if let Some(path) = self.onnxruntime.as_ref().filter(|path| !path.is_absolute()) {
            return Some(format!(
                "`engines.onnxruntime` is `{}`; give the absolute path of the library",
                path.display()
            ));
        }
        let wrong = self.registries.iter().find(|registry| !is_registry(registry))?;
        Some(format!(
            "`engines.registries` lists `{}`; give hosts in lower case, with a port or without, for instance \
             `registry.example.org:5000`",
            wrong.escape_default()
        ))
    }
}

/// Absent and 0 are one policy with one digest.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "the form that serde calls")]
fn is_zero(n: &u16) -> bool {
    *n == 0
}

/// Who lets a result leave the site.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReleaseRule {
    /// A person approves each release (`fiel node pending`, `approve`, `refuse`).
    Ask,
    /// Every result that passes disclosure control is released.
    Automatic,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            schema: POLICY_SCHEMA.to_owned(),
            min_cases: 10,
            min_cell: 5,
            replicates: 0,
            release: ReleaseRule::Ask,
            engines: Engines::default(),
        }
    }
}

impl Policy {
    /// Reads `policy.json` of a data folder, writing the default policy where there is none.
    pub fn open(data_dir: &Path) -> Result<Self, NodeError> {
        let path = data_dir.join("policy.json");
        if !path.exists() {
            Self::default().save(data_dir)?;
        }
        let policy: Self = folder::read_json(&path)?;
        let wrong = |message: String| NodeError::Document { path: path.clone(), message };
        if policy.schema != POLICY_SCHEMA {
            return Err(wrong(format!("`schema` is `{}`; this node reads `{POLICY_SCHEMA}`", policy.schema)));
        }
        if policy.min_cases == 0 || policy.min_cell == 0 {
            return Err(wrong("`min_cases` and `min_cell` must be at least 1".to_owned()));
        }
        if policy.replicates > fiel_metrics::REPLICATES_MAX {
            return Err(wrong(format!("`replicates` must be at most {}", fiel_metrics::REPLICATES_MAX)));
        }
        policy.engines.problem().map_or(Ok(policy), |problem| Err(wrong(problem)))
    }

    /// Writes the policy to a data folder.
    pub fn save(&self, data_dir: &Path) -> Result<(), NodeError> {
        let mut bytes = serde_json::to_vec_pretty(self).map_err(|e| NodeError::Document {
            path: data_dir.join("policy.json"),
            message: e.to_string(),
        })?;
        bytes.push(b'\n');
        folder::write_atomic(&data_dir.join("policy.json"), &bytes, folder::Access::Shared)
    }

    /// SHA-256 of the policy in canonical JSON.
    pub fn digest(&self) -> String {
        digest::sha256_hex(&digest::canonical_json(self))
    }

    /// What a statement says about the policy it went through.
    pub fn info(&self) -> PolicyInfo {
        PolicyInfo {
            min_cases: self.min_cases,
            min_cell: self.min_cell,
            digest: self.digest(),
            approved_by: match self.release {
                ReleaseRule::Ask => "person".to_owned(),
                ReleaseRule::Automatic => "automatic".to_owned(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fiel_schemas::submission::{MediaType, Source};

    fn artifact(media_type: MediaType, registry: Option<&str>) -> Artifact {
        let source = |registry: &str| Source { registry: registry.to_owned(), repository: "tool".to_owned() };
        Artifact { media_type, sha256: "ab".repeat(32), size: 1, source: registry.map(source) }
    }

    /// A policy with these engines, as a person writes it.
    fn policy(engines: &str) -> Result<Policy, NodeError> {
        let dir = tempfile::tempdir().unwrap();
        let text =
            format!(r#"{{"schema":"fiel/policy/v1","min_cases":10,"min_cell":5,"release":"ask"{engines}}}"#);
        std::fs::write(dir.path().join("policy.json"), text).unwrap();
        Policy::open(dir.path())
    }

    #[test]
    fn the_first_open_writes_a_policy_that_asks_a_person() {
        let dir = tempfile::tempdir().unwrap();
        let policy = Policy::open(dir.path()).unwrap();
        assert_eq!(policy, Policy::default());
        assert_eq!(policy.release, ReleaseRule::Ask);
        assert!(dir.path().join("policy.json").exists());
    }

    #[test]
    fn a_policy_without_engines_allows_every_kind_and_one_with_them_what_it_names() {
        let all = policy("").unwrap();
        assert_eq!(all, Policy::default());
        assert!(MediaType::ALL.into_iter().all(|media| all.engines.check(&artifact(media, None)).is_ok()));
        let some = policy(
            r#","engines":{"allow":["wasm","predictions"],"runtime":"runsc","require":["seccomp"],"devices":["v/c=0"]}"#,
        )
        .unwrap();
        assert_ne!(some.digest(), all.digest());
        for (media, allowed) in [
            (MediaType::Wasm, true),
            (MediaType::Predictions, true),
            (MediaType::ImageArchive, false),
            (MediaType::ImageManifest, false),
            (MediaType::Onnx, false),
        ] {
            let checked = some.engines.check(&artifact(media, None));
            assert_eq!(checked.is_ok(), allowed, "{media}");
        }
        let containers = some.engines.containers();
        assert_eq!(
            (containers.runtime.as_deref(), &containers.required[..]),
            (Some("runsc"), &["seccomp".to_owned()][..])
        );
        assert_eq!(containers.devices, ["v/c=0"]);
        assert_eq!(all.engines.containers(), ContainerConfig::default());
        let refused = some.engines.check(&artifact(MediaType::Onnx, None)).unwrap_err();
        assert_eq!(refused.reason(), FailureReason::PolicyRefused);
    }

    #[test]
    fn images_come_from_the_registries_that_are_listed_and_by_default_from_none() {
        let image = |registry: &str| artifact(MediaType::ImageManifest, Some(registry));
        let none = policy("").unwrap().engines;
        assert!(none.check(&artifact(MediaType::ImageManifest, None)).is_ok());
        assert_eq!(none.check(&image("a.org")).unwrap_err().reason(), FailureReason::PolicyRefused);
        let some = policy(r#","engines":{"registries":["a.org","localhost:5000"]}"#).unwrap().engines;
        assert!(some.check(&image("a.org")).is_ok() && some.check(&image("localhost:5000")).is_ok());
        for other in ["b.org", "a.org:5000", "localhost", "x.a.org", "docker.io"] {
            let refused = some.check(&image(other)).unwrap_err();
            assert_eq!(refused.reason(), FailureReason::PolicyRefused);
            assert!(refused.to_string().contains(&format!("does not list {other}")), "{refused}");
        }
        let wasm_only = policy(r#","engines":{"allow":["wasm"],"registries":["a.org"]}"#).unwrap().engines;
        assert!(wasm_only.check(&image("a.org")).is_err());
    }

    #[test]
    fn what_cannot_be_a_registry_or_a_library_is_refused_with_its_name() {
        for (engines, words) in [
            (r#"{"registries":["https://a.org"]}"#, "https://a.org"),
            (r#"{"registries":["a.org","A.org"]}"#, "A.org"),
            (r#"{"registries":["a.org/group"]}"#, "a.org/group"),
            (r#"{"registries":["*"]}"#, "*"),
            (r#"{"onnxruntime":"lib/libonnxruntime.so"}"#, "absolute path"),
        ] {
            let message = policy(&format!(r#","engines":{engines}"#)).unwrap_err().to_string();
            assert!(message.contains("policy.json") && message.contains(words), "{message}");
        }
        let library = policy(r#","engines":{"onnxruntime":"/opt/libonnxruntime.so"}"#).unwrap().engines;
        let worker = fiel_sandbox::WorkerCommand { program: "w".into(), args: Vec::new() };
        let config = library.sandbox(SandboxConfig::new("a", "b", worker));
        assert_eq!(config.onnxruntime.as_deref(), Some(Path::new("/opt/libonnxruntime.so")));
    }

    #[test]
    fn unknown_fields_and_zero_thresholds_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        for text in [
            r#"{"schema":"fiel/policy/v1","min_cases":10,"min_cell":5,"release":"ask","log_lines":3}"#,
            r#"{"schema":"fiel/policy/v1","min_cases":0,"min_cell":5,"release":"ask"}"#,
            r#"{"schema":"fiel/policy/v1","min_cases":10,"min_cell":5,"release":"always"}"#,
            r#"{"schema":"fiel/policy/v1","min_cases":10,"min_cell":5,"release":"ask","engines":{"allow":["docker"]}}"#,
            r#"{"schema":"fiel/policy/v1","min_cases":10,"min_cell":5,"release":"ask","engines":{"deny":[]}}"#,
            r#"{"schema":"fiel/policy/v1","min_cases":10,"min_cell":5,"replicates":1001,"release":"ask"}"#,
            r#"{"schema":"fiel/policy/v2","min_cases":10,"min_cell":5,"release":"ask"}"#,
        ] {
            std::fs::write(dir.path().join("policy.json"), text).unwrap();
            let message = Policy::open(dir.path()).unwrap_err().to_string();
            assert!(message.contains("policy.json"), "{message}");
        }
    }
}
