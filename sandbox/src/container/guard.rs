//! A small process beside the node that outlives it for a moment: should the node be killed, it kills the containers
//! that the node can no longer end and removes their control groups.

use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Command, Stdio};

use crate::cgroup;
use crate::protocol::{self, Order};
use crate::types::WorkerCommand;

/// The guard of this node; it ends when this is dropped.
#[derive(Debug)]
pub(super) struct Guard {
    process: Child,
    /// Closed by the system when the node dies.
    line: Option<ChildStdin>,
}

impl Guard {
    /// Starts the guard.
    pub(super) fn start(worker: &WorkerCommand) -> io::Result<Self> {
        let mut process = Command::new(&worker.program)
            .args(&worker.args)
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()?;
        let mut line = process.stdin.take();
        if let Some(line) = &mut line {
            protocol::send(line, &Order::Guard { node: std::process::id() })?;
        }
        Ok(Self { process, line })
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // A word before the line closes: this node ends in order, and may hold other sandboxes with guards of their own.
        if let Some(mut line) = self.line.take() {
            let _gone = line.write_all(b"bye");
        }
        let _reaped = self.process.wait();
    }
}

/// What the guard does: waits for the node's end of the line to close, then ends what it left, unless the node said
/// good-bye.
pub(crate) fn stand_guard(node: u32, line: &mut impl io::Read) -> Result<(), String> {
    let said = io::copy(line, &mut io::sink()).map_err(|error| format!("line to the node: {error}"))?;
    if said == 0 {
        cgroup::remove_groups_of(node);
    }
    Ok(())
}
