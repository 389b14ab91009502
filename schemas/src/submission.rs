//! The submission document: one immutable version of a tool, entered into a phase.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// A submission as the hub stores and shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Submission {
    /// Always `fiel/submission/v1`.
    pub schema: String,
    /// UUIDv7.
    pub id: String,
    /// Challenge id.
    pub challenge: String,
    /// Phase id.
    pub phase: String,
    /// Name of the tool, 1 to 80 characters.
    pub tool: String,
    /// Version of the tool.
    pub version: String,
    /// What the tool is, Markdown, at most 4,000 characters.
    #[serde(default)]
    pub description: String,
    /// Account name of the participant.
    pub participant: String,
    /// What was submitted.
    pub artifact: Artifact,
    /// When the hub acknowledged it.
    pub submitted_at: DateTime<Utc>,
}

/// A submitted file, addressed by its digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Artifact {
    /// What kind of thing it is.
    pub media_type: MediaType,
    /// Lower-case hexadecimal SHA-256.
    pub sha256: String,
    /// Size in bytes.
    pub size: u64,
    /// Where an image is that the hub does not hold: sites pull it from there by its digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
}

/// The place of an image in a registry other than the hub's. The digest beside it says which image it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// Host of the registry, lower case, with its port where that is not the usual one.
    pub registry: String,
    /// Repository in the registry, for instance `group/tool`.
    pub repository: String,
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.registry, self.repository)
    }
}

/// What an artifact is. The hub finds it out from the first bytes of what was sent; a name is never asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
pub enum MediaType {
    /// A WebAssembly command module, command component or `predict` component.
    #[serde(rename = "application/wasm")]
    Wasm,
    /// A container image in a tar archive: OCI image layout or `docker save`, plain or gzip.
    #[serde(rename = "application/vnd.oci.image.layout.v1.tar")]
    ImageArchive,
    /// The manifest of a container image; its blobs are in the hub's registry under `/v2/`, or in the artifact's
    /// [`Artifact::source`].
    #[serde(rename = "application/vnd.oci.image.manifest.v1+json")]
    ImageManifest,
    /// A tar archive of `manifest.json` and `model.onnx`.
    #[serde(rename = "application/vnd.fiel.onnx.v1.tar")]
    Onnx,
    /// A tar archive of `<case>/<output path>`: answers to a phase whose inputs are public.
    #[serde(rename = "application/vnd.fiel.predictions.v1.tar")]
    Predictions,
}

impl MediaType {
    /// Every media type.
    pub const ALL: [Self; 5] =
        [Self::Wasm, Self::ImageArchive, Self::ImageManifest, Self::Onnx, Self::Predictions];

    /// The name used in documents, headers and the store.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Wasm => "application/wasm",
            Self::ImageArchive => "application/vnd.oci.image.layout.v1.tar",
            Self::ImageManifest => "application/vnd.oci.image.manifest.v1+json",
            Self::Onnx => "application/vnd.fiel.onnx.v1.tar",
            Self::Predictions => "application/vnd.fiel.predictions.v1.tar",
        }
    }

    /// The media type of this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|media| media.as_str() == name)
    }

    /// Whether a container runtime is needed to run it.
    #[must_use]
    pub const fn is_image(self) -> bool {
        matches!(self, Self::ImageArchive | Self::ImageManifest)
    }

    /// The kind by which a challenge accepts or refuses it.
    #[must_use]
    pub const fn kind(self) -> ArtifactKind {
        match self {
            Self::Wasm => ArtifactKind::Wasm,
            Self::ImageArchive | Self::ImageManifest => ArtifactKind::Image,
            Self::Onnx => ArtifactKind::Onnx,
            Self::Predictions => ArtifactKind::Predictions,
        }
    }
}

/// A kind of artifact as a challenge's `accepts` names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ArtifactKind {
    /// A WebAssembly module or component.
    Wasm,
    /// A container image: an archive, pushed to the hub's registry, or in another one.
    Image,
    /// An ONNX bundle.
    Onnx,
    /// A table of predictions, for phases whose inputs are public.
    Predictions,
}

impl ArtifactKind {
    /// What a challenge accepts that does not say so: whatever computes.
    pub const MODELS: [Self; 3] = [Self::Wasm, Self::Image, Self::Onnx];

    /// The kind in words, for messages.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Wasm => "WebAssembly modules",
            Self::Image => "container images",
            Self::Onnx => "ONNX bundles",
            Self::Predictions => "predictions",
        }
    }
}

impl std::fmt::Display for MediaType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}
