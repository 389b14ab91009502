//! What is the same for all cases of an image: program, user, environment, places of its folders.

use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Component, Path, PathBuf};

use fiel_schemas::api::FailureReason;
use rustix::fs::{Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

use super::cdi::{Edits, Node};
use crate::confine::NOBODY;
use crate::image::{Image, ImageConfig};
use crate::types::{Api, Dialect, Refusal};

/// Label of an image that names its dialect.
const DIALECT: &str = "eu.fiel.dialect";

/// Label with which Grand Challenge tells both of its interfaces apart.
const API_METHOD: &str = "org.grand-challenge.api-method";

/// Largest user table that is read.
const USERS_BYTES: u64 = 1 << 20;

/// Search path of an image that sets none.
const SEARCH_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A folder or file of the node that a container sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Bind {
    pub(super) source: Source,
    pub(super) destination: PathBuf,
    pub(super) writable: bool,
}

/// What is bound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Source {
    /// The case's `input` of the lane.
    Input,
    /// The case's `output` of the lane.
    Output,
    /// Something of the host; only the engine's own canary gets that, and what the site's devices need.
    Host(PathBuf),
}

impl Bind {
    pub(super) fn new(source: Source, destination: &str) -> Self {
        Self { writable: source == Source::Output, source, destination: destination.into() }
    }

    /// As the runtime specification writes it.
    pub(super) fn options(&self) -> &'static [&'static str] {
        match (&self.source, self.writable) {
            (_, true) => &["bind", "nosuid", "nodev", "noexec", "rw"],
            (Source::Host(_), false) => &["bind", "nosuid", "nodev", "ro"],
            (_, false) => &["bind", "nosuid", "nodev", "noexec", "ro"],
        }
    }
}

/// What is run, the same for every case.
#[derive(Debug, Clone)]
pub(super) struct Recipe {
    pub(super) rootfs: PathBuf,
    pub(super) argv: Vec<String>,
    pub(super) env: Vec<(String, String)>,
    pub(super) cwd: String,
    pub(super) user: u32,
    pub(super) group: u32,
    pub(super) binds: Vec<Bind>,
    /// Devices of the host.
    pub(super) devices: Vec<Node>,
}

impl Recipe {
    /// Nothing to run yet, as nobody.
    pub(super) fn empty(rootfs: &Path) -> Self {
        Self {
            rootfs: rootfs.to_owned(),
            argv: Vec::new(),
            env: Vec::new(),
            cwd: "/".to_owned(),
            user: NOBODY,
            group: NOBODY,
            binds: vec![Bind::new(Source::Input, "/input"), Bind::new(Source::Output, "/output")],
            devices: Vec::new(),
        }
    }

    /// How to run an image.
    pub(super) fn of(image: &Image, dialect: Dialect) -> Self {
        let config = &image.config;
        let user = if config.user == 0 { NOBODY } else { config.user };
        let group = if config.group == 0 { NOBODY } else { config.group };
        let mut recipe = Self {
            argv: config.argv.clone(),
            cwd: config.cwd.clone(),
            env: environment(config, &home(&image.rootfs, user)),
            user,
            group,
            ..Self::empty(&image.rootfs)
        };
        if dialect == Dialect::MedPerf {
            let volume = |name: &str| format!("/mlcommons/volumes/{name}");
            recipe.binds.push(Bind::new(Source::Input, &volume("data")));
            recipe.binds.push(Bind::new(Source::Output, &volume("predictions")));
        }
        recipe
    }

    /// The same with the site's devices; their variables have the last word.
    pub(super) fn with(mut self, devices: &Edits) -> Self {
        self.env.retain(|(name, _)| devices.env.iter().all(|(taken, _)| taken != name));
        self.env.extend(devices.env.iter().cloned());
        self.binds.extend(devices.binds.iter().cloned());
        self.devices.extend(devices.nodes.iter().cloned());
        self
    }

    /// Makes the folders and files on which the container's file systems are mounted. An image's own links are followed within
    /// the image only.
    pub(super) fn make_places(&self, owner: u32) -> std::io::Result<()> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = rustix::fs::open(&self.rootfs, flags, Mode::empty())?;
        let usual = ["/proc", "/dev", "/sys", "/tmp"].map(Path::new);
        let (files, folders): (Vec<&Bind>, Vec<&Bind>) =
            self.binds.iter().partition(|bind| matches!(&bind.source, Source::Host(path) if !path.is_dir()));
        for path in folders.iter().map(|bind| bind.destination.as_path()).chain(usual) {
            make_folder(&root, path, owner)?;
        }
        // Below `/dev` lies a memory file system, in which the runtime makes its places.
        for path in
            files.iter().map(|bind| bind.destination.as_path()).filter(|path| !path.starts_with("/dev"))
        {
            make_file(&root, path, owner)?;
        }
        // The runtime gives the memory file system the mode of the folder it covers.
        let temporary = open_within(&root, Path::new("tmp"))?;
        let temporary = rustix::fs::openat(&temporary, ".", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
        Ok(rustix::fs::fchmod(&temporary, Mode::from_raw_mode(0o1777))?)
    }
}

fn open_within(root: &OwnedFd, path: &Path) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::openat2(root, path, flags, Mode::empty(), ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS)
}

fn make_folder(root: &OwnedFd, path: &Path, owner: u32) -> rustix::io::Result<()> {
    let mut so_far = PathBuf::from(".");
    let mut parent = open_within(root, &so_far)?;
    for name in path.components().filter(|part| matches!(part, Component::Normal(_))) {
        so_far.push(name);
        parent = match open_within(root, &so_far) {
            Err(Errno::NOENT) => {
                rustix::fs::mkdirat(&parent, name.as_os_str(), Mode::from_raw_mode(0o755))?;
                let made = open_within(root, &so_far)?;
                if owner != 0 {
                    let ids = (rustix::process::Uid::from_raw(owner), rustix::process::Gid::from_raw(owner));
                    let this = rustix::fs::AtFlags::EMPTY_PATH;
                    rustix::fs::chownat(made.as_fd(), "", Some(ids.0), Some(ids.1), this)?;
                }
                made
            }
            other => other?,
        };
    }
    Ok(())
}

/// Makes an empty file unless something is there.
fn make_file(root: &OwnedFd, path: &Path, owner: u32) -> rustix::io::Result<()> {
    let (folder, name) = (path.parent().unwrap_or(path), path.file_name().unwrap_or_default());
    make_folder(root, folder, owner)?;
    let folder = open_within(root, folder)?;
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
    match rustix::fs::openat(&folder, name, flags, Mode::from_raw_mode(0o644)) {
        Ok(_) | Err(Errno::EXIST) => Ok(()),
        Err(error) => Err(error),
    }
}

/// The image's own variables, then the platform's.
fn environment(config: &ImageConfig, home: &str) -> Vec<(String, String)> {
    let platform = [
        ("HOME", home),
        ("LOG_LEVEL", "INFO"),
        ("PYTHONUNBUFFERED", "1"),
        ("no_proxy", "localhost,127.0.0.1"),
    ];
    let own = config.env.iter().filter(|(name, _)| {
        !name.starts_with("GRAND_CHALLENGE_") && platform.iter().all(|(taken, _)| taken != name)
    });
    let mut all: Vec<_> = own.cloned().collect();
    if !all.iter().any(|(name, _)| name == "PATH") {
        all.push(("PATH".to_owned(), SEARCH_PATH.to_owned()));
    }
    all.extend(platform.map(|(name, value)| (name.to_owned(), value.to_owned())));
    all
}

/// The user's home by the image's own table, `/` where it has none.
fn home(rootfs: &Path, user: u32) -> String {
    let read = || -> Option<String> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let root = rustix::fs::open(rootfs, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).ok()?;
        let within = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        let file = rustix::fs::openat2(&root, "etc/passwd", flags, Mode::empty(), within).ok()?;
        let mut text = String::new();
        std::fs::File::from(file).take(USERS_BYTES).read_to_string(&mut text).ok()?;
        text.lines().find_map(|line| {
            let mut fields = line.split(':').skip(2);
            let id: u32 = fields.next()?.parse().ok()?;
            fields.nth(2).filter(|home| id == user && home.starts_with('/')).map(str::to_owned)
        })
    };
    read().unwrap_or_else(|| "/".to_owned())
}

/// How files pass to and from an image, by its labels.
pub(super) fn dialect(config: &ImageConfig) -> Result<Dialect, Refusal> {
    let value = config.labels.get(DIALECT).map(|value| plain(value));
    match value.as_deref() {
        None | Some("grand-challenge") => Ok(Dialect::GrandChallenge),
        Some("fiel") => Ok(Dialect::Fiel),
        Some("medperf") => Ok(Dialect::MedPerf),
        Some(_) => Err(bad_label(DIALECT, "fiel, grand-challenge or medperf")),
    }
}

/// How an image is called, by its labels.
pub(super) fn api(config: &ImageConfig) -> Result<Api, Refusal> {
    let value = config.labels.get(API_METHOD).map(|value| plain(value));
    match value.as_deref() {
        None | Some("exec") => Ok(Api::Exec),
        Some("invoke") => Ok(Api::Invoke),
        Some(_) => Err(bad_label(API_METHOD, "exec or invoke")),
    }
}

fn plain(value: &str) -> String {
    value.trim().trim_matches(['"', '\'']).to_lowercase()
}

fn bad_label(label: &str, allowed: &str) -> Refusal {
    Refusal {
        reason: FailureReason::ImageInvalid,
        message: format!("the image's label `{label}` must be {allowed}; set it and submit again"),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn config(labels: &[(&str, &str)]) -> ImageConfig {
        let labels = labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        ImageConfig {
            user: 0,
            group: 0,
            argv: vec!["/model".to_owned()],
            env: vec![
                ("GRAND_CHALLENGE_TOKEN".to_owned(), "secret".to_owned()),
                ("LOG_LEVEL".to_owned(), "DEBUG".to_owned()),
                ("MINE".to_owned(), "1".to_owned()),
            ],
            cwd: "/".to_owned(),
            labels: labels.collect::<BTreeMap<_, _>>(),
        }
    }

    #[test]
    fn labels_choose_dialect_and_interface() {
        let plain = config(&[]);
        assert_eq!((dialect(&plain).unwrap(), api(&plain).unwrap()), (Dialect::GrandChallenge, Api::Exec));
        let both = config(&[(DIALECT, "Fiel"), (API_METHOD, " \"INVOKE\" ")]);
        assert_eq!((dialect(&both).unwrap(), api(&both).unwrap()), (Dialect::Fiel, Api::Invoke));
        let wrong = config(&[(DIALECT, "docker"), (API_METHOD, "grpc")]);
        for refusal in [dialect(&wrong).unwrap_err(), api(&wrong).unwrap_err()] {
            assert_eq!(refusal.reason, FailureReason::ImageInvalid);
            assert!(!refusal.message.contains("docker") && !refusal.message.contains("grpc"), "{refusal}");
        }
    }

    #[test]
    fn the_platform_has_the_last_word_on_the_environment() {
        let all = environment(&config(&[]), "/home/x");
        let value = |name: &str| {
            let found: Vec<_> = all.iter().filter(|(key, _)| key == name).collect();
            (found.len() == 1).then(|| found[0].1.as_str())
        };
        assert_eq!(value("LOG_LEVEL"), Some("INFO"));
        assert_eq!((value("MINE"), value("HOME")), (Some("1"), Some("/home/x")));
        assert_eq!((value("PATH"), value("GRAND_CHALLENGE_TOKEN")), (Some(SEARCH_PATH), None));
    }

    #[test]
    fn places_are_made_within_the_image_only() {
        let outside = tempfile::tempdir().unwrap();
        let image = tempfile::tempdir().unwrap();
        let root = image.path();
        std::os::unix::fs::symlink(outside.path(), root.join("output")).unwrap();
        std::os::unix::fs::symlink("../../../..", root.join("input")).unwrap();
        std::fs::create_dir(root.join("etc")).unwrap();
        std::fs::write(root.join("etc/passwd"), "root:x:0:0::/root:/bin/sh\nu:x:1000:1:,:/home/u:\nbad\n")
            .unwrap();
        let recipe = Recipe::empty(root);
        // A link to a folder that is not within the image leads nowhere.
        assert!(recipe.make_places(0).is_err());
        std::fs::remove_file(root.join("output")).unwrap();
        recipe.make_places(0).unwrap();
        assert!(root.join("output").is_dir() && root.join("proc").is_dir());
        assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 0);
        assert_eq!((home(root, 1000), home(root, 7)), ("/home/u".to_owned(), "/".to_owned()));
    }
}
