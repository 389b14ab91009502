//! How a worker gives up what it does not need. Everything here happens before a byte of a model is read.

use std::io;
use std::path::Path;

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, PathBeneath, PathFd, Ruleset,
    RulesetAttr, RulesetCreatedAttr, RulesetError, Scope,
};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::process::{DumpableBehavior, Resource, Rlimit, Signal};
use rustix::thread::{CapabilitySet, CapabilitySets};

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
    seal(order, &[])?;
    Ok(in_force(rooted))
}

/// Confines a worker that unpacks an image into its slot, which becomes its root where the system allows it; of all
/// other files only those below the folder `source` can still be read. The worker of a root node stays root without
/// root's powers, except to give files away and to write into what it gave away. Names what was found to hold.
pub(crate) fn confine_unpacking(order: &Confine, source: Option<&Path>) -> Result<Vec<String>, String> {
    limit(order).map_err(|error| format!("resource limits: {error}"))?;
    let root = rustix::process::geteuid().is_root();
    let folder = |path: &Path| PathFd::new(path).map_err(|error| format!("{}: {error}", path.display()));
    let slot = order.slot.as_ref().ok_or("an order to unpack nowhere")?;
    let (outside, inside) = (folder(Path::new("/"))?, folder(slot)?);
    let mut rules = vec![(inside, reading() | writing() | AccessFs::MakeSym)];
    if let Some(source) = source {
        rules.push((folder(source)?, reading()));
    }
    rustix::process::chdir(slot).map_err(|error| format!("{}: {error}", slot.display()))?;
    let rooted = root && rustix::process::chroot(".").is_ok();
    // An old kernel without Landlock is reported by its absence in the list, not refused.
    let _unsupported = restrict(rules);
    if root {
        keep_ownership_powers().map_err(|error| format!("capabilities: {error}"))?;
    }
    let powerless = !root || rustix::process::chroot(".").is_err();
    seal(order, crate::syscalls::UNPACKING)?;
    // Not even through a descriptor that was opened before.
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let reached = rustix::fs::openat(&outside, ".", flags, Mode::empty());
    let landlock = reached.is_err_and(|error| error == Errno::ACCESS);
    Ok(named(&[("chroot", rooted), ("landlock", landlock), ("no-root-powers", powerless)]))
}

/// The last steps, which everything before them needs undone.
fn seal(order: &Confine, more_calls: &[libc::c_long]) -> Result<(), String> {
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
    crate::syscalls::apply(more_calls)
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
    let mut rules = Vec::new();
    if with_slot {
        for (path, access) in [("input", reading()), ("output", reading() | writing())] {
            rules.extend(PathFd::new(path).ok().map(|folder| (folder, access)));
        }
    }
    restrict(rules)
}

fn reading() -> BitFlags<AccessFs> {
    AccessFs::ReadFile | AccessFs::ReadDir
}

fn writing() -> BitFlags<AccessFs> {
    AccessFs::WriteFile
        | AccessFs::Truncate
        | AccessFs::MakeReg
        | AccessFs::MakeDir
        | AccessFs::RemoveFile
        | AccessFs::RemoveDir
        | AccessFs::Refer
}

/// Leaves of all files those below these folders.
fn restrict(folders: Vec<(PathFd, BitFlags<AccessFs>)>) -> Result<(), RulesetError> {
    let mut rules = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(LANDLOCK))?
        .handle_access(AccessNet::from_all(LANDLOCK))?
        .scope(Scope::from_all(LANDLOCK))?
        .create()?;
    for (folder, access) in folders {
        rules = rules.add_rule(PathBeneath::new(folder, access))?;
    }
    rules.restrict_self()?;
    Ok(())
}

/// Gives up every power of root but those that setting the owners of files takes.
fn keep_ownership_powers() -> rustix::io::Result<()> {
    rustix::thread::set_thread_groups(&[])?;
    let wanted = CapabilitySet::CHOWN | CapabilitySet::DAC_OVERRIDE | CapabilitySet::FOWNER;
    let kept = rustix::thread::capabilities(None)?.permitted & wanted;
    rustix::thread::set_capabilities(
        None,
        CapabilitySets { effective: kept, permitted: kept, inheritable: CapabilitySet::empty() },
    )
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
    let nobody = rustix::process::getuid().as_raw() == NOBODY && !rustix::process::geteuid().is_root();
    named(&[("nobody", nobody), ("chroot", rooted), ("landlock", refused_by_landlock())])
}

/// The names of those that hold, and of what every sealed worker tries.
fn named(held: &[(&str, bool)]) -> Vec<String> {
    let sealed = [
        (
            "seccomp",
            rustix::net::socket(rustix::net::AddressFamily::UNIX, rustix::net::SocketType::STREAM, None)
                .is_err(),
        ),
        ("no-new-privs", rustix::thread::no_new_privs().unwrap_or(false)),
        ("no-host-files", std::fs::File::open("/etc/passwd").is_err()),
        ("rlimits", rustix::process::getrlimit(Resource::Nofile).maximum.is_some_and(|limit| limit <= 64)),
    ];
    held.iter().chain(&sealed).filter(|(_, holds)| *holds).map(|(name, _)| (*name).to_owned()).collect()
}

/// The working folder itself is open to everyone by its mode, so that only Landlock can refuse it.
fn refused_by_landlock() -> bool {
    std::fs::read_dir(".").is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied)
}
