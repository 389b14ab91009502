//! How a worker gives up what it does not need. Everything here happens before a byte of a model is read.

use std::io;

use landlock::{
    ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, PathBeneath, PathFd, Ruleset, RulesetAttr,
    RulesetCreatedAttr, RulesetError, Scope,
};
use rustix::process::{DumpableBehavior, Resource, Rlimit, Signal};

use crate::protocol::Confine;

/// The user and group a worker becomes when it starts as root.
pub(crate) const NOBODY: u32 = 65_534;

/// Newest Landlock rights asked for; older kernels enforce what they know.
const LANDLOCK: ABI = ABI::V6;

/// First thing in a worker: leaves it with standard input and output only.
///
/// Refuses a process that has more than one thread: several system calls of [`confine`] bind only their caller.
pub(crate) fn begin() -> Result<(), String> {
    require_single_thread()?;
    close_inherited_files();
    ignore_file_size_signal()
}

/// Confines the process for good and names the confinements that were found to hold.
pub(crate) fn confine(order: &Confine) -> Result<Vec<String>, String> {
    limit(order).map_err(|error| format!("resource limits: {error}"))?;
    let root = rustix::process::geteuid().is_root();
    let mut rooted = false;
    if let Some(slot) = &order.slot {
        rustix::process::chdir(slot).map_err(|error| format!("{}: {error}", slot.display()))?;
        rooted = root && rustix::process::chroot(".").is_ok();
    }
    // An old kernel without Landlock is reported by its absence in the list, not refused.
    let _unsupported = restrict_files(order.slot.is_some());
    if root {
        drop_root();
    }
    rustix::thread::set_no_new_privs(true).map_err(|error| format!("no-new-privs: {error}"))?;
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)
        .map_err(|error| format!("dumpable: {error}"))?;
    // After the change of user, which would clear it.
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))
        .map_err(|error| format!("parent death signal: {error}"))?;
    let parent = rustix::process::getppid().map(|pid| pid.as_raw_nonzero().get().cast_unsigned());
    if parent != Some(order.parent) {
        return Err("the node that started this worker has gone".into());
    }
    crate::syscalls::apply()?;
    Ok(in_force(rooted))
}

/// Refuses a process with several threads.
pub(crate) fn require_single_thread() -> Result<(), String> {
    let threads = std::fs::read_dir("/proc/self/task").map_or(1, Iterator::count);
    if threads == 1 {
        return Ok(());
    }
    Err(format!("{threads} threads run already; call worker_main before anything that starts threads"))
}

#[expect(unsafe_code, reason = "closing descriptors that belong to nobody in this process")]
fn close_inherited_files() {
    // SAFETY: this runs first in a fresh single-threaded process; nothing in it owns a descriptor above 2.
    unsafe { libc::close_range(3, libc::c_uint::MAX, 0) };
}

#[expect(unsafe_code, reason = "std has no way to ignore a signal")]
fn ignore_file_size_signal() -> Result<(), String> {
    // SAFETY: SIG_IGN installs no handler; a write beyond the limit then fails with EFBIG.
    if unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) } == libc::SIG_ERR {
        return Err(format!("SIGXFSZ: {}", io::Error::last_os_error()));
    }
    Ok(())
}

fn limit(order: &Confine) -> io::Result<()> {
    let mut limits = vec![
        (Resource::Fsize, order.file_bytes),
        (Resource::Data, order.data_bytes),
        (Resource::Nofile, 64),
        (Resource::Core, 0),
        (Resource::Memlock, 0),
    ];
    limits.extend(order.cpu_s.map(|seconds| (Resource::Cpu, seconds)));
    for (resource, value) in limits {
        let hard = rustix::process::getrlimit(resource).maximum.map_or(value, |hard| hard.min(value));
        rustix::process::setrlimit(resource, Rlimit { current: Some(hard), maximum: Some(hard) })?;
    }
    Ok(())
}

fn restrict_files(with_slot: bool) -> Result<(), RulesetError> {
    let mut rules = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(LANDLOCK))?
        .handle_access(AccessNet::from_all(LANDLOCK))?
        .scope(Scope::from_all(LANDLOCK))?
        .create()?;
    if with_slot {
        let read = AccessFs::ReadFile | AccessFs::ReadDir;
        let write = AccessFs::WriteFile
            | AccessFs::Truncate
            | AccessFs::MakeReg
            | AccessFs::MakeDir
            | AccessFs::RemoveFile
            | AccessFs::RemoveDir
            | AccessFs::Refer;
        for (path, access) in [("input", read), ("output", read | write)] {
            if let Ok(folder) = PathFd::new(path) {
                rules = rules.add_rule(PathBeneath::new(folder, access))?;
            }
        }
    }
    rules.restrict_self()?;
    Ok(())
}

/// Becomes nobody; where the system forbids it (a user namespace without that user) the report tells.
fn drop_root() {
    let user = rustix::process::Uid::from_raw(NOBODY);
    let group = rustix::process::Gid::from_raw(NOBODY);
    let _still_root = rustix::thread::set_thread_groups(&[])
        .and_then(|()| rustix::thread::set_thread_res_gid(group, group, group))
        .and_then(|()| rustix::thread::set_thread_res_uid(user, user, user));
}

/// Tries what must fail now, and names each confinement that did its work.
fn in_force(rooted: bool) -> Vec<String> {
    let held = [
        ("nobody", rustix::process::getuid().as_raw() == NOBODY && !rustix::process::geteuid().is_root()),
        ("chroot", rooted),
        ("landlock", refused_by_landlock()),
        (
            "seccomp",
            rustix::net::socket(rustix::net::AddressFamily::UNIX, rustix::net::SocketType::STREAM, None)
                .is_err(),
        ),
        ("no-new-privs", rustix::thread::no_new_privs().unwrap_or(false)),
        ("no-host-files", std::fs::File::open("/etc/passwd").is_err()),
        ("rlimits", rustix::process::getrlimit(Resource::Nofile).maximum.is_some_and(|limit| limit <= 64)),
    ];
    held.into_iter().filter(|(_, holds)| *holds).map(|(name, _)| name.to_owned()).collect()
}

/// The working folder itself is open to everyone by its mode, so that only Landlock can refuse it.
fn refused_by_landlock() -> bool {
    std::fs::read_dir(".").is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied)
}
