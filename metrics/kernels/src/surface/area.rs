//! How much surface lies around a corner between voxels, by which of its voxels are inside.
//!
//! The surface is that of marching cubes (Lorensen & Cline 1987, <https://doi.org/10.1145/37401.37422>) on the
//! cube between the eight voxel centres: it cuts every edge between inside and outside in the middle. On a face
//! whose diagonal corners agree, the rarer kind of voxel (inside, when four are) is cut off corner by corner. Each
//! closed cut is filled with triangles so that their area for cubic voxels is the greatest possible. These rules give
//! the areas that surface-distance tabulates (Nikolov et al. 2021, <https://doi.org/10.2196/26151>), for all codes.

use std::sync::OnceLock;

/// Bits of a code: bit `4 dz + 2 dy + dx` is the voxel at that side of the corner (0 before it, 1 after it).
const CODES: usize = 256;

/// Normals of the triangles of one code, in eighths of a voxel's face, without sign.
type Triangles = Vec<[u8; 3]>;

/// Area of the surface for every code, mm², or length of the contour, mm, when planar (codes below 16).
pub(super) fn areas(spacing_mm: &[f64; 3], planar: bool) -> Vec<f64> {
    let [x, y, z] = *spacing_mm;
    if planar {
        return (0..CODES).map(|code| contour(code & 15, x, y)).collect();
    }
    let faces = [y * z, x * z, x * y];
    let area = |triangles: &Triangles| -> f64 {
        triangles
            .iter()
            .map(|normal| {
                let side = |i: usize| f64::from(normal[i]) / 8.0 * faces[i];
                (side(0) * side(0) + side(1) * side(1) + side(2) * side(2)).sqrt()
            })
            .sum()
    };
    triangles_of_codes().iter().map(area).collect()
}

/// Length of the contour inside the square between four pixel centres.
fn contour(code: usize, x: f64, y: f64) -> f64 {
    let diagonal = 0.5 * (x * x + y * y).sqrt();
    match code {
        0b0000 | 0b1111 => 0.0,
        0b0011 | 0b1100 => x,
        0b0101 | 0b1010 => y,
        0b0110 | 0b1001 => 2.0 * diagonal,
        _ => diagonal,
    }
}

fn triangles_of_codes() -> &'static [Triangles] {
    static TABLE: OnceLock<Vec<Triangles>> = OnceLock::new();
    TABLE.get_or_init(|| {
        (0..CODES).map(|code| loops(code).iter().flat_map(|points| fill(points).1).collect()).collect()
    })
}

/// Middle of a cube's edge, in half edges.
type Point = [i16; 3];

fn corner(number: usize) -> Point {
    std::array::from_fn(|axis| if number >> axis & 1 == 1 { 2 } else { 0 })
}

fn middle(a: usize, b: usize) -> Point {
    let (a, b) = (corner(a), corner(b));
    std::array::from_fn(|i| i16::midpoint(a[i], b[i]))
}

/// The four corners of each face, in order around it.
fn faces() -> impl Iterator<Item = [usize; 4]> {
    (0..3).flat_map(|axis| {
        let (u, v) = (1 << ((axis + 1) % 3), 1 << ((axis + 2) % 3));
        [0, 1 << axis].map(|base| [base, base + u, base + u + v, base + v])
    })
}

/// Where the surface cuts the faces.
fn segments(code: usize) -> Vec<[Point; 2]> {
    let code = if code.count_ones() > 4 { !code & 255 } else { code };
    let inside = |number: usize| code >> number & 1 == 1;
    let mut found = Vec::new();
    for face in faces() {
        let cut: Vec<Point> = (0..4)
            .filter(|&i| inside(face[i]) != inside(face[(i + 1) % 4]))
            .map(|i| middle(face[i], face[(i + 1) % 4]))
            .collect();
        match cut.len() {
            2 => found.push([cut[0], cut[1]]),
            4 => {
                let alone = (0..4).filter(|&i| inside(face[i]));
                found.extend(
                    alone.map(|i| [middle(face[(i + 3) % 4], face[i]), middle(face[i], face[(i + 1) % 4])]),
                );
            }
            _ => {}
        }
    }
    found
}

/// The closed lines in which the surface cuts the cube's faces.
fn loops(code: usize) -> Vec<Vec<Point>> {
    let mut rest = segments(code);
    let mut found = Vec::new();
    while let Some([first, mut end]) = rest.pop() {
        let mut line = vec![first];
        while end != first {
            line.push(end);
            let Some(next) = rest.iter().position(|s| s.contains(&end)) else { break };
            let [a, b] = rest.swap_remove(next);
            end = if a == end { b } else { a };
        }
        found.push(line);
    }
    found
}

/// Fills a closed line with triangles of the greatest area; returns that area in eighths as well.
fn fill(points: &[Point]) -> (f64, Triangles) {
    let mut best = (0.0, Vec::new());
    let Some((last, inner)) = points.split_last().filter(|(_, inner)| inner.len() > 1) else { return best };
    for third in 1..inner.len() {
        let own = normal(points[0], points[third], *last);
        let (one, two) = (fill(&points[..=third]), fill(&points[third..]));
        let length = own.iter().map(|&n| f64::from(n) * f64::from(n)).sum::<f64>().sqrt();
        let total = length + one.0 + two.0;
        // Equal fillings differ by rounding only; the first of them is kept.
        if total > best.0 + 1e-9 {
            best = (total, [one.1, vec![own], two.1].concat());
        }
    }
    best
}

/// Normal of a triangle (half the cross product), in eighths of a face, without sign.
fn normal(from: Point, second: Point, third: Point) -> [u8; 3] {
    let edge = |to: Point| -> Point { std::array::from_fn(|i| to[i] - from[i]) };
    let (p, q) = (edge(second), edge(third));
    [(1, 2), (2, 0), (0, 1)]
        .map(|(i, j)| u8::try_from((p[i] * q[j] - p[j] * q[i]).unsigned_abs()).unwrap_or(u8::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_codes_have_known_areas() {
        let table = areas(&[1.0, 1.0, 1.0], false);
        let third = 3.0_f64.sqrt() / 8.0;
        assert!([table[0], table[255]].iter().all(|area| area.abs() < 1e-300));
        for corner in 0..8 {
            assert!((table[1 << corner] - third).abs() < 1e-15);
            assert!((table[255 - (1 << corner)] - third).abs() < 1e-15);
        }
        assert!((table[0b11] - 0.5_f64.sqrt()).abs() < 1e-15, "two neighbours");
        assert!((table[0b1111] - 1.0).abs() < 1e-15, "a flat face");
        assert!((table[0b111] - (0.5 + 3.0 * third)).abs() < 1e-15, "an L");
        assert!((table[0b1001_0110] - 4.0 * third).abs() < 1e-15, "a checkerboard");
        assert!((table[0b1_0111] - 6.0 * third).abs() < 1e-15, "a corner and its three neighbours");
    }

    #[test]
    fn a_code_has_the_area_of_its_mirror_images() {
        let mirrored = |code: usize, axis: usize| {
            (0..8).filter(|n| code >> n & 1 == 1).fold(0, |all, n: usize| all | 1 << (n ^ (1 << axis)))
        };
        let table = areas(&[0.8, 0.9, 2.5], false);
        for code in 0..CODES {
            for axis in 0..3 {
                assert!((table[code] - table[mirrored(code, axis)]).abs() < 1e-12, "code {code} axis {axis}");
            }
        }
    }

    #[test]
    fn contours_run_along_the_axis_of_neighbours() {
        let table = areas(&[3.0, 4.0, 1.0], true);
        assert_eq!(table[..8], [0.0, 2.5, 2.5, 3.0, 2.5, 4.0, 5.0, 2.5]);
        assert_eq!(table[8..16], [2.5, 5.0, 4.0, 2.5, 3.0, 2.5, 2.5, 0.0]);
    }
}
