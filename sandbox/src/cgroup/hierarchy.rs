//! Where control groups are mounted, and where among them the node may make its own.

use std::path::{Path, PathBuf};

use fs_err as fs;

/// One mounted hierarchy of groups.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Hierarchy {
    /// Where it is mounted.
    pub(super) mounted: PathBuf,
    /// The folder of the node's own group.
    pub(super) own: PathBuf,
    /// What version 1 controls here; empty for version 2, which says so in a file.
    controllers: Vec<String>,
    /// Whether this is version 2.
    pub(super) unified: bool,
}

impl Hierarchy {
    pub(super) fn controls(&self, controller: &str) -> bool {
        if !self.unified {
            return self.controllers.iter().any(|name| name == controller);
        }
        let offered = fs::read_to_string(self.mounted.join("cgroup.controllers")).unwrap_or_default();
        // Version 2 freezes everywhere and counts the processor's time with `cpu`.
        let needed = match controller {
            "freezer" => "memory",
            "cpuacct" => "cpu",
            other => other,
        };
        offered.split_whitespace().any(|name| name == needed)
    }

    /// The folder in which the node's groups are made: its own, or in version 2, where a group with processes cannot
    /// share out what it controls, the nearest one above that can and that the node may change.
    pub(super) fn parent(&self) -> Option<&Path> {
        if !self.unified || !self.controls("memory") {
            return Some(&self.own);
        }
        let above = self.own.ancestors().take_while(|folder| folder.starts_with(&self.mounted));
        above.into_iter().find(|folder| may_change(folder) && shares_out(folder))
    }

    /// Lets the node's own group share out what it controls: moves all that is in it, the node and what it started, into
    /// a group below. True where that was possible, as in a service with `Delegate=yes`; the node's own group is then
    /// another one.
    pub(super) fn make_room(&self) -> bool {
        if !self.unified || !may_change(&self.own) {
            return false;
        }
        let below = self.own.join(NODE);
        if !below.exists() && fs::create_dir(&below).is_err() {
            return false;
        }
        for process in fs::read_to_string(self.own.join("cgroup.procs")).unwrap_or_default().lines() {
            // What has ended meanwhile need not be moved.
            let _ended = fs::write(below.join("cgroup.procs"), process);
        }
        shares_out(&self.own)
    }
}

/// The group into which a node moves itself where its own was delegated to it.
const NODE: &str = "node";

fn may_change(folder: &Path) -> bool {
    rustix::fs::access(folder, rustix::fs::Access::WRITE_OK).is_ok()
}

/// Whether a group of version 2 shares out what containers need, now at the latest.
fn shares_out(folder: &Path) -> bool {
    let file = folder.join("cgroup.subtree_control");
    let shared = fs::read_to_string(&file).unwrap_or_default();
    let all =
        ["memory", "pids", "cpu"].iter().all(|wanted| shared.split_whitespace().any(|name| name == *wanted));
    all || fs::write(&file, "+memory +pids +cpu").is_ok()
}

/// The hierarchies that are mounted, with the node's own group in each, which in version 2 has room for others below
/// or beside it where that is possible.
pub(super) fn hierarchies() -> Vec<Hierarchy> {
    let found = read();
    let cramped = |hierarchy: &&Hierarchy| hierarchy.controls("memory") && hierarchy.parent().is_none();
    if found.iter().find(cramped).is_some_and(Hierarchy::make_room) { read() } else { found }
}

fn read() -> Vec<Hierarchy> {
    let read = |file| fs::read_to_string(file).unwrap_or_default();
    parse(&read("/proc/self/mountinfo"), &read("/proc/self/cgroup"))
}

/// The hierarchies that are mounted, from the texts in which the system describes mounts and own groups.
fn parse(mounts: &str, groups: &str) -> Vec<Hierarchy> {
    let group = |line: &str| {
        let mut parts = line.splitn(3, ':').skip(1);
        let (controllers, path) = (parts.next()?, parts.next()?);
        let controllers: Vec<String> =
            controllers.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect();
        let (mounted, root) = mounts.lines().find_map(|line| mounted_for(line, &controllers))?;
        let below = Path::new(path).strip_prefix(root).ok()?;
        let own = if below.as_os_str().is_empty() { mounted.to_owned() } else { mounted.join(below) };
        Some(Hierarchy { mounted: mounted.to_owned(), own, unified: controllers.is_empty(), controllers })
    };
    groups.lines().filter_map(group).collect()
}

/// Where a line of mounts puts the hierarchy of these controllers, and which group is its root.
fn mounted_for<'a>(line: &'a str, controllers: &[String]) -> Option<(&'a Path, &'a str)> {
    let (place, kind) = line.split_once(" - ")?;
    let mut place = place.split(' ').skip(3);
    let (root, mounted) = (place.next()?, place.next()?);
    let mut kind = kind.split(' ');
    let (name, options) = (kind.next()?, kind.nth(1)?);
    let fits = match name {
        "cgroup2" => controllers.is_empty(),
        "cgroup" => {
            !controllers.is_empty()
                && controllers.iter().all(|controller| options.split(',').any(|option| option == controller))
        }
        _ => false,
    };
    fits.then_some((Path::new(mounted), root))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "\
30 24 0:26 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755
31 30 0:27 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
32 30 0:28 /box /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
33 30 0:29 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
";

    #[test]
    fn mixed_hierarchies_are_understood() {
        let found = parse(MOUNTS, "5:cpu,cpuacct:/\n4:memory:/box/a\n3:devices:/\n0::/b\n");
        let own: Vec<_> = found.iter().map(|hierarchy| hierarchy.own.to_str().unwrap()).collect();
        assert_eq!(
            own,
            ["/sys/fs/cgroup/cpu,cpuacct", "/sys/fs/cgroup/memory/a", "/sys/fs/cgroup/unified/b"],
            "without what is not mounted"
        );
        assert!(found[0].controls("cpuacct") && !found[0].controls("memory") && found[2].unified);
    }

    #[test]
    fn a_group_outside_the_mounted_part_is_left_out() {
        assert!(parse(MOUNTS, "4:memory:/elsewhere\n").is_empty());
        assert!(parse("", "0::/\n").is_empty());
        assert!(parse("torn\n1 2\n - cgroup2", "0::/\ntorn\n").is_empty());
    }

    #[test]
    fn in_version_two_groups_are_made_where_limits_can_be_shared_out() {
        let mounted = tempfile::tempdir().unwrap();
        let own = mounted.path().join("system.slice/fiel.service");
        fs::create_dir_all(&own).unwrap();
        fs::write(mounted.path().join("cgroup.controllers"), "cpu memory pids\n").unwrap();
        fs::write(own.parent().unwrap().join("cgroup.subtree_control"), "cpu memory pids\n").unwrap();
        // A plain folder lets any file be written; a folder in its place does not.
        fs::create_dir(own.join("cgroup.subtree_control")).unwrap();
        let hierarchy =
            Hierarchy { mounted: mounted.path().to_owned(), own, controllers: Vec::new(), unified: true };
        assert_eq!(hierarchy.parent(), Some(mounted.path().join("system.slice").as_path()));
        assert!(hierarchy.controls("freezer") && !hierarchy.controls("hugetlb"));
    }
}
