//! Where the frames of a segmentation lie, by their functional groups.

use super::element::{Dataset, Tag, bad};
use crate::error::ImageError;
use std::collections::HashSet;

pub(super) const SHARED: Tag = Tag(0x5200_9229, "SharedFunctionalGroupsSequence (5200,9229)");
pub(super) const PER_FRAME: Tag = Tag(0x5200_9230, "PerFrameFunctionalGroupsSequence (5200,9230)");
const POSITIONS: Tag = Tag(0x0020_9113, "PlanePositionSequence (0020,9113)");
const POSITION: Tag = Tag(0x0020_0032, "ImagePositionPatient (0020,0032)");
const ORIENTATIONS: Tag = Tag(0x0020_9116, "PlaneOrientationSequence (0020,9116)");
const ORIENTATION: Tag = Tag(0x0020_0037, "ImageOrientationPatient (0020,0037)");
const MEASURES: Tag = Tag(0x0028_9110, "PixelMeasuresSequence (0028,9110)");
const PIXEL_SPACING: Tag = Tag(0x0028_0030, "PixelSpacing (0028,0030)");
const THICKNESS: Tag = Tag(0x0018_0050, "SliceThickness (0018,0050)");
const BETWEEN: Tag = Tag(0x0018_0088, "SpacingBetweenSlices (0018,0088)");
const IDENTIFICATION: Tag = Tag(0x0062_000a, "SegmentIdentificationSequence (0062,000A)");
const REFERENCED: Tag = Tag(0x0062_000b, "ReferencedSegmentNumber (0062,000B)");
const GROUPS: [Tag; 4] = [POSITIONS, ORIENTATIONS, MEASURES, IDENTIFICATION];

/// Slices without any frame that may lie between frames: writers leave out empty ones.
const MAX_EMPTY_SLICES: usize = 4096;
/// A position along the normal may be off by this part of the distance between slices.
const OFF_SLICE: f64 = 1e-2;
/// Positions within the plane must agree to this, in millimetres, as grids do.
const OFF_AXIS_MM: f64 = 1e-3;

/// A frame's slice, counted along the planes' normal, and its segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Frame {
    pub slice: usize,
    /// 0 in a label map, where each pixel names its own.
    pub segment: u16,
}

/// All frames on one grid, in the LPS+ space of DICOM.
pub(super) struct Placed {
    pub frames: Vec<Frame>,
    pub slices: usize,
    pub matrix: [f64; 9],
    pub origin: [f64; 3],
}

/// What is said about one frame.
struct Plane {
    position: [f64; 3],
    /// Direction of a row, then that of a column.
    orientation: [f64; 6],
    /// Distance between rows, then that between columns.
    spacing: [f64; 2],
    between: Option<f64>,
    thickness: Option<f64>,
    segment: u16,
}

/// Places `count` frames; each names one of `segments`, if those are given.
pub(super) fn place(
    dataset: &Dataset,
    explicit: bool,
    count: usize,
    segments: Option<&[u16]>,
) -> Result<Placed, ImageError> {
    let items = dataset.items(PER_FRAME)?;
    if items.len() != count {
        return bad(PER_FRAME.1, format!("has {} items for {count} frames", items.len()));
    }
    let shared = match dataset.item(SHARED, &GROUPS)? {
        Some(shared) => shared,
        None => Dataset::parse(&[], explicit, &[])?,
    };
    let mut planes = Vec::with_capacity(count);
    for item in items {
        planes.push(plane(&Dataset::parse(item, explicit, &GROUPS)?, &shared, segments)?);
    }
    // `count` is above 0.
    let first = &planes[0];
    check_axes(first)?;
    for other in &planes {
        let same = close(&other.orientation, &first.orientation, 1e-4)
            && close(&other.spacing, &first.spacing, 1e-6)
            && other.between == first.between;
        if !same {
            return bad(MEASURES.1, "or PlaneOrientationSequence differs between frames".to_owned());
        }
    }
    stack(&planes)
}

fn plane(own: &Dataset, shared: &Dataset, segments: Option<&[u16]>) -> Result<Plane, ImageError> {
    let group = |tag: Tag, wanted: &[Tag]| match own.item(tag, wanted)? {
        Some(found) => Ok(found),
        None => match shared.item(tag, wanted)? {
            Some(found) => Ok(found),
            None => bad(tag.1, "is missing for a frame".to_owned()),
        },
    };
    let missing =
        |tag: Tag| ImageError::Field { format: "DICOM", field: tag.1, problem: "is missing".to_owned() };
    let position = group(POSITIONS, &[POSITION])?.decimals(POSITION)?.ok_or_else(|| missing(POSITION))?;
    let orientation =
        group(ORIENTATIONS, &[ORIENTATION])?.decimals(ORIENTATION)?.ok_or_else(|| missing(ORIENTATION))?;
    let measures = group(MEASURES, &[PIXEL_SPACING, THICKNESS, BETWEEN])?;
    let spacing = measures.decimals(PIXEL_SPACING)?.ok_or_else(|| missing(PIXEL_SPACING))?;
    let distance = |tag| Ok::<_, ImageError>(measures.decimals::<1>(tag)?.map(|[v]| v));
    let segment = match segments {
        None => 0,
        Some(segments) => {
            let found = group(IDENTIFICATION, &[REFERENCED])?.required_short(REFERENCED)?;
            if found == 0 || segments.binary_search(&found).is_err() {
                return bad(REFERENCED.1, format!("is {found}, which is not in the SegmentSequence"));
            }
            found
        }
    };
    let (between, thickness) = (distance(BETWEEN)?, distance(THICKNESS)?);
    Ok(Plane { position, orientation, spacing, between, thickness, segment })
}

fn check_axes(plane: &Plane) -> Result<(), ImageError> {
    let (row, column) = axes(plane);
    let fine =
        [row, column].iter().all(|v| (dot(v, v) - 1.0).abs() <= 1e-3) && dot(&row, &column).abs() <= 1e-3;
    if !fine {
        return bad(ORIENTATION.1, "is not of two perpendicular vectors of length 1".to_owned());
    }
    if !plane.spacing.iter().all(|v| *v > 0.0) {
        return bad(PIXEL_SPACING.1, "is not above 0".to_owned());
    }
    Ok(())
}

/// Orders the frames along the normal and finds the distance between slices.
fn stack(planes: &[Plane]) -> Result<Placed, ImageError> {
    let first = &planes[0];
    let (row, column) = axes(first);
    let normal = [
        row[1] * column[2] - row[2] * column[1],
        row[2] * column[0] - row[0] * column[2],
        row[0] * column[1] - row[1] * column[0],
    ];
    let heights: Vec<f64> = planes.iter().map(|plane| dot(&plane.position, &normal)).collect();
    let mut ordered: Vec<usize> = (0..planes.len()).collect();
    ordered.sort_by(|&a, &b| heights[a].total_cmp(&heights[b]));
    let (lowest, highest) = (ordered[0], ordered[ordered.len() - 1]);
    let (base, extent) = (&planes[lowest].position, heights[highest] - heights[lowest]);
    let gap = ordered
        .windows(2)
        .map(|pair| heights[pair[1]] - heights[pair[0]])
        .filter(|gap| *gap > OFF_AXIS_MM)
        .fold(f64::INFINITY, f64::min);
    let (field, step) = match (first.between, first.thickness) {
        (Some(between), _) => (BETWEEN.1, between),
        (None, _) if gap.is_finite() => (POSITION.1, gap),
        (None, Some(thickness)) => (THICKNESS.1, thickness),
        (None, None) => return bad(BETWEEN.1, "is missing, and so is SliceThickness".to_owned()),
    };
    let last = (extent / step).round();
    if !(step.is_finite() && step > 0.0 && last >= 0.0 && last < (MAX_EMPTY_SLICES + planes.len()) as f64) {
        return bad(field, format!("gives slices that are {step} mm apart over {extent} mm"));
    }
    // Over many slices, the rounding of a step written as text would add up.
    let step = if last > 0.0 { extent / last } else { step };
    let mut frames = Vec::with_capacity(planes.len());
    for (plane, height) in planes.iter().zip(&heights) {
        let slice = ((height - heights[lowest]) / step).round();
        let along = height - heights[lowest];
        let off: [f64; 3] = std::array::from_fn(|i| plane.position[i] - base[i] - along * normal[i]);
        if (along - slice * step).abs() > OFF_SLICE * step || dot(&off, &off).sqrt() > OFF_AXIS_MM {
            return bad(POSITION.1, "does not lie on one regular grid for all frames".to_owned());
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to `last`")]
        frames.push(Frame { slice: slice as usize, segment: plane.segment });
    }
    let mut seen = HashSet::with_capacity(frames.len());
    if !frames.iter().all(|frame| seen.insert(*frame)) {
        return bad(POSITION.1, "is the same for two frames of a segment".to_owned());
    }
    let matrix = std::array::from_fn(|i| match i % 3 {
        0 => row[i / 3] * first.spacing[1],
        1 => column[i / 3] * first.spacing[0],
        _ => normal[i / 3] * step,
    });
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to be small")]
    let slices = last as usize + 1;
    Ok(Placed { frames, slices, matrix, origin: *base })
}

fn axes(plane: &Plane) -> ([f64; 3], [f64; 3]) {
    let cosines = &plane.orientation;
    (std::array::from_fn(|i| cosines[i]), std::array::from_fn(|i| cosines[3 + i]))
}

fn dot(a: &[f64; 3], b: &[f64; 3]) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

fn close(a: &[f64], b: &[f64], tolerance: f64) -> bool {
    a.iter().zip(b).all(|(a, b)| (a - b).abs() <= tolerance)
}
