//! The grid of a NIfTI image: by its affine (sform), its quaternion (qform) or its voxel sizes alone.

use super::super::Geometry;
use super::header::Fields;
use crate::error::ImageError;

/// The grid, in millimetres.
pub(super) fn geometry(fields: &Fields, shape: [usize; 3]) -> Result<Geometry, ImageError> {
    let (field, (mut matrix, mut origin)) = if fields.code(254, 348) > 0 {
        ("sform", sform(fields))
    } else if fields.code(252, 344) > 0 {
        ("qform", qform(fields)?)
    } else {
        let d = pixdim(fields)?;
        ("pixdim", ([d[0], 0.0, 0.0, 0.0, d[1], 0.0, 0.0, 0.0, d[2]], [0.0; 3]))
    };
    let unit = fields.unit_mm();
    for value in matrix.iter_mut().chain(&mut origin) {
        *value *= unit;
    }
    Geometry::from_affine(shape, matrix, origin, fields.format(), field)
}

fn sform(fields: &Fields) -> ([f64; 9], [f64; 3]) {
    let row = |r: usize, c: usize| fields.float(280, 400, 4 * r + c);
    (std::array::from_fn(|i| row(i / 3, i % 3)), std::array::from_fn(|r| row(r, 3)))
}

fn pixdim(fields: &Fields) -> Result<[f64; 3], ImageError> {
    const NAMES: [&str; 3] = ["pixdim[1]", "pixdim[2]", "pixdim[3]"];
    let mut sizes: [f64; 3] = std::array::from_fn(|i| fields.float(76, 104, i + 1));
    for (axis, (name, size)) in NAMES.into_iter().zip(&mut sizes).enumerate() {
        // A plane need not say how thick it is.
        if axis == 2 && fields.dim(0) < 3 && *size == 0.0 {
            *size = 1.0;
        }
        if !(size.is_finite() && *size > 0.0) {
            return fields.bad(name, format!("is {size}; it must be finite and above 0"));
        }
    }
    Ok(sizes)
}

fn qform(fields: &Fields) -> Result<([f64; 9], [f64; 3]), ImageError> {
    let [b, c, d]: [f64; 3] = std::array::from_fn(|i| fields.float(256, 352, i));
    let rest = 1.0 - (b * b + c * c + d * d);
    if !rest.is_finite() || rest < -1e-3 {
        return fields
            .bad("quatern_b", format!("with quatern_c and quatern_d is ({b}, {c}, {d}), longer than 1"));
    }
    let (a, norm) = if rest < 1e-7 { (0.0, (b * b + c * c + d * d).sqrt()) } else { (rest.sqrt(), 1.0) };
    let (b, c, d) = (b / norm, c / norm, d / norm);
    let mut size = pixdim(fields)?;
    // pixdim[0] (qfac) tells the handedness of the third axis.
    let qfac = fields.float(76, 104, 0);
    if !qfac.is_finite() {
        return fields.bad("pixdim[0]", format!("is {qfac}; it must be 1 or -1"));
    }
    if qfac < 0.0 {
        size[2] = -size[2];
    }
    let rotation = [
        a * a + b * b - c * c - d * d,
        2.0 * (b * c - a * d),
        2.0 * (b * d + a * c),
        2.0 * (b * c + a * d),
        a * a + c * c - b * b - d * d,
        2.0 * (c * d - a * b),
        2.0 * (b * d - a * c),
        2.0 * (c * d + a * b),
        a * a + d * d - b * b - c * c,
    ];
    let matrix = std::array::from_fn(|i| rotation[i] * size[i % 3]);
    Ok((matrix, std::array::from_fn(|i| fields.float(268, 376, i))))
}
