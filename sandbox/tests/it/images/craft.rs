//! Makes images byte by byte, so that they can be wrong in every way.

use std::io::Write;

use fiel_schemas::digest::sha256_hex;
use serde_json::{Value, json};

/// Architecture that an image must be for to run here.
pub(crate) const ARCHITECTURE: &str = if cfg!(target_arch = "x86_64") { "amd64" } else { "arm64" };

pub(crate) const INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub(crate) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

/// Files of an archive or folder: path and content.
pub(crate) type Files = Vec<(String, Vec<u8>)>;

/// A tar archive being written.
#[derive(Clone, Default)]
pub(crate) struct Tar(pub(crate) Vec<u8>);

/// What a header says beside name, kind and size.
#[derive(Clone, Copy)]
pub(crate) struct Meta {
    pub(crate) mode: u32,
    pub(crate) user: u64,
    pub(crate) group: u64,
}

const PLAIN: Meta = Meta { mode: 0o644, user: 0, group: 0 };

impl Tar {
    pub(crate) fn file(self, name: &str, content: &[u8]) -> Self {
        self.entry(b'0', name.as_bytes(), b"", content, PLAIN)
    }

    pub(crate) fn folder(self, name: &str) -> Self {
        self.entry(b'5', name.as_bytes(), b"", b"", Meta { mode: 0o755, ..PLAIN })
    }

    pub(crate) fn link(self, name: &str, target: &str) -> Self {
        self.entry(b'2', name.as_bytes(), target.as_bytes(), b"", PLAIN)
    }

    pub(crate) fn hard_link(self, name: &str, target: &str) -> Self {
        self.entry(b'1', name.as_bytes(), target.as_bytes(), b"", PLAIN)
    }

    /// An entry of any kind; long names get GNU headers.
    pub(crate) fn entry(mut self, kind: u8, name: &[u8], link: &[u8], content: &[u8], meta: Meta) -> Self {
        for (long, kind) in [(name, b'L'), (link, b'K')] {
            if long.len() > 100 {
                self = self.header(kind, b"././@LongLink", b"", long.len() as u64, PLAIN).content(long);
            }
        }
        let cut = |text: &[u8]| text[..text.len().min(100)].to_vec();
        self.header(kind, &cut(name), &cut(link), content.len() as u64, meta).content(content)
    }

    /// A header alone, whose size may be a lie.
    pub(crate) fn header(mut self, kind: u8, name: &[u8], link: &[u8], size: u64, meta: Meta) -> Self {
        let mut header = tar::Header::new_gnu();
        header.as_old_mut().name[..name.len()].copy_from_slice(name);
        header.as_old_mut().linkname[..link.len()].copy_from_slice(link);
        header.set_entry_type(tar::EntryType::new(kind));
        header.set_size(size);
        header.set_mode(meta.mode);
        header.set_uid(meta.user);
        header.set_gid(meta.group);
        header.set_mtime(1_000_000_000);
        header.set_cksum();
        self.0.extend_from_slice(header.as_bytes());
        self
    }

    /// An extended header for the next entry.
    pub(crate) fn pax(self, records: &[(&str, &[u8])]) -> Self {
        let mut content = Vec::new();
        for (key, value) in records {
            let rest = key.len() + value.len() + 3;
            let length = (rest..rest + 32).find(|length| length.to_string().len() + rest == *length).unwrap();
            content.extend_from_slice(format!("{length} {key}=").as_bytes());
            content.extend_from_slice(value);
            content.push(b'\n');
        }
        self.entry(b'x', b"pax", b"", &content, PLAIN)
    }

    fn content(mut self, content: &[u8]) -> Self {
        self.0.extend_from_slice(content);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
        self
    }

    /// The finished archive.
    pub(crate) fn end(mut self) -> Vec<u8> {
        self.0.resize(self.0.len() + 1024, 0);
        self.0
    }
}

/// One layer as it is stored.
#[derive(Clone)]
pub(crate) struct Layer {
    pub(crate) stored: Vec<u8>,
    pub(crate) media_type: String,
    pub(crate) diff_id: String,
}

impl Layer {
    pub(crate) fn plain(archive: &[u8]) -> Self {
        Self { stored: archive.to_vec(), media_type: LAYER.to_owned(), diff_id: diff_id(archive) }
    }

    pub(crate) fn gzip(archive: &[u8]) -> Self {
        Self { stored: gzip(archive), media_type: format!("{LAYER}+gzip"), diff_id: diff_id(archive) }
    }

    pub(crate) fn zstd(archive: &[u8]) -> Self {
        Self { stored: zstd(archive), media_type: format!("{LAYER}+zstd"), diff_id: diff_id(archive) }
    }

    /// Bytes that are no archive, or one that is not worth unpacking.
    pub(crate) fn stored(stored: Vec<u8>) -> Self {
        Self { stored, media_type: format!("{LAYER}+gzip"), diff_id: diff_id(b"") }
    }
}

/// An image: layers and a configuration.
#[derive(Clone)]
pub(crate) struct Image {
    pub(crate) layers: Vec<Layer>,
    pub(crate) config: Value,
}

impl Image {
    /// An image that starts `/tool`.
    pub(crate) fn new(layers: Vec<Layer>) -> Self {
        let diff_ids: Vec<&str> = layers.iter().map(|layer| layer.diff_id.as_str()).collect();
        let config = json!({
            "architecture": ARCHITECTURE,
            "os": "linux",
            "config": { "Entrypoint": ["/tool"] },
            "rootfs": { "type": "layers", "diff_ids": diff_ids },
        });
        Self { layers, config }
    }

    /// The same image that wants to be started in another way.
    pub(crate) fn wants(mut self, config: Value) -> Self {
        self.config["config"] = config;
        self
    }

    pub(crate) fn manifest(&self) -> Value {
        let layers: Vec<Value> =
            self.layers.iter().map(|layer| descriptor(&layer.media_type, &layer.stored)).collect();
        json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": descriptor(CONFIG, self.config.to_string().as_bytes()),
            "layers": layers,
        })
    }

    /// Configuration and layers under the names of an OCI image layout, each once.
    pub(crate) fn blobs(&self) -> Files {
        let config = self.config.to_string().into_bytes();
        let mut files = vec![(blob_name(&config), config)];
        for layer in &self.layers {
            let name = blob_name(&layer.stored);
            if files.iter().all(|(other, _)| *other != name) {
                files.push((name, layer.stored.clone()));
            }
        }
        files
    }

    /// An OCI image layout.
    pub(crate) fn oci(&self) -> Files {
        self.oci_with(&self.manifest())
    }

    /// The same with another manifest.
    pub(crate) fn oci_with(&self, manifest: &Value) -> Files {
        let manifest = manifest.to_string().into_bytes();
        let mut files = self.blobs();
        let index = index(&[descriptor(MANIFEST, &manifest)]);
        files.push((blob_name(&manifest), manifest));
        files.push(("oci-layout".to_owned(), br#"{"imageLayoutVersion":"1.0.0"}"#.to_vec()));
        files.push(("index.json".to_owned(), index.to_string().into_bytes()));
        files
    }

    /// What `docker save` wrote before version 25.
    pub(crate) fn docker(&self) -> Files {
        let config = self.config.to_string().into_bytes();
        let config_name = format!("{}.json", sha256_hex(&config));
        let name = |layer: &Layer| format!("{}/layer.tar", sha256_hex(&layer.stored));
        let names: Vec<String> = self.layers.iter().map(name).collect();
        let saved = json!([{ "Config": config_name, "RepoTags": ["model:1"], "Layers": names }]);
        let mut files: Files = self.layers.iter().map(|layer| (name(layer), layer.stored.clone())).collect();
        files.push((config_name, config));
        files.push(("manifest.json".to_owned(), saved.to_string().into_bytes()));
        files.push(("repositories".to_owned(), b"{}".to_vec()));
        files
    }
}

pub(crate) fn index(manifests: &[Value]) -> Value {
    json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": manifests })
}

pub(crate) fn descriptor(media_type: &str, content: &[u8]) -> Value {
    json!({
        "mediaType": media_type,
        "digest": format!("sha256:{}", sha256_hex(content)),
        "size": content.len(),
    })
}

pub(crate) fn blob_name(content: &[u8]) -> String {
    format!("blobs/sha256/{}", sha256_hex(content))
}

fn diff_id(archive: &[u8]) -> String {
    format!("sha256:{}", sha256_hex(archive))
}

/// An archive of files.
pub(crate) fn archive(files: &Files) -> Vec<u8> {
    files.iter().fold(Tar::default(), |tar, (name, content)| tar.file(name, content)).end()
}

pub(crate) fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

pub(crate) fn zstd(content: &[u8]) -> Vec<u8> {
    zstd::stream::encode_all(content, 1).unwrap()
}
