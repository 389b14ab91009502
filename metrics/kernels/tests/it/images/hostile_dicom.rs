//! DICOM segmentations that lie.

use super::{check_field, check_truncated, file, options};
use fiel_kernels::ImageError;
use fiel_kernels::image::*;

/// A segmentation of 2 rows and 3 columns, to be made wrong.
#[derive(Clone)]
struct Seg {
    syntax: &'static str,
    class: &'static str,
    kind: &'static str,
    bits: u16,
    maximum: Option<u16>,
    rows: u16,
    count: String,
    segments: Vec<u16>,
    orientation: &'static str,
    spacing: &'static str,
    between: Option<&'static str>,
    thickness: Option<&'static str>,
    frames: Vec<(&'static str, u16)>,
    pixels: Vec<u8>,
}

fn good() -> Seg {
    Seg {
        syntax: "1.2.840.10008.1.2.1",
        class: "1.2.840.10008.5.1.4.1.1.66.4",
        kind: "BINARY",
        bits: 1,
        maximum: None,
        rows: 2,
        count: "2".to_owned(),
        segments: vec![1, 2],
        orientation: "1\\0\\0\\0\\1\\0",
        spacing: "0.5\\0.25",
        between: Some("2"),
        thickness: None,
        frames: vec![("1\\2\\7", 2), ("1\\2\\3", 1)],
        // Six bits and six bits: the upper slice's first voxel, the lower slice's last one.
        pixels: vec![0b0000_0001, 0b0000_1000],
    }
}

fn element(tag: u32, kind: &str, value: &[u8]) -> Vec<u8> {
    let mut value = value.to_vec();
    if value.len() % 2 == 1 {
        value.push(if ["OB", "UI"].contains(&kind) { 0 } else { b' ' });
    }
    let mut out = Vec::new();
    out.extend_from_slice(&u16::try_from(tag >> 16).unwrap().to_le_bytes());
    out.extend_from_slice(&u16::try_from(tag & 0xffff).unwrap().to_le_bytes());
    out.extend_from_slice(kind.as_bytes());
    if ["OB", "SQ", "UN"].contains(&kind) {
        out.extend_from_slice(&[0, 0]);
        out.extend_from_slice(&u32::try_from(value.len()).unwrap().to_le_bytes());
    } else {
        out.extend_from_slice(&u16::try_from(value.len()).unwrap().to_le_bytes());
    }
    [out, value].concat()
}

fn short(tag: u32, value: u16) -> Vec<u8> {
    element(tag, "US", &value.to_le_bytes())
}

fn sequence(tag: u32, items: &[Vec<u8>]) -> Vec<u8> {
    let item = |i: &Vec<u8>| {
        [&[0xfe, 0xff, 0x00, 0xe0], &u32::try_from(i.len()).unwrap().to_le_bytes()[..], i].concat()
    };
    element(tag, "SQ", &items.iter().flat_map(item).collect::<Vec<u8>>())
}

impl Seg {
    fn bytes(&self) -> Vec<u8> {
        let text = |tag, value: Option<&str>| value.map_or(Vec::new(), |v| element(tag, "DS", v.as_bytes()));
        let measures = [
            text(0x0018_0050, self.thickness),
            text(0x0018_0088, self.between),
            text(0x0028_0030, Some(self.spacing)),
        ];
        let shared = [
            sequence(0x0020_9116, &[text(0x0020_0037, Some(self.orientation))]),
            sequence(0x0028_9110, &[measures.concat()]),
        ];
        let frame = |(position, segment): &(&str, u16)| {
            [
                sequence(0x0020_9113, &[text(0x0020_0032, Some(position))]),
                sequence(0x0062_000a, &[short(0x0062_000b, *segment)]),
            ]
            .concat()
        };
        let segments: Vec<_> = self.segments.iter().map(|&n| short(0x0062_0004, n)).collect();
        [
            vec![0; 128],
            b"DICM".to_vec(),
            element(0x0002_0010, "UI", self.syntax.as_bytes()),
            element(0x0008_0016, "UI", self.class.as_bytes()),
            short(0x0028_0002, 1),
            element(0x0028_0008, "IS", self.count.as_bytes()),
            short(0x0028_0010, self.rows),
            short(0x0028_0011, 3),
            short(0x0028_0100, self.bits),
            short(0x0028_0103, 0),
            element(0x0062_0001, "CS", self.kind.as_bytes()),
            sequence(0x0062_0002, &segments),
            self.maximum.map_or(Vec::new(), |m| short(0x0062_000e, m)),
            sequence(0x5200_9229, &[shared.concat()]),
            sequence(0x5200_9230, &self.frames.iter().map(frame).collect::<Vec<_>>()),
            element(0x7fe0_0010, "OB", &self.pixels),
        ]
        .concat()
    }
}

#[test]
fn frames_are_placed_along_the_normal() {
    let read = parse_labels::<u8>(&good().bytes(), options()).unwrap();
    // Slices at 3 and 7 mm, 2 mm apart: the one between is empty.
    assert_eq!(read.geometry.shape, [3, 2, 3]);
    assert_eq!(read.geometry.spacing_mm, [0.25, 0.5, 2.0]);
    assert_eq!(read.geometry.origin_mm, [-1.0, -2.0, 3.0]);
    let mut expected = [0; 18];
    (expected[5], expected[12]) = (1, 2);
    assert_eq!(read.data, expected);
    assert_eq!(parse_mask(&good().bytes(), options()).unwrap().data, expected.map(|v| v.min(1)));
    assert_eq!(parse_image_f32(&good().bytes(), options()).unwrap().data, expected.map(f32::from));
    // Without a distance, the smallest gap between frames is it; with one slice, its thickness.
    let gap = Seg { between: None, ..good() };
    assert_eq!(parse_mask(&gap.bytes(), options()).unwrap().geometry.spacing_mm[2], 4.0);
    let one =
        Seg { between: None, thickness: Some("1.5"), frames: vec![("0\\0\\0", 1), ("0\\0\\0", 2)], ..good() };
    let one = parse_labels::<u16>(&one.bytes(), options()).unwrap();
    assert_eq!((one.geometry.spacing_mm[2], one.data), (1.5, vec![1, 0, 0, 0, 0, 2]));
}

#[test]
fn an_error_names_the_element() {
    let cases = [
        (Seg { syntax: "1.2.840.10008.1.2.5", ..good() }, "TransferSyntaxUID (0002,0010)"),
        (Seg { class: "1.2.840.10008.5.1.4.1.1.2", ..good() }, "SOPClassUID (0008,0016)"),
        (Seg { kind: "OTHER", ..good() }, "SegmentationType (0062,0001)"),
        (Seg { bits: 8, ..good() }, "BitsAllocated (0028,0100)"),
        (Seg { kind: "FRACTIONAL", bits: 8, ..good() }, "MaximumFractionalValue (0062,000E)"),
        (
            Seg { kind: "FRACTIONAL", bits: 8, maximum: Some(0), ..good() },
            "MaximumFractionalValue (0062,000E)",
        ),
        (
            Seg { kind: "FRACTIONAL", bits: 8, maximum: Some(256), ..good() },
            "MaximumFractionalValue (0062,000E)",
        ),
        (Seg { rows: 0, ..good() }, "Rows (0028,0010)"),
        (Seg { count: "0".to_owned(), ..good() }, "NumberOfFrames (0028,0008)"),
        (Seg { count: "-2".to_owned(), ..good() }, "NumberOfFrames (0028,0008)"),
        (Seg { segments: vec![], ..good() }, "SegmentSequence (0062,0002)"),
        (Seg { segments: vec![1, 1], ..good() }, "SegmentNumber (0062,0004)"),
        (Seg { segments: vec![1, 3], ..good() }, "ReferencedSegmentNumber (0062,000B)"),
        (
            Seg { frames: vec![("0\\0\\0", 0), ("0\\0\\2", 1)], ..good() },
            "ReferencedSegmentNumber (0062,000B)",
        ),
        (
            Seg { frames: good().frames[..1].to_vec(), ..good() },
            "PerFrameFunctionalGroupsSequence (5200,9230)",
        ),
        (Seg { orientation: "1\\0\\0\\1\\0\\0", ..good() }, "ImageOrientationPatient (0020,0037)"),
        (Seg { orientation: "2\\0\\0\\0\\1\\0", ..good() }, "ImageOrientationPatient (0020,0037)"),
        (Seg { orientation: "1\\0\\0\\0\\1", ..good() }, "ImageOrientationPatient (0020,0037)"),
        (Seg { orientation: "1\\0\\0\\0\\nan\\0", ..good() }, "ImageOrientationPatient (0020,0037)"),
        (Seg { spacing: "0\\1", ..good() }, "PixelSpacing (0028,0030)"),
        (Seg { spacing: "1\\-1", ..good() }, "PixelSpacing (0028,0030)"),
        (Seg { spacing: "1\\1\\1", ..good() }, "PixelSpacing (0028,0030)"),
        (Seg { between: Some("0"), ..good() }, "SpacingBetweenSlices (0018,0088)"),
        (Seg { between: Some("-2"), ..good() }, "SpacingBetweenSlices (0018,0088)"),
        (Seg { between: Some("0.0001"), ..good() }, "SpacingBetweenSlices (0018,0088)"),
        (Seg { between: Some("1e-310"), ..good() }, "SpacingBetweenSlices (0018,0088)"),
        (
            Seg { between: None, frames: vec![("0\\0\\0", 1), ("0\\0\\0", 2)], ..good() },
            "SpacingBetweenSlices (0018,0088)",
        ),
        (
            Seg { frames: vec![("0\\0\\0", 1), ("0\\0.01\\2", 1)], ..good() },
            "ImagePositionPatient (0020,0032)",
        ),
        (Seg { frames: vec![("0\\0\\0", 1), ("0\\0\\0", 1)], ..good() }, "ImagePositionPatient (0020,0032)"),
        (
            Seg { frames: vec![("0\\0\\inf", 1), ("0\\0\\0", 1)], ..good() },
            "ImagePositionPatient (0020,0032)",
        ),
        (
            Seg {
                count: "3".to_owned(),
                frames: vec![("0\\0\\0", 1), ("0\\0\\2", 1), ("0\\0\\5", 1)],
                pixels: vec![0; 3],
                between: None,
                ..good()
            },
            "ImagePositionPatient (0020,0032)",
        ),
    ];
    for (seg, field) in cases {
        check_field(&seg.bytes(), field, field);
    }
}

#[test]
fn pixels_are_exactly_those_of_the_frames() {
    for length in [0, 4, 1000] {
        let seg = Seg { pixels: vec![0; length], ..good() };
        assert!(matches!(parse_mask(&seg.bytes(), options()).unwrap_err(), ImageError::Data(_)), "{length}");
    }
    let many = Seg { count: "4000000000".to_owned(), ..good() };
    assert!(parse_mask(&many.bytes(), options()).is_err());
    let limits = ReadLimits { voxels: 17, ..ReadLimits::default() };
    assert!(matches!(
        parse_mask(&good().bytes(), &limits).unwrap_err(),
        ImageError::TooLarge { found: 18, .. }
    ));
}

#[test]
fn a_voxel_of_two_segments_has_no_label() {
    let seg = Seg {
        frames: vec![("0\\0\\0", 2), ("0\\0\\0", 1)],
        pixels: vec![0b1100_0010, 0b0000_0000],
        ..good()
    };
    let refused = parse_labels::<u8>(&seg.bytes(), options()).unwrap_err();
    assert!(matches!(refused, ImageError::Overlap { index: [1, 0, 0], first: 1, second: 2 }), "{refused}");
    assert_eq!(parse_mask(&seg.bytes(), options()).unwrap().data, [1, 1, 0, 0, 0, 0]);
    let large = Seg { segments: vec![1, 300], frames: vec![("0\\0\\0", 300), ("0\\0\\2", 1)], ..good() };
    assert!(matches!(
        parse_labels::<u8>(&large.bytes(), options()).unwrap_err(),
        ImageError::LabelMap { index: [0, 0, 0], limit: 255, .. }
    ));
    assert_eq!(parse_labels::<u16>(&large.bytes(), options()).unwrap().data[0], 300);
}

#[test]
fn fractions_are_parts_of_the_maximum() {
    let pixels = vec![0, 1, 2, 3, 4, 5, 0, 0, 0, 0, 0, 5];
    let seg = Seg { kind: "FRACTIONAL", bits: 8, maximum: Some(5), pixels, ..good() };
    let seg = Seg { frames: vec![("0\\0\\0", 1), ("0\\0\\2", 1)], ..seg };
    let image = parse_image_f32(&seg.bytes(), options()).unwrap();
    assert_eq!(image.data[..6], [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]);
    assert_eq!(parse_labels::<u8>(&seg.bytes(), options()).unwrap().data[..6], [0, 0, 0, 1, 1, 1]);
    let two = Seg { frames: vec![("0\\0\\0", 1), ("0\\0\\2", 2)], ..seg.clone() };
    check_field(&two.bytes(), "SegmentSequence (0062,0002)", "two fractional segments");
    let over = Seg { maximum: Some(4), ..seg };
    for refused in
        [parse_image_f32(&over.bytes(), options()).err(), parse_mask(&over.bytes(), options()).err()]
    {
        assert!(matches!(refused, Some(ImageError::Voxel { index: [2, 1, 0], .. })), "{refused:?}");
    }
}

#[test]
fn label_maps_of_one_and_two_bytes_give_their_numbers() {
    let pixels: Vec<u8> = (0..12).collect();
    let seg = Seg { kind: "LABELMAP", bits: 8, class: "1.2.840.10008.5.1.4.1.1.66.7", pixels, ..good() };
    let seg = Seg { frames: vec![("0\\0\\0", 1), ("0\\0\\2", 1)], ..seg };
    assert_eq!(parse_labels::<u16>(&seg.bytes(), options()).unwrap().data, (0..12).collect::<Vec<u16>>());
    let pixels = (0..12u16).flat_map(|v| (v * 100).to_le_bytes()).collect();
    let seg = Seg { bits: 16, pixels, ..seg };
    let expected: Vec<u16> = (0..12).map(|v| v * 100).collect();
    assert_eq!(parse_labels::<u16>(&seg.bytes(), options()).unwrap().data, expected);
    assert_eq!(parse_label_runs(&seg.bytes(), options()).unwrap().to_volume().data, expected);
}

#[test]
fn elements_are_bounded_in_length_order_and_depth() {
    for name in ["seg_binary.dcm", "seg_implicit.dcm", "seg_undefined_lengths.dcm"] {
        check_truncated(&file(name));
    }
    let head = |more: &[u8]| {
        [&vec![0; 128], &b"DICM"[..], &element(0x0002_0010, "UI", b"1.2.840.10008.1.2.1"), more].concat()
    };
    check_field(&head(&[short(0x0028_0010, 1), short(0x0028_0010, 1)].concat()), "a tag", "twice the same");
    check_field(&head(&[short(0x0028_0011, 1), short(0x0028_0010, 1)].concat()), "a tag", "descending");
    check_field(&head(&[0xfe, 0xff, 0x0d, 0xe0, 0, 0, 0, 0]), "a tag", "an item's end");
    check_field(&head(b"\x28\x00\x10\x00u\x00\x02\x00\x01\x00"), "a value representation", "lower case");
    check_field(&[vec![0; 128], b"DICM".to_vec()].concat(), "TransferSyntaxUID (0002,0010)", "nothing");
    check_field(&head(&element(0x0028_0010, "US", b"1234")), "SOPClassUID (0008,0016)", "no class");
    // A sequence in a sequence, many times over, and never an end.
    let open = [
        0x08, 0, 0x40, 0x11, b'S', b'Q', 0, 0, 0xff, 0xff, 0xff, 0xff, 0xfe, 0xff, 0, 0xe0, 0xff, 0xff, 0xff,
        0xff,
    ];
    check_field(&head(&open.repeat(50_000)), "a sequence", "50 000 levels");
    let nested = head(&open.repeat(10));
    assert!(matches!(parse_mask(&nested, options()).unwrap_err(), ImageError::Data(_)));
}

#[test]
fn sequences_are_followed_to_sixteen_levels() {
    let read = |levels: usize| {
        let mut value = Vec::new();
        for _ in 0..levels {
            let open = [0x08, 0, 0x40, 0x11, b'S', b'Q', 0, 0, 0xff, 0xff, 0xff, 0xff];
            let item = [0xfe, 0xff, 0, 0xe0, 0xff, 0xff, 0xff, 0xff];
            let ends = [0xfe, 0xff, 0x0d, 0xe0, 0, 0, 0, 0, 0xfe, 0xff, 0xdd, 0xe0, 0, 0, 0, 0];
            value = [&open[..], &item, &value, &ends].concat();
        }
        // In the place of a private sequence of the good file.
        let good = good().bytes();
        let at = good.windows(4).position(|w| w == [0x28, 0, 2, 0]).unwrap();
        parse_mask(&[&good[..at], &value, &good[at..]].concat(), options())
    };
    assert!(read(1).is_ok() && read(16).is_ok());
    assert!(matches!(read(17).unwrap_err(), ImageError::Field { field: "a sequence", .. }));
}

#[test]
fn slices_may_be_empty_up_to_a_bound_and_off_their_place_by_a_hundredth() {
    let read = |between, above| {
        let seg = Seg { between, frames: vec![("0\\0\\0", 1), (above, 1)], ..good() };
        parse_mask(&seg.bytes(), options()).map(|mask| (mask.geometry.shape[2], mask.geometry.spacing_mm[2]))
    };
    assert_eq!(read(Some("2"), "0\\0\\8194").unwrap(), (4098, 2.0));
    assert!(read(Some("2"), "0\\0\\8196").is_err());
    // The distance as written is rounded: the positions tell it better.
    assert_eq!(read(Some("2"), "0\\0\\8.004").unwrap(), (5, 2.001));
    assert!(read(Some("2"), "0\\0.0011\\4").is_err());
    assert!(read(Some("2"), "0\\0.0009\\4").is_ok());
}
