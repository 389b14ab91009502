//! Writes the list of challenge files that the binary carries, for `fiel demo` and `fiel try`.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// Files and folders of a challenge that are embedded; of `baselines` only modules and the recipes of images.
const PARTS: [&str; 5] = ["challenge.yaml", "README.md", "public", "data", "baselines"];

fn main() {
    // As cargo says now, not as it was when this was compiled: a target folder may have moved with its checkout.
    let own = std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets CARGO_MANIFEST_DIR");
    let root = Path::new(&own).join("../challenges");
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed={}", root.display());
    let mut files = Vec::new();
    for challenge in sorted(&root) {
        if challenge.join("challenge.yaml").exists() {
            for part in PARTS {
                println!("cargo:rerun-if-changed={}", challenge.join(part).display());
                collect(&challenge.join(part), &mut files);
            }
        }
    }
    assert!(!files.is_empty(), "{} holds no challenge to embed", root.display());
    let mut text = String::from("&[\n");
    for file in files {
        let name = file.strip_prefix(&root).expect("every file lies below challenges/");
        let (name, file) = (name.display().to_string(), file.display().to_string());
        let _ = writeln!(text, "    ({name:?}, include_bytes!({file:?})),");
    }
    text.push_str("]\n");
    let out = PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    fs::write(out.join("challenges.rs"), text).expect("OUT_DIR can be written");
}

/// Adds a file, or every file below a folder; of `baselines` only the modules themselves and every `Containerfile`.
fn collect(path: &Path, files: &mut Vec<PathBuf>) {
    let baselines = path.file_name().is_some_and(|n| n == "baselines");
    if path.is_file() {
        files.push(path.to_path_buf());
    } else if baselines {
        files.extend(sorted(path).into_iter().filter(|p| p.extension().is_some_and(|e| e == "wasm")));
        let recipes = sorted(path).into_iter().map(|p| p.join("Containerfile"));
        files.extend(recipes.filter(|p| p.is_file()));
    } else if path.is_dir() {
        for inner in sorted(path) {
            collect(&inner, files);
        }
    }
}

/// The entries of a folder in a fixed order; none where it does not exist.
fn sorted(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|e| e.path()).collect();
    paths.sort();
    paths
}
