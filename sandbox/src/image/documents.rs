//! From the entry of an archive or folder to one image: its configuration and its layers, in order.

use fiel_schemas::api::FailureReason;
use fiel_schemas::digest::sha256_hex;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::limits::{INDEXES, LAYERS};
use super::refusal::{at, invalid, quote};
use super::source::{Blob, Source};
use crate::types::Refusal;

const INDEX_TYPES: [&str; 2] =
    ["application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json"];

const MANIFEST_TYPES: [&str; 2] =
    ["application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json"];

const CONFIG_TYPES: [&str; 2] =
    ["application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json"];

/// How a layer is compressed is told from its bytes, which its digests cover.
const LAYER_TYPES: [&str; 6] = [
    "application/vnd.oci.image.layer.v1.tar",
    "application/vnd.oci.image.layer.v1.tar+gzip",
    "application/vnd.oci.image.layer.v1.tar+zstd",
    "application/vnd.docker.image.rootfs.diff.tar",
    "application/vnd.docker.image.rootfs.diff.tar.gzip",
    "application/vnd.docker.image.rootfs.diff.tar.zstd",
];

/// The architecture that images call what this machine is.
pub(super) const ARCHITECTURE: &str = match std::env::consts::ARCH.as_bytes() {
    b"x86_64" => "amd64",
    b"aarch64" => "arm64",
    _ => std::env::consts::ARCH,
};

/// An image found, its configuration read, its layers not yet.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) config: Configuration,
    /// Lowest first, as many as `config.rootfs.diff_ids`.
    pub(super) layers: Vec<Blob>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    media_type: String,
    digest: String,
    size: u64,
    platform: Option<Platform>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Platform {
    architecture: String,
    os: String,
    variant: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Index {
    schema_version: u32,
    media_type: Option<String>,
    manifests: Vec<Descriptor>,
    layers: Option<serde::de::IgnoredAny>,
    config: Option<serde::de::IgnoredAny>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Manifest {
    schema_version: u32,
    media_type: Option<String>,
    config: Descriptor,
    layers: Vec<Descriptor>,
    manifests: Option<serde::de::IgnoredAny>,
}

/// What `docker save` writes about each image in `manifest.json`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Saved {
    config: String,
    layers: Vec<String>,
}

/// The configuration of an image, as far as it is used.
#[derive(Debug, Deserialize)]
pub(super) struct Configuration {
    architecture: String,
    os: String,
    #[serde(default)]
    pub(super) config: Option<Execution>,
    pub(super) rootfs: RootFs,
}

/// How an image wants to be started.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Execution {
    pub(super) user: Option<String>,
    pub(super) env: Option<Vec<String>>,
    pub(super) entrypoint: Option<Vec<String>>,
    pub(super) cmd: Option<Vec<String>>,
    pub(super) working_dir: Option<String>,
    pub(super) labels: Option<std::collections::BTreeMap<String, String>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct RootFs {
    pub(super) diff_ids: Vec<String>,
}

/// Finds the one image in an archive.
pub(super) fn in_archive(source: &Source) -> Result<Plan, Refusal> {
    let named = |name: &str| Blob { name: name.to_owned(), sha256: None, size: None };
    if source.has("index.json") {
        return from_index(source, &named("index.json"), 1);
    }
    if !source.has("manifest.json") {
        return Err(invalid(
            "neither `index.json` nor `manifest.json` is in the archive: not an image; write one with `docker save`, \
             `podman save --format oci-archive` or `skopeo copy`",
        ));
    }
    let saved: Vec<Saved> = parse("manifest.json", &source.document(&named("manifest.json"))?)?;
    let [image] = saved.as_slice() else {
        return Err(invalid(format!("`manifest.json` lists {} images; archive exactly one", saved.len())));
    };
    let config = Blob { sha256: digest_in(&image.config), ..named(&image.config) };
    let layers = image.layers.iter().map(|name| named(name)).collect();
    plan(source, &config, layers)
}

/// Reads the image of a manifest whose digest is known, in a folder.
pub(super) fn of_manifest(source: &Source, sha256: &str) -> Result<Plan, Refusal> {
    let mut blob = Blob { name: blob_name(sha256), sha256: None, size: None };
    let found = sha256_hex(&source.document(&blob)?);
    if found != sha256 {
        let message = format!("the manifest's SHA-256 is {found}, expected {sha256}; fetch it again");
        return Err(Refusal { reason: FailureReason::DigestMismatch, message });
    }
    blob.sha256 = Some(found);
    from_manifest(source, &blob)
}

fn from_index(source: &Source, blob: &Blob, depth: usize) -> Result<Plan, Refusal> {
    if depth > INDEXES {
        return Err(invalid(format!("indexes within indexes, more than {INDEXES} deep")));
    }
    let index: Index = parse(&blob.name, &source.document(blob)?)?;
    let typed = index.media_type.as_deref().is_none_or(|media| INDEX_TYPES.contains(&media));
    if index.schema_version != 2 || !typed || index.layers.is_some() || index.config.is_some() {
        return Err(invalid(format!("{} is not an image index of version 2", quote(blob.name.as_bytes()))));
    }
    let chosen = choose(&index.manifests)?;
    let next = located(chosen)?;
    if INDEX_TYPES.contains(&chosen.media_type.as_str()) {
        return from_index(source, &next, depth + 1);
    }
    known(&chosen.media_type, &MANIFEST_TYPES, "manifest")?;
    from_manifest(source, &next)
}

/// The one image for this machine; one that does not say for which machine it is shows that in its configuration.
fn choose(listed: &[Descriptor]) -> Result<&Descriptor, Refusal> {
    let fits = |platform: &Platform| platform.os == "linux" && platform.architecture == ARCHITECTURE;
    let mut fitting: Vec<&Descriptor> =
        listed.iter().filter(|entry| entry.platform.as_ref().is_some_and(fits)).collect();
    let plain = |entry: &&Descriptor| entry.platform.as_ref().is_some_and(|it| it.variant.is_none());
    if fitting.iter().any(plain) {
        fitting.retain(plain);
    }
    if fitting.is_empty() {
        fitting = listed.iter().filter(|entry| entry.platform.is_none()).collect();
    }
    match fitting.as_slice() {
        [] => Err(no_platform(listed)),
        [one, others @ ..] if others.iter().all(|other| other.digest == one.digest) => Ok(one),
        several => Err(invalid(format!("{} images in one archive; archive exactly one", several.len()))),
    }
}

fn no_platform(listed: &[Descriptor]) -> Refusal {
    let mut found: Vec<String> = listed
        .iter()
        .filter_map(|entry| entry.platform.as_ref())
        .map(|it| quote(format!("{}/{}", it.os, it.architecture).as_bytes()))
        .collect();
    found.dedup();
    let found =
        if found.is_empty() { "no image at all".to_owned() } else { found[..found.len().min(8)].join(", ") };
    invalid(format!("no image for linux/{ARCHITECTURE}; found {found}"))
}

fn from_manifest(source: &Source, blob: &Blob) -> Result<Plan, Refusal> {
    let manifest: Manifest = parse(&blob.name, &source.document(blob)?)?;
    let typed = manifest.media_type.as_deref().is_none_or(|media| MANIFEST_TYPES.contains(&media));
    if manifest.schema_version != 2 || !typed || manifest.manifests.is_some() {
        return Err(invalid(format!(
            "{} is not an image manifest of version 2",
            quote(blob.name.as_bytes())
        )));
    }
    known(&manifest.config.media_type, &CONFIG_TYPES, "configuration")?;
    let layer = |layer: &Descriptor| {
        known(&layer.media_type, &LAYER_TYPES, "layer")?;
        located(layer)
    };
    let layers = manifest.layers.iter().take(LAYERS + 1).map(layer).collect::<Result<_, _>>()?;
    plan(source, &located(&manifest.config)?, layers)
}

fn plan(source: &Source, config: &Blob, layers: Vec<Blob>) -> Result<Plan, Refusal> {
    if layers.len() > LAYERS {
        return Err(invalid(format!("more than {LAYERS} layers; squash the image")));
    }
    let content = source.document(config).map_err(|why| at("configuration", why))?;
    let config: Configuration = parse("configuration", &content)?;
    if config.os != "linux" || config.architecture != ARCHITECTURE {
        let found = quote(format!("{}/{}", config.os, config.architecture).as_bytes());
        return Err(invalid(format!("the image is for {found}; linux/{ARCHITECTURE} is needed")));
    }
    if config.rootfs.diff_ids.len() != layers.len() {
        return Err(invalid(format!(
            "{} layers, but the configuration lists {}",
            layers.len(),
            config.rootfs.diff_ids.len()
        )));
    }
    Ok(Plan { config, layers })
}

fn known(media_type: &str, known: &[&str], what: &str) -> Result<(), Refusal> {
    if known.contains(&media_type) {
        return Ok(());
    }
    Err(invalid(format!(
        "the {what} has the media type {}, which is not known",
        quote(media_type.as_bytes())
    )))
}

fn located(descriptor: &Descriptor) -> Result<Blob, Refusal> {
    let sha256 = sha256_of(&descriptor.digest)?;
    Ok(Blob { name: blob_name(sha256), sha256: Some(sha256.to_owned()), size: Some(descriptor.size) })
}

fn blob_name(sha256: &str) -> String {
    format!("blobs/sha256/{sha256}")
}

/// The hexadecimal digits of `sha256:...`.
pub(super) fn sha256_of(digest: &str) -> Result<&str, Refusal> {
    let digits = digest.strip_prefix("sha256:").filter(|digits| is_sha256(digits));
    digits.ok_or_else(|| invalid(format!("{} is not a SHA-256 digest", quote(digest.as_bytes()))))
}

/// Whether this is a SHA-256, lower-case hexadecimal.
pub(super) fn is_sha256(digits: &str) -> bool {
    digits.len() == 64 && digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// The digest that the name of a configuration in a `docker save` archive states, if it does.
fn digest_in(name: &str) -> Option<String> {
    let file = name.rsplit('/').next()?;
    let digits = file.strip_suffix(".json").unwrap_or(file);
    is_sha256(digits).then(|| digits.to_owned())
}

fn parse<T: DeserializeOwned>(name: &str, content: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(content).map_err(|error| {
        invalid(format!(
            "{} is not what it should be: {}",
            quote(name.as_bytes()),
            quote(error.to_string().as_bytes())
        ))
    })
}
