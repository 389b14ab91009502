//! What a submitted file is, found out from its bytes while they stream past; names are never asked.
//!
//! Bounded whatever comes: 512 bytes are kept, file bodies of archives are skipped, of a compressed archive no more
//! than [`INFLATED_MAX`] bytes are inflated, and no more than [`ENTRIES_MAX`] entries are looked at.

mod archive;
#[cfg(test)]
mod tests;

use archive::Archive;
use fiel_schemas::submission::MediaType;
use std::io::Write;

/// Most bytes of a compressed archive that are inflated to see what it is.
const INFLATED_MAX: u64 = 64 << 20;
/// Most entries of an archive that are looked at.
const ENTRIES_MAX: u32 = 4096;
/// Largest window of a zstd frame, as a power of two: 16 MiB, what zstd needs at its highest ordinary level twice over.
const ZSTD_WINDOW_LOG_MAX: u32 = 24;
/// Compressed bytes inflated between two looks at the verdict.
const PIECE: usize = 4096;

/// Why a file is none of the kinds, as the end of a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unknown(String);

impl Unknown {
    fn new(why: impl Into<String>) -> Self {
        Self(why.into())
    }
}

impl std::fmt::Display for Unknown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "The file is neither a WebAssembly module nor a tar archive of a container image, an ONNX bundle or \
             predictions: {}. Submit a `.wasm` file, an archive of `docker save` or `skopeo copy ... oci-archive:` \
             (plain, gzip or zstd), a tar of `manifest.json` and `model.onnx`, a tar of `<case>/<output>`, or one \
             of `predictions.csv`.",
            self.0
        )
    }
}

/// Looks at a file as it streams past.
pub struct Sniffer(State);

enum State {
    /// Too few bytes to tell how the file begins.
    Start(Vec<u8>),
    Tar(Archive),
    Gzip(Box<flate2::write::MultiGzDecoder<Archive>>),
    Zstd(Box<zstd::stream::write::Decoder<'static, Archive>>),
    Known(Result<MediaType, Unknown>),
}

impl Default for Sniffer {
    fn default() -> Self {
        Self(State::Start(Vec::new()))
    }
}

impl Sniffer {
    /// Looks at the next bytes.
    ///
    /// # Errors
    /// As soon as it is clear that the file is none of the kinds.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), Unknown> {
        if let State::Start(head) = &mut self.0 {
            head.extend_from_slice(bytes);
            if head.len() >= 4 {
                let head = std::mem::take(head);
                self.0 = begin(&head);
                self.feed(&head);
            }
        } else {
            self.feed(bytes);
        }
        match &self.0 {
            State::Known(Err(unknown)) => Err(unknown.clone()),
            _ => Ok(()),
        }
    }

    /// What the file was, once all of it has passed.
    ///
    /// # Errors
    /// Where it is none of the kinds.
    pub fn finish(self) -> Result<MediaType, Unknown> {
        match self.0 {
            State::Start(head) if head.is_empty() => Err(Unknown::new("it is empty")),
            State::Start(_) => Err(Unknown::new("it has fewer than four bytes")),
            State::Tar(archive) => archive.conclude(),
            State::Gzip(mut decoder) => {
                // What stays in the decoder's buffer may be what decides; a damaged end is the unpacker's to judge.
                let _ = decoder.try_finish();
                decoder.get_ref().conclude()
            }
            State::Zstd(mut decoder) => {
                let _ = decoder.flush();
                decoder.get_ref().conclude()
            }
            State::Known(known) => known,
        }
    }

    fn feed(&mut self, bytes: &[u8]) {
        for piece in bytes.chunks(PIECE) {
            let (written, archive) = match &mut self.0 {
                State::Tar(archive) => (archive.write_all(piece), &*archive),
                State::Gzip(decoder) => (decoder.write_all(piece), decoder.get_ref()),
                State::Zstd(decoder) => (decoder.write_all(piece), decoder.get_ref()),
                State::Start(_) | State::Known(_) => return,
            };
            if let Some(known) = archive.verdict() {
                self.0 = State::Known(known);
            } else if written.is_err() {
                self.0 =
                    State::Known(Err(Unknown::new("its compression is damaged or uses too large a window")));
            }
        }
    }
}

fn begin(head: &[u8]) -> State {
    match head {
        [0, b'a', b's', b'm', ..] => State::Known(Ok(MediaType::Wasm)),
        [0x1f, 0x8b, ..] => State::Gzip(Box::new(flate2::write::MultiGzDecoder::new(Archive::compressed()))),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => zstd::stream::write::Decoder::new(Archive::compressed())
            .and_then(|mut decoder| decoder.window_log_max(ZSTD_WINDOW_LOG_MAX).map(|()| decoder))
            .map_or_else(
                |e| State::Known(Err(Unknown::new(format!("its compression cannot be read ({e})")))),
                |decoder| State::Zstd(Box::new(decoder)),
            ),
        _ => State::Tar(Archive::plain()),
    }
}

/// What a file on disk is.
///
/// # Errors
/// What went wrong reading it, or why it is none of the kinds, as a sentence.
pub fn file(path: &std::path::Path) -> Result<MediaType, String> {
    let mut file = fs_err::File::open(path).map_err(|e| e.to_string())?;
    let mut sniffer = Sniffer::default();
    let mut piece = vec![0; 64 << 10];
    loop {
        let length = std::io::Read::read(&mut file, &mut piece).map_err(|e| e.to_string())?;
        if length == 0 {
            return sniffer.finish().map_err(|unknown| unknown.to_string());
        }
        sniffer.push(&piece[..length]).map_err(|unknown| unknown.to_string())?;
        if let State::Known(Ok(media)) = sniffer.0 {
            return Ok(media);
        }
    }
}
