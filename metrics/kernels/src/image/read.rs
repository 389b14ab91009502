//! One entry for all formats: which one a file is of, and its voxels as masks, labels or intensities.

use super::raster::Raster;
use super::runs::LabelRuns;
use super::stored::{Label, Labels, Mask, Short, Single};
use super::{ReadLimits, Volume, dicom, meta, nifti, npy};
use crate::error::ImageError;
use std::io::Read;
use std::path::Path;

/// Distance between voxels along each axis, in millimetres, given beside a file that does not tell it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Spacing {
    /// Of images of two axes. Voxels count as 1 mm thick where a volume is asked for.
    Plane([f64; 2]),
    /// Of images of three axes, or of two and how thick their voxels are.
    Volume([f64; 3]),
}

/// How to read an image.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct ReadOptions {
    /// How much may be accepted.
    pub limits: ReadLimits,
    /// Distance between voxels in millimetres of formats that do not tell it (`.npy`); without it such files are
    /// refused. Other formats do not use it.
    pub spacing: Option<Spacing>,
}

impl From<&ReadLimits> for ReadOptions {
    fn from(limits: &ReadLimits) -> Self {
        Self { limits: *limits, spacing: None }
    }
}

impl From<&Self> for ReadOptions {
    fn from(options: &Self) -> Self {
        *options
    }
}

/// Format of an image file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// NIfTI-1 or NIfTI-2 in one file (`.nii`, `.nii.gz`).
    Nifti,
    /// MetaImage (`.mha`, `.mhd`).
    MetaImage,
    /// NumPy array (`.npy`).
    Npy,
    /// DICOM segmentation object (`.dcm`).
    DicomSeg,
}

impl Format {
    /// The format that the first bytes of a file show, if it is one that is read.
    ///
    /// ```
    /// use fiel_kernels::image::Format;
    /// assert_eq!(Format::of_bytes(b"\x93NUMPY\x01\x00"), Some(Format::Npy));
    /// assert_eq!(Format::of_bytes(b"GIF89a"), None);
    /// ```
    pub fn of_bytes(bytes: &[u8]) -> Option<Self> {
        let size = bytes.first_chunk::<4>().map_or(0, |b| i32::from_le_bytes(*b));
        if bytes.starts_with(&[0x1f, 0x8b])
            || [348, 540].contains(&size)
            || [348, 540].contains(&size.swap_bytes())
        {
            Some(Self::Nifti)
        } else if bytes.starts_with(npy::MAGIC) {
            Some(Self::Npy)
        } else if bytes.get(128..132) == Some(b"DICM") {
            Some(Self::DicomSeg)
        } else if meta::looks_like_it(bytes) {
            Some(Self::MetaImage)
        } else {
            None
        }
    }

    /// The format that a file's name tells, if it is one that is read.
    ///
    /// ```
    /// use fiel_kernels::image::Format;
    /// assert_eq!(Format::of_name("case_01.nii.gz".as_ref()), Some(Format::Nifti));
    /// assert_eq!(Format::of_name("case_01.tiff".as_ref()), None);
    /// ```
    pub fn of_name(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_string_lossy().to_ascii_lowercase();
        let ends = |list: &[&str]| list.iter().any(|end| name.ends_with(end));
        if ends(&[".nii", ".nii.gz"]) {
            Some(Self::Nifti)
        } else if ends(&[".mha", ".mhd"]) {
            Some(Self::MetaImage)
        } else if ends(&[".npy"]) {
            Some(Self::Npy)
        } else if ends(&[".dcm"]) {
            Some(Self::DicomSeg)
        } else {
            None
        }
    }
}

/// Reads a mask of any format: every voxel must be 0 or 1, whatever type they are stored in. In a DICOM
/// segmentation, whatever belongs to any of its segments is 1.
///
/// The format is told by the content and must be that of the file's extension, if that is known.
///
/// # Errors
/// [`ImageError::File`] naming the file and what is wrong with it, [`ImageError::Io`] if it cannot be read.
///
/// ```
/// use fiel_kernels::image::{Geometry, ReadLimits, Volume, read_mask, write_nifti_mask};
/// let folder = tempfile::tempdir().unwrap();
/// let path = folder.path().join("mask.nii.gz");
/// let mask = Volume { geometry: Geometry::axis_aligned([2, 2, 1], [1.0; 3]), data: vec![0, 1, 1, 0] };
/// write_nifti_mask(&path, &mask).unwrap();
/// assert_eq!(read_mask(&path, &ReadLimits::default()).unwrap(), mask);
/// ```
pub fn read_mask(path: &Path, options: impl Into<ReadOptions>) -> Result<Volume<u8>, ImageError> {
    read(path, &options.into(), |opened, _| opened.mask())
}

/// Reads a label map of any format: whole numbers from 0 to 255 (`u8`) or 65,535 (`u16`). In a DICOM
/// segmentation, the label is the segment's number; fractional segments hold the voxels of at least one half.
///
/// # Errors
/// As [`read_mask`]; [`ImageError::Overlap`] if two segments hold the same voxel.
///
/// ```
/// use fiel_kernels::image::{Geometry, ReadLimits, Volume, read_labels, write_nifti_mask};
/// let folder = tempfile::tempdir().unwrap();
/// let path = folder.path().join("a.nii.gz");
/// let mask = Volume { geometry: Geometry::axis_aligned([2, 2, 1], [1.0; 3]), data: vec![0, 1, 1, 0] };
/// write_nifti_mask(&path, &mask).unwrap();
/// assert_eq!(read_labels::<u16>(&path, &ReadLimits::default()).unwrap().data, [0, 1, 1, 0]);
/// ```
pub fn read_labels<T: Label>(path: &Path, options: impl Into<ReadOptions>) -> Result<Volume<T>, ImageError> {
    read(path, &options.into(), |opened, _| opened.labels())
}

/// Reads a label map of any format as runs of equal labels: several times faster than [`read_labels`] for
/// compressed NIfTI, in memory that grows with the surface of the segmentation rather than its volume.
///
/// # Errors
/// As [`read_labels`]; [`ImageError::TooLarge`] if the runs take more bytes than the limits allow.
///
/// ```
/// use fiel_kernels::image::{Geometry, ReadLimits, Volume, read_label_runs, write_nifti_mask};
/// let folder = tempfile::tempdir().unwrap();
/// let path = folder.path().join("a.nii.gz");
/// let mask = Volume { geometry: Geometry::axis_aligned([2, 2, 1], [1.0; 3]), data: vec![0, 1, 1, 0] };
/// write_nifti_mask(&path, &mask).unwrap();
/// assert_eq!(read_label_runs(&path, &ReadLimits::default()).unwrap().len(), 3);
/// ```
pub fn read_label_runs(path: &Path, options: impl Into<ReadOptions>) -> Result<LabelRuns, ImageError> {
    read(path, &options.into(), |opened, options| opened.runs(&options.limits))
}

/// Reads an image of any format in single precision, scaled as its header says. A DICOM segmentation gives its
/// labels, or the fractions (0 to 1) if it is fractional and of one segment.
///
/// # Errors
/// As [`read_mask`].
///
/// ```
/// use fiel_kernels::image::{Geometry, ReadLimits, Volume, read_image_f32, write_nifti_i16};
/// let folder = tempfile::tempdir().unwrap();
/// let path = folder.path().join("a.nii.gz");
/// let map = Volume { geometry: Geometry::axis_aligned([2, 2, 1], [1.0; 3]), data: vec![0, 1, -300, 0] };
/// write_nifti_i16(&path, &map).unwrap();
/// assert_eq!(read_image_f32(&path, &ReadLimits::default()).unwrap().data, [0.0, 1.0, -300.0, 0.0]);
/// ```
pub fn read_image_f32(path: &Path, options: impl Into<ReadOptions>) -> Result<Volume<f32>, ImageError> {
    read(path, &options.into(), |opened, _| opened.image())
}

/// Reads an image of any format as 16-bit integers, such as a CT in Hounsfield units, in half the memory of
/// [`read_image_f32`].
///
/// # Errors
/// As [`read_mask`]; [`ImageError::Voxel`] if a scaled value is not a whole number from -32,768 to 32,767.
///
/// ```
/// use fiel_kernels::image::{Geometry, ReadLimits, Volume, read_image_i16, write_nifti_i16};
/// let folder = tempfile::tempdir().unwrap();
/// let path = folder.path().join("a.nii.gz");
/// let map = Volume { geometry: Geometry::axis_aligned([2, 2, 1], [1.0; 3]), data: vec![0, 1, -300, 0] };
/// write_nifti_i16(&path, &map).unwrap();
/// assert_eq!(read_image_i16(&path, &ReadLimits::default()).unwrap(), map);
/// ```
pub fn read_image_i16(path: &Path, options: impl Into<ReadOptions>) -> Result<Volume<i16>, ImageError> {
    read(path, &options.into(), |opened, _| opened.raster("16-bit integers")?.volume::<Short>())
}

/// [`read_mask`] for the bytes of a file.
///
/// # Errors
/// What is wrong with the bytes: [`ImageError::Field`] for a header that is damaged or of a kind that is not read,
/// [`ImageError::TooLarge`] beyond the limits, [`ImageError::Data`] for voxels that are damaged or missing,
/// [`ImageError::Label`], with its place, for one that is neither 0 nor 1.
///
/// ```
/// use fiel_kernels::image::{Geometry, ReadLimits, Volume, encode_nifti_mask, parse_mask};
/// let mask = Volume { geometry: Geometry::axis_aligned([2, 2, 1], [1.0; 3]), data: vec![0, 1, 1, 0] };
/// let bytes = encode_nifti_mask(&mask).unwrap();
/// assert_eq!(parse_mask(&bytes, &ReadLimits::default()).unwrap(), mask);
/// ```
pub fn parse_mask(bytes: &[u8], options: impl Into<ReadOptions>) -> Result<Volume<u8>, ImageError> {
    open(bytes, None, &options.into())?.mask()
}

/// [`read_labels`] for the bytes of a file.
///
/// # Errors
/// As [`parse_mask`], but [`ImageError::LabelMap`], with its place, for a voxel that is no label;
/// [`ImageError::Overlap`] if two segments hold the same voxel.
///
/// ```
/// use fiel_kernels::image::{Geometry, ReadLimits, Volume, encode_nifti_i16, parse_labels};
/// let map = Volume { geometry: Geometry::axis_aligned([2, 2, 1], [1.0; 3]), data: vec![0, 1, 300, 0] };
/// let bytes = encode_nifti_i16(&map).unwrap();
/// assert_eq!(parse_labels::<u16>(&bytes, &ReadLimits::default()).unwrap().data, [0, 1, 300, 0]);
/// assert!(parse_labels::<u8>(&bytes, &ReadLimits::default()).is_err());
/// ```
pub fn parse_labels<T: Label>(
    bytes: &[u8],
    options: impl Into<ReadOptions>,
) -> Result<Volume<T>, ImageError> {
    open(bytes, None, &options.into())?.labels()
}

/// [`read_label_runs`] for the bytes of a file.
///
/// # Errors
/// As [`parse_labels`]; [`ImageError::TooLarge`] if the runs take more bytes than the limits allow.
///
/// ```
/// use fiel_kernels::image::{Geometry, ReadLimits, Volume, encode_nifti_mask, parse_label_runs};
/// let mask = Volume { geometry: Geometry::axis_aligned([2, 2, 1], [1.0; 3]), data: vec![0, 1, 1, 0] };
/// let bytes = encode_nifti_mask(&mask).unwrap();
/// let runs = parse_label_runs(&bytes, &ReadLimits::default()).unwrap();
/// assert_eq!(runs.iter().nth(1), Some((1..3, 1)));
/// ```
pub fn parse_label_runs(bytes: &[u8], options: impl Into<ReadOptions>) -> Result<LabelRuns, ImageError> {
    let options = options.into();
    open(bytes, None, &options)?.runs(&options.limits)
}

/// [`read_image_f32`] for the bytes of a file.
///
/// # Errors
/// As [`parse_mask`], but any value is read, also NaN and infinities.
///
/// ```
/// use fiel_kernels::image::{Geometry, ReadLimits, Volume, encode_nifti_i16, parse_image_f32};
/// let map = Volume { geometry: Geometry::axis_aligned([2, 2, 1], [1.0; 3]), data: vec![0, 1, -300, 0] };
/// let bytes = encode_nifti_i16(&map).unwrap();
/// assert_eq!(parse_image_f32(&bytes, &ReadLimits::default()).unwrap().data, [0.0, 1.0, -300.0, 0.0]);
/// ```
pub fn parse_image_f32(bytes: &[u8], options: impl Into<ReadOptions>) -> Result<Volume<f32>, ImageError> {
    open(bytes, None, &options.into())?.image()
}

/// [`read_image_i16`] for the bytes of a file.
///
/// # Errors
/// As [`parse_mask`], but [`ImageError::Voxel`], with its place, for a scaled value that is not a whole number from
/// -32,768 to 32,767.
///
/// ```
/// use fiel_kernels::image::{Geometry, ReadLimits, Volume, encode_nifti_i16, parse_image_i16};
/// let map = Volume { geometry: Geometry::axis_aligned([2, 2, 1], [1.0; 3]), data: vec![0, 1, -300, 0] };
/// let bytes = encode_nifti_i16(&map).unwrap();
/// assert_eq!(parse_image_i16(&bytes, &ReadLimits::default()).unwrap(), map);
/// ```
pub fn parse_image_i16(bytes: &[u8], options: impl Into<ReadOptions>) -> Result<Volume<i16>, ImageError> {
    open(bytes, None, &options.into())?.raster("16-bit integers")?.volume::<Short>()
}

/// An image whose header has been checked.
enum Opened<'a> {
    Raster(Raster<'a>),
    Segments(dicom::Segmentation<'a>),
}

impl<'a> Opened<'a> {
    fn mask(self) -> Result<Volume<u8>, ImageError> {
        match self {
            Self::Raster(raster) => raster.volume::<Mask>(),
            Self::Segments(segments) => segments.mask(),
        }
    }

    fn labels<T: Label>(self) -> Result<Volume<T>, ImageError> {
        match self {
            Self::Raster(raster) => raster.volume::<Labels<T>>(),
            Self::Segments(segments) => segments.labels(),
        }
    }

    fn runs(self, limits: &ReadLimits) -> Result<LabelRuns, ImageError> {
        match self {
            Self::Raster(raster) => raster.runs(limits),
            Self::Segments(segments) => LabelRuns::from_volume(&segments.labels()?),
        }
    }

    fn image(self) -> Result<Volume<f32>, ImageError> {
        match self {
            Self::Raster(raster) => raster.volume::<Single>(),
            Self::Segments(segments) => segments.fractions(),
        }
    }

    fn raster(self, wanted: &str) -> Result<Raster<'a>, ImageError> {
        match self {
            Self::Raster(raster) => Ok(raster),
            Self::Segments(_) => Err(ImageError::Field {
                format: "DICOM",
                field: "SOPClassUID (0008,0016)",
                problem: format!("is that of a segmentation, which is not read as {wanted}"),
            }),
        }
    }
}

fn open<'a>(bytes: &'a [u8], name: Option<Format>, options: &ReadOptions) -> Result<Opened<'a>, ImageError> {
    check_file_size(bytes.len() as u64, &options.limits)?;
    match format(bytes, name)? {
        Format::Nifti => nifti::open(bytes, &options.limits).map(Opened::Raster),
        Format::MetaImage => meta::open(bytes, None, &options.limits).map(Opened::Raster),
        Format::Npy => npy::open(bytes, options.spacing, &options.limits).map(Opened::Raster),
        Format::DicomSeg => dicom::open(bytes, &options.limits).map(Opened::Segments),
    }
}

/// The format, which name and content must agree on.
fn format(bytes: &[u8], name: Option<Format>) -> Result<Format, ImageError> {
    let refuse = |problem: String| Err(ImageError::Field { format: "known", field: "the content", problem });
    match (Format::of_bytes(bytes), name) {
        (Some(found), None) => Ok(found),
        (Some(found), Some(name)) if found == name => Ok(found),
        (Some(found), Some(name)) => {
            refuse(format!("is {found:?} but the file's extension says {name:?}; rename the file"))
        }
        (None, _) => refuse("is none of NIfTI, MetaImage, NumPy and DICOM".to_owned()),
    }
}

fn read<T>(
    path: &Path,
    options: &ReadOptions,
    wanted: impl FnOnce(Opened<'_>, &ReadOptions) -> Result<T, ImageError>,
) -> Result<T, ImageError> {
    let limits = &options.limits;
    let name = Format::of_name(path);
    from_file(path, limits, |bytes| {
        if format(bytes, name)? == Format::MetaImage
            && let Some(data) = meta::data_file(bytes, path, limits)?
        {
            let opened = meta::open(bytes, Some(&data), limits).map(Opened::Raster)?;
            return wanted(opened, options);
        }
        wanted(open(bytes, name, options)?, options)
    })
}

/// Reads a file within the limits and names it in errors.
pub(super) fn from_file<T>(
    path: &Path,
    limits: &ReadLimits,
    parse: impl FnOnce(&[u8]) -> Result<T, ImageError>,
) -> Result<T, ImageError> {
    let bytes = file_bytes(path, limits)?;
    parse(&bytes).map_err(|e| ImageError::File { path: path.to_owned(), source: Box::new(e) })
}

/// Refuses a file that is too large as stored.
pub(super) fn check_file_size(found: u64, limits: &ReadLimits) -> Result<(), ImageError> {
    let limit = limits.file_bytes;
    if found > limit {
        return Err(ImageError::TooLarge { what: "the file's size in bytes", found, limit });
    }
    Ok(())
}

fn file_bytes(path: &Path, limits: &ReadLimits) -> Result<Vec<u8>, ImageError> {
    let io = |source| ImageError::Io { path: path.to_owned(), source };
    let found = std::fs::metadata(path).map_err(io)?;
    if !found.is_file() {
        return Err(io(std::io::Error::new(std::io::ErrorKind::InvalidInput, "not a regular file")));
    }
    let file = std::fs::File::open(path).map_err(io)?;
    contents(file, path, found.len(), limits)
}

/// The bytes of an open file, whose length was `length` a moment ago.
pub(super) fn contents(
    file: std::fs::File,
    path: &Path,
    length: u64,
    limits: &ReadLimits,
) -> Result<Vec<u8>, ImageError> {
    let io = |source| ImageError::Io { path: path.to_owned(), source };
    let check = |found| {
        check_file_size(found, limits)
            .map_err(|e| ImageError::File { path: path.to_owned(), source: Box::new(e) })
    };
    check(length)?;
    let mut bytes = Vec::with_capacity(usize::try_from(length.saturating_add(1)).unwrap_or(0));
    // The file may grow while it is read.
    file.take(limits.file_bytes.saturating_add(1)).read_to_end(&mut bytes).map_err(io)?;
    check(bytes.len() as u64)?;
    Ok(bytes)
}
