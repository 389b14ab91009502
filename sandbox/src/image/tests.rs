//! Layers unpacked without any confinement: what keeps them in the root here is this module alone.

#![allow(clippy::unwrap_used, reason = "a test fails where it unwraps")]

#[path = "../../tests/it/images/canary.rs"]
mod canary;
#[path = "../../tests/it/images/craft.rs"]
mod craft;
#[path = "../../tests/it/images/hostile.rs"]
mod hostile;
#[path = "../../tests/it/images/lies.rs"]
mod lies;

use std::collections::BTreeMap;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use fiel_schemas::api::FailureReason;
use proptest::prelude::*;
use rustix::fs::{Mode, OFlags};

use self::canary::Canary;
use self::craft::{Layer, Meta, Tar, archive};
use super::cache::Cache;
use super::config::ImageConfig;
use super::layer::{apply, components};
use super::limits::{Budget, ENTRIES};
use super::root::Root;
use super::source::Opened;
use super::tar::TarReader;
use super::unpack::{RECORD, Record, unpack_into};
use crate::types::Refusal;

fn open(folder: &Path) -> OwnedFd {
    rustix::fs::open(folder, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty()).unwrap()
}

/// Unpacks an archive right here.
fn unpack(draft: &Path, archive: &[u8]) -> Result<PathBuf, Refusal> {
    let file = draft.join("image.tar");
    std::fs::create_dir_all(draft).unwrap();
    std::fs::write(&file, archive).unwrap();
    unpack_into(&open(draft), Opened::open(&file, false).unwrap(), None, None, Budget::default())?;
    Ok(draft.join("rootfs"))
}

/// Unpacks layers right here.
fn unpack_layers(draft: &Path, layers: &[Vec<u8>]) -> Result<PathBuf, Refusal> {
    let mut root = Root::create(&open(draft), None)?;
    let mut budget = Budget::default();
    layers.iter().try_for_each(|layer| apply(&mut root, layer.as_slice(), &mut budget).map(|_| ()))?;
    Ok(draft.join("rootfs"))
}

#[test]
fn hostile_archives_are_refused_without_confinement_too() {
    let canary = Canary::new();
    for hostile::Hostile { name, archive, says } in hostile::corpus(&canary.target()) {
        let draft = canary.store().join("draft");
        let refusal = unpack(&draft, &archive).expect_err(name);
        assert_eq!(refusal.reason, FailureReason::ImageInvalid, "{name}: {}", refusal.message);
        assert!(refusal.message.contains(says), "{name}: {}", refusal.message);
        canary.assert_untouched(name);
        std::fs::remove_dir_all(draft).expect(name);
    }
    for (name, archive, planted) in hostile::contained(&canary.target()) {
        let draft = canary.store().join(name);
        let rootfs = unpack(&draft, &archive).expect(name);
        canary.assert_untouched(name);
        let inside = rootfs.join(planted.trim_start_matches('/'));
        assert_eq!(std::fs::read(inside).expect(name), b"x", "{name}");
    }
}

/// Everything in a folder: path and what it is.
fn listing(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut left = vec![folder.to_owned()];
    while let Some(path) = left.pop() {
        for entry in std::fs::read_dir(path).unwrap().flatten() {
            let kind = entry.file_type().unwrap();
            let name = entry.path().strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
            if kind.is_dir() {
                left.push(entry.path());
                found.push(name + "/");
            } else if kind.is_symlink() {
                found.push(format!("{name} -> {}", std::fs::read_link(entry.path()).unwrap().display()));
            } else {
                found.push(format!("{name}={}", std::fs::read_to_string(entry.path()).unwrap()));
            }
        }
    }
    found.sort();
    found
}

#[test]
fn layers_replace_and_remove_what_lies_below() {
    let tar = Tar::default;
    let lower = || tar().file("d/old", b"1").file("d/e/old", b"1").file("f", b"1").link("l", "d");
    let cases: [(&str, Tar, &[&str]); 10] = [
        ("file over file", tar().file("f", b"2"), &["d/", "d/e/", "d/e/old=1", "d/old=1", "f=2", "l -> d"]),
        (
            "folder over folder",
            tar().folder("d").file("d/new", b"2"),
            &["d/", "d/e/", "d/e/old=1", "d/new=2", "d/old=1", "f=1", "l -> d"],
        ),
        ("file over folder", tar().file("d", b"2"), &["d=2", "f=1", "l -> d"]),
        ("folder over file", tar().folder("f"), &["d/", "d/e/", "d/e/old=1", "d/old=1", "f/", "l -> d"]),
        ("folder over link", tar().folder("l"), &["d/", "d/e/", "d/e/old=1", "d/old=1", "f=1", "l/"]),
        ("link over folder", tar().link("d", "f"), &["d -> f", "f=1", "l -> d"]),
        (
            "whiteout",
            tar().file(".wh.d", b"").file(".wh.none", b"").file("no/.wh.x", b""),
            &["f=1", "l -> d"],
        ),
        (
            "whiteout before and after",
            tar().file("d/new", b"2").file(".wh.d", b"").file("d/newer", b"2"),
            &["d/", "d/new=2", "d/newer=2", "f=1", "l -> d"],
        ),
        (
            "opaque, deep",
            tar().file("d/e/new", b"2").file("d/.wh..wh..opq", b""),
            &["d/", "d/e/", "d/e/new=2", "f=1", "l -> d"],
        ),
        ("opaque behind a link", tar().file("l/.wh..wh..opq", b""), &["d/", "f=1", "l -> d"]),
    ];
    for (name, upper, expected) in cases {
        let folder = tempfile::tempdir().unwrap();
        let rootfs = unpack_layers(folder.path(), &[lower().end(), upper.end()]).expect(name);
        assert_eq!(listing(&rootfs), expected, "{name}");
    }
}

#[test]
fn a_hard_link_onto_itself_and_to_a_link_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let tar = Tar::default().file("f", b"1").hard_link("f", "./f").link("l", "nowhere").hard_link("m", "l");
    let rootfs = unpack_layers(folder.path(), &[tar.end()]).unwrap();
    assert_eq!(listing(&rootfs), ["f=1", "l -> nowhere", "m -> nowhere"]);
}

#[test]
fn a_layer_that_occurs_twice_in_docker_save_is_a_link() {
    let tar = Tar::default().file("tool", b"x").end();
    let image = craft::Image::new(vec![Layer::plain(&tar), Layer::zstd(&tar)]);
    let mut files = image.docker();
    let second = files.remove(1).0;
    let first = files[0].0.clone();
    let whole = files.iter().fold(Tar::default(), |tar, (name, content)| tar.file(name, content));
    let folder = tempfile::tempdir().unwrap();
    let rootfs = unpack(folder.path(), &whole.link(&second, &format!("../{first}")).end()).unwrap();
    assert_eq!(listing(&rootfs), ["tool=x"]);
}

#[test]
fn sizes_beyond_the_old_header_come_from_the_new_one() {
    let meta = Meta { mode: 0o644, user: 0, group: 0 };
    let tar = Tar::default().pax(&[("size", b"3"), ("uid", b"5")]).header(b'0', b"f", b"", 0, meta).0;
    let content = [tar, b"abc".to_vec(), vec![0; 509], Tar::default().file("g", b"").end()].concat();
    let mut reader = TarReader::new(content.as_slice());
    let entry = reader.next().unwrap().unwrap();
    assert_eq!((entry.size, entry.user), (3, 5));
    assert_eq!(reader.next().unwrap().unwrap().name, b"g");
    assert!(reader.next().unwrap().is_none());
}

/// Ten million entries, made while they are read.
struct Endless {
    header: Vec<u8>,
    given: u64,
}

impl Read for Endless {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.given >= 10_000_000 * 512 {
            return Ok(0);
        }
        let start = usize::try_from(self.given % 512).unwrap();
        let count = (&self.header[start..]).read(buffer)?;
        self.given += count as u64;
        Ok(count)
    }
}

#[test]
fn ten_million_entries_are_refused_as_soon_as_they_are_too_many() {
    let folder = tempfile::tempdir().unwrap();
    let mut root = Root::create(&open(folder.path()), None).unwrap();
    let mut endless = Endless { header: Tar::default().file("dev/e", b"").0, given: 0 };
    let mut budget = Budget { entries: 1000, ..Budget::default() };
    let refusal = apply(&mut root, &mut endless, &mut budget).unwrap_err();
    assert!(refusal.message.contains(&format!("more than {ENTRIES} entries")), "{}", refusal.message);
    assert!(endless.given < 1 << 20, "{} bytes were read", endless.given);
}

#[test]
fn all_layers_share_one_allowance() {
    let folder = tempfile::tempdir().unwrap();
    let mut root = Root::create(&open(folder.path()), None).unwrap();
    let mut budget = Budget { bytes: 100_000, ..Budget::default() };
    let layer = Tar::default().file("f", &vec![1; 60_000]).end();
    apply(&mut root, layer.as_slice(), &mut budget).unwrap();
    let refusal = apply(&mut root, layer.as_slice(), &mut budget).unwrap_err();
    assert!(refusal.message.contains("unpacks to more than the"), "{}", refusal.message);
}

/// An image of 10 bytes.
fn record() -> Record {
    let config = ImageConfig {
        user: 0,
        group: 0,
        argv: vec!["/tool".into()],
        env: Vec::new(),
        cwd: "/".into(),
        labels: BTreeMap::new(),
    };
    Record { bytes: 10, confinement: Vec::new(), config }
}

#[test]
fn images_that_nobody_holds_make_room() {
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::open(folder.path()).unwrap();
    for (key, age) in [("a", 3), ("b", 2), ("c", 1)] {
        let draft = cache.draft().unwrap();
        std::fs::create_dir(draft.path().join("rootfs")).unwrap();
        std::fs::write(draft.path().join(RECORD), serde_json::to_vec(&record()).unwrap()).unwrap();
        cache.keep(&draft, key).unwrap();
        drop(draft);
        let time = std::time::SystemTime::now() - std::time::Duration::from_hours(age);
        std::fs::File::open(folder.path().join(key)).unwrap().set_modified(time).unwrap();
    }
    // Another process uses the oldest; that makes it the newest, too.
    let other = Cache::open(folder.path()).unwrap();
    assert!(other.find("a").unwrap().is_some());
    cache.shrink(20).unwrap();
    let left = |key: &str| folder.path().join(key).exists();
    assert_eq!(["a", "b", "c"].map(left), [true, false, true]);
    cache.shrink(0).unwrap();
    assert_eq!(["a", "b", "c"].map(left), [true, false, false]);
    drop(other);
    cache.shrink(0).unwrap();
    assert!(cache.find("a").unwrap().is_none());
}

/// Parts of names and of links that mean harm.
fn part() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "..",
        ".",
        "",
        "a",
        "b",
        "c",
        "link",
        "canary",
        "secret",
        ".wh.a",
        ".wh..wh..opq",
        ".wh...",
        "dev",
        "\u{202e}",
    ])
}

fn path() -> impl Strategy<Value = String> {
    (prop::bool::ANY, prop::collection::vec(part(), 1..5))
        .prop_map(|(absolute, parts)| (if absolute { "/" } else { "" }).to_owned() + &parts.join("/"))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    /// Each case has up to 40 entries: ten thousand names and links in all.
    #[test]
    fn nothing_lands_outside_the_root(
        entries in prop::collection::vec((0..5_usize, path(), path()), 10..40)
    ) {
        // Many small files: in memory where possible.
        let memory = Path::new("/dev/shm");
        let canary = if memory.is_dir() { Canary::new_in(memory) } else { Canary::new() };
        let mut root = Root::create(&open(&canary.store()), None).unwrap();
        let mut budget = Budget::default();
        let out = format!("{}{}", "../".repeat(12), canary.target());
        for (kind, name, target) in entries {
            let target = if kind == 3 { format!("{out}/{target}") } else { target };
            let kind = [b'0', b'5', b'2', b'2', b'1'][kind];
            let meta = Meta { mode: 0o7777, user: 0, group: 0 };
            let layer = Tar::default().entry(kind, name.as_bytes(), target.as_bytes(), b"", meta).end();
            // Refused or not: it has to stay inside.
            let _outcome = apply(&mut root, layer.as_slice(), &mut budget);
        }
        canary.assert_untouched("random entries");
        prop_assert!(!Path::new("/canary").exists());
    }

    #[test]
    fn components_never_lead_up(name in prop::collection::vec(any::<u8>(), 0..60)) {
        if let Ok(parts) = components(&name) {
            let odd = |part: &str| matches!(part, "" | "." | "..") || part.contains(['/', '\0']);
            prop_assert!(!parts.into_iter().any(odd));
        }
    }

    #[test]
    fn damaged_archives_never_panic(at in 0..3000_usize, byte in any::<u8>()) {
        let folder = tempfile::tempdir().unwrap();
        let image = craft::Image::new(vec![Layer::gzip(&Tar::default().file("tool", b"#!").end())]);
        let mut content = archive(&image.oci());
        let at = at % content.len();
        content[at] = byte;
        // Most changes are found out; those of a file's date are not.
        let _outcome = unpack(folder.path(), &content);
    }
}
