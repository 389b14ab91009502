//! One CDI specification: a file of the site, read within bounds and checked against the form.

use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use fs_err as fs;
use fs_err::os::unix::fs::OpenOptionsExt as _;
use rustix::fs::OFlags;
use serde::Deserialize;

/// Largest specification that is read, bytes.
const SPEC_BYTES: u64 = 1 << 20;

/// Most devices of one specification, and most edits of one kind.
const ENTRIES: usize = 1_024;

/// Versions of the form that are understood; they differ in which fields may be there.
const VERSIONS: [&str; 7] = ["0.3.0", "0.4.0", "0.5.0", "0.6.0", "0.7.0", "0.8.0", "1.0.0"];

/// A specification. A field that is not known here is refused: what it asks for could not be kept.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Document {
    #[serde(rename = "cdiVersion")]
    version: String,
    /// `vendor/class`.
    pub(super) kind: String,
    pub(super) devices: Vec<Device>,
    #[serde(default)]
    pub(super) container_edits: Written,
    /// Remarks of the vendor.
    #[serde(default, rename = "annotations")]
    _annotations: serde_json::Value,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Device {
    pub(super) name: String,
    #[serde(default)]
    pub(super) container_edits: Written,
    #[serde(default, rename = "annotations")]
    _annotations: serde_json::Value,
}

/// Edits as a specification writes them.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub(super) struct Written {
    pub(super) env: Vec<String>,
    pub(super) device_nodes: Vec<WrittenNode>,
    pub(super) mounts: Vec<WrittenMount>,
    hooks: Vec<WrittenHook>,
    additional_gids: Vec<u32>,
    intel_rdt: serde_json::Value,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct WrittenNode {
    pub(super) path: PathBuf,
    pub(super) host_path: Option<PathBuf>,
    #[serde(rename = "type")]
    pub(super) kind: Option<String>,
    pub(super) major: Option<i64>,
    pub(super) minor: Option<i64>,
    pub(super) permissions: Option<String>,
    // Mode and owner of a node that would be made; the host's own is bound, and keeps its own.
    #[serde(rename = "fileMode")]
    _mode: Option<u32>,
    #[serde(rename = "uid")]
    _user: Option<u32>,
    #[serde(rename = "gid")]
    _group: Option<u32>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct WrittenMount {
    pub(super) host_path: PathBuf,
    pub(super) container_path: PathBuf,
    #[serde(rename = "type")]
    pub(super) kind: Option<String>,
    // Whatever is asked for, a bind is read-only, without devices and without programs that change their user.
    #[serde(default, rename = "options")]
    _options: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct WrittenHook {
    #[serde(rename = "hookName")]
    name: String,
    path: PathBuf,
    #[serde(default)]
    args: Vec<String>,
}

impl Written {
    /// What is asked for and not done, for the site's staff.
    pub(super) fn left_out(&self) -> Vec<String> {
        let hook = |hook: &WrittenHook| {
            // The first argument is the program's own name.
            let what = hook.args.get(1).map(|arg| format!(" {arg}")).unwrap_or_default();
            format!("its {} hook `{}{what}` is not run", hook.name, hook.path.display())
        };
        let mut out: Vec<String> = self.hooks.iter().map(hook).collect();
        if !self.additional_gids.is_empty() {
            let groups: Vec<String> = self.additional_gids.iter().map(u32::to_string).collect();
            out.push(format!("models are not put into its groups {}", groups.join(", ")));
        }
        if !self.intel_rdt.is_null() {
            out.push("its share of the processor's cache (`intelRdt`) is not set".to_owned());
        }
        out
    }

    fn check(&self) -> Result<(), String> {
        let counts = [self.env.len(), self.device_nodes.len(), self.mounts.len(), self.hooks.len()];
        if counts.into_iter().any(|count| count > ENTRIES) {
            return Err(format!("`containerEdits`: more than {ENTRIES} entries of one kind"));
        }
        Ok(())
    }
}

/// Whether a file is one that CDI looks at, by its name.
pub(super) fn is_one(file: &Path) -> bool {
    file.extension().is_some_and(|kind| kind == "json" || kind == "yaml")
}

/// Reads a specification. An error says which field is wrong and what to do.
pub(super) fn read(file: &Path) -> Result<Document, String> {
    let source = text(file)?;
    let value: serde_json::Value = if file.extension().is_some_and(|kind| kind == "json") {
        serde_json::from_str(&source).map_err(|error| error.to_string())?
    } else {
        fiel_schemas::validate::yaml_value(&source)?
    };
    // First, since a form that is not known has other fields.
    let version = value.get("cdiVersion").and_then(serde_json::Value::as_str).unwrap_or_default();
    if !VERSIONS.contains(&version) {
        return Err(format!(
            "`cdiVersion` is `{version}`; versions {} to {} are understood: have the vendor's tool write one of them, or \
             update the node",
            VERSIONS[0],
            VERSIONS[VERSIONS.len() - 1]
        ));
    }
    let document: Document = serde_json::from_value(value).map_err(|error| error.to_string())?;
    document.check()?;
    Ok(document)
}

/// The text of a file that only root and the node's own user can have written.
fn text(file: &Path) -> Result<String, String> {
    let said = |error: std::io::Error| error.to_string();
    // A pipe would otherwise be waited for.
    let flags = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or_default();
    let opened = fs::OpenOptions::new().read(true).custom_flags(flags).open(file).map_err(said)?;
    let found = opened.metadata().map_err(said)?;
    if !found.is_file() {
        return Err("it is not a file".to_owned());
    }
    trusted(file, &found)?;
    let mut source = Vec::new();
    opened.take(SPEC_BYTES + 1).read_to_end(&mut source).map_err(said)?;
    if source.len() as u64 > SPEC_BYTES {
        return Err(format!("it has {} bytes; at most {SPEC_BYTES} are read", found.len()));
    }
    String::from_utf8(source).map_err(|error| format!("it is not UTF-8 text: {error}"))
}

/// Refuses what somebody else than root and the node's own user can change.
pub(super) fn trusted(path: &Path, found: &std::fs::Metadata) -> Result<(), String> {
    let own = [0, rustix::process::geteuid().as_raw()].contains(&found.uid());
    if own && found.mode() & 0o022 == 0 {
        return Ok(());
    }
    let path = path.display();
    Err(format!(
        "{path} belongs to user {} with the mode {:04o}, so that others than root could change it; `chown root {path}` \
         and `chmod go-w {path}`",
        found.uid(),
        found.mode() & 0o7777
    ))
}

impl Document {
    fn check(&self) -> Result<(), String> {
        debug_assert!(VERSIONS.contains(&self.version.as_str()), "the version was looked at before");
        let (vendor, class) = self.kind.split_once('/').unwrap_or_default();
        if !(name(vendor, "-_.") && name(class, "-_.") && vendor.len() + class.len() <= 316) {
            return Err(format!(
                "`kind` is `{}`; it must be `vendor/class`, such as `nvidia.com/gpu`",
                self.kind
            ));
        }
        if self.devices.is_empty() || self.devices.len() > ENTRIES {
            return Err(format!("`devices` has {} entries; 1 to {ENTRIES} are read", self.devices.len()));
        }
        self.container_edits.check()?;
        for device in &self.devices {
            if !(name(&device.name, "-_.:") && device.name.len() <= 253) {
                return Err(format!(
                    "`devices.name` is `{}`; it must be of letters, digits and `-_.:`, with a letter or digit at both \
                     ends",
                    device.name
                ));
            }
            device.container_edits.check()?;
        }
        Ok(())
    }
}

/// Whether a text is of letters, digits and `more`, with a letter or digit at both ends.
fn name(text: &str, more: &str) -> bool {
    let plain = |letter: char| letter.is_ascii_alphanumeric();
    text.starts_with(plain)
        && text.ends_with(plain)
        && text.chars().all(|letter| plain(letter) || more.contains(letter))
}
