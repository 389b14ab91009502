//! What node and worker say to each other: JSON in frames that begin with their length.

use std::io::{self, Read, Write};
use std::path::PathBuf;

use fiel_schemas::api::FailureReason;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::container::Canary;

/// Longest frame either side accepts: two full logs and a little more.
pub(crate) const MAX_FRAME: usize = 256 * 1024;

/// The first frame a worker gets: what kind of worker it is.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Order {
    /// Confine yourself, report and end.
    Probe(Confine),
    /// Check and compile one module or component, then end.
    Compile { confine: Confine, module: PathBuf, compiled: PathBuf, metered: bool },
    /// Load a compiled module or component and run cases until the pipe closes. A module that imports wasi-nn runs its
    /// `networks` by the site's onnxruntime, where it has one.
    Run {
        confine: Confine,
        compiled: PathBuf,
        metered: bool,
        networks: bool,
        onnxruntime: Option<PathBuf>,
        memory_bytes: u64,
        output_bytes: u64,
    },
    /// Try, inside a container, what no model may do.
    Canary(Canary),
    /// Wait until the node dies, then end the containers it left.
    Guard { node: u32 },
    /// Unpack an image, an archive or the one of `manifest` in a folder, into the slot, then end. The owners of its
    /// files are moved by `owner_base`, or all become the worker's user.
    Unpack { confine: Confine, source: PathBuf, manifest: Option<String>, owner_base: Option<u32> },
    /// Work with an ONNX artifact, by the site's onnxruntime where it has one.
    Onnx { confine: Confine, onnxruntime: Option<PathBuf>, task: OnnxTask },
}

/// What is done with an ONNX artifact.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum OnnxTask {
    /// Start the engine, tell its version and end.
    Probe,
    /// Check an artifact, run it once over zeros and end.
    Check(PathBuf),
    /// Be ready, load a checked artifact, say so and run cases until the pipe closes.
    Run(PathBuf),
}

/// How a worker confines itself before it touches anything of a model.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Confine {
    /// Process id of the node; the worker ends when it is no longer its child.
    pub(crate) parent: u32,
    /// Folder with `input` and `output`; none of a worker that only compiles.
    pub(crate) slot: Option<PathBuf>,
    /// Largest file it may write.
    pub(crate) file_bytes: u64,
    /// Largest private memory.
    pub(crate) data_bytes: u64,
    /// Processor time, seconds.
    pub(crate) cpu_s: Option<u64>,
}

/// Asks for one case.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct RunCase;

/// What a worker answers.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Reply {
    /// Confined, loaded and waiting.
    Ready { confinement: Vec<String>, engine: String },
    /// Compiled; the file is complete. `networks` says whether the module imports wasi-nn.
    Compiled { networks: bool },
    /// The ONNX artifact was loaded, in a check over zeros too.
    Loaded,
    /// Unpacked; the draft is complete.
    Unpacked,
    /// The module will not be run.
    Refused { reason: FailureReason, message: String },
    /// The case ended; a frame with the log follows.
    Done { ending: Ending, used: Used },
    /// The worker itself could not do its work.
    Failed { message: String },
}

/// What a case used, as measured within the worker.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Used {
    /// Wall time of the model, instantiation included.
    pub(crate) seconds: f64,
    /// Processor time in these seconds.
    pub(crate) cpu_s: f64,
    /// Bytes of the model's memories at their largest.
    pub(crate) memory_bytes: u64,
    /// Fuel, in metered mode.
    pub(crate) fuel: Option<u64>,
}

/// How the model ended, as seen from within the worker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Ending {
    Ok,
    Crashed {
        why: String,
    },
    /// It returned values that break a rule of the interface.
    InvalidOutput {
        rule: String,
    },
    OutOfMemory,
}

/// Writes one frame.
pub(crate) fn write_frame(to: &mut impl Write, payload: &[u8]) -> io::Result<()> {
    let length = u32::try_from(payload.len())
        .ok()
        .filter(|_| payload.len() <= MAX_FRAME)
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "frame too long"))?;
    let mut frame = Vec::with_capacity(payload.len() + 4);
    frame.extend_from_slice(&length.to_le_bytes());
    frame.extend_from_slice(payload);
    to.write_all(&frame)?;
    to.flush()
}

/// Writes one message.
pub(crate) fn send(to: &mut impl Write, message: &impl Serialize) -> io::Result<()> {
    write_frame(to, &serde_json::to_vec(message)?)
}

/// Reads one message; `None` at the end of the stream.
pub(crate) fn receive<T: DeserializeOwned>(from: &mut impl Read) -> io::Result<Option<T>> {
    let mut length = [0; 4];
    match from.read_exact(&mut length) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        other => other?,
    }
    let length = frame_length(length)?;
    let mut payload = vec![0; length];
    from.read_exact(&mut payload)?;
    Ok(Some(serde_json::from_slice(&payload)?))
}

/// The length a frame announces, checked.
pub(crate) fn frame_length(head: [u8; 4]) -> io::Result<usize> {
    let length = u32::from_le_bytes(head) as usize;
    if length > MAX_FRAME {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("frame of {length} bytes")));
    }
    Ok(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_survives_the_way() {
        let mut pipe = Vec::new();
        send(&mut pipe, &Reply::Unpacked).unwrap();
        let reply: Option<Reply> = receive(&mut pipe.as_slice()).unwrap();
        assert!(matches!(reply, Some(Reply::Unpacked)));
        assert!(receive::<Reply>(&mut [].as_slice()).unwrap().is_none());
    }

    #[test]
    fn a_frame_beyond_the_limit_is_refused() {
        assert!(receive::<Reply>(&mut [0xff_u8; 8].as_slice()).is_err());
        assert!(write_frame(&mut Vec::new(), &vec![0; MAX_FRAME + 1]).is_err());
    }
}
