//! All CDI specifications of a machine, and the devices they describe.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use fs_err as fs;

use super::Edits;
use super::document::{self, Document, Written};
use crate::types::DeviceReport;

/// Most files of one folder that are read.
const FILES: usize = 256;

/// All specifications of this machine.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    documents: Vec<(PathBuf, Document)>,
    devices: BTreeMap<String, Place>,
    /// What is wrong with files and folders that were left out.
    problems: Vec<(PathBuf, String)>,
}

/// Where a device is described.
#[derive(Debug)]
struct Place {
    /// Number of the document.
    document: usize,
    /// Number of the device in it.
    device: usize,
    /// A file of the same folder that describes the same device, so that nobody can say which one is meant.
    rival: Option<PathBuf>,
}

impl Registry {
    /// Reads these folders; a later one has the last word on a name.
    pub(crate) fn read(folders: &[PathBuf]) -> Self {
        let mut registry = Self::default();
        for folder in folders {
            if let Err(problem) = registry.read_folder(folder) {
                registry.problems.push((folder.clone(), problem));
            }
        }
        registry
    }

    fn read_folder(&mut self, folder: &Path) -> Result<(), String> {
        let found = match fs::metadata(folder) {
            Ok(found) => found,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error.to_string()),
        };
        document::trusted(folder, &found)?;
        let entries = fs::read_dir(folder).map_err(|error| error.to_string())?.flatten();
        let mut files: Vec<PathBuf> =
            entries.map(|entry| entry.path()).filter(|path| document::is_one(path)).take(FILES + 1).collect();
        if files.len() > FILES {
            return Err(format!(
                "it has more than {FILES} specifications; remove those of devices that are gone"
            ));
        }
        files.sort();
        for file in files {
            match document::read(&file) {
                Ok(document) => self.add(file, document),
                Err(problem) => self.problems.push((file, problem)),
            }
        }
        Ok(())
    }

    fn add(&mut self, file: PathBuf, document: Document) {
        let number = self.documents.len();
        for (index, device) in document.devices.iter().enumerate() {
            let name = format!("{}={}", document.kind, device.name);
            let rival = self.devices.get(&name).and_then(|before| {
                // A place in no document known yet is one in this very file.
                let other = self.documents.get(before.document).map_or(&file, |(path, _)| path);
                (other.parent() == file.parent()).then(|| other.clone())
            });
            self.devices.insert(name, Place { document: number, device: index, rival });
        }
        self.documents.push((file, document));
    }

    /// What these devices add. An error says which cannot be had, where it is described, why, and what to do.
    pub(crate) fn resolve(&self, names: &[String]) -> Result<Edits, String> {
        let mut edits = Edits::default();
        let mut whole: Vec<usize> = Vec::new();
        for name in names {
            if edits.names.contains(name) {
                continue;
            }
            let place = self.devices.get(name).ok_or_else(|| self.unknown(name))?;
            let (file, document) = &self.documents[place.document];
            let within =
                |problem| format!("the device `{name}` of {} cannot be used: {problem}", file.display());
            if let Some(rival) = &place.rival {
                let rival = rival.display();
                return Err(within(format!("{rival} describes the same `devices.name`; remove one of them")));
            }
            if !whole.contains(&place.document) {
                whole.push(place.document);
                edits.apply(&document.container_edits).map_err(within)?;
            }
            edits.apply(&document.devices[place.device].container_edits).map_err(within)?;
            edits.names.push(name.clone());
        }
        Ok(edits)
    }

    fn unknown(&self, name: &str) -> String {
        let known: Vec<&str> = self.devices.keys().map(String::as_str).collect();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        let broken =
            self.problems.iter().map(|(file, why)| format!("; {} was left out: {why}", file.display()));
        format!(
            "no CDI specification describes the device `{name}` (known: {known}){}; correct `engines.devices` of \
             policy.json, or have the vendor's tool write its specification (`nvidia-ctk cdi generate`)",
            broken.collect::<String>()
        )
    }

    /// Every device and every broken file of this machine, for the site's staff.
    pub(crate) fn report(&self, configured: &[String]) -> Vec<DeviceReport> {
        let missing = configured.iter().filter(|name| !self.devices.contains_key(*name));
        let broken = self.problems.iter().map(|(file, problem)| DeviceReport {
            name: file.display().to_string(),
            file: Some(file.clone()),
            configured: false,
            nodes: Vec::new(),
            problem: Some(problem.clone()),
            left_out: Vec::new(),
        });
        let device = |name: &String| self.device(name, configured.contains(name));
        self.devices.keys().chain(missing).map(device).chain(broken).collect()
    }

    fn device(&self, name: &str, configured: bool) -> DeviceReport {
        let place = self.devices.get(name);
        let described = place.map(|place| &self.documents[place.document]);
        let edits: Vec<&Written> = place.zip(described).map_or_else(Vec::new, |(place, (_, document))| {
            vec![&document.container_edits, &document.devices[place.device].container_edits]
        });
        let nodes = edits.iter().flat_map(|edits| &edits.device_nodes);
        DeviceReport {
            name: name.to_owned(),
            file: described.map(|(file, _)| file.clone()),
            configured,
            nodes: nodes.map(|node| (node.source().to_owned(), node.source().exists())).collect(),
            problem: self.resolve(&[name.to_owned()]).err(),
            left_out: edits.iter().flat_map(|edits| edits.left_out()).collect(),
        }
    }
}
