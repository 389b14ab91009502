//! A mount namespace of its own for each runtime, in which everything a container is made of lies side by side.
//!
//! A mapped user cannot walk through the node's private folders, and a mount made on the host would outlive a killed
//! node. Both are solved by binding the folders into a small memory file system that only the runtime and what it
//! starts can see, and that goes with the last of them.

use std::ffi::CString;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use rustix::mount::{MountFlags, MountPropagationFlags, UnmountFlags};
use rustix::thread::UnshareFlags;

/// Where the stage is built. The folder itself stays empty on the host.
pub(super) const STAGE: &str = "/run/fiel";

/// Where a machine that mixes both versions of control groups mounts the second, which crun does not bear.
const UNIFIED: &str = "/sys/fs/cgroup/unified";

/// The mounts of one container, ready to be made in a process that may not allocate memory.
#[derive(Debug, Default)]
pub(super) struct Stage {
    binds: Vec<Bound>,
    hide_unified: Option<CString>,
}

#[derive(Debug)]
struct Bound {
    source: CString,
    target: CString,
    folder: bool,
    read_only: bool,
    device: bool,
}

impl Stage {
    /// An empty stage; `hide_unified` for a runtime that refuses mixed control groups.
    pub(super) fn new(hide_unified: bool) -> Self {
        let mixed = hide_unified && Path::new(UNIFIED).is_dir();
        Self { binds: Vec::new(), hide_unified: mixed.then(|| CString::new(UNIFIED).unwrap_or_default()) }
    }

    /// Adds a file or folder; gives the path under which the runtime finds it.
    pub(super) fn add(&mut self, source: &Path, read_only: bool) -> io::Result<PathBuf> {
        self.bind(source, read_only, false)
    }

    /// Adds a device node, which stays one.
    pub(super) fn add_device(&mut self, source: &Path) -> io::Result<PathBuf> {
        self.bind(source, false, true)
    }

    fn bind(&mut self, source: &Path, read_only: bool, device: bool) -> io::Result<PathBuf> {
        let target = Path::new(STAGE).join(self.binds.len().to_string());
        let folder = fs_err::metadata(source)?.is_dir();
        let (source, path) = (text(source)?, text(&target)?);
        self.binds.push(Bound { source, target: path, folder, read_only, device });
        Ok(target)
    }

    /// Enters a new mount namespace and builds the stage. Only system calls: it runs between fork and exec.
    pub(super) fn build(&self) -> io::Result<()> {
        // A new mount namespace shares nothing with other threads: this process has only one.
        unshare_mounts()?;
        let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
        rustix::mount::mount_change(c"/", private)?;
        if let Some(unified) = &self.hide_unified {
            rustix::mount::unmount(unified.as_c_str(), UnmountFlags::DETACH)?;
        }
        let plain = MountFlags::NOSUID | MountFlags::NODEV;
        rustix::mount::mount(c"tmpfs", c"/run/fiel", c"tmpfs", plain, c"mode=755,size=64k")?;
        for bound in &self.binds {
            let (source, target) = (bound.source.as_c_str(), bound.target.as_c_str());
            if bound.folder {
                rustix::fs::mkdir(target, Mode::from_raw_mode(0o755))?;
            } else {
                let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
                rustix::fs::open(target, flags, Mode::from_raw_mode(0o644))?;
            }
            rustix::mount::mount_bind(source, target)?;
            let read_only = if bound.read_only { MountFlags::RDONLY } else { MountFlags::empty() };
            let plain = if bound.device { MountFlags::NOSUID | MountFlags::NOEXEC } else { plain };
            rustix::mount::mount_remount(target, MountFlags::BIND | plain | read_only, c"")?;
        }
        Ok(())
    }
}

#[expect(
    unsafe_code,
    reason = "rustix calls every form of unsharing unsafe for the sake of shared descriptors"
)]
fn unshare_mounts() -> io::Result<()> {
    // SAFETY: the table of descriptors stays as it is; only the view of mounts becomes this process's own.
    Ok(unsafe { rustix::thread::unshare_unsafe(UnshareFlags::NEWNS) }?)
}

fn text(path: &Path) -> io::Result<CString> {
    Ok(CString::new(path.as_os_str().as_bytes())?)
}
