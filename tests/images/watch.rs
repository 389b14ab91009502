//! Who runs a script in containers, as the host's kernel tells it.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How every image baseline starts.
const COMMAND: &str = "/usr/bin/python3\0/opt/app/model.py\0";

/// Tells the watcher to end, also when what it watches panics.
struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Acts, and says meanwhile who runs an image's `script`: each kind of process once.
pub(crate) fn during<T>(script: &Path, act: impl FnOnce() -> T) -> (T, BTreeSet<String>) {
    let script = fs_err::read(script).expect("the baseline has a script");
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            let mut seen = BTreeSet::new();
            while !over.load(Ordering::Relaxed) {
                let processes = fs_err::read_dir("/proc").expect("proc is mounted").flatten();
                seen.extend(processes.filter_map(|process| look(&process.path(), &script)));
                std::thread::sleep(Duration::from_millis(5));
            }
            seen
        });
        let ends = Ends(&over);
        let result = act();
        drop(ends);
        (result, watcher.join().expect("the watcher does not panic"))
    })
}

/// Who a process is, if it is the image's; `None` also where it ended while it was looked at.
fn look(process: &Path, script: &[u8]) -> Option<String> {
    let read = |name: &str| std::fs::read_to_string(process.join(name)).ok();
    // Whatever the runtime started first has become another program, and another user, before it bears this name.
    if read("cmdline")? != COMMAND || std::fs::read(process.join("root/opt/app/model.py")).ok()? != script {
        return None;
    }
    let status = read("status")?;
    let field =
        |name: &str| status.lines().find_map(|line| line.strip_prefix(name))?.split_whitespace().next();
    let outside: [u64; 2] = [field("Uid:")?.parse().ok()?, field("Gid:")?.parse().ok()?];
    let user = inside(&read("uid_map")?, outside[0])?;
    let group = inside(&read("gid_map")?, outside[1])?;
    let root = outside.contains(&0);
    let (capabilities, locked) = (field("CapEff:")?, field("NoNewPrivs:")?);
    Some(format!(
        "user {user} group {group}, root outside {root}, capabilities {capabilities}, no new privileges {locked}"
    ))
}

/// The number in a user namespace of a user or group outside, by the namespace's first range.
fn inside(map: &str, outside: u64) -> Option<u64> {
    let mut numbers = map.split_whitespace().map(str::parse::<u64>);
    let (first, first_outside) = (numbers.next()?.ok()?, numbers.next()?.ok()?);
    Some(first + outside.checked_sub(first_outside)?)
}
