//! NumPy files that lie.

use super::{check_field, check_truncated, file, options};
use fiel_kernels::ImageError;
use fiel_kernels::image::*;

fn npy(header: &str, data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(header.len()).unwrap().to_le_bytes();
    [b"\x93NUMPY\x01\x00", &length[..], header.as_bytes(), data].concat()
}

fn six(header: &str) -> Vec<u8> {
    npy(header, &[0, 1, 2, 3, 4, 5])
}

#[test]
fn axes_are_those_of_the_array_in_both_orders() {
    let c = six("{'descr': '|u1', 'fortran_order': False, 'shape': (2, 3), }\n");
    let f = six("{'descr': '|u1', 'fortran_order': True, 'shape': (2, 3), }\n");
    let read = |bytes: &[u8]| parse_labels::<u8>(bytes, options()).unwrap();
    assert_eq!(read(&c).data, [0, 3, 1, 4, 2, 5]);
    assert_eq!(read(&f).data, [0, 1, 2, 3, 4, 5]);
    let plane = Geometry { plane: true, ..Geometry::axis_aligned([2, 3, 1], [0.75, 1.25, 2.5]) };
    assert_eq!(read(&c).geometry, plane);
    let deep = six("{\"shape\":(1,2,3),\"fortran_order\":False,\"descr\":\"|i1\"}");
    assert_eq!(read(&deep).data, [0, 3, 1, 4, 2, 5]);
    assert_eq!(parse_label_runs(&c, options()).unwrap().to_volume().data, [0, 3, 1, 4, 2, 5]);
    // Positions in errors are those of the array.
    let refused = parse_mask(&c, options()).unwrap_err();
    assert!(matches!(refused, ImageError::Label { index: [0, 2, 0], .. }), "{refused}");
}

#[test]
fn an_error_names_the_field_of_the_header() {
    for (header, field) in [
        ("{'descr': '|O', 'fortran_order': False, 'shape': (2, 3), }", "descr"),
        ("{'descr': '<f2', 'fortran_order': False, 'shape': (3,), }", "descr"),
        ("{'descr': '=u1', 'fortran_order': False, 'shape': (6,), }", "descr"),
        ("{'descr': '|i2', 'fortran_order': False, 'shape': (3,), }", "descr"),
        ("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (3,), }", "descr"),
        ("{'descr': '', 'fortran_order': False, 'shape': (3,), }", "descr"),
        ("{'descr': '|u1', 'fortran_order': 0, 'shape': (6,), }", "fortran_order"),
        ("{'descr': '|u1', 'fortran_order': False, 'shape': (), }", "shape"),
        ("{'descr': '|u1', 'fortran_order': False, 'shape': (6, 0), }", "shape"),
        ("{'descr': '|u1', 'fortran_order': False, 'shape': (-6,), }", "shape"),
        ("{'descr': '|u1', 'fortran_order': False, 'shape': (1, 1, 1, 6), }", "shape"),
        ("{'descr': '|u1', 'fortran_order': False, 'shape': (4294967296,), }", "shape"),
        ("{'descr': '|u1', 'fortran_order': False, }", "header"),
        ("{'descr': '|u1', 'descr': '|u1', 'fortran_order': False, 'shape': (6,), }", "header"),
        ("{'descr': '|u1', 'fortran_order': False, 'shape': (6,), 'more': 'x'}", "header"),
        ("{'descr': '|u1', 'fortran_order': False, 'shape': (6,), } 1", "header"),
        ("{'descr': '|u1' 'fortran_order': False, 'shape': (6,), }", "header"),
        ("'descr'", "header"),
        ("{'descr': '|u1', 'fortran_order': False, 'shape': (6 6), }", "header"),
    ] {
        check_field(&six(header), field, header);
    }
    let good = six("{'descr': '|u1', 'fortran_order': False, 'shape': (6,), }");
    assert_eq!(parse_image_f32(&good, options()).unwrap().data, [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
    let mut version = good.clone();
    version[6] = 4;
    check_field(&version, "version", "version 4");
    let mut long = good.clone();
    long[6] = 2;
    check_field(&long, "HEADER_LEN", "a header of a gigabyte");
    check_field(b"\x93NUMPZ", "the content", "another magic");
}

#[test]
fn the_spacing_is_the_callers_and_must_be_given() {
    let good = six("{'descr': '|u1', 'fortran_order': False, 'shape': (6,), }");
    let read = |spacing| parse_image_f32(&good, ReadOptions { spacing, ..ReadOptions::default() });
    assert!(read(Some(Spacing::Volume([1.0, 2.0, 3.0]))).is_ok());
    let wrong = [[0.0, 1.0, 1.0], [1.0, -1.0, 1.0], [1.0, 1.0, f64::NAN]].map(Spacing::Volume);
    for bad in wrong.map(Some).into_iter().chain([None, Some(Spacing::Plane([1.0, 0.0]))]) {
        assert!(matches!(read(bad).unwrap_err(), ImageError::Field { field: "spacing", .. }), "{bad:?}");
    }
    assert!(parse_image_f32(&good, &ReadLimits::default()).is_err());
}

#[test]
fn an_array_of_two_axes_is_a_plane_and_takes_two_numbers_or_three() {
    let read = |shape: &str, spacing| {
        let bytes = six(&format!("{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}"));
        parse_image_f32(&bytes, ReadOptions { spacing: Some(spacing), ..ReadOptions::default() })
    };
    let (two, three) = (Spacing::Plane([0.5, 2.0]), Spacing::Volume([0.5, 2.0, 4.0]));
    let plane = read("(2, 3)", two).unwrap().geometry;
    assert_eq!((plane.plane, plane.shape, plane.spacing_mm), (true, [2, 3, 1], [0.5, 2.0, 1.0]));
    let thick = read("(2, 3)", three).unwrap().geometry;
    assert_eq!((thick.plane, thick.spacing_mm), (true, [0.5, 2.0, 4.0]));
    assert!(!read("(2, 3, 1)", three).unwrap().geometry.plane);
    // Of the third axis two numbers say nothing.
    let refused = read("(2, 3, 1)", two).unwrap_err();
    assert!(matches!(refused, ImageError::Field { field: "spacing", .. }), "{refused}");
    assert!(refused.to_string().contains("three axes"), "{refused}");
}

#[test]
fn data_are_exactly_as_long_as_the_shape_says() {
    for count in ["5", "7", "4000000000"] {
        let bytes = six(&format!("{{'descr': '|u1', 'fortran_order': False, 'shape': ({count},), }}"));
        assert!(parse_image_f32(&bytes, options()).is_err(), "{count}");
    }
    check_truncated(&file("npy_int16_C_be.npy"));
    check_truncated(&file("npy_float64_F_le.npy"));
}

#[test]
fn labels_are_whole_numbers_within_their_type() {
    let shorts = |values: [i16; 3]| {
        let data = values.map(i16::to_le_bytes).concat();
        npy("{'descr': '<i2', 'fortran_order': False, 'shape': (3,), }", &data)
    };
    let labels = |values| parse_labels::<u8>(&shorts(values), options());
    assert_eq!(labels([0, 255, 1]).unwrap().data, [0, 255, 1]);
    for (values, index, value) in [([0, 1, 256], 2, 256.0), ([1, -1, 0], 1, -1.0), ([-256, 0, 0], 0, -256.0)]
    {
        let refused = labels(values).unwrap_err();
        assert!(
            matches!(refused, ImageError::LabelMap { index: [i, 0, 0], value: v, limit: 255 } if i == index && v == value),
            "{refused}"
        );
    }
    let wide = |values| parse_labels::<u16>(&shorts(values), options());
    assert_eq!(wide([0, 256, i16::MAX]).unwrap().data, [0, 256, 32767]);
    assert!(wide([0, -1, 0]).is_err());
    assert!(parse_mask(&shorts([0, 1, -255]), options()).is_err());

    let floats = |values: [f32; 3]| {
        let data = values.map(f32::to_le_bytes).concat();
        npy("{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }", &data)
    };
    assert_eq!(parse_labels::<u16>(&floats([-0.0, 65535.0, 3.0]), options()).unwrap().data, [0, 65535, 3]);
    for bad in [0.5, f32::NAN, f32::INFINITY, 65536.0, -1.0] {
        assert!(parse_labels::<u16>(&floats([0.0, bad, 3.0]), options()).is_err(), "{bad}");
        assert!(parse_label_runs(&floats([0.0, bad, 3.0]), options()).is_err(), "{bad}");
    }
    assert_eq!(
        parse_image_i16(&floats([-32768.0, 32767.0, 0.0]), options()).unwrap().data,
        [-32768, 32767, 0]
    );
    for bad in [32768.0, -32769.0, 0.25] {
        let refused = parse_image_i16(&floats([0.0, 0.0, bad]), options()).unwrap_err();
        assert!(matches!(refused, ImageError::Voxel { index: [2, 0, 0], .. }), "{refused}");
    }
    let unsigned = npy("{'descr': '<u2', 'fortran_order': False, 'shape': (1,), }", &40000u16.to_le_bytes());
    assert!(parse_image_i16(&unsigned, options()).is_err());
}
