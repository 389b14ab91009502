//! Archives that must be refused, each with a word of the reason.

use serde_json::{Value, json};

use super::craft::{
    ARCHITECTURE, Files, INDEX, Image, Layer, MANIFEST, Meta, Tar, archive, blob_name, descriptor, gzip,
    index, zstd,
};

/// An archive and what its refusal must say.
pub(crate) struct Hostile {
    pub(crate) name: &'static str,
    pub(crate) archive: Vec<u8>,
    pub(crate) says: &'static str,
}

/// All of them. Paths that lead out aim at the folder `canary`, an absolute path.
pub(crate) fn corpus(canary: &str) -> Vec<Hostile> {
    [paths(canary), kinds(), bombs(), lies(), documents(), damage(), starts()]
        .into_iter()
        .flatten()
        .map(|(name, archive, says)| Hostile { name, archive, says })
        .collect()
}

type Case = (&'static str, Vec<u8>, &'static str);

/// An archive with one layer.
fn layer(tar: Tar) -> Vec<u8> {
    layers(vec![tar])
}

fn layers(tars: Vec<Tar>) -> Vec<u8> {
    let layers = tars.into_iter().map(|tar| Layer::gzip(&tar.end())).collect();
    archive(&Image::new(layers).oci())
}

/// Up to the root of all, and down again.
fn out(canary: &str) -> String {
    format!("{}{canary}", "../".repeat(12))
}

fn paths(canary: &str) -> Vec<Case> {
    let tar = Tar::default;
    let out = out(canary);
    let any = Meta { mode: 0o644, user: 0, group: 0 };
    vec![
        ("traversal", layer(tar().file(&format!("{out}/planted"), b"x")), "leads up"),
        ("traversal within", layer(tar().file(&format!("a/{out}/planted"), b"x")), "leads up"),
        ("traversal of a folder", layer(tar().folder("..")), "leads up"),
        (
            "traversal in a long name",
            layer(tar().file(&format!("{}/../x", "a/".repeat(90)), b"x")),
            "leads up",
        ),
        (
            "traversal in an extended header",
            layer(tar().pax(&[("path", format!("{out}/planted").as_bytes())]).file("innocent", b"x")),
            "leads up",
        ),
        (
            "write through a link to nowhere",
            layer(tar().link("way", "/no/such/folder").file("way/planted", b"x")),
            "leads nowhere",
        ),
        (
            "write through a chain of links",
            {
                let chain = (0..50).fold(tar(), |tar, n| tar.link(&format!("l{n}"), &format!("l{}", n + 1)));
                layer(chain.file("l0/x", b"x"))
            },
            "too many links",
        ),
        ("write through a link to itself", layer(tar().link("a", "a").file("a/x", b"x")), "too many links"),
        ("write below a file", layer(tar().file("a", b"").file("a/x", b"x")), "not a folder"),
        ("hard link out, upwards", layer(tar().hard_link("h", &format!("{out}/secret"))), "leads up"),
        ("hard link out, absolute", layer(tar().hard_link("h", &format!("{canary}/secret"))), "not there"),
        (
            "hard link through a link",
            layer(tar().link("way", &out).hard_link("h", "way/secret")),
            "not there",
        ),
        ("hard link to a folder", layer(tar().folder("d").hard_link("h", "d")), "to a folder"),
        ("hard link to the root", layer(tar().hard_link("h", "/")), "root folder"),
        (
            "whiteout of what is above",
            layers(vec![tar().folder("a"), tar().file("a/.wh...", b"")]),
            "whiteout",
        ),
        ("whiteout of its folder", layers(vec![tar().folder("a"), tar().file("a/.wh..", b"")]), "whiteout"),
        ("whiteout of no name", layer(tar().file(".wh.", b"")), "whiteout"),
        ("root replaced by a file", layer(tar().file(".", b"x")), "root folder"),
        ("root replaced by a link", layer(tar().link("/", canary)), "root folder"),
        ("name not UTF-8", layer(tar().entry(b'0', b"caf\xe9", b"", b"", any)), "UTF-8"),
        ("link not UTF-8", layer(tar().entry(b'2', b"l", b"caf\xe9", b"", any)), "UTF-8"),
        ("NUL in a name", layer(tar().pax(&[("path", b"a\0b")]).file("a", b"")), "NUL"),
        ("NUL in a link", layer(tar().pax(&[("linkpath", b"a\0b")]).link("a", "a")), "NUL"),
        ("link to nothing", layer(tar().link("a", "")), "0 bytes"),
        ("enormous path", layer(tar().file(&"long/".repeat(2000), b"")), "at most 4096"),
        ("enormous name", layer(tar().file(&"n".repeat(300), b"")), "longer than 255"),
        ("enormous link", layer(tar().link("a", &"n".repeat(5000))), "5000 bytes"),
        ("too deep", layer(tar().folder(&"d/".repeat(200))), "folders deep"),
        (
            "too deep behind links",
            {
                let (half, rest) = ("d/".repeat(100), "e/".repeat(100));
                layer(tar().folder(&half).link("l", &half).folder(&format!("l/{rest}")))
            },
            "folders deep",
        ),
    ]
}

fn kinds() -> Vec<Case> {
    let any = Meta { mode: 0o666, user: 0, group: 0 };
    let kind = |kind: u8| layer(Tar::default().entry(kind, b"etc/thing", b"", b"", any));
    vec![
        ("character device", kind(b'3'), "device"),
        ("block device", kind(b'4'), "device"),
        ("named pipe", kind(b'6'), "pipe"),
        ("unknown kind", kind(b'V'), "not known"),
        ("sparse file", kind(b'S'), "sparse"),
        (
            "sparse file of a newer kind",
            layer(Tar::default().pax(&[("GNU.sparse.realsize", b"99999999999")]).file("a", b"")),
            "sparse",
        ),
        ("two sizes", layer(Tar::default().pax(&[("size", b"7")]).file("a", b"abc")), "two sizes"),
        ("size without number", layer(Tar::default().pax(&[("size", b"-7")]).file("a", b"abc")), "no number"),
        (
            "extended header without end",
            layer(Tar::default().header(b'x', b"pax", b"", 1 << 40, any)),
            "extended tar header",
        ),
        (
            "long name without end",
            layer(Tar::default().header(b'L', b"long", b"", 1 << 40, any)),
            "extended tar header",
        ),
    ]
}

/// Layers that try to get out and are contained: they unpack, and what they plant lies in the root, at the path given.
pub(crate) fn contained(canary: &str) -> Vec<(&'static str, Vec<u8>, String)> {
    let tar = Tar::default;
    let out = out(canary);
    let planted = format!("{canary}/planted");
    let through = |target: &str| layer(tar().folder(canary).link("way", target).file("way/planted", b"x"));
    vec![
        ("absolute name", layer(tar().file(&planted, b"x")), planted.clone()),
        ("through a link that leads up", through(&out), planted.clone()),
        ("through an absolute link", through(canary), planted),
        (
            "over a link that leads out",
            layer(tar().link("a", &format!("{out}/secret")).file("a", b"x")),
            "/a".into(),
        ),
        (
            "a folder over a link that leads out",
            layer(tar().link("a", &out).folder("a").file("a/secret", b"x")),
            "/a/secret".into(),
        ),
        (
            "whiteout through a link that leads up",
            layers(vec![tar().link("way", &out).file("x", b"x"), tar().file("way/.wh.secret", b"")]),
            "/x".into(),
        ),
        (
            "opaque folder behind a link that leads up",
            layers(vec![
                tar().folder(canary).link("way", &out),
                tar().file("way/.wh..wh..opq", b"").file("x", b"x"),
            ]),
            "/x".into(),
        ),
    ]
}

fn bombs() -> Vec<Case> {
    let any = Meta { mode: 0o644, user: 0, group: 0 };
    let of = |layer: Layer| archive(&Image::new(vec![layer]).oci());
    let header = Tar::default().header(b'0', b"zeros", b"", 10 << 30, any).0;
    // 10 GB of zeros in members of 16 MiB each.
    let zeros = gzip(&vec![0; 16 << 20]).repeat(640);
    // A frame that asks for a window of 2 GiB, and one empty last block.
    let window = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xa8, 0x01, 0x00, 0x00].to_vec();
    // Half a million files that are left out, so that only their headers count.
    let many = gzip(&Tar::default().file("dev/e", b"").0.repeat(1 << 17)).repeat(4);
    vec![
        ("gzip bomb", of(Layer::stored([gzip(&header), zeros.clone()].concat())), "50 times"),
        ("zstd bomb", of(Layer::stored(zstd(&[header, vec![0; 96 << 20]].concat()))), "50 times"),
        ("zstd window", of(Layer::stored(window)), "damaged data"),
        ("bomb of entries", of(Layer::stored(many)), "50 times"),
        (
            "archive that is a bomb",
            [gzip(&Tar::default().header(b'0', b"zeros", b"", 10 << 30, any).0), zeros].concat(),
            "50 times",
        ),
        (
            "archive of too many files",
            {
                let files: Files = (0..10_001).map(|n| (n.to_string(), Vec::new())).collect();
                archive(&files)
            },
            "more than 10000 files",
        ),
        (
            "too many layers",
            {
                let empty = Layer::gzip(&Tar::default().end());
                archive(&Image::new(vec![empty; 128]).oci())
            },
            "more than 127 layers",
        ),
    ]
}

/// A decent image.
fn decent() -> Image {
    Image::new(vec![Layer::gzip(&Tar::default().file("tool", b"#!").end())])
}

/// The image's layout with one of its documents changed; the digests follow where they can.
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

fn lies() -> Vec<Case> {
    let stored = decent().layers[0].stored.clone();
    let name = blob_name(&stored);
    let without = |name: &str| {
        let mut files = decent().oci();
        files.retain(|(other, _)| !other.starts_with(name));
        archive(&files)
    };
    let manifest = decent().manifest().to_string().into_bytes();
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
                    .position(|(name, _)| name.ends_with(".json") && name != "manifest.json")
                    .unwrap();
                files[at].1.push(b' ');
                archive(&files)
            },
            "is announced",
        ),
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

fn decent_plain() -> Vec<u8> {
    Tar::default().file("tool", b"#!").end()
}

fn documents() -> Vec<Case> {
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
        ("layer cut short", of(plain[..512 + 1].to_vec()), "within a file"),
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

fn starts() -> Vec<Case> {
    let wants = |config: Value| archive(&decent().wants(config).oci());
    let user = |user: &str| wants(json!({ "Cmd": ["/tool"], "User": user }));
    let many: Vec<String> = (0..3000).map(|n| format!("V{n}=1")).collect();
    vec![
        ("no command", wants(json!({})), "neither entrypoint nor command"),
        ("empty command", wants(json!({ "Cmd": [""] })), "neither entrypoint nor command"),
        ("NUL in the command", wants(json!({ "Cmd": ["/tool\u{0}"] })), "NUL"),
        ("too many variables", wants(json!({ "Cmd": ["/tool"], "Env": many })), "too many"),
        (
            "too long a label",
            wants(json!({ "Cmd": ["/tool"], "Labels": { "a": "a".repeat(200_000) } })),
            "131072 bytes",
        ),
        ("relative working folder", wants(json!({ "Cmd": ["/tool"], "WorkingDir": "work" })), "not absolute"),
        ("working folder above", wants(json!({ "Cmd": ["/tool"], "WorkingDir": "/../canary" })), "leads up"),
        (
            "working folder that is a file",
            wants(json!({ "Cmd": ["/tool"], "WorkingDir": "/tool" })),
            "not a folder",
        ),
        ("unknown user", user("nobody-here"), "not in the image's /etc/passwd"),
        ("unknown group", user("1000:nobody-here"), "not in the image's /etc/group"),
        ("user too large", user("4294967296"), "too large"),
        ("user beyond the map", user("70000"), "65536 or more"),
        (
            "users in a link that leads out",
            archive(
                &Image::new(vec![Layer::gzip(&Tar::default().link("etc", "../../../../../../canary").end())])
                    .wants(json!({ "Cmd": ["/tool"], "User": "planted" }))
                    .oci(),
            ),
            "not in the image's /etc/passwd",
        ),
    ]
}
