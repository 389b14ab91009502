//! The tar archive of an ONNX artifact, unpacked in memory.

use std::io::Read;

use fiel_schemas::onnx::OnnxManifest;
use fiel_schemas::validate::{Kind, from_json};

/// Largest `model.onnx`, bytes.
const MODEL_BYTES: u64 = 1 << 30;

/// How such an archive is made.
const RECIPE: &str = "make it with `tar --format=ustar -cf model.tar manifest.json model.onnx`";

/// What an archive holds.
#[derive(Debug)]
pub(super) struct Bundle {
    pub(super) manifest: OnnxManifest,
    pub(super) model: Vec<u8>,
}

/// Reads an archive of exactly `manifest.json` and `model.onnx`, both regular files; says what is wrong otherwise.
pub(super) fn unpack(archive: impl Read) -> Result<Bundle, String> {
    let damaged = |error: std::io::Error| format!("not a readable tar archive: {error}; {RECIPE}");
    let (mut manifest, mut model) = (None, None);
    // Raw: long names and other extensions are entries of their own, and refused with everything else.
    for entry in tar::Archive::new(archive).entries().map_err(damaged)?.raw(true) {
        let mut entry = entry.map_err(damaged)?;
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let (place, limit) = match name.as_str() {
            "manifest.json" => (&mut manifest, Kind::OnnxManifest.bytes_max() as u64),
            "model.onnx" => (&mut model, MODEL_BYTES),
            _ => return Err(format!("the archive holds {}; {RECIPE}", shown(&name))),
        };
        if !entry.header().entry_type().is_file() {
            return Err(format!("{name} in the archive is not a regular file; {RECIPE}"));
        }
        if place.is_some() {
            return Err(format!("{name} is in the archive twice; {RECIPE}"));
        }
        let size = entry.size();
        if size > limit {
            return Err(format!("{name} has {size} bytes; at most {limit} are read"));
        }
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).map_err(damaged)?;
        if bytes.len() as u64 != size {
            return Err(format!("the archive ends within {name}; send it again"));
        }
        *place = Some(bytes);
    }
    let missing = |name: &str| format!("the archive holds no {name}; {RECIPE}");
    let manifest = manifest.ok_or_else(|| missing("manifest.json"))?;
    let model = model.ok_or_else(|| missing("model.onnx"))?;
    let manifest =
        from_json(Kind::OnnxManifest, &manifest).map_err(|error| format!("manifest.json: {error}"))?;
    Ok(Bundle { manifest, model })
}

/// A name out of the archive, short and printable.
pub(super) fn shown(name: &str) -> String {
    const SHOWN: usize = 80;
    let short: String = name.chars().take(SHOWN).collect();
    let more = if name.chars().nth(SHOWN).is_some() { "..." } else { "" };
    format!("`{}{more}`", short.escape_debug())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &[u8] = br#"{"schema": "fiel/onnx-manifest/v1",
        "tables": [{"port": "t", "tensor": "x", "dtype": "f32", "columns": [{"name": "a"}]}],
        "scores": [{"port": "p", "tensor": "y", "activation": "none", "columns": [{"name": "b", "index": 0}]}]}"#;

    /// An archive of these entries: name, type and content.
    fn archive(entries: &[(&str, tar::EntryType, &[u8])]) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for (name, kind, content) in entries {
            let mut header = tar::Header::new_ustar();
            // Written by hand: the crate refuses to write names that we must refuse to read.
            header.as_ustar_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
            header.set_entry_type(*kind);
            header.set_size(content.len() as u64);
            header.set_cksum();
            builder.append(&header, *content).unwrap();
        }
        builder.into_inner().unwrap()
    }

    fn file(name: &'static str, content: &'static [u8]) -> (&'static str, tar::EntryType, &'static [u8]) {
        (name, tar::EntryType::Regular, content)
    }

    #[test]
    fn an_archive_of_the_two_files_is_read_in_any_order() {
        let files = [file("model.onnx", b"weights"), file("manifest.json", MANIFEST)];
        let bundle = unpack(archive(&files).as_slice()).unwrap();
        assert_eq!((bundle.model.as_slice(), bundle.manifest.tables.len()), (&b"weights"[..], 1));
        assert!(unpack(archive(&[files[1], files[0]]).as_slice()).is_ok());
    }

    #[test]
    fn everything_else_is_refused_with_the_reason() {
        let (manifest, model) = (file("manifest.json", MANIFEST), file("model.onnx", b"w"));
        let link = ("model.onnx", tar::EntryType::Symlink, &b""[..]);
        let extension = ("model.onnx", tar::EntryType::XHeader, &b"30 path=manifest.json\n"[..]);
        let cases = [
            (archive(&[manifest]), "no model.onnx"),
            (archive(&[model]), "no manifest.json"),
            (archive(&[manifest, model, model]), "model.onnx is in the archive twice"),
            (archive(&[manifest, manifest, model]), "manifest.json is in the archive twice"),
            (archive(&[manifest, model, file("run.sh", b"")]), "holds `run.sh`"),
            (archive(&[file("../model.onnx", b""), model]), "holds `../model.onnx`"),
            (archive(&[file("/etc/passwd", b"")]), "holds `/etc/passwd`"),
            (archive(&[file("./manifest.json", MANIFEST), model]), "holds `./manifest.json`"),
            (archive(&[manifest, link]), "not a regular file"),
            (archive(&[extension, manifest, model]), "not a regular file"),
            (archive(&[file("manifest.json", b"{}"), model]), "manifest.json: the ONNX manifest has"),
            (b"\x1f\x8b\x08\x00 compressed".repeat(60), "not a readable tar archive"),
            (Vec::new(), "no manifest.json"),
        ];
        for (bytes, says) in cases {
            let message = unpack(bytes.as_slice()).unwrap_err();
            assert!(message.contains(says), "{says}: {message}");
        }
    }

    #[test]
    fn a_size_that_lies_is_refused() {
        let whole = archive(&[file("manifest.json", MANIFEST), file("model.onnx", b"w")]);
        let message = unpack(&whole[..700]).unwrap_err();
        assert!(message.contains("manifest.json") || message.contains("not a readable"), "{message}");
        let mut huge = tar::Header::new_ustar();
        huge.as_ustar_mut().unwrap().name[..10].copy_from_slice(b"model.onnx");
        huge.set_entry_type(tar::EntryType::Regular);
        huge.set_size(1 << 40);
        huge.set_cksum();
        assert!(unpack(&huge.as_bytes()[..]).unwrap_err().contains("at most"));
    }
}
