//! What containers leave behind, and what of the host they touch.

use std::collections::BTreeMap;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::fs::inotify::{self, CreateFlags, WatchFlags};

use super::bench::Bench;

/// First and last user of the host that stand for users of containers.
const USERS: std::ops::Range<u32> = 1_900_000_000..1_900_065_536;

/// Folders in which a runtime might keep something of a container.
const PLACES: [&str; 6] = ["/run", "/run/runc", "/run/crun", "/run/runsc", "/tmp", "/dev/shm"];

/// How deep [`bytes_of`] looks: an output folder, whatever is dug below it.
const DEPTH: usize = 12;

/// What a container could change of the host if it were let.
const SETTINGS: [&str; 7] = [
    "/proc/sys/kernel/hostname",
    "/proc/sys/kernel/domainname",
    "/proc/sys/kernel/core_pattern",
    "/proc/sys/vm/overcommit_memory",
    "/proc/swaps",
    "/proc/self/mountinfo",
    "/sys/devices/system/cpu/online",
];

/// Fails unless no container of a node has left a process, a control group, a mount or a file outside its folder.
pub(crate) fn assert_nothing_left(node: u32, after: &str) {
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        if let Some(found) = process_of_container(&entry.path(), node) {
            panic!("a process is left after {after}: {found}");
        }
    }
    let groups = groups(Path::new("/sys/fs/cgroup"), &format!("fiel-{node}-c"));
    assert_eq!(groups, Vec::<PathBuf>::new(), "control groups are left after {after}");
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(!mounts.contains("/run/fiel"), "a mount is left after {after}: {mounts}");
    for place in PLACES {
        let own = |name: &String| name.starts_with(&format!("fiel-{node}-"));
        let left: Vec<String> = names(Path::new(place)).into_iter().filter(own).collect();
        assert_eq!(left, Vec::<String>::new(), "files are left in {place} after {after}");
    }
    assert_eq!(names(Path::new("/run/fiel")), Vec::<String>::new(), "the stage is not empty after {after}");
}

/// Describes a process if it runs, and belongs to a container of this node or to a runtime that serves one.
fn process_of_container(process: &Path, node: u32) -> Option<String> {
    let read =
        |name| String::from_utf8_lossy(&std::fs::read(process.join(name)).unwrap_or_default()).into_owned();
    let status = read("status");
    let user =
        status.lines().find_map(|line| line.strip_prefix("Uid:")?.split_whitespace().next()?.parse().ok());
    // A zombie has ended; whoever adopted it takes note of that in its own time.
    if status.lines().any(|line| line.starts_with("State:") && line.contains('Z')) {
        return None;
    }
    let (command, mounts) = (read("cmdline"), read("mountinfo"));
    // A container sees its slot and a runtime its bundle, each below the workplace of its node.
    let ours = command.contains(&format!("fiel-{node}-"))
        || read("cgroup").contains(&format!("/fiel-{node}-c"))
        || mounts.contains(&format!("/work-{node}-"));
    let elsewhere = mounts.contains("/work-") && !ours;
    let mapped = user.is_some_and(|user: u32| USERS.contains(&user));
    (ours || (mapped && !elsewhere)).then(|| format!("{command}\n{status}"))
}

/// Control groups whose name begins so.
pub(crate) fn groups(folder: &Path, begin: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            if entry.file_name().to_string_lossy().starts_with(begin) {
                found.push(entry.path());
            }
            found.extend(groups(&entry.path(), begin));
        }
    }
    found
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

/// Waits until something is so, at most five seconds.
pub(crate) fn soon(what: &str, is: &dyn Fn() -> bool) {
    for _ in 0..500 {
        if is() {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("after five seconds still not: {what}");
}

/// Does something, and gives beside its result the most bytes that a folder occupied meanwhile.
pub(crate) fn peak_of<T>(folder: &Path, work: impl FnOnce() -> T) -> (T, u64) {
    /// Tells the measuring thread to end, should the work panic too.
    struct End<'a>(&'a AtomicBool);
    impl Drop for End<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    let ended = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let measure = scope.spawn(|| {
            let mut peak = 0;
            while !ended.load(Ordering::Relaxed) {
                peak = bytes_of(folder).max(peak);
                std::thread::sleep(Duration::from_millis(10));
            }
            peak
        });
        let end = End(&ended);
        let result = work();
        drop(end);
        (result, measure.join().unwrap())
    })
}

/// Bytes that the files of a folder occupy. What vanishes meanwhile counts no more.
fn bytes_of(folder: &Path) -> u64 {
    let (mut bytes, mut folders) = (0, vec![(folder.to_owned(), 0)]);
    while let Some((folder, depth)) = folders.pop() {
        // Closed before its folders are opened: descriptors are not to run out over what a program digs.
        let entries: Vec<_> = std::fs::read_dir(folder).into_iter().flatten().flatten().collect();
        for entry in entries {
            let Ok(found) = entry.metadata() else { continue };
            if found.is_dir() && depth < DEPTH {
                folders.push((entry.path(), depth + 1));
            }
            bytes += 512 * std::os::unix::fs::MetadataExt::blocks(&found);
        }
    }
    bytes
}

/// Files of the host that no container may open or change, watched by the kernel itself, and the host's settings.
pub(crate) struct Host {
    watch: OwnedFd,
    files: Vec<PathBuf>,
    settings: BTreeMap<&'static str, String>,
    _outside: tempfile::TempDir,
}

impl Host {
    /// Puts canaries where a node keeps what a model must not see, and one far from the node.
    pub(crate) fn watched(bench: &Bench) -> Self {
        let outside = tempfile::tempdir_in("/var/tmp").unwrap();
        let node = bench.folder.path();
        let folders = [node.to_owned(), node.join("work"), node.join("cache"), outside.path().to_owned()];
        let files = folders.map(|folder| folder.join("truth.csv"));
        let watch = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC).unwrap();
        for file in &files {
            std::fs::write(file, CANARY).unwrap();
            // Every user may read them: what keeps a container out is not their mode.
            std::fs::set_permissions(file, std::os::unix::fs::PermissionsExt::from_mode(0o666)).unwrap();
            inotify::add_watch(&watch, file, WatchFlags::ALL_EVENTS).unwrap();
        }
        Self { watch, files: files.to_vec(), settings: settings(), _outside: outside }
    }

    /// The canaries' paths, to be aimed at.
    pub(crate) fn files(&self) -> impl Iterator<Item = &str> {
        self.files.iter().map(|file| file.to_str().unwrap())
    }

    /// Fails if a canary was opened, read or changed, or a setting of the host changed.
    pub(crate) fn assert_untouched(&self, after: &str) {
        assert_eq!(self.events(), Vec::<String>::new(), "canaries were touched by {after}");
        for file in &self.files {
            assert_eq!(std::fs::read_to_string(file).unwrap(), CANARY, "after {after}");
            assert_ne!(self.events(), Vec::<String>::new(), "the watch sees who reads {}", file.display());
        }
        assert_eq!(settings(), self.settings, "after {after}");
    }

    fn events(&self) -> Vec<String> {
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut reader = inotify::Reader::new(&self.watch, &mut buffer);
        let mut seen = Vec::new();
        while let Ok(event) = reader.next() {
            seen.push(format!("{:?} of file {}", event.events(), event.wd()));
        }
        seen
    }
}

const CANARY: &str = "case,truth\n1,1\n";

fn settings() -> BTreeMap<&'static str, String> {
    SETTINGS.into_iter().map(|path| (path, std::fs::read_to_string(path).unwrap_or_default())).collect()
}
