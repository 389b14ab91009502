//! A container from its start to the removal of its last trace.

use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};

use fs_err as fs;
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::process::{Pid, PidfdFlags};

use super::http::{Answer, Exchange, Network};
use super::runtime::{Kind, Places, Runtime};
use crate::cgroup::Group;
use crate::log::KEPT;
use crate::runner::Watch;
use crate::types::Usage;

/// How often a running container is looked at while nothing happens.
const LOOK: Duration = Duration::from_millis(5);

/// How long a runtime may take to end after everything in its container is dead.
const PATIENCE: Duration = Duration::from_secs(5);

/// Longest text of a runtime's complaints that is looked at.
const COMPLAINTS_BYTES: u64 = 64 * 1024;

/// Something happened to a running container.
#[derive(Debug)]
pub(super) enum Event {
    /// It ended by itself.
    Ended(ExitStatus),
    /// The time is up.
    Late,
    /// It wrote too much, and the watch knows what; or it is to be stopped.
    Excess,
    /// The system killed one of its processes for want of memory.
    OutOfMemory,
    /// A request was answered.
    Answered(Answer),
}

/// A running container; when dropped it is killed with all that it started, and nothing of it is left.
#[derive(Debug)]
pub(super) struct Running {
    runtime: Runtime,
    child: Child,
    ended: Option<ExitStatus>,
    handle: OwnedFd,
    streams: [Stream; 2],
    /// Gone once it was removed.
    group: Option<Group>,
    places: Places,
}

impl Running {
    /// Takes over a container whose runtime was started.
    pub(super) fn new(
        mut child: Child,
        runtime: Runtime,
        group: Option<Group>,
        places: Places,
    ) -> io::Result<Self> {
        let streams = [Stream::new(child.stdout.take())?, Stream::new(child.stderr.take())?];
        let handle = rustix::process::pidfd_open(Pid::from_child(&child), PidfdFlags::empty())?;
        Ok(Self { runtime, child, ended: None, handle, streams, group, places })
    }

    /// Looks after the container until something happens, `until` at the latest. Drains what it prints.
    pub(super) fn attend(
        &mut self,
        watch: &mut Watch<'_>,
        until: Instant,
        mut exchange: Option<&mut Exchange>,
    ) -> io::Result<Event> {
        let mut next_look = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait()? {
                self.ended = Some(status);
                return Ok(Event::Ended(status));
            }
            if let Some(answer) = exchange.as_mut().and_then(|exchange| exchange.advance()) {
                return Ok(Event::Answered(answer));
            }
            let now = Instant::now();
            if now >= until {
                return Ok(Event::Late);
            }
            if now >= next_look {
                if watch.look().is_break() {
                    return Ok(Event::Excess);
                }
                if self.group.as_ref().is_some_and(Group::out_of_memory) {
                    return Ok(Event::OutOfMemory);
                }
                next_look = Instant::now() + LOOK;
            }
            let wait = next_look.min(until).saturating_duration_since(Instant::now());
            self.wait(exchange.as_deref(), wait)?;
            self.streams.iter_mut().for_each(Stream::drain);
        }
    }

    fn wait(&self, exchange: Option<&Exchange>, wait: Duration) -> io::Result<()> {
        let mut files = vec![PollFd::new(&self.handle, PollFlags::IN)];
        files.extend(
            self.streams.iter().filter_map(|stream| Some(PollFd::new(stream.pipe.as_ref()?, PollFlags::IN))),
        );
        if let Some((socket, sending)) = exchange.map(Exchange::waits) {
            let flags = if sending { PollFlags::OUT } else { PollFlags::IN };
            files.push(PollFd::from_borrowed_fd(socket, flags));
        }
        let wait = Timespec::try_from(wait).map_err(|_| io::ErrorKind::InvalidInput)?;
        match rustix::event::poll(&mut files, Some(&wait)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// The container's network, once the runtime has told its process.
    pub(super) fn network(&self) -> Option<Network> {
        let process = fs::read_to_string(self.places.process()).ok()?.trim().parse().ok()?;
        Network::of(process).ok()
    }

    /// Kills everything that runs in the container and waits for the runtime. Afterwards nothing writes any more.
    pub(super) fn stop(&mut self) {
        if self.group.is_none() {
            self.delete();
        }
        let patience = Instant::now() + PATIENCE;
        while self.ended.is_none() && Instant::now() < patience {
            // Again and again: a runtime still at work may put a process into the group after the first time.
            self.kill();
            match self.child.try_wait() {
                Ok(None) => _ = self.wait(None, LOOK),
                Ok(ended) => self.ended = ended,
                Err(_) => break,
            }
            self.streams.iter_mut().for_each(Stream::drain);
        }
        if self.ended.is_none() {
            tracing::warn!(container = self.places.id, "the runtime does not end after its container");
            // Both fail only when it has gone already.
            let _gone = self.child.kill();
            self.ended = self.child.wait().ok();
        }
        self.kill();
        self.streams.iter_mut().for_each(Stream::drain);
    }

    fn kill(&self) {
        if let Some(group) = self.group.as_ref().filter(|group| !group.kill()) {
            tracing::warn!(?group, "processes of a container do not die");
        }
    }

    fn delete(&self) {
        // Without a control group only the runtime knows what belongs to the container.
        if let Err(error) = self.runtime.delete(&self.places).status() {
            tracing::warn!(container = self.places.id, %error, "a container could not be removed");
        }
    }

    /// Whether the system killed one of its processes for want of memory.
    pub(super) fn out_of_memory(&self) -> bool {
        self.group.as_ref().is_some_and(Group::out_of_memory)
    }

    /// What it used so far.
    pub(super) fn usage(&self) -> Usage {
        Usage {
            cpu_s: self.group.as_ref().and_then(Group::cpu_s),
            memory_bytes_peak: self.group.as_ref().and_then(Group::memory_peak),
            ..Usage::default()
        }
    }

    /// Begins to measure memory anew.
    pub(super) fn forget_peak(&self) {
        if let Some(group) = &self.group {
            group.forget_peak();
        }
    }

    /// Stops all its processes where they are, or lets them go on; false where that is not possible.
    pub(super) fn freeze(&self, frozen: bool) -> bool {
        self.group.as_ref().is_some_and(|group| group.freeze(frozen))
    }

    /// What it printed since this was asked last.
    pub(super) fn take_log(&mut self) -> Vec<u8> {
        self.streams.iter_mut().for_each(Stream::drain);
        self.streams.iter_mut().flat_map(|stream| std::mem::take(&mut stream.kept)).collect()
    }

    /// Podman complains where the program prints, and tells by its exit code that it was it. A program that does the same
    /// is told to have not started.
    fn podmans_complaint(&self) -> Option<String> {
        let code = self.ended.and_then(|status| status.code()).filter(|code| (125..=127).contains(code));
        let text = String::from_utf8_lossy(&self.streams[1].kept);
        code.and_then(|_| text.lines().find(|line| line.starts_with("Error: ")).map(str::to_owned))
    }

    /// The first complaint of the runtime itself, which tells that it could not start the program. May hold text of
    /// the image.
    pub(super) fn complaint(&self) -> Option<String> {
        if self.runtime.kind == Kind::Podman {
            return self.podmans_complaint();
        }
        let file = fs::File::open(self.places.complaints()).ok()?;
        let mut text = Vec::new();
        file.take(COMPLAINTS_BYTES).read_to_end(&mut text).ok()?;
        let text = String::from_utf8_lossy(&text);
        text.lines().find(|line| line.contains("\"error\"") || line.contains("\"fatal\"")).map(str::to_owned)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop();
        if self.group.is_none() {
            self.delete();
        }
        self.group = None;
        if let Err(error) = fs::remove_dir_all(&self.places.bundle) {
            tracing::warn!(%error, "a bundle could not be removed; the next start will");
        }
    }
}

/// One of the two streams a container prints on: its beginning is kept, the rest is dropped.
#[derive(Debug)]
struct Stream {
    pipe: Option<OwnedFd>,
    kept: Vec<u8>,
}

impl Stream {
    fn new(pipe: Option<impl Into<OwnedFd>>) -> io::Result<Self> {
        let pipe = pipe.map(Into::into);
        if let Some(pipe) = &pipe {
            rustix::io::ioctl_fionbio(pipe, true)?;
        }
        Ok(Self { pipe, kept: Vec::new() })
    }

    /// Reads what is there, at most one pipe full, so that a printer without end holds nobody up.
    fn drain(&mut self) {
        let mut chunk = [0; 16 * 1024];
        for _ in 0..4 {
            let Some(pipe) = &self.pipe else { return };
            match rustix::io::read(pipe.as_fd(), &mut chunk) {
                Ok(0) => self.pipe = None,
                Ok(count) => {
                    let room = KEPT.saturating_sub(self.kept.len()).min(count);
                    self.kept.extend_from_slice(&chunk[..room]);
                }
                Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => return,
                Err(_) => self.pipe = None,
            }
        }
    }
}

/// The signal that ended a program, by the code of the runtime that ran it.
pub(super) fn signal(status: ExitStatus) -> Option<i32> {
    let told = status.code().map(|code| code - 128).filter(|signal| (1..=64).contains(signal));
    status.signal().or(told)
}
