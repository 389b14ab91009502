//! Control groups: where the node may make them, one with a memory limit per worker, one with every limit per
//! container. Version 1, version 2 and machines that mix both are understood.

mod hierarchy;

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use fs_err as fs;
use rustix::process::{Pid, Signal, kill_process};

use crate::workplace;
use hierarchy::{Hierarchy, hierarchies};

/// Period over which processor time is shared out, microseconds.
const PERIOD_US: u64 = 100_000;

/// How deep groups of a container may be nested: its own, the runtime's below it, one more.
const MAX_DEPTH: usize = 3;

/// How long the system may take to freeze, kill or remove what is in a group.
const PATIENCE: Duration = Duration::from_secs(5);

/// A group with a memory limit; removed when dropped (after its worker).
#[derive(Debug)]
pub(crate) struct MemoryGroup {
    folder: PathBuf,
    events: &'static str,
}

impl MemoryGroup {
    /// Makes a group below the node's own; `None` where that is not possible.
    pub(crate) fn create(name: &str, bytes: u64) -> Option<Self> {
        let hierarchy = hierarchies().into_iter().find(|hierarchy| hierarchy.controls("memory"))?;
        let folder = hierarchy.parent()?.join(name);
        fs::create_dir(&folder).ok()?;
        let (limit, events) = if hierarchy.unified {
            ("memory.max", "memory.events")
        } else {
            ("memory.limit_in_bytes", "memory.oom_control")
        };
        let group = Self { folder, events };
        fs::write(group.folder.join(limit), bytes.to_string()).ok()?;
        Some(group)
    }

    /// Puts a process into the group.
    pub(crate) fn add(&self, process: u32) -> io::Result<()> {
        fs::write(self.folder.join("cgroup.procs"), process.to_string())
    }

    /// Whether the system killed a process of the group for want of memory.
    pub(crate) fn killed_one(&self) -> bool {
        count(&self.folder.join(self.events), "oom_kill") > 0
    }
}

impl Drop for MemoryGroup {
    fn drop(&mut self) {
        // A group that cannot be removed now is empty and is removed by the next start.
        let _left = fs::remove_dir(&self.folder);
    }
}

/// What a container may use.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// Memory, swap included, bytes.
    pub(crate) memory_bytes: u64,
    /// Processes and threads.
    pub(crate) processes: u64,
    /// Processor cores.
    pub(crate) cores: u64,
}

/// A group with every limit, in each hierarchy that has one of them. When dropped, everything in it is killed and it
/// is removed, together with what a runtime made below it, in every hierarchy.
#[derive(Debug)]
pub(crate) struct Group {
    name: String,
    /// Where groups are on this machine.
    hierarchies: Vec<Hierarchy>,
    /// Folders made here, by the first controller they bound.
    folders: BTreeMap<&'static str, PathBuf>,
    unified: bool,
}

/// What is counted, and bounded, by a [`Group`].
const CONTROLLERS: [&str; 5] = ["memory", "pids", "cpu", "cpuacct", "freezer"];

impl Group {
    /// Makes the group and sets its limits. An error names what the system does not permit.
    pub(crate) fn create(bounds: Bounds) -> Result<Self, String> {
        let name = format!("fiel-{}-c{}-{}", std::process::id(), workplace::unique(), process_namespace());
        let hierarchies = hierarchies();
        let unified = hierarchies.iter().any(|hierarchy| hierarchy.unified && hierarchy.controls("memory"));
        let mut group = Self { name, hierarchies, folders: BTreeMap::new(), unified };
        for controller in CONTROLLERS {
            let found = group.hierarchies.iter().find(|hierarchy| hierarchy.controls(controller));
            let Some(parent) = found.and_then(Hierarchy::parent) else { continue };
            let folder = parent.join(&group.name);
            if !folder.exists() {
                fs::create_dir(&folder).map_err(|error| error.to_string())?;
            }
            group.folders.insert(controller, folder);
        }
        group.bound(bounds).map_err(|error| error.to_string())?;
        Ok(group)
    }

    fn bound(&self, bounds: Bounds) -> io::Result<()> {
        let quota = bounds.cores.saturating_mul(PERIOD_US);
        let memory = bounds.memory_bytes.to_string();
        if self.unified {
            self.set("memory", "memory.max", &memory)?;
            self.set_if_there("memory", "memory.swap.max", "0")?;
            self.set_if_there("memory", "memory.oom.group", "1")?;
            self.set_if_there("cpu", "cpu.max", &format!("{quota} {PERIOD_US}"))?;
        } else {
            self.set("memory", "memory.limit_in_bytes", &memory)?;
            self.set_if_there("memory", "memory.memsw.limit_in_bytes", &memory)?;
            self.set_if_there("cpu", "cpu.cfs_period_us", &PERIOD_US.to_string())?;
            self.set_if_there("cpu", "cpu.cfs_quota_us", &quota.to_string())?;
        }
        self.set("pids", "pids.max", &bounds.processes.to_string())
    }

    fn set(&self, controller: &str, file: &str, value: &str) -> io::Result<()> {
        let missing = || io::Error::other(format!("no control group bounds `{controller}` here"));
        fs::write(self.folders.get(controller).ok_or_else(missing)?.join(file), value)
    }

    fn set_if_there(&self, controller: &str, file: &str, value: &str) -> io::Result<()> {
        match self.folders.get(controller).map(|folder| folder.join(file)).filter(|path| path.exists()) {
            Some(path) => fs::write(path, value),
            None => Ok(()),
        }
    }

    /// The group of a runtime that makes its own, as `cgroupsPath` names it. In version 2 it lies below this one, which
    /// counts what happened in it after the runtime has removed it. In version 1 it is this one: no group counts for
    /// those below it, and each level is nine folders more. A runtime sets only the limits that its specification names.
    pub(crate) fn path(&self) -> String {
        let found = self.hierarchies.iter().find(|hierarchy| self.unified && hierarchy.unified);
        let Some(hierarchy) = found else {
            // Relative to the runtime's own group, which differs between hierarchies.
            return self.name.clone();
        };
        let own = self.folders.get("memory").and_then(|folder| folder.strip_prefix(&hierarchy.mounted).ok());
        format!("/{}/box", own.unwrap_or(Path::new(&self.name)).display())
    }

    /// Makes the next process that is moved into any group move at once, in the background.
    ///
    /// Before the kernel moves a process it lets all its processors come to rest once (an RCU grace period, 7 to 11 ms),
    /// unless it has done so a moment ago. A runtime takes about as long to come to its own move. So a thread asks for a
    /// move now: its own, to the group where it is already.
    pub(crate) fn make_ready(&self) {
        // A file for single threads, so that nothing can happen to the node's others.
        let file = |hierarchy: &Hierarchy| {
            hierarchy.own.join(if hierarchy.unified { "cgroup.threads" } else { "tasks" })
        };
        let Some(file) = self.hierarchies.first().map(file) else { return };
        let mover = move || {
            let thread = rustix::thread::gettid().as_raw_nonzero().to_string();
            // Where the system does not permit it, the runtime waits as it would have.
            let _not_permitted = fs::write(file, thread);
        };
        // It ends by itself; without a thread to spare the runtime waits.
        let _detached = std::thread::Builder::new().name("group-mover".to_owned()).spawn(mover);
    }

    /// The files into which a process writes `0` to join.
    pub(crate) fn doors(&self) -> io::Result<Vec<File>> {
        let open = |folder: &PathBuf| {
            let file = fs::OpenOptions::new().write(true).open(folder.join("cgroup.procs"))?;
            Ok(file.into_parts().0)
        };
        let mut folders: Vec<_> = self.folders.values().collect();
        folders.sort();
        folders.dedup();
        folders.into_iter().map(open).collect()
    }

    /// Whether the system killed a process of the group for want of memory.
    pub(crate) fn out_of_memory(&self) -> bool {
        let file = if self.unified { "memory.events" } else { "memory.oom_control" };
        // Version 1 counts only in the group of the killed process itself.
        self.folders.get("memory").is_some_and(|folder| {
            tree(folder, MAX_DEPTH).iter().any(|folder| count(&folder.join(file), "oom_kill") > 0)
        })
    }

    /// Processor time used so far, seconds.
    pub(crate) fn cpu_s(&self) -> Option<f64> {
        if self.unified {
            let micros = count(&self.folders.get("cpu")?.join("cpu.stat"), "usage_usec");
            return Some(Duration::from_micros(micros).as_secs_f64());
        }
        let nanos = number(&self.folders.get("cpuacct")?.join("cpuacct.usage"))?;
        Some(Duration::from_nanos(nanos).as_secs_f64())
    }

    /// Largest memory so far, bytes; since [`Self::forget_peak`] where the system lets it be reset.
    pub(crate) fn memory_peak(&self) -> Option<u64> {
        number(&self.folders.get("memory")?.join(self.peak_file()))
    }

    /// Begins to look for the largest memory anew.
    pub(crate) fn forget_peak(&self) {
        // Where it cannot be reset the peak of all cases so far is reported, which bounds that of each.
        let _kept = self.set("memory", self.peak_file(), "0");
    }

    fn peak_file(&self) -> &'static str {
        if self.unified { "memory.peak" } else { "memory.max_usage_in_bytes" }
    }

    /// Stops every process of the group where it is, or lets them go on; false where the system cannot.
    pub(crate) fn freeze(&self, frozen: bool) -> bool {
        let patience = Instant::now() + PATIENCE;
        while Instant::now() < patience {
            match self.try_freeze(frozen) {
                Some(true) => return true,
                Some(false) => std::thread::sleep(Duration::from_micros(200)),
                None => return false,
            }
        }
        false
    }

    fn try_freeze(&self, frozen: bool) -> Option<bool> {
        let folder = self.folders.get(if self.unified { "memory" } else { "freezer" })?;
        if self.unified {
            fs::write(folder.join("cgroup.freeze"), if frozen { "1" } else { "0" }).ok()?;
            return Some((count(&folder.join("cgroup.events"), "frozen") == 1) == frozen);
        }
        let state = folder.join("freezer.state");
        let wanted = if frozen { "FROZEN" } else { "THAWED" };
        fs::write(&state, wanted).ok()?;
        Some(fs::read_to_string(&state).ok()?.trim() == wanted)
    }

    /// Kills everything in the group; false if something is left.
    pub(crate) fn kill(&self) -> bool {
        // What is frozen by version 1 does not die before it is let go.
        let _never_frozen = self.try_freeze(false);
        let folder = self.folders.get("pids").or_else(|| self.folders.get("memory"));
        folder.is_none_or(|folder| kill_all(folder))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if !self.kill() {
            tracing::warn!(group = self.name, "processes of a container do not die");
        }
        for parent in self.hierarchies.iter().filter_map(Hierarchy::parent) {
            remove(&parent.join(&self.name));
        }
    }
}

/// Removes the groups of nodes that have gone, and kills what is left in those of their containers.
pub(crate) fn remove_stale() {
    remove_groups(&|node| !Path::new("/proc").join(node.to_string()).exists());
}

/// The same for this node, which has gone.
pub(crate) fn remove_groups_of(node: u32) {
    remove_groups(&|other| other == node);
}

fn remove_groups(gone: &dyn Fn(u32) -> bool) {
    let own = process_namespace().to_string();
    for parent in hierarchies().iter().filter_map(Hierarchy::parent) {
        let Ok(entries) = fs::read_dir(parent) else { continue };
        for entry in entries.flatten() {
            let (name, path) = (entry.file_name(), entry.path());
            let Some((node, namespace)) = name.to_str().and_then(maker) else { continue };
            if !gone(node) {
                continue;
            }
            match namespace {
                // A number that is gone here may be alive in another namespace: that node looks after its own.
                Some(namespace) if namespace == own => {
                    let _never_frozen = fs::write(path.join("freezer.state"), "THAWED");
                    kill_all(&path);
                    remove(&path);
                }
                Some(_) => {}
                // A worker ends with its node; its group is empty.
                None => _ = fs::remove_dir(path),
            }
        }
    }
}

/// Who made a group, by its name: the node's process id, and for a container's the namespace in which that counts.
fn maker(name: &str) -> Option<(u32, Option<&str>)> {
    let mut parts = name.strip_prefix("fiel-")?.split('-');
    Some((parts.next()?.parse().ok()?, parts.nth(1)))
}

/// The number of the namespace in which this process has its id.
fn process_namespace() -> u64 {
    fs::metadata("/proc/self/ns/pid").map_or(0, |found| std::os::unix::fs::MetadataExt::ino(&found))
}

/// Kills every process in a group and the groups below it, until none is left.
fn kill_all(folder: &Path) -> bool {
    let patience = Instant::now() + PATIENCE;
    let mut pause = Duration::from_micros(100);
    loop {
        let left = processes(folder);
        if left.is_empty() {
            return true;
        }
        for process in left {
            // It may have gone meanwhile.
            let _gone = kill_process(process, Signal::KILL);
        }
        if Instant::now() > patience {
            return false;
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(5));
    }
}

fn processes(folder: &Path) -> Vec<Pid> {
    let listed = |folder: PathBuf| fs::read_to_string(folder.join("cgroup.procs")).unwrap_or_default();
    let ids = tree(folder, MAX_DEPTH).into_iter().map(listed).collect::<String>();
    ids.lines().filter_map(|line| Pid::from_raw(line.parse().ok()?)).collect()
}

/// A group and the groups below it, parents first.
fn tree(folder: &Path, depth: usize) -> Vec<PathBuf> {
    let mut all = vec![folder.to_owned()];
    if depth > 0
        && let Ok(entries) = fs::read_dir(folder)
    {
        let folders = entries.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
        all.extend(folders.flat_map(|entry| tree(&entry.path(), depth - 1)));
    }
    all
}

/// Removes a group with the groups below it. The system lets go of the last process a little after its end.
fn remove(folder: &Path) {
    let patience = Instant::now() + PATIENCE;
    while folder.exists() {
        for group in tree(folder, MAX_DEPTH).into_iter().rev() {
            let _busy = fs::remove_dir(group);
        }
        if Instant::now() > patience {
            tracing::warn!(group = %folder.display(), "a control group cannot be removed");
            return;
        }
        if folder.exists() {
            std::thread::sleep(Duration::from_micros(500));
        }
    }
}

/// The number after a name in a file of names and numbers; 0 where it is not.
fn count(file: &Path, name: &str) -> u64 {
    let text = fs::read_to_string(file).unwrap_or_default();
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value.and_then(|value| value.trim().parse().ok()).unwrap_or(0)
}

fn number(file: &Path) -> Option<u64> {
    fs::read_to_string(file).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_tells_who_made_it() {
        assert_eq!(maker("fiel-12-3"), Some((12, None)));
        assert_eq!(maker("fiel-12-c3-4026531836"), Some((12, Some("4026531836"))));
        for other in ["fiel-", "fiel-x-1", "user.slice", "fiel--1"] {
            assert_eq!(maker(other), None, "{other}");
        }
    }
}
