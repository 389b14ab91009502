//! A worker as the node sees it: a process that may stop answering, die or lie.

use std::io::{self, Read};
use std::ops::ControlFlow;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::cgroup::MemoryGroup;
use crate::protocol::{self, frame_length};
use crate::types::{SandboxError, WorkerCommand};

/// Why no answer came.
#[derive(Debug)]
pub(crate) enum Silence {
    /// The deadline passed.
    Late,
    /// The watcher asked to stop.
    Stopped,
    /// The worker ended; what the system says about it.
    Died(String),
    /// The worker ended because its memory group was full.
    OutOfMemory,
    /// The answer is none.
    Nonsense(String),
}

/// A running worker; it is killed when this value is dropped.
#[derive(Debug)]
pub(crate) struct Worker {
    child: Child,
    stdin: ChildStdin,
    stdout: ChildStdout,
    unread: Vec<u8>,
    group: Option<MemoryGroup>,
}

impl Worker {
    /// Starts a worker, its environment empty but for what keeps a library of the site quiet, in a process group of its own.
    pub(crate) fn start(command: &WorkerCommand, group: Option<MemoryGroup>) -> Result<Self, SandboxError> {
        let failed = |error: io::Error| {
            SandboxError::Worker(format!("cannot start {}: {error}", command.program.display()))
        };
        let mut child = Command::new(&command.program)
            .args(&command.args)
            .env_clear()
            .env(crate::onnx::QUIET.0, crate::onnx::QUIET.1)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .map_err(failed)?;
        let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(SandboxError::Worker("no pipes to the worker".into()));
        };
        let group = group.filter(|group| group.add(child.id()).is_ok());
        Ok(Self { child, stdin, stdout, unread: Vec::new(), group })
    }

    /// Whether a memory group bounds it.
    pub(crate) fn grouped(&self) -> bool {
        self.group.is_some()
    }

    /// Sends a message.
    pub(crate) fn send(&mut self, message: &impl Serialize) -> Result<(), Silence> {
        protocol::send(&mut self.stdin, message).map_err(|_| self.bury())
    }

    /// Waits for a message, as [`Self::frame`].
    pub(crate) fn receive<T: DeserializeOwned>(
        &mut self,
        deadline: Instant,
        watch: &mut dyn FnMut() -> ControlFlow<()>,
    ) -> Result<T, Silence> {
        let frame = self.frame(deadline, watch)?;
        serde_json::from_slice(&frame).map_err(|error| Silence::Nonsense(error.to_string()))
    }

    /// Waits for a frame until `deadline`, calling `watch` every few milliseconds meanwhile.
    pub(crate) fn frame(
        &mut self,
        deadline: Instant,
        watch: &mut dyn FnMut() -> ControlFlow<()>,
    ) -> Result<Vec<u8>, Silence> {
        let mut pause = Duration::from_millis(1);
        loop {
            if let Some(frame) = self.complete_frame()? {
                return Ok(frame);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Silence::Late);
            }
            match self.readable(pause.min(left)) {
                Ok(true) => self.read_some()?,
                Ok(false) => {
                    pause = (pause * 2).min(Duration::from_millis(8));
                    if watch().is_break() {
                        return Err(Silence::Stopped);
                    }
                }
                Err(error) => return Err(Silence::Nonsense(error.to_string())),
            }
        }
    }

    fn complete_frame(&mut self) -> Result<Option<Vec<u8>>, Silence> {
        let Some(head) = self.unread.first_chunk::<4>() else { return Ok(None) };
        let length = frame_length(*head).map_err(|error| Silence::Nonsense(error.to_string()))?;
        if self.unread.len() < 4 + length {
            return Ok(None);
        }
        let frame = self.unread[4..4 + length].to_vec();
        self.unread.drain(..4 + length);
        Ok(Some(frame))
    }

    fn readable(&self, wait: Duration) -> io::Result<bool> {
        let wait = Timespec::try_from(wait).map_err(|_| io::ErrorKind::InvalidInput)?;
        match rustix::event::poll(&mut [PollFd::new(&self.stdout, PollFlags::IN)], Some(&wait)) {
            Err(rustix::io::Errno::INTR) => Ok(false),
            ready => Ok(ready? > 0),
        }
    }

    fn read_some(&mut self) -> Result<(), Silence> {
        let mut chunk = [0; 16 * 1024];
        match self.stdout.read(&mut chunk) {
            Ok(0) => Err(self.bury()),
            Ok(count) => {
                self.unread.extend_from_slice(&chunk[..count]);
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
            Err(_) => Err(self.bury()),
        }
    }

    /// The worker closed its end: kills what may be left of it and says how it ended.
    fn bury(&mut self) -> Silence {
        let patience = Instant::now() + Duration::from_millis(200);
        let status = loop {
            match self.child.try_wait() {
                Ok(Some(status)) => break Some(status),
                Ok(None) if Instant::now() < patience => std::thread::sleep(Duration::from_millis(1)),
                _ => break None,
            }
        };
        if self.group.as_ref().is_some_and(MemoryGroup::killed_one) {
            return Silence::OutOfMemory;
        }
        Silence::Died(match status.map(|status| (status.signal(), status.code())) {
            Some((Some(signal), _)) => format!("its process was killed by signal {signal}"),
            Some((None, Some(code))) => format!("its process ended with code {code}"),
            _ => "its process stopped answering".to_owned(),
        })
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // Both fail only when the process has gone already.
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}
