//! MetaImage files that lie, and data files elsewhere.

use super::{check_field, check_truncated, file, folder, options};
use fiel_kernels::ImageError;
use fiel_kernels::image::*;

const GOOD: &str =
    "ObjectType = Image\nNDims = 3\nDimSize = 3 2 1\nElementType = MET_UCHAR\nElementSpacing = 1 2 3\n";

fn local(header: &str) -> Vec<u8> {
    [header.as_bytes(), b"ElementDataFile = LOCAL\n", &[0, 1, 2, 3, 4, 5]].concat()
}

#[test]
fn the_smallest_header_is_read_and_its_world_turned() {
    let read = parse_labels::<u8>(&local(&format!("{GOOD}Offset = 10 -20 30\n")), options()).unwrap();
    assert_eq!(read.data, [0, 1, 2, 3, 4, 5]);
    assert_eq!(read.geometry.spacing_mm, [1.0, 2.0, 3.0]);
    assert_eq!(read.geometry.origin_mm, [-10.0, 20.0, 30.0]);
    assert_eq!(read.geometry.direction, [-1.0, 0.0, 0.0, 0.0, -1.0, 0.0, 0.0, 0.0, 1.0]);
    let windows = local(&GOOD.replace('\n', "\r\n"));
    assert_eq!(parse_labels::<u8>(&windows, options()).unwrap().data, read.data);
    let older = GOOD.replace("ElementSpacing", "ElementSize")
        + "Position = 10 -20 30\nRotation = 1 0 0 0 1 0 0 0 1\n";
    assert_eq!(parse_labels::<u8>(&local(&older), options()).unwrap(), read);
}

#[test]
fn an_error_names_the_field_of_the_header() {
    let more = |line: &str| format!("{GOOD}{line}\n");
    let without =
        |key: &str| GOOD.lines().filter(|l| !l.starts_with(key)).map(|l| format!("{l}\n")).collect();
    let instead = |key: &str, line: &str| -> String { without(key) + line + "\n" };
    let cases: Vec<(String, &str)> = vec![
        (without("NDims"), "NDims"),
        (without("DimSize"), "DimSize"),
        (without("ElementType"), "ElementType"),
        (instead("NDims", "NDims = 4"), "NDims"),
        (instead("NDims", "NDims = x"), "NDims"),
        (instead("DimSize", "DimSize = 3 2"), "DimSize"),
        (instead("DimSize", "DimSize = 3 2 1 1"), "DimSize"),
        (instead("DimSize", "DimSize = 3 2 0"), "DimSize"),
        (instead("DimSize", "DimSize = 3 -2 1"), "DimSize"),
        (instead("ElementType", "ElementType = MET_STRING"), "ElementType"),
        (instead("ElementSpacing", "ElementSpacing = 1 2 0"), "ElementSpacing"),
        (instead("ElementSpacing", "ElementSpacing = 1 -2 3"), "ElementSpacing"),
        (instead("ElementSpacing", "ElementSpacing = 1 nan 3"), "ElementSpacing"),
        (instead("ElementSpacing", "ElementSpacing = 1 2"), "ElementSpacing"),
        (more("Offset = 0 0 inf"), "Offset"),
        (more("Offset = 0 0 1e10"), "TransformMatrix"),
        (more("TransformMatrix = 1 0 0 1 0 0 0 0 1"), "TransformMatrix"),
        (more("TransformMatrix = 2 0 0 0 1 0 0 0 1"), "TransformMatrix"),
        (more("TransformMatrix = 0 0 0 0 1 0 0 0 1"), "TransformMatrix"),
        (more("TransformMatrix = 1 0 0 1"), "TransformMatrix"),
        (more("BinaryData = False"), "BinaryData"),
        (more("CompressedData = maybe"), "CompressedData"),
        (more("BinaryDataByteOrderMSB = True\nElementByteOrderMSB = False"), "ElementByteOrderMSB"),
        (more("ElementNumberOfChannels = 3"), "ElementNumberOfChannels"),
        (more("ElementToIntensityFunctionSlope = 2"), "ElementToIntensityFunctionSlope"),
        (more("ElementToIntensityFunctionOffset = 1"), "ElementToIntensityFunctionOffset"),
        (more("HeaderSize = 7"), "HeaderSize"),
        (more("HeaderSize = -2"), "HeaderSize"),
        (more("NDims = 3"), "the header"),
        (more("nonsense"), "the header"),
        (instead("ObjectType", "Comment = x\nObjectType = Tube"), "ObjectType"),
        (more(&(0..300).map(|i| format!("Key{i} = 1\n")).collect::<String>()), "the header"),
    ];
    for (header, field) in cases {
        let header = if header.starts_with("ObjectType")
            || header.starts_with("NDims")
            || header.starts_with("Comment")
        {
            header
        } else {
            format!("Comment = first\n{header}")
        };
        check_field(&local(&header), field, &header);
    }
    check_field(GOOD.as_bytes(), "ElementDataFile", "no data file");
    let endless = format!("{GOOD}Comment = {}\n", "x".repeat(1 << 16));
    check_field(&local(&endless), "ElementDataFile", "a header without end");
}

#[test]
fn bytes_before_the_voxels_are_passed_over() {
    let small = GOOD.replace("3 2 1", "3 1 1");
    let read = |line: &str| parse_labels::<u8>(&local(&format!("{small}{line}\n")), options()).unwrap().data;
    assert_eq!(read("HeaderSize = 3"), [3, 4, 5]);
    assert_eq!(read("HeaderSize = -1"), [3, 4, 5]);
    assert!(parse_labels::<u8>(&local(&small), options()).is_err());
    assert!(parse_labels::<u8>(&local(&GOOD.replace("3 2 1", "7 1 1")), options()).is_err());
}

#[test]
fn compressed_data_are_bounded_and_checked() {
    let good = file("meta_mask_zlib.mha");
    check_truncated(&good);
    check_truncated(&file("meta_int16_be.mha"));
    assert!(parse_mask(&[&good[..], &[0]].concat(), options()).is_err());
    let text = String::from_utf8_lossy(&good).into_owned();
    let size = text.lines().find(|l| l.starts_with("CompressedDataSize")).unwrap().to_owned();
    let replace = |from: &str, to: &str| {
        let at = good.windows(from.len()).position(|w| w == from.as_bytes()).unwrap();
        [&good[..at], to.as_bytes(), &good[at + from.len()..]].concat()
    };
    check_field(&replace(&size, "CompressedDataSize = 1"), "CompressedDataSize", "another size");
    assert!(parse_mask(&replace(&format!("{size}\n"), ""), options()).is_ok());
    let refused =
        parse_mask(&replace("DimSize = 5 4 3", "DimSize = 500 400 300"), options()).unwrap_err().to_string();
    assert!(refused.contains("cannot hold"), "{refused}");
    assert!(
        parse_mask(&replace("DimSize = 5 4 3", "DimSize = 5 4 2"), options())
            .unwrap_err()
            .to_string()
            .contains("more than")
    );
    assert!(parse_mask(&replace("DimSize = 5 4 3", "DimSize = 5 4 4"), options()).is_err());
    let mut damaged = good.clone();
    *damaged.last_mut().unwrap() ^= 1;
    assert!(parse_mask(&damaged, options()).is_err());
}

#[test]
fn a_data_file_lies_in_the_same_folder_under_a_plain_name() {
    let base = tempfile::tempdir().unwrap();
    let inside = base.path().join("inside");
    std::fs::create_dir(&inside).unwrap();
    for path in ["outside.raw", "inside/voxels.raw", "inside/.hidden"] {
        std::fs::write(base.path().join(path), [0, 1, 2, 3, 4, 5]).unwrap();
    }
    let header = inside.join("image.mhd");
    let read = |name: &str| {
        std::fs::write(&header, format!("{GOOD}ElementDataFile = {name}\n")).unwrap();
        read_labels::<u8>(&header, options())
    };
    assert_eq!(read("voxels.raw").unwrap().data, [0, 1, 2, 3, 4, 5]);
    let absolute = inside.join("voxels.raw").to_string_lossy().into_owned();
    let tricks = [
        "../outside.raw",
        "./voxels.raw",
        "..",
        ".",
        "",
        ".hidden",
        "inside\\voxels.raw",
        "C:voxels.raw",
        &absolute,
        "LIST",
        "LIST 2",
        "voxels%d.raw 1 1 1",
        "voxels.raw/",
        "voxels*",
        "voxels.ra?",
        "voxels\0.raw",
    ];
    for name in tricks {
        match read(name).unwrap_err() {
            ImageError::File { source, .. } => {
                assert!(
                    matches!(*source, ImageError::Field { field: "ElementDataFile", .. }),
                    "{name}: {source}"
                );
            }
            other => panic!("{name}: {other}"),
        }
    }
    assert!(read("missing.raw").is_err());
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(base.path().join("outside.raw"), inside.join("link.raw")).unwrap();
        assert!(read("link.raw").unwrap_err().to_string().contains("is a link"));
        std::fs::create_dir(inside.join("folder.raw")).unwrap();
        assert!(read("folder.raw").is_err());
    }
    std::fs::write(inside.join("long.raw"), [0; 7]).unwrap();
    assert!(read("long.raw").is_err());
    // The limit on the file's size holds for the data as well.
    let limits = ReadLimits { file_bytes: 200, ..ReadLimits::default() };
    std::fs::write(inside.join("large.raw"), [0; 201]).unwrap();
    read("large.raw").unwrap_err();
    assert!(read_labels::<u8>(&header, &limits).unwrap_err().to_string().contains("limit is 200"));
    // Bytes alone cannot name another file.
    check_field(&std::fs::read(folder().join("meta_mask.mhd")).unwrap(), "ElementDataFile", "bytes alone");
}
