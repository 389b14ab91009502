//! What a model wrote, read strictly: anything that breaks a rule makes the case `invalid-output`.
//!
//! The messages name the rule. They stay at the site: they may quote neither the model's bytes nor the reference.

use fiel_metrics::image::{self, Format, ReadLimits, Volume};
use serde::de::{self, DeserializeSeed, MapAccess, Visitor};

/// Largest accepted prediction table.
pub const TABLE_BYTES_MAX: usize = 64 * 1024;
/// Longest accepted number.
const NUMBER_CHARS_MAX: usize = 64;

/// A rule that an output breaks, in the platform's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BrokenRule(pub &'static str);

/// Reads `case_id,<column>` with exactly one row for this case: a probability in plain decimal notation.
pub fn probability(bytes: &[u8], case: &str, column: &str) -> Result<f64, BrokenRule> {
    if bytes.len() > TABLE_BYTES_MAX {
        return Err(BrokenRule("the table is larger than 64 KiB"));
    }
    let text = std::str::from_utf8(bytes).map_err(|_| BrokenRule("the table is not UTF-8 text"))?;
    let mut lines =
        text.strip_suffix('\n').unwrap_or(text).split('\n').map(|l| l.strip_suffix('\r').unwrap_or(l));
    let header = lines.next().unwrap_or_default();
    if header.split_once(',') != Some(("case_id", column)) {
        return Err(BrokenRule("the header must be `case_id` and the port's column, nothing else"));
    }
    let Some(row) = lines.next() else { return Err(BrokenRule("the table has no row for the case")) };
    match lines.next() {
        None => {}
        Some(next) if next.split(',').next() == Some(case) => {
            return Err(BrokenRule("the table has more than one row for the case"));
        }
        Some(_) => return Err(BrokenRule("the table has more than one row")),
    }
    let Some((id, value)) = row.split_once(',') else {
        return Err(BrokenRule("the row must have exactly two fields"));
    };
    if value.contains(',') {
        return Err(BrokenRule("the row must have exactly two fields"));
    }
    if id != case {
        return Err(BrokenRule("the row names another case"));
    }
    number_between_0_and_1(value)
}

/// Digits, optionally a point and digits, optionally an exponent: no sign, no space, no `nan`, `inf` or hexadecimal.
fn number_between_0_and_1(text: &str) -> Result<f64, BrokenRule> {
    const NOTATION: BrokenRule =
        BrokenRule("the probability must be a plain decimal number such as 0.25 or 1e-3");
    if text.len() > NUMBER_CHARS_MAX {
        return Err(BrokenRule("the probability is longer than 64 characters"));
    }
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (text, None),
    };
    let mantissa_fits = match mantissa.split_once('.') {
        Some((whole, fraction)) => digits(whole) && digits(fraction),
        None => digits(mantissa),
    };
    if !mantissa_fits || exponent.is_some_and(|e| !digits(e.strip_prefix(['-', '+']).unwrap_or(e))) {
        return Err(NOTATION);
    }
    let value: f64 = text.parse().map_err(|_| NOTATION)?;
    if (0.0..=1.0).contains(&value) {
        Ok(value)
    } else {
        Err(BrokenRule("the probability must lie between 0 and 1"))
    }
}

/// Reads a JSON document that is the probability, or an object with the port's column and nothing else.
pub fn json_probability(bytes: &[u8], column: &str) -> Result<f64, BrokenRule> {
    if bytes.len() > TABLE_BYTES_MAX {
        return Err(BrokenRule("the JSON document is larger than 64 KiB"));
    }
    let mut document = serde_json::Deserializer::from_slice(bytes);
    let value = Number { column: Some(column) }.deserialize(&mut document);
    let value = value.and_then(|value| document.end().map(|()| value)).map_err(|_| {
        BrokenRule("the file must be JSON: a number, or an object of the port's column and its number")
    })?;
    if (0.0..=1.0).contains(&value) && value.is_sign_positive() {
        Ok(value)
    } else {
        Err(BrokenRule("the probability must lie between 0 and 1"))
    }
}

/// Takes a JSON number or, where a column is named, an object with that key alone, once.
struct Number<'a> {
    column: Option<&'a str>,
}

impl<'de> DeserializeSeed<'de> for Number<'_> {
    type Value = f64;

    fn deserialize<D: de::Deserializer<'de>>(self, deserializer: D) -> Result<f64, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Number<'_> {
    type Value = f64;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a number")
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<f64, E> {
        Ok(value)
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<f64, E> {
        Ok(value as f64)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<f64, A::Error> {
        let wrong = || de::Error::custom("not the port's column alone");
        let column = self.column.ok_or_else(wrong)?;
        if map.next_key::<String>()?.as_deref() != Some(column) {
            return Err(wrong());
        }
        let value = map.next_value_seed(Number { column: None })?;
        if map.next_key::<String>()?.is_some() { Err(wrong()) } else { Ok(value) }
    }
}

/// Reads a mask from an uncompressed NIfTI-1 file, on the grid of the reference, labels 0 and 1 only.
pub fn mask(bytes: &[u8], reference: &Volume<u8>) -> Result<Volume<u8>, BrokenRule> {
    // A gzip stream would be inflated by the reader; the interface asks for an uncompressed file.
    if bytes.starts_with(&[0x1f, 0x8b]) {
        return Err(BrokenRule("the mask must be an uncompressed NIfTI-1 file"));
    }
    let volume = image::parse_nifti_mask(bytes, &limits(reference)).map_err(|_| {
        BrokenRule("the mask is not a readable NIfTI-1 file of labels on the grid of the input")
    })?;
    on_the_grid(volume, reference)
}

/// Reads a mask from a MetaImage or NIfTI file, compressed or not, as [`mask`].
pub fn image_mask(bytes: &[u8], reference: &Volume<u8>) -> Result<Volume<u8>, BrokenRule> {
    if !matches!(Format::of_bytes(bytes), Some(Format::MetaImage | Format::Nifti)) {
        return Err(BrokenRule("the mask must be a MetaImage (.mha) or NIfTI file"));
    }
    let volume = image::parse_mask(bytes, &limits(reference)).map_err(|_| {
        BrokenRule("the mask is not a readable image of labels 0 and 1 on the grid of the input")
    })?;
    on_the_grid(volume, reference)
}

/// No more voxels than the reference has, whatever a header declares.
fn limits(reference: &Volume<u8>) -> ReadLimits {
    ReadLimits { voxels: reference.data.len() as u64, ..ReadLimits::default() }
}

fn on_the_grid(volume: Volume<u8>, reference: &Volume<u8>) -> Result<Volume<u8>, BrokenRule> {
    if volume.geometry.shape != reference.geometry.shape {
        return Err(BrokenRule("the mask has another shape than the input image"));
    }
    if !volume.geometry.same_grid(&reference.geometry) {
        return Err(BrokenRule(
            "the mask lies on another grid (spacing, origin or orientation) than the input image",
        ));
    }
    if volume.data.iter().any(|label| *label > 1) {
        return Err(BrokenRule("the mask holds labels other than 0 and 1"));
    }
    Ok(volume)
}

#[cfg(test)]
mod tests {
    use super::*;
    use fiel_metrics::image::Geometry;

    #[test]
    fn plain_probabilities_are_read() {
        for (text, value) in [
            ("case_id,probability\nc1,0.25\n", 0.25),
            ("case_id,probability\nc1,0", 0.0),
            ("case_id,probability\r\nc1,1\r\n", 1.0),
            ("case_id,probability\nc1,2.5e-01\n", 0.25),
            ("case_id,probability\nc1,1e-400\n", 0.0),
        ] {
            assert_eq!(probability(text.as_bytes(), "c1", "probability"), Ok(value), "{text:?}");
        }
    }

    #[test]
    #[expect(clippy::too_many_lines, reason = "a list")]
    fn hostile_predictions_are_refused() {
        let with = |value: &str| format!("case_id,probability\nc1,{value}\n");
        let mut hostile: Vec<String> = [
            "NaN",
            "nan",
            "inf",
            "-inf",
            "infinity",
            "1e999",
            "0x1p-1",
            "0x0.8",
            "7",
            "1.0000001",
            "-0",
            "-0.5",
            "+0.5",
            "",
            " 0.5",
            "0.5 ",
            "0,5",
            "0.5,0.5",
            ".5",
            "5.",
            "1e",
            "e1",
            "1e+-3",
            "0.5f",
            "1_0",
            "true",
            "\"0.5\"",
            "٠.٥",
            "0.5\0",
            "0.5\t",
            "--1",
            "1e5",
            "0..5",
            "0.5.5",
        ]
        .iter()
        .map(|value| with(value))
        .collect();
        hostile.push(with(&"0".repeat(65)));
        for text in [
            "",
            "\n",
            "case_id,probability",
            "case_id,probability\n",
            "c1,0.5\n",
            "case_id,score\nc1,0.5\n",
            "probability,case_id\n0.5,c1\n",
            "case_id,probability,extra\nc1,0.5,1\n",
            "case_id,probability\nc2,0.5\n",
            "case_id,probability\nc1,0.5\nc1,0.5\n",
            "case_id,probability\nc1,0.5\nc2,0.5\n",
            "case_id,probability\nc1,0.5\n\n",
            "case_id,probability\n\nc1,0.5\n",
            "case_id,probability\nc1\n",
            "\u{feff}case_id,probability\nc1,0.5\n",
            "case_id;probability\nc1;0.5\n",
            "case_id, probability\nc1,0.5\n",
            "case_id,probability\rc1,0.5\r",
            "case_id,probability\n c1,0.5\n",
            "Case_ID,probability\nc1,0.5\n",
        ] {
            hostile.push(text.to_owned());
        }
        for text in hostile {
            assert!(probability(text.as_bytes(), "c1", "probability").is_err(), "{text:?} was accepted");
        }
        assert!(probability(b"case_id,probability\nc1,0.5\xff\n", "c1", "probability").is_err());
        let mut large = b"case_id,probability\nc1,0.5\n".to_vec();
        large.resize(TABLE_BYTES_MAX + 1, b'\n');
        assert!(probability(&large, "c1", "probability").is_err());
    }

    fn grid() -> Geometry {
        Geometry::axis_aligned([4, 3, 2], [0.7, 0.7, 2.5])
    }

    fn bytes_of(geometry: Geometry) -> Vec<u8> {
        let data = vec![1; geometry.voxels()];
        image::encode_nifti_mask(&Volume { geometry, data }).unwrap()
    }

    #[test]
    fn a_mask_on_the_grid_of_the_reference_is_read_within_a_thousandth_of_a_millimetre() {
        let reference = Volume { geometry: grid(), data: vec![0; 24] };
        let shifted = Geometry { origin_mm: [0.0005, 0.0, 0.0], ..grid() };
        for geometry in [grid(), shifted] {
            assert_eq!(mask(&bytes_of(geometry), &reference).unwrap().data, vec![1; 24]);
        }
    }

    #[test]
    fn hostile_masks_are_refused() {
        let reference = Volume { geometry: grid(), data: vec![0; 24] };
        let good = bytes_of(grid());
        let with = |at: usize, value: &[u8]| {
            let mut bytes = good.clone();
            bytes[at..at + value.len()].copy_from_slice(value);
            bytes
        };
        let flipped = [-1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0];
        let mut hostile = vec![
            bytes_of(Geometry { shape: [4, 3, 1], ..grid() }),
            bytes_of(Geometry { shape: [3, 4, 2], ..grid() }),
            bytes_of(Geometry { spacing_mm: [0.7, 0.7, 2.6], ..grid() }),
            bytes_of(Geometry { origin_mm: [0.01, 0.0, 0.0], ..grid() }),
            bytes_of(Geometry { direction: flipped, ..grid() }),
            with(good.len() - 1, &[2]),
            with(good.len() - 1, &[255]),
            with(42, &(-1_i16).to_le_bytes()),
            with(42, &i16::MAX.to_le_bytes()),
            with(108, &f32::NAN.to_le_bytes()),
            with(108, &(-5.0_f32).to_le_bytes()),
            with(108, &1e9_f32.to_le_bytes()),
            with(112, &f32::INFINITY.to_le_bytes()),
            with(70, &64_i16.to_le_bytes()),
            good[..good.len() - 1].to_vec(),
            good[..100].to_vec(),
            Vec::new(),
            b"case_id,probability\nc1,0.5\n".to_vec(),
        ];
        let mut gzip = vec![0x1f, 0x8b];
        gzip.extend_from_slice(&good);
        hostile.push(gzip);
        for (at, bytes) in hostile.iter().enumerate() {
            assert!(mask(bytes, &reference).is_err(), "number {at} was accepted");
        }
    }

    #[test]
    fn a_json_probability_is_a_number_or_an_object_of_the_column() {
        for (text, value) in
            [("0.25", 0.25), ("1", 1.0), (" 0 \n", 0.0), ("2.5e-1", 0.25), (r#"{"probability": 0.75}"#, 0.75)]
        {
            assert_eq!(json_probability(text.as_bytes(), "probability"), Ok(value), "{text}");
        }
    }

    #[test]
    fn hostile_json_is_refused() {
        let deep = "[".repeat(60_000);
        for text in [
            "",
            "NaN",
            "Infinity",
            "-Infinity",
            "1e999",
            "-0.0",
            "-0.5",
            "1.5",
            "2",
            "null",
            "true",
            "\"0.5\"",
            "[0.5]",
            "0.5 0.5",
            "0.5,",
            "{}",
            "{\"other\": 0.5}",
            "{\"probability\": 0.5, \"probability\": 0.5}",
            "{\"probability\": 0.5, \"x\": 1}",
            "{\"probability\": {\"probability\": 0.5}}",
            "{\"probability\": NaN}",
            "{\"probability\": \"0.5\"}",
            "{\"probability\": 0.5",
            "\u{feff}0.5",
            &deep,
        ] {
            assert!(json_probability(text.as_bytes(), "probability").is_err(), "{text:.40} was accepted");
        }
        assert!(json_probability(&vec![b'0'; TABLE_BYTES_MAX + 1], "probability").is_err());
        assert!(json_probability(b"0.5\xff", "probability").is_err());
    }

    #[test]
    fn masks_of_other_formats_are_held_to_the_same_rules() {
        let reference = Volume { geometry: grid(), data: vec![0; 24] };
        let nifti = bytes_of(grid());
        let meta = image::encode_meta_image(&nifti, &ReadLimits::default()).unwrap();
        for bytes in [&nifti, &meta] {
            assert_eq!(image_mask(bytes, &reference).unwrap().data, vec![1; 24]);
        }
        let text = String::from_utf8_lossy(&meta[..meta.len() - 24]).into_owned();
        let with = |from: &str, to: &str| {
            assert!(text.contains(from), "{from}");
            let mut bytes = text.replace(from, to).into_bytes();
            bytes.extend_from_slice(&meta[meta.len() - 24..]);
            bytes
        };
        for (at, bytes) in [
            with("DimSize = 4 3 2", "DimSize = 4000000000 4000000000 4000000000"),
            with("DimSize = 4 3 2", "DimSize = 4 3 1"),
            with("Offset = 0 0 0", "Offset = 1 0 0"),
            with("TransformMatrix = -1 0 0", "TransformMatrix = 1 0 0"),
            with("ElementDataFile = LOCAL", "ElementDataFile = /etc/passwd"),
            with("CompressedData = False", "CompressedData = True"),
            meta[..meta.len() - 1].to_vec(),
            Vec::new(),
            b"\x93NUMPY\x01\x00".to_vec(),
        ]
        .iter()
        .enumerate()
        {
            assert!(image_mask(bytes, &reference).is_err(), "number {at} was accepted");
        }
    }

    #[test]
    fn rules_never_quote_what_a_model_wrote() {
        let secret = "case_id,probability\nc1,patient-name\n";
        let rule = probability(secret.as_bytes(), "c1", "probability").unwrap_err();
        assert!(!rule.to_string().contains("patient"));
    }
}
