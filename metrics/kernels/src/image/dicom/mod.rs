//! DICOM segmentation objects: binary, fractional and label-map ones, uncompressed.
//!
//! Source: DICOM PS3.3, A.51 and C.8.20 (Segmentation), C.7.6.16 (functional groups).

mod element;
mod frames;

use super::raster::check_size;
use super::stored::{Label, Stored};
use super::{Geometry, ReadLimits, Volume};
use crate::error::ImageError;
use element::{Dataset, Reader, Tag, bad};
use frames::Frame;

const SOP_CLASS: Tag = Tag(0x0008_0016, "SOPClassUID (0008,0016)");
const SAMPLES: Tag = Tag(0x0028_0002, "SamplesPerPixel (0028,0002)");
const FRAMES: Tag = Tag(0x0028_0008, "NumberOfFrames (0028,0008)");
const ROWS: Tag = Tag(0x0028_0010, "Rows (0028,0010)");
const COLUMNS: Tag = Tag(0x0028_0011, "Columns (0028,0011)");
const BITS: Tag = Tag(0x0028_0100, "BitsAllocated (0028,0100)");
const SIGNED: Tag = Tag(0x0028_0103, "PixelRepresentation (0028,0103)");
const TYPE: Tag = Tag(0x0062_0001, "SegmentationType (0062,0001)");
const SEGMENTS: Tag = Tag(0x0062_0002, "SegmentSequence (0062,0002)");
const SEGMENT_NUMBER: Tag = Tag(0x0062_0004, "SegmentNumber (0062,0004)");
const MAXIMUM: Tag = Tag(0x0062_000e, "MaximumFractionalValue (0062,000E)");
const PIXELS: Tag = Tag(0x7fe0_0010, "PixelData (7FE0,0010)");
const TRANSFER_SYNTAX: Tag = Tag(0x0002_0010, "TransferSyntaxUID (0002,0010)");

/// A segmentation whose voxels have not been placed yet.
pub(super) struct Segmentation<'a> {
    geometry: Geometry,
    coding: Coding,
    frames: Vec<Frame>,
    /// Whether more than one segment has frames.
    several: bool,
    pixels: &'a [u8],
}

/// What a pixel of a frame says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Coding {
    /// One bit: whether it belongs to the frame's segment.
    Binary,
    /// How much of it belongs to the frame's segment, of this maximum.
    Fractional(u8),
    /// The number of the segment, in one byte.
    LabelMap8,
    /// The same in two bytes.
    LabelMap16,
}

/// Checks everything but the pixels.
pub(super) fn open<'a>(bytes: &'a [u8], limits: &ReadLimits) -> Result<Segmentation<'a>, ImageError> {
    let (dataset, explicit) = split(bytes)?;
    let wanted = [
        SOP_CLASS,
        SAMPLES,
        FRAMES,
        ROWS,
        COLUMNS,
        BITS,
        SIGNED,
        TYPE,
        SEGMENTS,
        MAXIMUM,
        PIXELS,
        frames::SHARED,
        frames::PER_FRAME,
    ];
    let dataset = Dataset::parse(dataset, explicit, &wanted)?;
    let coding = coding(&dataset)?;
    let (rows, columns) = (dataset.required_short(ROWS)?, dataset.required_short(COLUMNS)?);
    for (tag, length) in [(ROWS, rows), (COLUMNS, columns)] {
        if length == 0 {
            return bad(tag.1, "is 0".to_owned());
        }
    }
    let count = match dataset.text(FRAMES).and_then(|n| n.parse::<u32>().ok()) {
        Some(count) if count > 0 => count,
        _ => return bad(FRAMES.1, "is not a whole number above 0".to_owned()),
    };
    let plane = usize::from(rows) * usize::from(columns);
    let pixels = pixels(&dataset, coding, u64::from(count) * plane as u64)?;
    let numbers = segments(&dataset, explicit)?;
    let labelled = matches!(coding, Coding::LabelMap8 | Coding::LabelMap16);
    let placed = frames::place(&dataset, explicit, count as usize, (!labelled).then_some(&numbers[..]))?;
    let shape = [usize::from(columns), usize::from(rows), placed.slices];
    check_size(shape, Stored::U16, limits)?;
    let geometry =
        Geometry::from_lps(shape, placed.matrix, placed.origin, "DICOM", "PlaneOrientationSequence")?;
    let several = placed.frames.windows(2).any(|pair| pair[0].segment != pair[1].segment);
    Ok(Segmentation { geometry, coding, frames: placed.frames, several, pixels })
}

/// The data set behind the file's meta information, and whether its types are explicit.
fn split(bytes: &[u8]) -> Result<(&[u8], bool), ImageError> {
    if bytes.get(128..132) != Some(b"DICM") {
        return bad("the prefix", "is not \"DICM\" at byte 128".to_owned());
    }
    let mut reader = Reader { bytes, at: 132, explicit: true };
    let mut syntax = None;
    while reader.peek().is_some_and(|tag| tag >> 16 == 2) {
        let (tag, value) = reader.element(0)?;
        if tag == TRANSFER_SYNTAX.0 {
            syntax = str::from_utf8(value).ok().map(|text| text.trim_matches([' ', '\0']));
        }
    }
    let explicit = match syntax {
        Some("1.2.840.10008.1.2") => false,
        Some("1.2.840.10008.1.2.1") => true,
        Some(other) => {
            let other: String = other.chars().take(64).collect();
            return bad(
                TRANSFER_SYNTAX.1,
                format!(
                    "is {other:?}; uncompressed little-endian files are read (1.2.840.10008.1.2 and .1.2.1)"
                ),
            );
        }
        None => return bad(TRANSFER_SYNTAX.1, "is missing".to_owned()),
    };
    Ok((&bytes[reader.at..], explicit))
}

fn coding(dataset: &Dataset) -> Result<Coding, ImageError> {
    let class = dataset.text(SOP_CLASS);
    if !matches!(class, Some("1.2.840.10008.5.1.4.1.1.66.4" | "1.2.840.10008.5.1.4.1.1.66.7")) {
        return bad(
            SOP_CLASS.1,
            "is not that of a segmentation (1.2.840.10008.5.1.4.1.1.66.4 or .7)".to_owned(),
        );
    }
    if dataset.short(SAMPLES)?.unwrap_or(1) != 1 {
        return bad(SAMPLES.1, "is not 1".to_owned());
    }
    if dataset.short(SIGNED)?.unwrap_or(0) != 0 {
        return bad(SIGNED.1, "is not 0 (unsigned)".to_owned());
    }
    match (dataset.text(TYPE), dataset.required_short(BITS)?) {
        (Some("BINARY"), 1) => Ok(Coding::Binary),
        (Some("LABELMAP"), 8) => Ok(Coding::LabelMap8),
        (Some("LABELMAP"), 16) => Ok(Coding::LabelMap16),
        (Some("FRACTIONAL"), 8) => match dataset.required_short(MAXIMUM)? {
            maximum @ 1..=255 => Ok(Coding::Fractional(maximum.to_le_bytes()[0])),
            other => bad(MAXIMUM.1, format!("is {other}; 1 to 255 is read")),
        },
        (Some("BINARY" | "FRACTIONAL" | "LABELMAP"), bits) => {
            bad(BITS.1, format!("is {bits}, which does not go with the SegmentationType"))
        }
        _ => bad(TYPE.1, "is none of BINARY, FRACTIONAL and LABELMAP".to_owned()),
    }
}

/// The pixels of all frames, exactly as many as there must be.
fn pixels<'a>(dataset: &Dataset<'a>, coding: Coding, count: u64) -> Result<&'a [u8], ImageError> {
    let needed = match coding {
        Coding::Binary => count.div_ceil(8),
        Coding::Fractional(_) | Coding::LabelMap8 => count,
        Coding::LabelMap16 => 2 * count,
    };
    let Some(pixels) = dataset.bytes(PIXELS) else { return bad(PIXELS.1, "is missing".to_owned()) };
    let found = pixels.len() as u64;
    // A value is padded to an even length.
    if found != needed && !(needed % 2 == 1 && found == needed + 1) {
        return Err(ImageError::Data(format!("{} has {found} bytes, its frames take {needed}", PIXELS.1)));
    }
    Ok(pixels)
}

/// The numbers of the segments, ascending.
fn segments(dataset: &Dataset, explicit: bool) -> Result<Vec<u16>, ImageError> {
    let mut numbers = Vec::new();
    for item in dataset.items(SEGMENTS)? {
        numbers.push(Dataset::parse(item, explicit, &[SEGMENT_NUMBER])?.required_short(SEGMENT_NUMBER)?);
    }
    numbers.sort_unstable();
    match numbers.as_slice() {
        [] => bad(SEGMENTS.1, "is missing or empty".to_owned()),
        list if list.windows(2).any(|pair| pair[0] == pair[1]) => {
            bad(SEGMENT_NUMBER.1, "is the same for two segments".to_owned())
        }
        _ => Ok(numbers),
    }
}

impl Segmentation<'_> {
    /// Whatever belongs to any segment.
    pub(super) fn mask(&self) -> Result<Volume<u8>, ImageError> {
        self.collect(|voxel: &mut u8, _, _| {
            *voxel = 1;
            Ok(())
        })
    }

    /// The segments' numbers; a voxel of two segments is an error.
    pub(super) fn labels<T: Label>(&self) -> Result<Volume<T>, ImageError> {
        let shape = self.geometry.shape;
        self.collect(|voxel: &mut T, label, place| {
            let index = || Geometry::index(shape, place);
            if label > T::LIMIT {
                let limit = u32::from(T::LIMIT);
                return Err(ImageError::LabelMap { index: index(), value: f64::from(label), limit });
            }
            let before: u16 = (*voxel).into();
            if before != 0 && before != label {
                let (first, second) = (before.min(label), before.max(label));
                return Err(ImageError::Overlap { index: index(), first, second });
            }
            *voxel = T::from_label(label);
            Ok(())
        })
    }

    /// The fractions, 0 to 1, of a fractional segmentation of one segment; otherwise the labels.
    pub(super) fn fractions(&self) -> Result<Volume<f32>, ImageError> {
        let Coding::Fractional(maximum) = self.coding else {
            let Volume { geometry, data } = self.labels::<u16>()?;
            return Ok(Volume { geometry, data: data.into_iter().map(f32::from).collect() });
        };
        if self.several {
            return bad(
                SEGMENTS.1,
                "has several fractional segments, which are no image of one value per voxel".to_owned(),
            );
        }
        let plane = self.plane();
        let mut data = vec![0f32; self.geometry.voxels()];
        for (frame, pixels) in self.frames.iter().zip(self.pixels.chunks_exact(plane)) {
            let slice = &mut data[frame.slice * plane..][..plane];
            for (i, (voxel, &pixel)) in slice.iter_mut().zip(pixels).enumerate() {
                self.check_fraction(pixel, maximum, frame.slice * plane + i)?;
                *voxel = f32::from(pixel) / f32::from(maximum);
            }
        }
        Ok(Volume { geometry: self.geometry.clone(), data })
    }

    fn plane(&self) -> usize {
        self.geometry.shape[0] * self.geometry.shape[1]
    }

    fn check_fraction(&self, pixel: u8, maximum: u8, place: usize) -> Result<(), ImageError> {
        if pixel <= maximum {
            return Ok(());
        }
        Err(ImageError::Voxel {
            index: Geometry::index(self.geometry.shape, place),
            value: f64::from(pixel),
            expected: "a fractional segmentation's voxels are at most its MaximumFractionalValue",
        })
    }

    /// Calls `mark` for each voxel of each segment with the segment's number and the voxel's place.
    fn collect<T: Copy + Default>(
        &self,
        mut mark: impl FnMut(&mut T, u16, usize) -> Result<(), ImageError>,
    ) -> Result<Volume<T>, ImageError> {
        let plane = self.plane();
        let mut data = vec![T::default(); self.geometry.voxels()];
        for (number, frame) in self.frames.iter().enumerate() {
            let (first, start) = (frame.slice * plane, number * plane);
            let mut voxel = |i: usize, label: u16| mark(&mut data[first + i], label, first + i);
            match self.coding {
                Coding::Binary => bits(self.pixels, start, plane, |i| voxel(i, frame.segment))?,
                Coding::Fractional(maximum) => {
                    for (i, &pixel) in self.pixels[start..start + plane].iter().enumerate() {
                        self.check_fraction(pixel, maximum, first + i)?;
                        if 2 * u16::from(pixel) >= u16::from(maximum) {
                            voxel(i, frame.segment)?;
                        }
                    }
                }
                Coding::LabelMap8 => {
                    for (i, &pixel) in self.pixels[start..start + plane].iter().enumerate() {
                        if pixel != 0 {
                            voxel(i, u16::from(pixel))?;
                        }
                    }
                }
                Coding::LabelMap16 => {
                    let (pixels, _) = self.pixels.as_chunks::<2>();
                    for (i, pixel) in pixels[start..start + plane].iter().enumerate() {
                        if *pixel != [0, 0] {
                            voxel(i, u16::from_le_bytes(*pixel))?;
                        }
                    }
                }
            }
        }
        Ok(Volume { geometry: self.geometry.clone(), data })
    }
}

/// Calls `set` for each of `count` bits from `start` on that is 1; bits are packed from the lowest of a byte.
fn bits(
    bytes: &[u8],
    start: usize,
    count: usize,
    mut set: impl FnMut(usize) -> Result<(), ImageError>,
) -> Result<(), ImageError> {
    let end = start + count;
    for (place, &byte) in bytes.iter().enumerate().take(end.div_ceil(8)).skip(start / 8) {
        if byte == 0 {
            continue;
        }
        for bit in 0..8 {
            let at = place * 8 + bit;
            if byte >> bit & 1 == 1 && at >= start && at < end {
                set(at - start)?;
            }
        }
    }
    Ok(())
}
