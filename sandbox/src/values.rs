//! A case as values rather than files: what a predictor is given and what is made of its answer.
//!
//! The input files come from the node. The answer comes from a model: every name, kind and size of it is checked
//! against the interface before anything is written.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;

use fiel_kernels::ImageError;
use fiel_kernels::image::{self, Geometry, ReadLimits, Volume};
use rustix::fs::{CWD, Mode};
use rustix::io::Errno;
use serde::Deserialize;

use crate::guest::{Cell, Grid, Image, Mask, NamedValue, Value};

/// Longest name of a column a model may make up, bytes.
const COLUMN_BYTES: usize = 256;

/// What of `inputs.json` values need.
#[derive(Deserialize)]
struct Interface {
    case: String,
    inputs: Vec<Port>,
    outputs: Vec<Port>,
}

/// One file of the interface. A kind that values do not know is not an error until such a port is met.
#[derive(Deserialize)]
struct Port {
    name: String,
    kind: String,
    path: String,
    #[serde(default)]
    columns: Vec<String>,
}

/// One case, ready to be handed to a predictor.
pub(crate) struct Case {
    /// What `predict` is called with.
    pub(crate) inputs: Vec<NamedValue>,
    name: String,
    outputs: Vec<Port>,
    /// Where the images and masks among the inputs lie.
    grids: Vec<Geometry>,
    bytes: u64,
}

/// Why a case cannot be handed over.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Unfit {
    /// Its images take more memory than allowed.
    TooLarge,
    /// Something in it is no value; what, in the platform's words.
    NoValue(String),
}

/// Why an answer was not written.
#[derive(Debug)]
pub(crate) enum WrongAnswer {
    /// It breaks this rule. The text never quotes the model.
    Rule(String),
    /// A file could not be written.
    Io(io::Error),
}

impl Case {
    /// Reads the files of `folder`, whose images may take `budget` bytes, as stored or as values.
    pub(crate) fn read(folder: &Path, budget: u64) -> Result<Self, Unfit> {
        let no_value = |what: &str, why: &dyn std::fmt::Display| Unfit::NoValue(cannot(what, why));
        let document = std::fs::read(folder.join("inputs.json")).map_err(|e| no_value("inputs.json", &e))?;
        let Interface { case: name, inputs: ports, outputs } =
            serde_json::from_slice(&document).map_err(|e| no_value("inputs.json", &e))?;
        let mut case = Self { inputs: Vec::new(), name, outputs, grids: Vec::new(), bytes: 0 };
        for port in ports {
            let bytes = std::fs::read(folder.join(&port.path)).map_err(|e| no_value(&port.path, &e))?;
            let limits = ReadLimits { bytes: budget - case.bytes, ..ReadLimits::default() };
            let refused = |error: ImageError| match error {
                ImageError::TooLarge { .. } => Unfit::TooLarge,
                other => no_value(&port.path, &other),
            };
            let value = match port.kind.as_str() {
                "table" => Value::Row(row(&bytes).map_err(|why| no_value(&port.path, &why))?),
                "image" => {
                    let volume = image::parse_nifti_f32(&bytes, &limits).map_err(refused)?;
                    case.bytes += 4 * volume.data.len() as u64;
                    let grid = grid_of(&volume.geometry);
                    case.grids.push(volume.geometry);
                    Value::Image(Image { grid, voxels: volume.data })
                }
                "mask" => {
                    let volume = image::parse_labels::<u8>(&bytes, &limits).map_err(refused)?;
                    case.bytes += volume.data.len() as u64;
                    let grid = grid_of(&volume.geometry);
                    case.grids.push(volume.geometry);
                    Value::Mask(Mask { grid, voxels: volume.data })
                }
                other => return Err(no_value(&port.path, &format!("{other} is no kind of value"))),
            };
            case.inputs.push(NamedValue { name: port.name, value });
        }
        Ok(case)
    }

    /// Bytes of the images among the inputs; never more than the budget.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Checks an answer against the interface and writes it as the interface's files into `folder`, at most `limit`
    /// bytes. An output that was not returned is not written.
    pub(crate) fn write(
        &self,
        folder: &Path,
        values: Vec<NamedValue>,
        limit: u64,
    ) -> Result<(), WrongAnswer> {
        let mut returned = BTreeSet::new();
        let mut left = limit;
        for NamedValue { name, value } in values {
            let Some(port) = self.outputs.iter().find(|port| port.name == name) else {
                return Err(rule("returned a value under a name that is no output of the interface"));
            };
            if !returned.insert(name) {
                return Err(rule(&format!("returned `{}` twice", port.name)));
            }
            let content = self
                .encode(port, value)
                .map_err(|broken| rule(&format!("returned `{}` {broken}", port.name)))?;
            left = left
                .checked_sub(content.len() as u64)
                .ok_or_else(|| rule(&format!("returned more than {} MiB", limit >> 20)))?;
            put(folder, &port.path, &content).map_err(WrongAnswer::Io)?;
        }
        Ok(())
    }

    fn encode(&self, port: &Port, value: Value) -> Result<Vec<u8>, String> {
        match (port.kind.as_str(), value) {
            ("table", Value::Row(cells)) => self.table(&port.columns, &cells),
            ("table", Value::Scalar(number)) => match port.columns.as_slice() {
                [column] => self.table(&port.columns, &[Cell { column: column.clone(), number }]),
                _ => Err("as a scalar, but it has not exactly one column".to_owned()),
            },
            ("mask", Value::Mask(Mask { grid, voxels })) => {
                let geometry = self.checked_grid(&grid, voxels.len())?;
                image::encode_nifti_mask(&Volume { geometry, data: voxels }).map_err(|e| unwritable(&e))
            }
            ("image", Value::Image(Image { grid, voxels })) => {
                let geometry = self.checked_grid(&grid, voxels.len())?;
                if !voxels.iter().all(|voxel| voxel.is_finite()) {
                    return Err("with a voxel that is not finite".to_owned());
                }
                image::encode_nifti_f32(&Volume { geometry, data: voxels }).map_err(|e| unwritable(&e))
            }
            (kind, _) => Err(format!("as another kind of value than `{kind}`")),
        }
    }

    /// One row in the order of the interface's columns, or in the model's own where the interface names none.
    fn table(&self, columns: &[String], cells: &[Cell]) -> Result<Vec<u8>, String> {
        let names: BTreeSet<&str> = cells.iter().map(|cell| cell.column.as_str()).collect();
        if names.len() != cells.len() {
            return Err("with a column twice".to_owned());
        }
        let wanted: BTreeSet<&str> = columns.iter().map(String::as_str).collect();
        if !columns.is_empty() && names != wanted {
            return Err("with other columns than the interface's".to_owned());
        }
        if columns.is_empty() && !names.iter().all(|name| plain(name)) {
            return Err("with a column whose name is empty, too long or more than plain text".to_owned());
        }
        let mut cells: Vec<&Cell> = cells.iter().collect();
        cells.sort_by_key(|cell| columns.iter().position(|column| *column == cell.column));
        if !cells.iter().all(|cell| cell.number.is_finite()) {
            return Err("with a number that is not finite".to_owned());
        }
        let header = cells.iter().map(|cell| cell.column.clone());
        // Debug gives the shortest digits that are read back as the same number; adding 0 removes the sign of zero.
        let numbers = cells.iter().map(|cell| format!("{:?}", cell.number + 0.0));
        let line = |first: &str, rest: Vec<String>| [vec![first.to_owned()], rest].concat().join(",");
        Ok(format!("{}\n{}\n", line("case_id", header.collect()), line(&self.name, numbers.collect()))
            .into_bytes())
    }

    /// The grid of an answer, which must be that of an input, if there is one with a grid.
    fn checked_grid(&self, grid: &Grid, voxels: usize) -> Result<Geometry, String> {
        let geometry = geometry_of(grid);
        let declared = geometry.shape.iter().try_fold(1_usize, |count, &axis| count.checked_mul(axis));
        if declared != Some(voxels) {
            return Err("with another number of voxels than its shape has".to_owned());
        }
        let numbers = geometry
            .spacing_mm
            .iter()
            .chain(&geometry.origin_mm)
            .chain(&geometry.direction)
            .all(|n| n.is_finite());
        if !numbers {
            return Err("on a grid with a number that is not finite".to_owned());
        }
        if !self.grids.is_empty() && !self.grids.iter().any(|input| input.same_grid(&geometry)) {
            return Err("on another grid (shape, spacing, origin or direction) than every input".to_owned());
        }
        Ok(geometry)
    }
}

fn rule(text: &str) -> WrongAnswer {
    WrongAnswer::Rule(text.to_owned())
}

fn unwritable(error: &ImageError) -> String {
    format!("that no NIfTI-1 file can hold: {error}")
}

fn cannot(what: &str, why: &dyn std::fmt::Display) -> String {
    format!("could not be given `{what}` as a value: {why}")
}

/// Whether a column's name can stand in a table as it is.
fn plain(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= COLUMN_BYTES
        && !name.contains([',', '"'])
        && !name.chars().any(char::is_control)
}

#[expect(clippy::many_single_char_names, reason = "axes and the nine numbers of a matrix")]
fn grid_of(geometry: &Geometry) -> Grid {
    // Readers allow no axis that does not fit.
    let [x, y, z] = geometry.shape.map(|axis| u32::try_from(axis).unwrap_or(u32::MAX));
    let [a, b, c, d, e, f, g, h, i] = geometry.direction;
    Grid {
        shape: (x, y, z),
        spacing_mm: geometry.spacing_mm.into(),
        origin_mm: geometry.origin_mm.into(),
        direction: (a, b, c, d, e, f, g, h, i),
    }
}

#[expect(clippy::many_single_char_names, reason = "axes and the nine numbers of a matrix")]
fn geometry_of(grid: &Grid) -> Geometry {
    let (x, y, z) = grid.shape;
    let (a, b, c, d, e, f, g, h, i) = grid.direction;
    Geometry {
        shape: [x as usize, y as usize, z as usize],
        spacing_mm: grid.spacing_mm.into(),
        origin_mm: grid.origin_mm.into(),
        direction: [a, b, c, d, e, f, g, h, i],
        plane: false,
    }
}

/// Writes a file below `folder`, making the folders on its way. Nothing of a model lies there: predictors have none.
fn put(folder: &Path, path: &str, content: &[u8]) -> io::Result<()> {
    let path = folder.join(path);
    let parents: Vec<_> = path.ancestors().skip(1).take_while(|parent| *parent != folder).collect();
    for parent in parents.into_iter().rev() {
        match rustix::fs::mkdirat(CWD, parent, Mode::from_raw_mode(0o755)) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
    }
    std::fs::write(path, content)
}

/// The one row of a table, without its `case_id`.
fn row(bytes: &[u8]) -> Result<Vec<Cell>, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "not UTF-8 text".to_owned())?;
    let rows = records(text);
    let [header, row] = rows.as_slice() else { return Err("not a header and one row".to_owned()) };
    if header.len() != row.len() || header.first().map(String::as_str) != Some("case_id") {
        return Err("header and row do not begin with `case_id` or differ in length".to_owned());
    }
    let cell = |(column, text): (&String, &String)| {
        let number = match text.trim() {
            "" => f64::NAN,
            text => text.parse().map_err(|_| format!("column `{column}` is not a number"))?,
        };
        Ok(Cell { column: column.clone(), number })
    };
    header.iter().zip(row).skip(1).map(cell).collect()
}

/// The fields of a CSV text, quotes resolved; empty lines are left out.
fn records(text: &str) -> Vec<Vec<String>> {
    let mut records = vec![vec![String::new()]];
    let (mut quoted, mut letters) = (false, text.chars().peekable());
    while let Some(letter) = letters.next() {
        let Some(field) = records.last_mut().and_then(|record| record.last_mut()) else { break };
        match letter {
            '"' if quoted && letters.next_if_eq(&'"').is_some() => field.push('"'),
            '"' => quoted = !quoted,
            ',' if !quoted => records.last_mut().into_iter().for_each(|record| record.push(String::new())),
            '\n' if !quoted => records.push(vec![String::new()]),
            '\r' if !quoted && letters.peek() == Some(&'\n') => {}
            other => field.push(other),
        }
    }
    records.retain(|record| record.iter().any(|field| !field.is_empty()));
    records
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERFACE: &str = r#"{"schema": "fiel/inputs/v1", "case": "c1",
        "inputs": [{"name": "features", "kind": "table", "path": "case.csv"}, {"name": "ct", "kind": "image", "path": "in/ct.nii"}],
        "outputs": [{"name": "risk", "kind": "table", "path": "deep/er/risk.csv", "columns": ["b", "a"]},
                    {"name": "free", "kind": "table", "path": "free.csv"},
                    {"name": "one", "kind": "table", "path": "one.csv", "columns": ["p"]},
                    {"name": "heat", "kind": "image", "path": "heat.nii"},
                    {"name": "lesions", "kind": "mask", "path": "lesions.nii"}]}"#;

    fn grid() -> Geometry {
        Geometry::axis_aligned([2, 2, 1], [1.0, 1.0, 2.5])
    }

    fn folder(document: &str, table: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let input = folder.path();
        std::fs::create_dir(input.join("in")).unwrap();
        std::fs::create_dir(input.join("out")).unwrap();
        std::fs::write(input.join("inputs.json"), document).unwrap();
        std::fs::write(input.join("case.csv"), table).unwrap();
        let ct = Volume { geometry: grid(), data: vec![0_i16, 40, -1000, 7] };
        std::fs::write(input.join("in/ct.nii"), image::encode_nifti_i16(&ct).unwrap()).unwrap();
        folder
    }

    fn case() -> (tempfile::TempDir, Case) {
        let folder = folder(INTERFACE, "case_id,age,\"a,\"\"b\"\"\"\nc1,61.5,\n");
        let case = Case::read(folder.path(), 1 << 20).unwrap_or_else(|unfit| panic!("{unfit:?}"));
        (folder, case)
    }

    fn named(name: &str, value: Value) -> NamedValue {
        NamedValue { name: name.to_owned(), value }
    }

    fn cells(cells: &[(&str, f64)]) -> Value {
        Value::Row(
            cells.iter().map(|(c, number)| Cell { column: (*c).to_owned(), number: *number }).collect(),
        )
    }

    fn mask(geometry: &Geometry, voxels: &[u8]) -> Value {
        Value::Mask(Mask { grid: grid_of(geometry), voxels: voxels.to_vec() })
    }

    #[test]
    fn files_become_values() {
        let (_folder, case) = case();
        let [features, ct] = case.inputs.as_slice() else { panic!("two inputs") };
        let Value::Row(row) = &features.value else { panic!("a row") };
        assert_eq!((row[0].column.as_str(), row[0].number), ("age", 61.5));
        assert_eq!(row[1].column, "a,\"b\"");
        assert!(row[1].number.is_nan(), "an empty cell");
        let Value::Image(ct) = &ct.value else { panic!("an image") };
        assert_eq!(ct.voxels, [0.0, 40.0, -1000.0, 7.0]);
        assert_eq!(geometry_of(&ct.grid), grid());
        assert_eq!(case.bytes(), 16);
    }

    #[test]
    fn what_is_no_value_is_said_and_what_is_too_large_too() {
        for (document, table, word) in [
            ("{", "", "inputs.json"),
            (INTERFACE, "case_id,age\nc1,old\n", "`age` is not a number"),
            (INTERFACE, "case_id,age\nc1\n", "length"),
            (INTERFACE, "case_id,age\n", "one row"),
            (&INTERFACE.replace("\"image\"", "\"film\""), "case_id,age\nc1,2\n", "film is no kind"),
        ] {
            match Case::read(folder(document, table).path(), 1 << 20) {
                Err(Unfit::NoValue(why)) => assert!(why.contains(word), "{why}"),
                other => panic!("{table}: {:?}", other.err()),
            }
        }
        let refused = Case::read(folder(INTERFACE, "case_id,age\nc1,2\n").path(), 15);
        assert_eq!(refused.err(), Some(Unfit::TooLarge));
    }

    #[test]
    fn an_answer_becomes_the_files_of_the_interface() {
        let (folder, case) = case();
        let out = folder.path().join("out");
        let heat = Value::Image(Image { grid: grid_of(&grid()), voxels: vec![0.5, 1.5, -2.0, 0.0] });
        let answer = vec![
            named("risk", cells(&[("a", -0.0), ("b", 1e-7)])),
            named("free", cells(&[("z", 0.1), ("y", 1e300)])),
            named("one", Value::Scalar(0.25)),
            named("heat", heat),
            named("lesions", mask(&grid(), &[0, 1, 1, 0])),
        ];
        case.write(&out, answer, 1 << 20).unwrap();
        let read = |path: &str| std::fs::read_to_string(out.join(path)).unwrap();
        assert_eq!(read("deep/er/risk.csv"), "case_id,b,a\nc1,1e-7,0.0\n");
        assert_eq!(read("free.csv"), "case_id,z,y\nc1,0.1,1e300\n");
        assert_eq!(read("one.csv"), "case_id,p\nc1,0.25\n");
        let lesions = std::fs::read(out.join("lesions.nii")).unwrap();
        let lesions = image::parse_nifti_mask(&lesions, &ReadLimits::default()).unwrap();
        assert_eq!((lesions.data, lesions.geometry), (vec![0, 1, 1, 0], grid()));
        let heat = std::fs::read(out.join("heat.nii")).unwrap();
        let third = image::parse_nifti_f32(&heat, &ReadLimits::default()).unwrap().data[2];
        assert!((third + 2.0).abs() < f32::EPSILON);
    }

    #[test]
    fn a_wrong_answer_breaks_a_rule_and_is_never_quoted() {
        let nowhere = Geometry { origin_mm: [f64::NAN, 0.0, 0.0], ..grid() };
        let moved = Geometry { origin_mm: [1.0, 0.0, 0.0], ..grid() };
        let other = Geometry { shape: [1, 4, 1], ..grid() };
        let huge = Geometry { shape: [1 << 31, 1 << 31, 1 << 31], ..grid() };
        let hot = Value::Image(Image { grid: grid_of(&grid()), voxels: vec![f32::INFINITY; 4] });
        let long = "x".repeat(COLUMN_BYTES + 1);
        let wrong = [
            ("secret", Value::Scalar(1.0), "no output"),
            ("risk", cells(&[("a", 1.0)]), "other columns"),
            ("risk", cells(&[("a", 1.0), ("b", 1.0), ("secret", 1.0)]), "other columns"),
            ("risk", cells(&[("a", 1.0), ("a", 1.0)]), "twice"),
            ("risk", cells(&[("a", f64::NAN), ("b", 1.0)]), "not finite"),
            ("risk", Value::Scalar(1.0), "exactly one column"),
            ("risk", mask(&grid(), &[0; 4]), "another kind"),
            ("free", cells(&[("secret,secret", 1.0)]), "plain text"),
            ("free", cells(&[("secret\nsecret", 1.0)]), "plain text"),
            ("free", cells(&[(&long, 1.0)]), "plain text"),
            ("free", cells(&[("", 1.0)]), "plain text"),
            ("one", Value::Scalar(f64::NEG_INFINITY), "not finite"),
            ("heat", hot, "not finite"),
            ("lesions", Value::Scalar(1.0), "another kind"),
            ("lesions", mask(&grid(), &[0; 3]), "number of voxels"),
            ("lesions", mask(&huge, &[0; 4]), "number of voxels"),
            ("lesions", mask(&nowhere, &[0; 4]), "not finite"),
            ("lesions", mask(&moved, &[0; 4]), "another grid"),
            ("lesions", mask(&other, &[0; 4]), "another grid"),
        ];
        let (folder, case) = case();
        let out = folder.path().join("out");
        for (name, value, word) in wrong {
            match case.write(&out, vec![named(name, value)], 1 << 20) {
                Err(WrongAnswer::Rule(rule)) => {
                    assert!(rule.contains(word) && !rule.contains("secret"), "{rule}");
                }
                other => panic!("{name}, {word}: {other:?}"),
            }
            assert_eq!(std::fs::read_dir(&out).unwrap().count(), 0, "{name} was written");
        }
        let twice = vec![named("one", Value::Scalar(0.5)), named("one", Value::Scalar(0.5))];
        assert!(
            matches!(case.write(&out, twice, 1 << 20), Err(WrongAnswer::Rule(rule)) if rule.contains("twice"))
        );
        let large = vec![named("lesions", mask(&grid(), &[0; 4]))];
        assert!(
            matches!(case.write(&out, large, 300), Err(WrongAnswer::Rule(rule)) if rule.contains("more than"))
        );
    }
}
