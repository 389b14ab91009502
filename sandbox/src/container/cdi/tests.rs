use std::os::unix::fs::PermissionsExt;

use serde_json::json;

use super::registry::Registry;
use super::*;

fn registry(files: &[(&str, &str)]) -> (tempfile::TempDir, Registry) {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        write(&folder.path().join(name), text);
    }
    let registry = Registry::read(&[folder.path().to_owned()]);
    (folder, registry)
}

fn write(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o644)).unwrap();
}

fn resolve(registry: &Registry, name: &str) -> Result<Edits, String> {
    registry.resolve(&[name.to_owned()])
}

/// In the form in which `nvidia-ctk` writes it.
const YAML: &str = "\
---
cdiVersion: 0.5.0
containerEdits:
  env:
  - A=1
  - B=2
  hooks:
  - args:
    - nvidia-cdi-hook
    - update-ldcache
    - --folder
    - /usr/lib64
    hookName: createContainer
    path: /usr/bin/nvidia-cdi-hook
devices:
- containerEdits:
    additionalGids: [44]
    deviceNodes:
    - hostPath: /dev/zero
      path: /dev/mine
      permissions: rwm
    env:
    - B=3=4
    mounts:
    - containerPath: /usr/lib/driver
      hostPath: /etc/passwd
      options:
      - rw
      - bind
  name: \"0\"
kind: fiel.eu/test
";

fn device(edits: &serde_json::Value) -> String {
    let devices = json!([{"name": "d", "containerEdits": edits}]);
    json!({"cdiVersion": "0.6.0", "kind": "v/c", "devices": devices}).to_string()
}

#[test]
fn json_and_yaml_say_the_same() {
    let (_folder, yaml) = registry(&[("a.yaml", YAML)]);
    let json = r#"{"cdiVersion": "1.0.0", "kind": "fiel.eu/test", "containerEdits": {"env": ["A=1", "B=2"]},
        "devices": [{"name": "0", "containerEdits": {"env": ["B=3=4"],
        "deviceNodes": [{"path": "/dev/mine", "hostPath": "/dev/zero", "type": "c", "major": 1, "minor": 5}],
        "mounts": [{"hostPath": "/etc/passwd", "containerPath": "/usr/lib/driver"}]}}]}"#;
    let (_other, json) = registry(&[("a.json", json), ("notes.txt", "{")]);
    let edits = resolve(&yaml, "fiel.eu/test=0").unwrap();
    assert_eq!(edits, resolve(&json, "fiel.eu/test=0").unwrap());
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(edits.env, [pair("A", "1"), pair("B", "3=4")]);
    let node = &edits.nodes[0];
    assert_eq!((node.kind, node.major, node.minor, node.access.as_str()), ("c", 1, 5, "rw"));
    assert_eq!(edits.binds[0].options(), ["bind", "nosuid", "nodev", "ro"]);
    assert_eq!(json.report(&[])[0].left_out, [""; 0]);
    let [told] = &yaml.report(&[])[..] else { panic!("one device is described") };
    assert_eq!((told.problem.as_ref(), &told.nodes[..]), (None, &[(PathBuf::from("/dev/zero"), true)][..]));
    let hook = "its createContainer hook `/usr/bin/nvidia-cdi-hook update-ldcache` is not run";
    assert_eq!(told.left_out, [hook, "models are not put into its groups 44"]);
}

#[test]
#[expect(clippy::too_many_lines, reason = "one table of what can be wrong")]
fn an_edit_that_cannot_be_made_is_said_with_its_file_and_field() {
    for (edits, field, words) in [
        (json!({"deviceNodes": [{"path": "/dev/none-such"}]}), "`deviceNodes`", "/dev/none-such"),
        (
            json!({"deviceNodes": [{"path": "/dev/x", "hostPath": "/etc/passwd"}]}),
            "`deviceNodes`",
            "not a device",
        ),
        (
            json!({"deviceNodes": [{"path": "/dev/x", "hostPath": "dev/zero"}]}),
            "`deviceNodes.hostPath`",
            "begin with `/`",
        ),
        (
            json!({"deviceNodes": [{"path": "/etc/x", "hostPath": "/dev/zero"}]}),
            "`deviceNodes.path`",
            "below /dev",
        ),
        (
            json!({"deviceNodes": [{"path": "/dev/../x", "hostPath": "/dev/zero"}]}),
            "`deviceNodes.path`",
            "below /dev",
        ),
        (
            json!({"deviceNodes": [{"path": "dev/x", "hostPath": "/dev/zero"}]}),
            "`deviceNodes.path`",
            "below /dev",
        ),
        (
            json!({"deviceNodes": [{"path": "/dev/shm/x", "hostPath": "/dev/zero"}]}),
            "`deviceNodes.path`",
            "below /dev",
        ),
        (
            json!({"deviceNodes": [{"path": "/dev/null", "hostPath": "/dev/zero"}]}),
            "`deviceNodes.path`",
            "below /dev",
        ),
        (
            json!({"deviceNodes": [{"path": "/dev/x", "hostPath": "/dev/zero", "minor": 6}]}),
            "`deviceNodes`",
            "c 1:5",
        ),
        (
            json!({"deviceNodes": [{"path": "/dev/x", "hostPath": "/dev/zero", "type": "b"}]}),
            "`deviceNodes`",
            "c 1:5",
        ),
        (
            json!({"deviceNodes": [{"path": "/dev/x", "hostPath": "/dev/zero", "permissions": "x"}]}),
            "`deviceNodes.permissions`",
            "`rw`",
        ),
        (
            json!({"mounts": [{"hostPath": "/", "containerPath": "/host"}]}),
            "`mounts.hostPath`",
            "whole machine",
        ),
        (
            json!({"mounts": [{"hostPath": "/etc/..", "containerPath": "/host"}]}),
            "`mounts.hostPath`",
            "whole machine",
        ),
        (
            json!({"mounts": [{"hostPath": "etc", "containerPath": "/x"}]}),
            "`mounts.hostPath`",
            "begin with `/`",
        ),
        (
            json!({"mounts": [{"hostPath": "/etc", "containerPath": "/"}]}),
            "`mounts.containerPath`",
            "below /",
        ),
        (
            json!({"mounts": [{"hostPath": "/etc", "containerPath": "/dev"}]}),
            "`mounts.containerPath`",
            "below /",
        ),
        (
            json!({"mounts": [{"hostPath": "/etc", "containerPath": "/input/x"}]}),
            "`mounts.containerPath`",
            "`/input/x`",
        ),
        (
            json!({"mounts": [{"hostPath": "/etc", "containerPath": "/x", "type": "tmpfs"}]}),
            "`mounts.type`",
            "`tmpfs`",
        ),
        (json!({"mounts": [{"hostPath": "/none-such", "containerPath": "/x"}]}), "`mounts`", "/none-such"),
        (json!({"env": ["=1"]}), "`env`", "NAME=VALUE"),
    ] {
        let (_folder, registry) = registry(&[("a.json", &device(&edits))]);
        let error = resolve(&registry, "v/c=d").unwrap_err();
        for words in [field, words, "a.json", "`v/c=d`"] {
            assert!(error.contains(words), "{words}: {error}");
        }
    }
}

#[test]
fn a_node_that_models_could_not_open_says_so() {
    let (_folder, registry) =
        registry(&[("a.json", &device(&json!({"deviceNodes": [{"path": "/dev/kmsg"}]})))]);
    let error = resolve(&registry, "v/c=d").unwrap_err();
    assert!(error.contains("chmod o+rw"), "{error}");
}

#[test]
fn a_file_that_is_no_specification_is_left_out_with_the_reason() {
    let spec = |version: &str, kind: &str, name: &str| {
        json!({"cdiVersion": version, "kind": kind, "devices": [{"name": name}]}).to_string()
    };
    let huge = " ".repeat((1 << 20) + 1);
    let unknown = json!({"netDevices": []});
    let deep = "[".repeat(100_000);
    for (file, text, words) in [
        ("a.json", "{", "EOF"),
        ("a.json", deep.as_str(), "recursion"),
        ("a.yaml", "kind: [\n", "line"),
        ("a.json", "{}", "`cdiVersion` is ``"),
        ("a.json", &spec("0.2.0", "v/c", "d"), "`cdiVersion` is `0.2.0`; versions 0.3.0 to 1.0.0"),
        ("a.json", &spec("2.0.0", "v/c", "d"), "`cdiVersion` is `2.0.0`; versions 0.3.0 to 1.0.0"),
        ("a.json", &spec("0.6.0", "vc", "d"), "`kind` is `vc`"),
        ("a.json", &spec("0.6.0", "v/c/e", "d"), "`kind` is `v/c/e`"),
        ("a.json", &spec("0.6.0", "v/c", "d=1"), "`devices.name` is `d=1`"),
        ("a.json", &spec("0.6.0", "v/c", ""), "`devices.name` is ``"),
        ("a.json", r#"{"cdiVersion":"0.6.0","kind":"v/c","devices":[]}"#, "`devices` has 0 entries"),
        ("a.json", &device(&unknown), "`netDevices`"),
        ("a.json", &huge, "1048577 bytes"),
    ] {
        let (folder, registry) = registry(&[(file, text)]);
        let error = resolve(&registry, "v/c=d").unwrap_err();
        let place = folder.path().join(file);
        for words in [words, place.to_str().unwrap(), "known: none", "`engines.devices`"] {
            assert!(error.contains(words), "{words}: {error}");
        }
        assert_eq!(registry.report(&[]).len(), 1, "the broken file");
    }
}

#[test]
fn what_others_could_write_is_not_believed() {
    let (folder, _) = registry(&[("a.json", &device(&json!({})))]);
    let file = folder.path().join("a.json");
    let chmod =
        |path: &Path, mode| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    let read = || resolve(&Registry::read(&[folder.path().to_owned()]), "v/c=d");
    read().unwrap();
    chmod(&file, 0o664);
    assert!(read().unwrap_err().contains("a.json` and `chmod go-w"), "{:?}", read());
    chmod(&file, 0o644);
    chmod(folder.path(), 0o777);
    assert!(read().unwrap_err().contains("chmod go-w"), "a folder in which others could put files");
    chmod(folder.path(), 0o755);
    std::fs::remove_file(&file).unwrap();
    std::os::unix::fs::symlink("/dev/zero", &file).unwrap();
    assert!(read().unwrap_err().contains("it is not a file"), "{:?}", read());
}

#[test]
fn the_later_folder_has_the_last_word_and_a_name_twice_in_one_is_nobody_s() {
    let spec = |value: &str| {
        let edits = json!({"env": [format!("X={value}")]});
        let devices = json!([{"name": "d"}]);
        json!({"cdiVersion": "0.8.0", "kind": "v/c", "containerEdits": edits, "devices": devices}).to_string()
    };
    let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    write(&first.path().join("z.json"), &spec("first"));
    write(&second.path().join("a.json"), &spec("second"));
    let folders = [first.path().to_owned(), second.path().to_owned()];
    let registry = Registry::read(&folders);
    assert_eq!(resolve(&registry, "v/c=d").unwrap().env[0].1, "second");
    assert_eq!(registry.report(&[]).len(), 1);
    write(&second.path().join("b.json"), &spec("third"));
    let error = resolve(&Registry::read(&folders), "v/c=d").unwrap_err();
    for words in ["a.json", "b.json", "`devices.name`", "remove one"] {
        assert!(error.contains(words), "{error}");
    }
}

#[test]
fn a_library_is_handed_on_under_the_name_by_which_programs_look_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let library = folder.path().join("libfiel.so.99");
    // Every program of this machine has one, whose name for programs is another than this file's.
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let libc = maps.split_whitespace().find(|word| word.ends_with("/libc.so.6")).unwrap();
    std::fs::copy(libc, &library).unwrap();
    assert_eq!(library::soname(&library).as_deref(), Some("libc.so.6"));
    let text = folder.path().join("notes.so.txt");
    std::fs::write(&text, b"\x7fELF and nothing of one").unwrap();
    assert_eq!(library::soname(&text), None);
    assert_eq!(library::soname(Path::new("/proc/self/exe")), None);
    assert_eq!(library::soname(&folder.path().join("none.so")), None);
    let mounts = |more: &[(&Path, &str)]| {
        let mut all = vec![
            (library.as_path(), "/usr/lib/gpu/libfiel.so.99"),
            (text.as_path(), "/usr/lib/gpu/notes.so.txt"),
        ];
        all.extend(more);
        let all: Vec<_> =
            all.iter().map(|(host, inside)| json!({"hostPath": host, "containerPath": inside})).collect();
        let (_folder, registry) = registry(&[("a.json", &device(&json!({ "mounts": all })))]);
        let binds = resolve(&registry, "v/c=d").unwrap().binds;
        let told = |bind: Bind| match bind.source {
            Source::Host(host) => (host, bind.destination.to_str().unwrap().to_owned(), bind.writable),
            other => panic!("{other:?}"),
        };
        binds.into_iter().map(told).collect::<Vec<_>>()
    };
    let at = |host: &Path, inside: &str| (host.canonicalize().unwrap(), inside.to_owned(), false);
    let given = [at(&library, "/usr/lib/gpu/libfiel.so.99"), at(&text, "/usr/lib/gpu/notes.so.txt")];
    let named = at(&library, "/usr/lib/gpu/libc.so.6");
    assert_eq!(mounts(&[]), [&given[..], &[named]].concat());
    // What a specification says itself has the last word.
    let own = at(&text, "/usr/lib/gpu/libc.so.6");
    assert_eq!(mounts(&[(&text, "/usr/lib/gpu/libc.so.6")]), [&given[..], &[own]].concat());
}
