//! Images through the store: unpacked by confined workers, kept, shared.

pub(crate) mod canary;
pub(crate) mod craft;
pub(crate) mod hostile;
pub(crate) mod lies;

use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use fiel_sandbox::image::{Image, ImageStore};
use fiel_sandbox::{Model, Refusal};
use fiel_schemas::api::FailureReason;
use fiel_schemas::digest::{sha256_hex, to_hex};
use fiel_schemas::submission::MediaType;
use serde_json::json;
use sha2::Digest;

use self::canary::Canary;
use self::craft::{
    Files, INDEX, Layer, MANIFEST, Meta, Tar, archive, blob_name, descriptor, gzip, index, zstd,
};
use crate::support::worker;

/// A store in a folder of its own.
struct Bench {
    folder: tempfile::TempDir,
    store: ImageStore,
}

fn bench() -> Bench {
    bench_with(0)
}

fn bench_with(owner_base: u32) -> Bench {
    let folder = tempfile::tempdir().unwrap();
    let store = ImageStore::open(&folder.path().join("images"), owner_base, &worker()).unwrap();
    Bench { folder, store }
}

impl Bench {
    fn unpack(&self, archive: &[u8]) -> Result<Image, Refusal> {
        self.store.unpack(&model(self.folder.path(), archive))
    }
}

/// An archive put into a folder.
fn model(folder: &Path, archive: &[u8]) -> Model {
    let sha256 = sha256_hex(archive);
    let path = folder.join(&sha256);
    std::fs::write(&path, archive).unwrap();
    Model { path, sha256, media_type: MediaType::ImageArchive }
}

/// Two layers with links, whiteouts and everything else that decent images hold.
fn tars() -> [Vec<u8>; 2] {
    let meta = |mode, user, group| Meta { mode, user, group };
    let lower = Tar::default()
        .folder("./")
        .link("bin", "usr/bin")
        .folder("usr")
        .folder("usr/bin")
        .entry(b'0', b"usr/bin/tool", b"", b"#!/bin/sh\n", meta(0o6755, 1000, 50))
        .file("etc/passwd", b"root:x:0:0:root:/:/bin/sh\nmodel:x:1000:1001::/:/bin/sh\n")
        .file("etc/group", b"root:x:0:\nstaff:x:50:model\n")
        .entry(b'3', b"dev/null", b"", b"", meta(0o666, 0, 0))
        .file("gone", b"1")
        .file("opaque/old", b"1")
        .file("opaque/kept/old", b"1")
        .entry(b'5', b"tmp", b"", b"", meta(0o1777, 0, 0))
        .file(&format!("{}/long", "d".repeat(120)), b"1");
    let upper = Tar::default()
        .folder("opaque")
        .file("opaque/kept/new", b"2")
        .file("opaque/.wh..wh..opq", b"")
        .file(".wh.gone", b"")
        .file("bin/extra", b"2")
        .hard_link("usr/bin/alias", "bin/extra")
        .link("passwd", "/etc/passwd")
        .pax(&[("path", "caf\u{e9}".as_bytes()), ("SCHILY.xattr.a", b"1\n2=3\n")])
        .file("cafe", b"2");
    [lower.end(), upper.end()]
}

fn decent(pack: fn(&[u8]) -> Layer) -> craft::Image {
    craft::Image::new(tars().iter().map(|tar| pack(tar)).collect()).wants(json!({
        "User": "model:staff",
        "Entrypoint": ["/usr/bin/tool"],
        "Cmd": ["--all"],
        "Env": ["PATH=/bin", "A=1", "A=2", "GRAND_CHALLENGE_X=1", "odd"],
        "WorkingDir": "/opt/work/",
        "Labels": { " Org.Example.Key": "v" },
    }))
}

fn check(name: &str, image: &Image) {
    let read = |path: &str| std::fs::read_to_string(image.rootfs.join(path));
    let is = |path: &str| std::fs::symlink_metadata(image.rootfs.join(path));
    assert_eq!(read("usr/bin/tool").unwrap(), "#!/bin/sh\n", "{name}");
    assert_eq!(std::fs::read_link(image.rootfs.join("bin")).unwrap(), Path::new("usr/bin"), "{name}");
    assert_eq!(std::fs::read_link(image.rootfs.join("passwd")).unwrap(), Path::new("/etc/passwd"), "{name}");
    assert_eq!(read("usr/bin/extra").unwrap(), "2", "{name}");
    assert_eq!(is("usr/bin/alias").unwrap().ino(), is("usr/bin/extra").unwrap().ino(), "{name}");
    assert_eq!(read(&format!("{}/long", "d".repeat(120))).unwrap(), "1", "{name}");
    assert_eq!(read("caf\u{e9}").unwrap(), "2", "{name}");
    assert_eq!(read("opaque/kept/new").unwrap(), "2", "{name}");
    for gone in ["gone", ".wh.gone", "opaque/old", "opaque/kept/old", "opaque/.wh..wh..opq", "dev/null"] {
        assert!(is(gone).is_err(), "{name}: {gone}");
    }
    assert_eq!(is("usr/bin/tool").unwrap().mode() & 0o7777, 0o755, "{name}: neither setuid nor setgid");
    assert_eq!(is("tmp").unwrap().mode() & 0o7777, 0o1777, "{name}");
    assert_eq!(is("usr/bin/tool").unwrap().mtime(), 1_000_000_000, "{name}");
    assert!(is("opt/work").unwrap().is_dir(), "{name}");
    let config = &image.config;
    assert_eq!((config.user, config.group), (1000, 50), "{name}");
    assert_eq!(config.argv, ["/usr/bin/tool", "--all"], "{name}");
    let variable = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    assert_eq!(config.env, [("A", "2"), ("PATH", "/bin")].map(variable), "{name}");
    assert_eq!(config.cwd, "/opt/work", "{name}");
    assert_eq!(config.labels["org.example.key"], "v", "{name}");
}

/// An image among others, behind an index, as tools for several machines write it.
fn several_machines(image: &craft::Image) -> Files {
    let manifest = image.manifest().to_string().into_bytes();
    let mut fits = descriptor(MANIFEST, &manifest);
    fits["platform"] = json!({ "os": "linux", "architecture": craft::ARCHITECTURE });
    let mut other = descriptor(MANIFEST, b"not here");
    other["platform"] = json!({ "os": "linux", "architecture": "s390x" });
    let mut newer = other.clone();
    newer["platform"] = json!({ "os": "linux", "architecture": craft::ARCHITECTURE, "variant": "v9" });
    let mut statement = other.clone();
    statement["platform"] = json!({ "os": "unknown", "architecture": "unknown" });
    let inner = index(&[statement, other, newer, fits]).to_string().into_bytes();
    let mut files = image.oci();
    files.retain(|(name, _)| name != "index.json");
    files.push(("index.json".to_owned(), index(&[descriptor(INDEX, &inner)]).to_string().into_bytes()));
    files.push((blob_name(&inner), inner));
    files
}

#[test]
fn every_format_unpacks_to_the_same() {
    let bench = bench();
    let gzipped = decent(Layer::gzip);
    // What `docker save` writes since version 25: both.
    let mut both = gzipped.oci();
    both.push(("manifest.json".to_owned(), b"[]".to_vec()));
    let archives = [
        ("oci, plain layers", archive(&decent(Layer::plain).oci())),
        ("oci, gzip layers", archive(&gzipped.oci())),
        ("oci, zstd layers", archive(&decent(Layer::zstd).oci())),
        ("oci, for several machines", archive(&several_machines(&gzipped))),
        ("docker save", archive(&decent(Layer::plain).docker())),
        ("docker save, new", archive(&both)),
        ("gzip archive", gzip(&archive(&decent(Layer::plain).docker()))),
        ("zstd archive", zstd(&archive(&gzipped.oci()))),
    ];
    for (name, archive) in archives {
        let image = bench.unpack(&archive).unwrap_or_else(|refusal| panic!("{name}: {refusal}"));
        assert!(!image.cached, "{name}");
        check(name, &image);
    }
}

#[test]
fn the_image_of_a_manifest_comes_from_a_folder() {
    let bench = bench();
    let image = decent(Layer::zstd);
    let layout = bench.folder.path().join("layout");
    for (name, content) in image.oci().into_iter().filter(|(name, _)| name.starts_with("blobs/")) {
        let path = layout.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
    let sha256 = sha256_hex(image.manifest().to_string().as_bytes());
    let model = Model { path: layout.clone(), sha256: sha256.clone(), media_type: MediaType::ImageManifest };
    check("folder", &bench.store.unpack(&model).unwrap());
    // A manifest that is not what its name says.
    let other = "0".repeat(64);
    std::fs::copy(layout.join("blobs/sha256").join(sha256), layout.join("blobs/sha256").join(&other))
        .unwrap();
    let refusal = bench.store.unpack(&Model { sha256: other, ..model.clone() }).unwrap_err();
    assert_eq!(refusal.reason, FailureReason::DigestMismatch);
    let refusal = bench.store.unpack(&Model { sha256: "1".repeat(64), ..model }).unwrap_err();
    assert_eq!(refusal.reason, FailureReason::ImageInvalid);
    assert!(refusal.message.contains("is missing"), "{}", refusal.message);
}

#[test]
fn an_image_is_unpacked_once_and_survives_a_restart() {
    let bench = bench();
    let content = archive(&decent(Layer::gzip).oci());
    let first = bench.unpack(&content).unwrap();
    let again = bench.unpack(&content).unwrap();
    assert_eq!(again, Image { cached: true, ..first.clone() });
    let Bench { folder, store } = bench;
    drop(store);
    let store = ImageStore::open(&folder.path().join("images"), 0, &worker()).unwrap();
    let reopened = Bench { folder, store };
    assert_eq!(reopened.unpack(&content).unwrap(), Image { cached: true, ..first });
}

#[test]
fn the_unpacking_worker_tried_its_confinement() {
    let bench = bench();
    let image = bench.unpack(&archive(&decent(Layer::gzip).oci())).unwrap();
    let record = std::fs::read(image.rootfs.with_file_name("image.json")).unwrap();
    let record: serde_json::Value = serde_json::from_slice(&record).unwrap();
    let confinement = &record["confinement"];
    let held = |name: &str| confinement.as_array().unwrap().iter().any(|held| held == name);
    for name in ["seccomp", "no-new-privs", "rlimits", "no-host-files", "no-root-powers"] {
        assert!(held(name), "{name} is missing in {confinement}");
    }
    if std::fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0) {
        assert!(held("chroot"), "{confinement}");
    }
    if std::fs::read_to_string("/sys/kernel/security/lsm").is_ok_and(|lsm| lsm.contains("landlock")) {
        assert!(held("landlock"), "{confinement}");
    }
}

#[test]
fn an_archive_of_another_digest_is_refused() {
    let bench = bench();
    let wrong =
        Model { sha256: "0".repeat(64), ..model(bench.folder.path(), &archive(&decent(Layer::gzip).oci())) };
    assert_eq!(bench.store.unpack(&wrong).unwrap_err().reason, FailureReason::DigestMismatch);
    let nonsense = Model { sha256: "../../canary".into(), ..wrong };
    assert_eq!(bench.store.unpack(&nonsense).unwrap_err().reason, FailureReason::SiteError);
}

#[test]
fn hostile_archives_are_refused_and_reach_nothing() {
    let canary = Canary::new();
    let store = ImageStore::open(&canary.store(), 0, &worker()).unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let corpus = hostile::corpus(&canary.target());
    assert!(corpus.len() >= 90, "{} archives", corpus.len());
    for hostile::Hostile { name, archive, says } in corpus {
        let started = std::time::Instant::now();
        let refusal = store.unpack(&model(elsewhere.path(), &archive)).expect_err(name);
        assert_eq!(refusal.reason, FailureReason::ImageInvalid, "{name}: {}", refusal.message);
        assert!(refusal.message.contains(says), "{name}: {}", refusal.message);
        assert!(refusal.message.chars().count() <= 600, "{name}: {}", refusal.message);
        assert!(!refusal.message.contains(char::is_control), "{name}: {:?}", refusal.message);
        assert!(started.elapsed().as_secs() < 30, "{name}: {:?}", started.elapsed());
        canary.assert_untouched(name);
        assert_eq!(std::fs::read_dir(canary.store()).unwrap().count(), 0, "{name}: something was left");
    }
    for (name, archive, planted) in hostile::contained(&canary.target()) {
        let image = store.unpack(&model(elsewhere.path(), &archive)).expect(name);
        canary.assert_untouched(name);
        let inside = image.rootfs.join(planted.trim_start_matches('/'));
        assert_eq!(std::fs::read(inside).expect(name), b"x", "{name}");
    }
}

/// Writes an archive whose one layer holds a file of so many zeros, which take no space in it.
fn vast(path: &Path, size: u64) -> Model {
    let plain = Meta { mode: 0o644, user: 0, group: 0 };
    let header = |name: &str, size: u64| Tar::default().header(b'0', name.as_bytes(), b"", size, plain).0;
    let first = header("zeros", size);
    let length = first.len() as u64 + size + 1024;
    let zeros = |count: u64| std::io::repeat(0).take(count);
    let digest = sha256_of(first.as_slice().chain(zeros(size + 1024)));
    let mut layer = Layer::plain(b"");
    layer.diff_id = format!("sha256:{digest}");
    let image = craft::Image::new(vec![layer]);
    let mut manifest = image.manifest();
    manifest["layers"][0]["digest"] = json!(format!("sha256:{digest}"));
    manifest["layers"][0]["size"] = json!(length);
    let start = [header(&format!("blobs/sha256/{digest}"), length), first].concat();
    let mut file = std::fs::File::create_new(path).unwrap();
    file.write_all(&start).unwrap();
    file.seek(SeekFrom::Start(512 + length)).unwrap();
    file.write_all(&archive(&image.oci_with(&manifest))).unwrap();
    let sha256 = sha256_of(std::fs::File::open(path).unwrap());
    Model { path: path.to_owned(), sha256, media_type: MediaType::ImageArchive }
}

fn sha256_of(mut from: impl Read) -> String {
    let mut hash = sha2::Sha256::new();
    let mut chunk = vec![0; 1 << 20];
    loop {
        match from.read(&mut chunk).unwrap() {
            0 => return to_hex(&hash.finalize()),
            count => hash.update(&chunk[..count]),
        }
    }
}

#[test]
fn layers_larger_than_the_memory_of_a_worker_unpack() {
    let bench = bench();
    // A worker may have 256 MiB of memory.
    let size = 264 << 20;
    let image = bench.store.unpack(&vast(&bench.folder.path().join("vast"), size)).unwrap();
    assert_eq!(std::fs::metadata(image.rootfs.join("zeros")).unwrap().len(), size);
}

#[test]
fn files_are_given_to_the_users_that_a_namespace_maps() {
    let base = 200_000;
    let bench = bench_with(base);
    let tar = Tar::default()
        .entry(b'0', b"own", b"", b"", Meta { mode: 0o600, user: 1000, group: 50 })
        .entry(b'2', b"link", b"own", b"", Meta { mode: 0o777, user: 1000, group: 50 })
        .entry(b'0', b"far", b"", b"", Meta { mode: 0o600, user: 4_000_000_000, group: 65_536 })
        .file("made/for/it", b"");
    let image = bench.unpack(&archive(&craft::Image::new(vec![Layer::gzip(&tar.end())]).oci())).unwrap();
    let owner = |path: &str| {
        let data = std::fs::symlink_metadata(image.rootfs.join(path)).unwrap();
        (data.uid(), data.gid())
    };
    let this = std::fs::metadata(bench.folder.path()).unwrap();
    let expected = |user: u32, group: u32| {
        // Only root gives files away.
        if this.uid() == 0 { (base + user, base + group) } else { (this.uid(), this.gid()) }
    };
    assert_eq!(owner("own"), expected(1000, 50));
    assert_eq!(owner("link"), expected(1000, 50));
    assert_eq!(owner("far"), expected(65_534, 65_534), "beyond the map");
    assert_eq!(owner("made/for"), expected(0, 0));
    assert_eq!(owner("."), expected(0, 0));
}

#[test]
fn two_nodes_unpack_the_same_image_at_once() {
    let bench = bench();
    let model = model(bench.folder.path(), &archive(&decent(Layer::gzip).oci()));
    let other = ImageStore::open(&bench.folder.path().join("images"), 0, &worker()).unwrap();
    let (model, store) = (&model, &bench.store);
    let images = std::thread::scope(|scope| {
        let unpack = |store: &'_ ImageStore| store.unpack(model);
        let nodes: Vec<_> = [store, &other, store, &other]
            .into_iter()
            .map(|store| scope.spawn(move || unpack(store)))
            .collect();
        nodes.into_iter().map(|node| node.join().unwrap().unwrap()).collect::<Vec<_>>()
    });
    for image in &images {
        assert_eq!(image.rootfs, images[0].rootfs);
        check("at once", image);
    }
    assert_eq!(std::fs::read_dir(bench.folder.path().join("images")).unwrap().count(), 1, "a draft was left");
}

#[test]
fn what_a_killed_node_left_is_removed() {
    let folder = tempfile::tempdir().unwrap();
    let images = folder.path().join("images");
    let left = images.join(".draft-1-1");
    std::fs::create_dir_all(left.join("rootfs/deep/er")).unwrap();
    std::fs::set_permissions(left.join("rootfs/deep"), std::fs::Permissions::from_mode(0o700)).unwrap();
    // One that is being written by a node that lives.
    let living = images.join(".draft-1-2");
    std::fs::create_dir(&living).unwrap();
    let held = std::fs::File::open(&living).unwrap();
    held.lock().unwrap();
    ImageStore::open(&images, 0, &worker()).unwrap();
    assert!(!left.exists());
    assert!(living.exists());
}
