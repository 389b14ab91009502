//! What the platform reads of OCI and Docker image manifests: which blobs an image consists of.
//!
//! Manifests come from strangers. Reading one gives bounded lists and digests of the right form, or what is wrong.

use serde::Deserialize;

/// Largest manifest or index, bytes.
pub const MANIFEST_BYTES_MAX: u64 = 4 << 20;
/// Most layers of an image.
pub const LAYERS_MAX: usize = 256;
/// Most manifests of an index.
pub const MANIFESTS_MAX: usize = 64;

/// An OCI image manifest.
pub const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// A Docker image manifest, schema 2.
pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
/// An OCI image index.
pub const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// A Docker manifest list.
pub const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";

/// Configurations of container images; an artifact with another one is not an image.
const IMAGE_CONFIGS: [&str; 2] =
    ["application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json"];

/// A reference to a blob or a manifest.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// What it is.
    pub media_type: String,
    /// `sha256:` and 64 lower-case hexadecimal digits, checked when read.
    pub digest: String,
    /// Size in bytes.
    pub size: u64,
    /// What it runs on, in an index.
    #[serde(default)]
    pub platform: Option<Platform>,
}

impl Descriptor {
    /// The digest without its algorithm.
    #[must_use]
    pub fn sha256(&self) -> &str {
        self.digest.strip_prefix("sha256:").unwrap_or(&self.digest)
    }
}

/// What an image runs on.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Platform {
    /// Operating system.
    #[serde(default)]
    pub os: String,
    /// Processor.
    #[serde(default)]
    pub architecture: String,
}

/// The manifest in an index that the sites' machines run: linux/amd64.
#[must_use]
pub fn for_sites(manifests: &[Descriptor]) -> Option<&Descriptor> {
    let fits = |platform: &Platform| platform.os == "linux" && platform.architecture == "amd64";
    manifests.iter().find(|manifest| manifest.platform.as_ref().is_some_and(fits))
}

/// A manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Manifest {
    /// Of one image or artifact.
    Image(ImageManifest),
    /// Of several images for different platforms.
    Index(Vec<Descriptor>),
}

/// The blobs of one image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageManifest {
    /// Name of the manifest's form.
    pub media_type: String,
    /// The configuration.
    pub config: Descriptor,
    /// The layers, lowest first.
    pub layers: Vec<Descriptor>,
}

impl ImageManifest {
    /// Configuration and layers.
    pub fn blobs(&self) -> impl Iterator<Item = &Descriptor> {
        std::iter::once(&self.config).chain(&self.layers)
    }

    /// Size of configuration and layers in bytes; reading made sure that it can be counted.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.blobs().fold(0, |sum, blob| sum.saturating_add(blob.size))
    }

    /// False for artifacts that are no container images, such as a file pushed by `oras`.
    #[must_use]
    pub fn is_container(&self) -> bool {
        IMAGE_CONFIGS.contains(&self.config.media_type.as_str())
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Raw {
    schema_version: u32,
    media_type: Option<String>,
    config: Option<Descriptor>,
    layers: Option<Vec<Descriptor>>,
    manifests: Option<Vec<Descriptor>>,
}

/// Reads a manifest that was announced as `media_type` (`None` where only the document says what it is).
///
/// # Errors
/// What is wrong, as a sentence.
pub fn parse(bytes: &[u8], media_type: Option<&str>) -> Result<Manifest, String> {
    if bytes.len() as u64 > MANIFEST_BYTES_MAX {
        return Err(format!("A manifest may have {MANIFEST_BYTES_MAX} bytes."));
    }
    let raw: Raw =
        serde_json::from_slice(bytes).map_err(|e| format!("The manifest is not readable: {e}."))?;
    if raw.schema_version != 2 {
        return Err(format!(
            "The manifest has schema version {}; push OCI or Docker schema 2, for instance with \
             `skopeo copy --format oci`.",
            raw.schema_version
        ));
    }
    let media_type = named(media_type, raw.media_type.as_deref(), raw.manifests.is_some())?;
    match (media_type, raw) {
        (OCI_INDEX | DOCKER_LIST, Raw { manifests: Some(manifests), config: None, layers: None, .. }) => {
            bounded(&manifests, MANIFESTS_MAX, "manifests")?;
            Ok(Manifest::Index(manifests))
        }
        (
            OCI_MANIFEST | DOCKER_MANIFEST,
            Raw { config: Some(config), layers: Some(layers), manifests: None, .. },
        ) => {
            bounded(std::slice::from_ref(&config), 1, "config")?;
            bounded(&layers, LAYERS_MAX, "layers")?;
            let sizes = std::iter::once(&config).chain(&layers).map(|blob| blob.size);
            if sizes.clone().try_fold(0_u64, u64::checked_add).is_none() {
                return Err("The sizes of the layers add up to more than can be counted.".into());
            }
            Ok(Manifest::Image(ImageManifest { media_type: media_type.into(), config, layers }))
        }
        (OCI_INDEX | DOCKER_LIST, _) => {
            Err("An index has `manifests` and neither `config` nor `layers`.".into())
        }
        _ => Err("An image manifest has `config` and `layers` and no `manifests`.".into()),
    }
}

/// The form of a manifest: the announced one and the document's own must be the same, and one that is known.
fn named(announced: Option<&str>, own: Option<&str>, has_manifests: bool) -> Result<&'static str, String> {
    if let (Some(announced), Some(own)) = (announced, own)
        && announced != own
    {
        return Err(format!("The manifest was sent as `{announced}` and says that it is `{own}`."));
    }
    let Some(name) = announced.or(own) else {
        return Ok(if has_manifests { OCI_INDEX } else { OCI_MANIFEST });
    };
    [OCI_MANIFEST, DOCKER_MANIFEST, OCI_INDEX, DOCKER_LIST]
        .into_iter()
        .find(|known| *known == name)
        .ok_or_else(|| {
            format!("A manifest of type `{name}` is not known; push `{OCI_MANIFEST}` or `{DOCKER_MANIFEST}`.")
        })
}

fn bounded(descriptors: &[Descriptor], most: usize, what: &str) -> Result<(), String> {
    if descriptors.len() > most {
        return Err(format!("The manifest names {} {what}; at most {most} are taken.", descriptors.len()));
    }
    let is_hex =
        |text: &str| text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    match descriptors.iter().find(|d| !d.digest.strip_prefix("sha256:").is_some_and(is_hex)) {
        Some(_) => Err(format!(
            "A digest in `{what}` is not `sha256:` and 64 lower-case hexadecimal digits; no other algorithm is used here."
        )),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails where it unwraps")]

    use super::*;
    use serde_json::{Value, json};

    fn blob(media: &str, size: u64) -> Value {
        json!({"mediaType": media, "digest": format!("sha256:{}", "a".repeat(64)), "size": size})
    }

    fn image(layers: &[Value]) -> Value {
        json!({"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": blob(IMAGE_CONFIGS[0], 2), "layers": layers,
            "annotations": {"any": "thing"}})
    }

    fn read(value: &Value, media: Option<&str>) -> Result<Manifest, String> {
        parse(&serde_json::to_vec(value).unwrap(), media)
    }

    #[test]
    fn an_image_s_blobs_are_listed_with_their_sum() {
        let Manifest::Image(image) = read(&image(&[blob("l", 5), blob("l", 7)]), Some(OCI_MANIFEST)).unwrap()
        else {
            panic!("an image");
        };
        assert_eq!((image.size(), image.blobs().count(), image.is_container()), (14, 3, true));
        assert_eq!(image.config.sha256(), "a".repeat(64));
    }

    #[test]
    fn what_lies_about_its_form_size_or_digests_is_refused_with_the_reason() {
        let short = json!({"mediaType": "l", "digest": "sha256:abc", "size": 1});
        let upper = json!({"mediaType": "l", "digest": format!("sha256:{}", "A".repeat(64)), "size": 1});
        let minus = json!({"mediaType": "l", "digest": "a", "size": -1});
        let many: Vec<Value> = (0..=LAYERS_MAX).map(|_| blob("l", 1)).collect();
        for (value, media, words) in [
            (image(&[]), Some(DOCKER_MANIFEST), "says that it is"),
            (image(&[]), Some(OCI_INDEX), "says that it is"),
            (image(&[short]), None, "64 lower-case"),
            (image(&[upper]), None, "64 lower-case"),
            (image(&[minus]), None, "not readable"),
            (image(&many), None, "at most 256"),
            (image(&[blob("l", u64::MAX), blob("l", 9)]), None, "can be counted"),
            (json!({"schemaVersion": 1}), None, "schema version 1"),
            (json!({"schemaVersion": 2}), Some("text/plain"), "not known"),
            (json!({"schemaVersion": 2, "manifests": [], "layers": []}), None, "neither"),
            (json!({"schemaVersion": 2, "manifests": []}), Some(OCI_MANIFEST), "no `manifests`"),
            (json!([]), None, "not readable"),
        ] {
            let found = read(&value, media).unwrap_err();
            assert!(found.contains(words), "{value}: {found}");
        }
        assert!(parse(&vec![b' '; usize::try_from(MANIFEST_BYTES_MAX).unwrap() + 1], None).is_err());
    }
}
