//! Archives whose documents lie, and archives that are damaged.

use serde_json::{Value, json};

use super::craft::{
    ARCHITECTURE, Files, INDEX, Image, Layer, MANIFEST, Tar, archive, blob_name, descriptor, gzip, index,
    zstd,
};
use super::hostile::Case;

pub(crate) fn cases() -> Vec<Case> {
    [digests(), saved(), parts(), indexes(), manifests(), contents(), damage()].concat()
}

/// A decent image.
pub(crate) fn decent() -> Image {
    Image::new(vec![Layer::gzip(&Tar::default().file("tool", b"#!").end())])
}

fn decent_plain() -> Vec<u8> {
    Tar::default().file("tool", b"#!").end()
}

/// The image's layout with another manifest; the digests follow.
fn with_manifest(change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let mut manifest = decent().manifest();
    change(&mut manifest);
    archive(&decent().oci_with(&manifest))
}

fn with_index(index: &Value) -> Vec<u8> {
    let mut files = decent().oci();
    replace(&mut files, "index.json", index.to_string().into_bytes());
    archive(&files)
}

fn replace(files: &mut Files, name: &str, content: Vec<u8>) {
    files.iter_mut().find(|(other, _)| other == name).unwrap().1 = content;
}

fn digests() -> Vec<Case> {
    let stored = decent().layers[0].stored.clone();
    let name = blob_name(&stored);
    vec![
        (
            "size too small",
            with_manifest(|it| it["layers"][0]["size"] = json!(stored.len() - 1)),
            "are announced",
        ),
        ("size too large", with_manifest(|it| it["layers"][0]["size"] = json!(1_u64 << 40)), "are announced"),
        ("size of the configuration", with_manifest(|it| it["config"]["size"] = json!(3)), "are announced"),
        (
            "layer with other content",
            {
                let mut files = decent().oci();
                let other = gzip(&Tar::default().file("tool", b"!!").end());
                replace(&mut files, &name, [other, vec![0; 99]].concat()[..stored.len()].to_vec());
                archive(&files)
            },
            "layer 1 of 1",
        ),
        (
            "layer with one byte changed",
            {
                let plain = decent_plain();
                let mut files = Image::new(vec![Layer::plain(&plain)]).oci();
                let mut changed = plain.clone();
                changed[512] = b'!';
                replace(&mut files, &blob_name(&plain), changed);
                archive(&files)
            },
            "is announced",
        ),
        (
            "wrong diff_id",
            {
                let mut image = decent();
                image.config["rootfs"]["diff_ids"] = json!([format!("sha256:{}", "0".repeat(64))]);
                archive(&image.oci())
            },
            "what it unpacks to",
        ),
        (
            "too few diff_ids",
            {
                let mut image = decent();
                image.config["rootfs"]["diff_ids"] = json!([]);
                archive(&image.oci())
            },
            "the configuration lists 0",
        ),
    ]
}

fn saved() -> Vec<Case> {
    vec![
        (
            "wrong diff_id, docker save",
            {
                let mut image = decent();
                image.config["rootfs"]["diff_ids"] = json!([format!("sha256:{}", "0".repeat(64))]);
                archive(&image.docker())
            },
            "what it unpacks to",
        ),
        (
            "configuration of another digest, docker save",
            {
                let mut files = decent().docker();
                let at = files
                    .iter()
                    .position(|(name, _)| name.strip_suffix(".json").is_some_and(|digest| digest.len() == 64))
                    .unwrap();
                files[at].1.push(b' ');
                archive(&files)
            },
            "is announced",
        ),
    ]
}

fn parts() -> Vec<Case> {
    let stored = decent().layers[0].stored.clone();
    let name = blob_name(&stored);
    let without = |name: &str| {
        let mut files = decent().oci();
        files.retain(|(other, _)| !other.starts_with(name));
        archive(&files)
    };
    let manifest = decent().manifest().to_string().into_bytes();
    vec![
        ("missing layer", without(&name), "is missing"),
        ("missing configuration and manifest", without("blobs/"), "is missing"),
        (
            "blob twice",
            {
                let mut files = decent().oci();
                files.push((format!("./{name}"), stored));
                archive(&files)
            },
            "occurs twice",
        ),
        (
            "index.json twice",
            {
                let mut files = decent().oci();
                files.push(("index.json".into(), index(&[]).to_string().into_bytes()));
                archive(&files)
            },
            "occurs twice",
        ),
        (
            "two images",
            {
                let mut other = decent();
                other.config["author"] = json!("somebody else");
                let other = other.manifest().to_string().into_bytes();
                with_index(&index(&[descriptor(MANIFEST, &manifest), descriptor(MANIFEST, &other)]))
            },
            "2 images",
        ),
        (
            "digest of another kind",
            with_manifest(|it| it["layers"][0]["digest"] = json!("md5:00")),
            "not a SHA-256",
        ),
        (
            "digest that is a path",
            with_manifest(|it| it["layers"][0]["digest"] = json!("sha256:../../../../canary/secret")),
            "not a SHA-256",
        ),
        (
            "link in place of a blob",
            {
                let mut files = decent().oci();
                files.retain(|(other, _)| *other != name);
                let tar = files.iter().fold(Tar::default(), |tar, (name, content)| tar.file(name, content));
                tar.link(&name, "../../../../../../canary/secret").end()
            },
            "is missing",
        ),
    ]
}

fn indexes() -> Vec<Case> {
    let manifest = decent().manifest().to_string().into_bytes();
    let for_machine = |os: &str, architecture: &str| {
        let mut entry = descriptor(MANIFEST, &manifest);
        entry["platform"] = json!({ "os": os, "architecture": architecture });
        entry
    };
    vec![
        (
            "no fitting platform",
            with_index(&index(&[for_machine("linux", "s390x"), for_machine("windows", ARCHITECTURE)])),
            "`linux/s390x`, `windows/",
        ),
        ("no image", with_index(&index(&[])), "no image at all"),
        (
            "configuration for another machine",
            {
                let mut image = decent();
                image.config["architecture"] = json!("riscv64");
                archive(&image.oci())
            },
            "linux/riscv64",
        ),
        (
            "indexes too deep",
            {
                let mut files = decent().oci();
                let mut entry = descriptor(MANIFEST, &manifest);
                for _ in 0..4 {
                    let content = index(&[entry]).to_string().into_bytes();
                    entry = descriptor(INDEX, &content);
                    files.push((blob_name(&content), content));
                }
                replace(&mut files, "index.json", index(&[entry]).to_string().into_bytes());
                archive(&files)
            },
            "indexes within indexes",
        ),
        (
            "index in itself",
            {
                let mut loops = descriptor(INDEX, b"");
                loops["digest"] = json!(format!("sha256:{}", "1".repeat(64)));
                let mut files = decent().oci();
                files.push((
                    format!("blobs/sha256/{}", "1".repeat(64)),
                    index(&[loops.clone()]).to_string().into_bytes(),
                ));
                loops["size"] = json!(files.last().unwrap().1.len());
                replace(&mut files, "index.json", index(&[loops]).to_string().into_bytes());
                archive(&files)
            },
            "is announced",
        ),
    ]
}

fn manifests() -> Vec<Case> {
    vec![
        (
            "manifest and index in one",
            with_manifest(|it| it["manifests"] = json!([])),
            "not an image manifest",
        ),
        ("manifest of version 1", with_manifest(|it| it["schemaVersion"] = json!(1)), "version 2"),
        (
            "unknown layer",
            with_manifest(|it| it["layers"][0]["mediaType"] = json!("application/x-\u{1b}[31m")),
            "not known",
        ),
        (
            "foreign layer",
            with_manifest(|it| {
                it["layers"][0]["mediaType"] =
                    json!("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip");
            }),
            "not known",
        ),
        (
            "unknown configuration",
            with_manifest(|it| it["config"]["mediaType"] = json!("application/vnd.wasm.config")),
            "not known",
        ),
    ]
}

fn contents() -> Vec<Case> {
    vec![
        (
            "manifest too large",
            with_manifest(|it| it["annotations"] = json!({ "a": "a".repeat(5 << 20) })),
            "may have 4194304",
        ),
        (
            "configuration too large",
            {
                let mut image = decent();
                image.config["history"] = json!("a".repeat(5 << 20));
                archive(&image.oci())
            },
            "may have 4194304",
        ),
        (
            "configuration too deep",
            {
                let mut files = decent().oci();
                replace(&mut files, "index.json", [b"[".repeat(1 << 20), b"]".repeat(1 << 20)].concat());
                archive(&files)
            },
            "not what it should be",
        ),
        (
            "index that is no JSON",
            {
                let mut files = decent().oci();
                replace(&mut files, "index.json", b"\xff\x00".to_vec());
                archive(&files)
            },
            "not what it should be",
        ),
        (
            "two images, docker save",
            {
                let mut files = decent().docker();
                replace(
                    &mut files,
                    "manifest.json",
                    br#"[{"Config":"a","Layers":[]},{"Config":"b","Layers":[]}]"#.to_vec(),
                );
                archive(&files)
            },
            "lists 2 images",
        ),
        (
            "no image in the archive",
            archive(&vec![("readme".into(), b"hello".to_vec())]),
            "neither `index.json`",
        ),
        ("empty archive", Tar::default().end(), "neither `index.json`"),
    ]
}

fn damage() -> Vec<Case> {
    let plain = decent_plain();
    let whole = archive(&decent().oci());
    let of = |stored: Vec<u8>| archive(&Image::new(vec![Layer { stored, ..Layer::plain(&plain) }]).oci());
    let packed = gzip(&plain);
    let unfilled = Tar::default().file("tool", b"#!").0[..512 + 2].to_vec();
    vec![
        ("nothing", Vec::new(), "neither `index.json`"),
        ("not an archive", b"MZ".repeat(4000), "checksum"),
        ("archive cut within a blob", whole[..512 + 20].to_vec(), "cut short"),
        ("archive cut within a header", whole[..100].to_vec(), "cut short"),
        ("gzip archive cut short", gzip(&whole)[..200].to_vec(), "cut short"),
        ("archive with data behind its end", [whole, b"trailing".to_vec()].concat(), "data follows the end"),
        ("layer cut short", of(plain[..=512].to_vec()), "within a file"),
        ("gzip layer cut short", of(packed[..packed.len() - 9].to_vec()), "cut short"),
        ("gzip layer with garbage behind it", of([packed, b"garbage".repeat(4)].concat()), "damaged data"),
        (
            "zstd layer with garbage behind it",
            of([zstd(&plain), b"garbage".repeat(4)].concat()),
            "damaged data",
        ),
        (
            "layer with data behind its end",
            of([plain.clone(), vec![1; 512]].concat()),
            "data follows the end",
        ),
        ("layer as umoci 0.4 writes it", of(unfilled), "umoci"),
        ("layer that is no archive", of(b"hello".repeat(500)), "checksum"),
        ("file cut short", of(Tar::default().file("tool", &[1; 5000]).0[..2000].to_vec()), "within a file"),
    ]
}
