//! CT-like **phantoms** with lesions: drawn from a seed, the same bytes on every machine, nobody's body.
//!
//! A case is a small volume of an elliptic body with one organ, noise, bright lesions and brighter specks that are
//! no lesions, together with the mask of its lesions. See the README of the challenge for what is drawn.
//!
//! ```no_run
//! # fn main() -> std::io::Result<()> {
//! for site in lesion_phantom::PhantomSpec::sites() {
//!     lesion_phantom::generate(&std::path::Path::new("data").join(&site.name), &site)?;
//! }
//! # Ok(())
//! # }
//! ```

mod anatomy;
mod nifti;
mod random;

use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::io;
use std::path::Path;

/// The three simulated sites: name, seed, number of cases.
pub const SITES: [(&str, u64, usize); 3] = [("site-a", 101, 24), ("site-b", 202, 16), ("site-c", 303, 12)];

/// The public sample: name, seed, number of cases.
pub const PUBLIC: (&str, u64, usize) = ("public", 7, 6);

/// Phantoms to learn from, which nobody is measured on: name, seed, number of cases.
pub const TRAIN: (&str, u64, usize) = ("train", 11, 48);

/// What to draw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PhantomSpec {
    /// Name of the set; part of the name of every case.
    pub name: String,
    /// Seed of everything that varies.
    pub seed: u64,
    /// Number of cases. Every sixth has no lesion.
    pub cases: usize,
}

impl PhantomSpec {
    /// A set of `cases` phantoms drawn from `seed`.
    pub fn new(name: &str, seed: u64, cases: usize) -> Self {
        Self { name: name.to_owned(), seed, cases }
    }

    /// The committed public sample.
    pub fn public() -> Self {
        let (name, seed, cases) = PUBLIC;
        Self::new(name, seed, cases)
    }

    /// Phantoms to learn from.
    pub fn train() -> Self {
        let (name, seed, cases) = TRAIN;
        Self::new(name, seed, cases)
    }

    /// The held-out sets of the three simulated sites.
    pub fn sites() -> [Self; 3] {
        SITES.map(|(name, seed, cases)| Self::new(name, seed, cases))
    }

    /// Name of one case.
    fn case_id(&self, index: usize) -> String {
        format!("phantom-{}-{:02}", self.name, index + 1)
    }
}

/// Writes `images/<case>.nii.gz`, `masks/<case>.nii.gz` and `cases.csv` (`case_id,ct,lesions`) below `out_dir`.
///
/// # Errors
/// When a folder or file cannot be written; the error names the path.
pub fn generate(out_dir: &Path, spec: &PhantomSpec) -> io::Result<()> {
    fs_err::create_dir_all(out_dir.join("images"))?;
    fs_err::create_dir_all(out_dir.join("masks"))?;
    let mut table = String::from("case_id,ct,lesions\n");
    for index in 0..spec.cases {
        let case = spec.case_id(index);
        let phantom = anatomy::draw(spec.seed, index);
        let (image, mask) = (format!("images/{case}.nii.gz"), format!("masks/{case}.nii.gz"));
        fs_err::write(
            out_dir.join(&image),
            nifti::gzip(&nifti::encode_i16(&phantom.grid, &phantom.hounsfield)),
        )?;
        fs_err::write(out_dir.join(&mask), nifti::gzip(&nifti::encode_u8(&phantom.grid, &phantom.lesions)))?;
        table.extend([case.as_str(), ",", &image, ",", &mask, "\n"]);
    }
    fs_err::write(out_dir.join("cases.csv"), table)
}

/// Writes the public sample with its `reference-set.json`: the folder `public/` of the challenge.
///
/// # Errors
/// When a folder or file cannot be read or written; the error names the path.
pub fn generate_public(out_dir: &Path) -> io::Result<()> {
    let spec = PhantomSpec::public();
    generate(out_dir, &spec)?;
    seal(out_dir, &spec)
}

/// Fixes the files of a generated folder by digest in its `reference-set.json`.
///
/// # Errors
/// When a file cannot be read or the document cannot be written; the error names the path.
pub fn seal(out_dir: &Path, spec: &PhantomSpec) -> io::Result<()> {
    let cases = (0..spec.cases).map(|index| spec.case_id(index));
    let mut paths = vec!["cases.csv".to_owned()];
    paths.extend(cases.clone().map(|case| format!("images/{case}.nii.gz")));
    paths.extend(cases.map(|case| format!("masks/{case}.nii.gz")));
    let files =
        paths.iter().map(|path| file_entry(out_dir, path)).collect::<io::Result<Vec<_>>>()?.join(",\n");
    let document = format!(
        r#"{{
  "schema": "fiel/reference-set/v1",
  "id": "{}",
  "challenge": "lesion-phantom",
  "task": "segmentation",
  "table": "cases.csv",
  "truth": "lesions",
  "files": [
{files}
  ]
}}
"#,
        spec.name
    );
    fs_err::write(out_dir.join("reference-set.json"), document)
}

/// One file of the reference set as a line of JSON.
fn file_entry(folder: &Path, path: &str) -> io::Result<String> {
    let bytes = fs_err::read(folder.join(path))?;
    let digest = Sha256::digest(&bytes).iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    });
    Ok(format!(r#"    {{ "path": "{path}", "sha256": "{digest}", "size": {} }}"#, bytes.len()))
}
