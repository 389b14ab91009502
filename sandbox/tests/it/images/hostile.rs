//! Archives that must be refused, each with a word of the reason.

use serde_json::{Value, json};

use super::craft::{Files, Image, Layer, Meta, Tar, archive, gzip, zstd};
use super::lies::{self, decent};

/// An archive and what its refusal must say.
pub(crate) struct Hostile {
    pub(crate) name: &'static str,
    pub(crate) archive: Vec<u8>,
    pub(crate) says: &'static str,
}

/// All of them. Paths that lead out aim at the folder `canary`, an absolute path.
pub(crate) fn corpus(canary: &str) -> Vec<Hostile> {
    [paths(canary), kinds(), bombs(), lies::cases(), starts()]
        .into_iter()
        .flatten()
        .map(|(name, archive, says)| Hostile { name, archive, says })
        .collect()
}

/// Name, archive, a word of the reason.
pub(crate) type Case = (&'static str, Vec<u8>, &'static str);

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
