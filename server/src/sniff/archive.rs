//! The entries of a tar archive, read from a stream without its file bodies.

use super::{ENTRIES_MAX, INFLATED_MAX, Unknown};
use fiel_schemas::submission::MediaType;
use std::io::{Error, Result as IoResult, Write};

const BLOCK: usize = 512;
/// Larger files do not exist in artifacts that a hub takes.
const BODY_BYTES_MAX: u64 = 1 << 46;

/// An archive as far as it has streamed past. Bytes are written into it.
pub(super) struct Archive {
    is_compressed: bool,
    header: Vec<u8>,
    /// Bytes of the current file's body and padding still to come.
    skip: u64,
    passed: u64,
    entries: u32,
    has_manifest: bool,
    has_onnx: bool,
    verdict: Option<Result<MediaType, Unknown>>,
}

impl Archive {
    pub(super) fn plain() -> Self {
        Self {
            is_compressed: false,
            header: Vec::with_capacity(BLOCK),
            skip: 0,
            passed: 0,
            entries: 0,
            has_manifest: false,
            has_onnx: false,
            verdict: None,
        }
    }

    pub(super) fn compressed() -> Self {
        Self { is_compressed: true, ..Self::plain() }
    }

    /// What the archive is, where that is clear.
    pub(super) fn verdict(&self) -> Option<Result<MediaType, Unknown>> {
        self.verdict.clone()
    }

    /// What the archive is, after its end.
    pub(super) fn conclude(&self) -> Result<MediaType, Unknown> {
        if let Some(verdict) = &self.verdict {
            return verdict.clone();
        }
        Err(Unknown::new(match (self.entries, self.has_manifest, self.has_onnx) {
            (0, ..) => self.no_archive(),
            (_, true, _) => "its `manifest.json` has neither `model.onnx` nor image layers beside it",
            (_, _, true) => "its `model.onnx` has no `manifest.json` beside it",
            _ => "it is a tar archive that holds none of these",
        }))
    }

    fn no_archive(&self) -> &'static str {
        if self.is_compressed {
            "what is compressed in it is no tar archive"
        } else {
            "it begins neither with `\\0asm` nor with the header of a tar archive"
        }
    }

    fn decide(&mut self, verdict: Result<MediaType, Unknown>) {
        self.verdict = Some(match verdict {
            Ok(media) if self.is_compressed && !media.is_image() => Err(Unknown::new(
                "it is compressed, which is for container images only; send the tar archive as it is",
            )),
            other => other,
        });
    }

    fn refuse(&mut self, why: &str) {
        self.decide(Err(Unknown::new(why)));
    }

    fn entry(&mut self, header: &[u8; BLOCK]) {
        if header.iter().all(|b| *b == 0) {
            let verdict = self.conclude();
            return self.decide(verdict);
        }
        if &header[257..262] != b"ustar" || !has_its_checksum(header) {
            let why = if self.entries == 0 { self.no_archive() } else { "its tar archive is damaged" };
            return self.refuse(why);
        }
        self.entries += 1;
        if self.entries > ENTRIES_MAX {
            return self.refuse("its first 4,096 entries do not say what it is");
        }
        let Some(size) = number(&header[124..136]).filter(|size| *size <= BODY_BYTES_MAX) else {
            return self.refuse("an entry of its tar archive has no size");
        };
        self.skip = size.next_multiple_of(BLOCK as u64);
        let (is_folder, is_listed) = match header[156] {
            b'0' | 0 | b'7' | b'1' | b'2' => (false, true),
            b'5' => (true, true),
            // Extended headers of pax and GNU describe the entry that follows.
            _ => (false, false),
        };
        if is_listed {
            self.look_at(&name(header), is_folder);
        }
    }

    fn look_at(&mut self, name: &str, is_folder: bool) {
        if name.starts_with('/') || name.contains('\\') || name.split('/').any(|part| part == "..") {
            return self.refuse("its archive holds a path that leads out of it");
        }
        let name = name.trim_start_matches("./").trim_end_matches('/');
        let (top, rest) = name.split_once('/').unwrap_or((name, ""));
        match (top, rest) {
            ("" | ".", _) => {}
            ("oci-layout" | "index.json" | "repositories", "") | ("blobs", _) => {
                self.decide(Ok(MediaType::ImageArchive));
            }
            _ if is_layer(top) => self.decide(Ok(MediaType::ImageArchive)),
            ("manifest.json", "") => self.has_manifest = true,
            ("model.onnx", "") => self.has_onnx = true,
            ("predictions.csv", "") if !self.has_manifest && !self.has_onnx => {
                self.decide(Ok(MediaType::Predictions));
            }
            // An ONNX bundle may hold more than its two files.
            (_, rest) if !rest.is_empty() && !is_folder && !self.has_manifest && !self.has_onnx => {
                self.decide(Ok(MediaType::Predictions));
            }
            _ => {}
        }
        if self.has_manifest && self.has_onnx {
            self.decide(Ok(MediaType::Onnx));
        }
    }
}

impl Write for Archive {
    fn write(&mut self, bytes: &[u8]) -> IoResult<usize> {
        self.passed = self.passed.saturating_add(bytes.len() as u64);
        if self.is_compressed && self.passed > INFLATED_MAX && self.verdict.is_none() {
            self.refuse("its first 64 MiB do not say what it is");
        }
        let mut rest = bytes;
        while self.verdict.is_none() && !rest.is_empty() {
            if self.skip > 0 {
                let length = usize::try_from(self.skip).map_or(rest.len(), |skip| skip.min(rest.len()));
                self.skip -= length as u64;
                rest = &rest[length..];
                continue;
            }
            let length = (BLOCK - self.header.len()).min(rest.len());
            self.header.extend_from_slice(&rest[..length]);
            rest = &rest[length..];
            if let Ok(header) = <[u8; BLOCK]>::try_from(self.header.as_slice()) {
                self.header.clear();
                self.entry(&header);
            }
        }
        if self.verdict.is_some() && self.is_compressed {
            // Stops the decoder: nothing more is of interest.
            return Err(Error::other("decided"));
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> IoResult<()> {
        Ok(())
    }
}

/// True for names that `docker save` gives layers and configurations: `<64 hex>`, `<64 hex>.json`, `<64 hex>.tar`.
fn is_layer(name: &str) -> bool {
    let stem = name.strip_suffix(".json").or_else(|| name.strip_suffix(".tar")).unwrap_or(name);
    crate::blobs::is_digest(stem)
}

/// Name of an entry, with its ustar prefix; bytes that are no UTF-8 never decide.
fn name(header: &[u8; BLOCK]) -> String {
    let text = |field: &[u8]| {
        let end = field.iter().position(|b| *b == 0).unwrap_or(field.len());
        String::from_utf8_lossy(&field[..end]).into_owned()
    };
    let name = text(&header[..100]);
    // GNU archives keep times where ustar has the prefix.
    let prefix = if &header[257..263] == b"ustar\0" { text(&header[345..500]) } else { String::new() };
    if prefix.is_empty() { name } else { format!("{prefix}/{name}") }
}

/// A number in octal digits, or in base 256 where the first bit is set.
fn number(field: &[u8]) -> Option<u64> {
    if field[0] & 0x80 != 0 {
        let first = u64::from(field[0] & 0x7f);
        return field[1..]
            .iter()
            .try_fold(first, |sum, byte| sum.checked_mul(256).map(|sum| sum | u64::from(*byte)));
    }
    let text = std::str::from_utf8(field).ok()?.trim_matches(['\0', ' ']);
    if text.is_empty() { Some(0) } else { u64::from_str_radix(text, 8).ok() }
}

fn has_its_checksum(header: &[u8; BLOCK]) -> bool {
    let sum: u64 = header
        .iter()
        .enumerate()
        .map(|(index, byte)| if (148..156).contains(&index) { 32 } else { u64::from(*byte) })
        .sum();
    number(&header[148..156]) == Some(sum)
}
