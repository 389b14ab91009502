//! A memory control group per worker, where the system lets the node make one.

use std::io;
use std::path::{Path, PathBuf};

use fs_err as fs;

/// A group with a memory limit; removed when dropped (after its worker).
#[derive(Debug)]
pub(crate) struct MemoryGroup {
    folder: PathBuf,
    events: &'static str,
}

impl MemoryGroup {
    /// Makes a group below the node's own; `None` where that is not possible.
    pub(crate) fn create(name: &str, bytes: u64) -> Option<Self> {
        let own = fs::read_to_string("/proc/self/cgroup").ok()?;
        let (parent, limit, events) = find(&own)?;
        let folder = parent.join(name);
        fs::create_dir(&folder).ok()?;
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
        fs::read_to_string(self.folder.join(self.events))
            .is_ok_and(|text| text.lines().any(|line| line.starts_with("oom_kill ") && line != "oom_kill 0"))
    }
}

impl Drop for MemoryGroup {
    fn drop(&mut self) {
        // A group that cannot be removed now is empty and is removed by the next start.
        let _left = fs::remove_dir(&self.folder);
    }
}

/// Removes groups whose node has gone. Their names begin with `fiel-` and the node's process id.
pub(crate) fn remove_stale() {
    let Some((parent, ..)) = fs::read_to_string("/proc/self/cgroup").ok().as_deref().and_then(find) else {
        return;
    };
    let Ok(entries) = fs::read_dir(parent) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let node = name.to_str().and_then(|name| name.strip_prefix("fiel-")?.split('-').next());
        if node.is_some_and(|id| id.parse::<u32>().is_ok() && !Path::new("/proc").join(id).exists()) {
            let _in_use = fs::remove_dir(entry.path());
        }
    }
}

/// The node's own memory group, the name of its limit and of its events.
fn find(own: &str) -> Option<(PathBuf, &'static str, &'static str)> {
    let group = |line: &str| {
        let mut parts = line.splitn(3, ':');
        let (_, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
        let path = path.trim_start_matches('/').to_owned();
        Some((controllers.to_owned(), path))
    };
    let lines: Vec<(String, String)> = own.lines().filter_map(group).collect();
    if let Some((_, path)) = lines.iter().find(|(names, _)| names.split(',').any(|name| name == "memory")) {
        let parent = Path::new("/sys/fs/cgroup/memory").join(path);
        return Some((parent, "memory.limit_in_bytes", "memory.oom_control"));
    }
    let (_, path) = lines.iter().find(|(names, _)| names.is_empty())?;
    Some((Path::new("/sys/fs/cgroup").join(path), "memory.max", "memory.events"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_hierarchies_are_understood() {
        let old = find("3:cpuset:/\n4:memory:/a/b\n0::/\n").unwrap();
        assert_eq!(old.0, Path::new("/sys/fs/cgroup/memory/a/b"));
        let new = find("0::/user.slice\n").unwrap();
        assert_eq!((new.0.as_path(), new.1), (Path::new("/sys/fs/cgroup/user.slice"), "memory.max"));
        assert!(find("").is_none());
    }
}
