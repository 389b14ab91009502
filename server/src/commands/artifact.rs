//! A model on the command line: what it is, told by its content, and its digest.

use super::output::{CommandError, OrFail, Result};
use crate::sniff::{Sniffer, Unknown};
use fiel_sandbox::Model;
use fiel_schemas::digest::to_hex;
use fiel_schemas::submission::MediaType;
use sha2::{Digest as _, Sha256};
use std::io::Read as _;
use std::path::Path;

/// Largest index of an image in a folder.
const INDEX_BYTES_MAX: u64 = 1 << 20;

/// Opens a model: a file of any kind, or a folder in the OCI image layout.
pub(crate) fn open(path: &Path) -> Result<Model> {
    if path.is_dir() {
        let sha256 = manifest_digest(path)?;
        return Ok(Model { path: path.to_owned(), sha256, media_type: MediaType::ImageManifest });
    }
    let mut file = fs_err::File::open(path)?;
    let (mut sniffer, mut hasher, mut piece) = (Sniffer::default(), Sha256::new(), vec![0; 1 << 16]);
    let refused = |unknown: Unknown| {
        CommandError::new(format!("{} is no model. {unknown}", path.display()))
            .hint("docs/model.md says what a model is and how to build one")
    };
    loop {
        match file.read(&mut piece)? {
            0 => break,
            length => {
                sniffer.push(&piece[..length]).map_err(refused)?;
                hasher.update(&piece[..length]);
            }
        }
    }
    let media_type = sniffer.finish().map_err(refused)?;
    Ok(Model { path: path.to_owned(), sha256: to_hex(&hasher.finalize()), media_type })
}

/// Bytes of a model: of the file, or of all blobs of an image in a folder.
pub(crate) fn size(model: &Model) -> Result<u64> {
    if !model.path.is_dir() {
        return Ok(fs_err::metadata(&model.path)?.len());
    }
    let mut size = 0;
    for blob in fs_err::read_dir(model.path.join("blobs/sha256"))? {
        size += blob?.metadata()?.len();
    }
    Ok(size)
}

/// What a model is, in words for people.
pub(crate) fn words(media_type: MediaType) -> &'static str {
    match media_type {
        MediaType::Wasm => "WebAssembly module",
        MediaType::ImageArchive | MediaType::ImageManifest => "container image",
        MediaType::Onnx => "ONNX bundle",
        MediaType::Predictions => "file of predictions",
    }
}

/// Digest of the first manifest in an image layout that runs here.
fn manifest_digest(folder: &Path) -> Result<String> {
    let path = folder.join("index.json");
    let mut bytes = Vec::new();
    fs_err::File::open(&path)
        .map_err(|_| {
            CommandError::new(format!(
                "{} is no model: a folder must be an image in the OCI layout",
                folder.display()
            ))
            .hint("`skopeo copy ... oci:FOLDER` makes one")
        })?
        .take(INDEX_BYTES_MAX)
        .read_to_end(&mut bytes)?;
    let index: serde_json::Value = serde_json::from_slice(&bytes).or_fail_while(path.display())?;
    let fits = |manifest: &&serde_json::Value| {
        let platform = &manifest["platform"];
        platform.is_null() || platform["os"] == "linux" && platform["architecture"] == "amd64"
    };
    let manifest = index["manifests"].as_array().and_then(|all| all.iter().find(fits));
    let digest = manifest.and_then(|manifest| manifest["digest"].as_str()?.strip_prefix("sha256:"));
    let digest = digest.filter(|text| text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit()));
    digest.map(str::to_owned).ok_or_else(|| {
        CommandError::new(format!("{} names no image for linux/amd64 by its SHA-256", path.display()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind_of(bytes: &[u8]) -> Option<MediaType> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model");
        fs_err::write(&path, bytes).unwrap();
        open(&path).ok().map(|model| {
            assert_eq!(model.sha256, fiel_schemas::digest::sha256_hex(bytes));
            model.media_type
        })
    }

    fn archive(names: &[&str]) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for name in names {
            let mut header = tar::Header::new_gnu();
            header.set_size(3);
            header.set_mode(0o644);
            builder.append_data(&mut header, name, &b"abc"[..]).unwrap();
        }
        builder.into_inner().unwrap()
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut encoder, bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn kinds_are_told_by_content() {
        for (bytes, kind) in [
            (b"\0asm\x01\0\0\0".to_vec(), Some(MediaType::Wasm)),
            (gzip(&archive(&["blobs/sha256/ab", "manifest.json"])), Some(MediaType::ImageArchive)),
            (b"\x1f\x8b\x08\0rest".to_vec(), None),
            (archive(&["oci-layout", "index.json"]), Some(MediaType::ImageArchive)),
            (archive(&["blobs/sha256/ab", "manifest.json"]), Some(MediaType::ImageArchive)),
            (archive(&["manifest.json", "model.onnx"]), Some(MediaType::Onnx)),
            (archive(&["p-1/prediction.csv"]), Some(MediaType::Predictions)),
            (archive(&["predictions.csv"]), Some(MediaType::Predictions)),
            (archive(&["README"]), None),
            (b"#!/bin/sh\n".to_vec(), None),
            (Vec::new(), None),
        ] {
            assert_eq!(kind_of(&bytes), kind, "{:?}", bytes.get(..8));
        }
    }

    #[test]
    fn a_folder_is_an_image_where_its_index_names_one() {
        let folder = tempfile::tempdir().unwrap();
        assert!(open(folder.path()).is_err());
        let digest = "ab".repeat(32);
        let index = format!(
            r#"{{"manifests": [{{"digest": "sha256:00", "platform": {{"os": "linux", "architecture": "arm64"}}}},
                {{"digest": "sha256:{digest}", "platform": {{"os": "linux", "architecture": "amd64"}}}}]}}"#
        );
        fs_err::write(folder.path().join("index.json"), index).unwrap();
        let model = open(folder.path()).unwrap();
        assert_eq!((model.media_type, model.sha256), (MediaType::ImageManifest, digest));
    }
}
