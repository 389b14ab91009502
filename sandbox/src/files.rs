//! The files of a case, read and written on behalf of a model that takes values rather than files.
//!
//! Used inside a worker, whose working folder holds `input` and `output`. Reads what `input/inputs.json` lists, writes
//! where it says.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use fiel_kernels::image::{self, ReadLimits, Volume};
use fiel_schemas::challenge::PortKind;
use serde::Deserialize;

/// Longest `inputs.json` and longest table, bytes.
const TEXT_BYTES: u64 = 1 << 20;

/// A file of the case that could not be used.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Trouble {
    /// Why, in the platform's words; may leave the site.
    pub(crate) reason: String,
    /// The same with details of the case; for the site's log only.
    pub(crate) detail: String,
}

impl Trouble {
    /// A trouble without anything about the case in it.
    pub(crate) fn plain(reason: impl Into<String>) -> Self {
        let reason = reason.into();
        Self { detail: reason.clone(), reason }
    }

    fn of(reason: impl Into<String>, error: &dyn std::fmt::Display) -> Self {
        let reason = reason.into();
        Self { detail: format!("{reason}: {error}"), reason }
    }
}

/// `inputs.json`: which files a case has and which it must get.
#[derive(Debug, Deserialize)]
#[expect(clippy::struct_field_names, reason = "as the document names it")]
pub(crate) struct Case {
    /// Name of the case as the model sees it, the `case_id` of its tables.
    pub(crate) case: String,
    /// What the model may read.
    inputs: Vec<Port>,
    /// What it must write.
    outputs: Vec<Port>,
    #[serde(skip)]
    folder: PathBuf,
}

/// A file of the interface.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Port {
    /// The challenge's name for it.
    pub(crate) name: String,
    /// What it holds.
    pub(crate) kind: PortKind,
    /// Path below `input` or `output`.
    pub(crate) path: String,
}

impl Case {
    /// Reads `input/inputs.json` of the case in this folder.
    pub(crate) fn open(folder: &Path) -> Result<Self, Trouble> {
        let failed = |error: &dyn std::fmt::Display| Trouble::of("`inputs.json` cannot be read", error);
        let bytes = read(&folder.join("input/inputs.json"), TEXT_BYTES).map_err(|error| failed(&error))?;
        let case: Self = serde_json::from_slice(&bytes).map_err(|error| failed(&error))?;
        Ok(Self { folder: folder.to_owned(), ..case })
    }

    /// An input of one of these kinds.
    pub(crate) fn input(&self, name: &str, kinds: &[PortKind]) -> Result<&Port, Trouble> {
        find(&self.inputs, "input", name, kinds)
    }

    /// An output of this kind.
    pub(crate) fn output(&self, name: &str, kind: PortKind) -> Result<&Port, Trouble> {
        find(&self.outputs, "output", name, &[kind])
    }

    /// Reads an image or mask as floating-point values, scaled as its header says.
    pub(crate) fn read_image(&self, name: &str) -> Result<Volume<f32>, Trouble> {
        let port = self.input(name, &[PortKind::Image, PortKind::Mask])?;
        let failed =
            |error: &dyn std::fmt::Display| Trouble::of(format!("the input `{name}` cannot be read"), error);
        let limits = ReadLimits::default();
        let path = self.folder.join("input").join(&port.path);
        let bytes = read(&path, limits.file_bytes).map_err(|error| failed(&error))?;
        image::parse_image_f32(&bytes, &limits).map_err(|error| failed(&error))
    }

    /// Reads a table's one row: names and texts of its columns, `case_id` among them.
    pub(crate) fn read_row(&self, name: &str) -> Result<Vec<(String, String)>, Trouble> {
        let port = self.input(name, &[PortKind::Table])?;
        let reason = || format!("the input `{name}` cannot be read");
        let bytes = read(&self.folder.join("input").join(&port.path), TEXT_BYTES)
            .map_err(|error| Trouble::of(reason(), &error))?;
        let text = String::from_utf8(bytes).map_err(|error| Trouble::of(reason(), &error))?;
        let rows = records(&text).map_err(|error| Trouble::of(reason(), &error))?;
        match rows.as_slice() {
            [header, row] if header.len() == row.len() => {
                Ok(header.iter().cloned().zip(row.iter().cloned()).collect())
            }
            _ => Err(Trouble::of(reason(), &"it is not a header and one row of the same length")),
        }
    }

    /// Writes a mask as NIfTI on its grid, compressed where the path ends in `.gz`.
    pub(crate) fn write_mask(&self, name: &str, mask: &Volume<u8>) -> Result<(), Trouble> {
        let port = self.output(name, PortKind::Mask)?;
        let failed = |error: &dyn std::fmt::Display| {
            Trouble::of(format!("the mask `{name}` cannot be written"), error)
        };
        let bytes = image::encode_nifti_mask(mask).map_err(|error| failed(&error))?;
        let bytes = if Path::new(&port.path).extension().is_some_and(|end| end == "gz") {
            compressed(&bytes).map_err(|e| failed(&e))?
        } else {
            bytes
        };
        self.write(port, &bytes)
    }

    /// Writes a table of one row: `case_id`, then these columns.
    pub(crate) fn write_row(&self, name: &str, columns: &[(&str, f64)]) -> Result<(), Trouble> {
        let port = self.output(name, PortKind::Table)?;
        let (mut header, mut row) = ("case_id".to_owned(), field(&self.case));
        for (column, value) in columns {
            header.extend([",", &field(column)]);
            row.extend([",", &value.to_string()]);
        }
        self.write(port, format!("{header}\n{row}\n").as_bytes())
    }

    fn write(&self, port: &Port, bytes: &[u8]) -> Result<(), Trouble> {
        let path = self.folder.join("output").join(&port.path);
        let written = make_parents(&self.folder.join("output"), &port.path)
            .and_then(|()| File::create_new(&path))
            .and_then(|mut file| file.write_all(bytes));
        written.map_err(|error| match error.kind() {
            io::ErrorKind::FileTooLarge => {
                Trouble::plain(format!("the output `{}` is larger than a case may write", port.name))
            }
            _ => Trouble::of(format!("the output `{}` cannot be written", port.name), &error),
        })
    }
}

fn find<'a>(ports: &'a [Port], what: &str, name: &str, kinds: &[PortKind]) -> Result<&'a Port, Trouble> {
    let Some(port) = ports.iter().find(|port| port.name == name) else {
        let known: Vec<String> = ports.iter().map(|port| format!("`{}`", port.name)).collect();
        return Err(Trouble::plain(format!(
            "the challenge has no {what} `{name}`; it has {}",
            known.join(", ")
        )));
    };
    if kinds.contains(&port.kind) {
        return Ok(port);
    }
    Err(Trouble::plain(format!("the challenge's {what} `{name}` is of kind `{}`", kind_name(port.kind))))
}

const fn kind_name(kind: PortKind) -> &'static str {
    match kind {
        PortKind::Table => "table",
        PortKind::Image => "image",
        PortKind::Mask => "mask",
    }
}

fn read(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("more than {limit} bytes")));
    }
    Ok(bytes)
}

/// The folders of a path below `output`, made one by one with the system call a worker may make.
fn make_parents(output: &Path, path: &str) -> io::Result<()> {
    let mut folder = output.to_owned();
    for part in Path::new(path).parent().into_iter().flat_map(Path::components) {
        folder.push(part);
        match rustix::fs::mkdirat(rustix::fs::CWD, &folder, rustix::fs::Mode::from_raw_mode(0o755)) {
            Ok(()) | Err(rustix::io::Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn compressed(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gz.write_all(bytes)?;
    gz.finish()
}

/// A field of a table, quoted where it must be.
fn field(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        return format!("\"{}\"", text.replace('"', "\"\""));
    }
    text.to_owned()
}

/// The records of a comma-separated table (RFC 4180).
fn records(text: &str) -> Result<Vec<Vec<String>>, &'static str> {
    let mut rows = Vec::new();
    let (mut row, mut field, mut quoted) = (Vec::new(), String::new(), false);
    let mut rest = text.chars().peekable();
    while let Some(next) = rest.next() {
        match next {
            '"' if quoted && rest.peek() == Some(&'"') => {
                rest.next();
                field.push('"');
            }
            '"' if quoted => quoted = false,
            '"' if field.is_empty() => quoted = true,
            ',' if !quoted => row.push(std::mem::take(&mut field)),
            '\r' if !quoted && rest.peek() == Some(&'\n') => {}
            '\n' if !quoted => {
                row.push(std::mem::take(&mut field));
                rows.push(std::mem::take(&mut row));
            }
            other => field.push(other),
        }
    }
    if quoted {
        return Err("a quotation mark is not closed");
    }
    if !field.is_empty() || !row.is_empty() {
        row.push(field);
        rows.push(row);
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use fiel_kernels::image::Geometry;

    /// A case with an image, a table and an output of each kind.
    fn case() -> (tempfile::TempDir, Case) {
        let folder = tempfile::tempdir().unwrap();
        for name in ["input", "output"] {
            fs_err::create_dir(folder.path().join(name)).unwrap();
        }
        let inputs = br#"{"schema": "fiel/inputs/v1", "case": "c1",
            "inputs": [{"name": "ct", "kind": "image", "path": "ct.nii"},
                {"name": "features", "kind": "table", "path": "case.csv"}],
            "outputs": [{"name": "lesions", "kind": "mask", "path": "lesions.nii"},
                {"name": "packed", "kind": "mask", "path": "a/b/lesions.nii.gz"},
                {"name": "prediction", "kind": "table", "path": "prediction.csv"}]}"#;
        fs_err::write(folder.path().join("input/inputs.json"), inputs).unwrap();
        let case = Case::open(folder.path()).unwrap();
        (folder, case)
    }

    #[test]
    fn a_row_is_read_whatever_its_texts_hold() {
        let (folder, case) = case();
        let path = folder.path().join("input/case.csv");
        fs_err::write(&path, "case_id,age,note\r\nc1,61,\"a,\"\"b\"\"\nc\"\r\n").unwrap();
        let row = case.read_row("features").unwrap();
        let expected = [("case_id", "c1"), ("age", "61"), ("note", "a,\"b\"\nc")];
        assert_eq!(row, expected.map(|(name, text)| (name.to_owned(), text.to_owned())));
        for bad in ["", "a,b\n", "a,b\n1\n", "a\n1\n2\n", "a\n\"1\n"] {
            fs_err::write(&path, bad).unwrap();
            let trouble = case.read_row("features").unwrap_err();
            assert_eq!(trouble.reason, "the input `features` cannot be read", "{bad:?}");
            assert!(trouble.detail.len() > trouble.reason.len());
        }
    }

    #[test]
    fn a_row_is_written_with_the_name_of_the_case() {
        let (folder, case) = case();
        case.write_row("prediction", &[("probability", 0.25), ("spread", 1e-7)]).unwrap();
        let text = fs_err::read_to_string(folder.path().join("output/prediction.csv")).unwrap();
        assert_eq!(text, "case_id,probability,spread\nc1,0.25,0.0000001\n");
    }

    #[test]
    fn a_mask_comes_back_on_its_grid() {
        let (folder, case) = case();
        let mut geometry = Geometry::axis_aligned([3, 2, 1], [0.5, 0.75, 3.0]);
        geometry.origin_mm = [1.0, -2.0, 30.5];
        let mask = Volume { geometry, data: vec![0, 1, 1, 0, 0, 1] };
        for (port, path) in [("lesions", "lesions.nii"), ("packed", "a/b/lesions.nii.gz")] {
            case.write_mask(port, &mask).unwrap();
            let bytes = fs_err::read(folder.path().join("output").join(path)).unwrap();
            assert_eq!(bytes.starts_with(&[0x1f, 0x8b]), port == "packed");
            let again = image::parse_mask(&bytes, &ReadLimits::default()).unwrap();
            assert!(again.geometry.same_grid(&mask.geometry));
            assert_eq!(again.data, mask.data);
        }
        assert!(case.write_mask("lesions", &mask).unwrap_err().reason.contains("cannot be written"));
    }

    #[test]
    fn an_unknown_port_or_one_of_another_kind_is_named() {
        let (_folder, case) = case();
        let trouble = case.read_image("mr").unwrap_err();
        assert_eq!(trouble.reason, "the challenge has no input `mr`; it has `ct`, `features`");
        let trouble = case.read_image("features").unwrap_err();
        assert_eq!(trouble.reason, "the challenge's input `features` is of kind `table`");
        assert!(case.output("lesions", PortKind::Table).is_err());
    }

    #[test]
    fn what_is_wrong_with_an_image_stays_out_of_the_reason() {
        let (folder, case) = case();
        fs_err::write(folder.path().join("input/ct.nii"), b"Jane Doe").unwrap();
        let trouble = case.read_image("ct").unwrap_err();
        assert_eq!(trouble.reason, "the input `ct` cannot be read");
    }
}
