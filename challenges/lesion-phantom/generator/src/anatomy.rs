//! What a phantom shows: air, a body, an organ, lesions, specks and noise, in Hounsfield units.
//!
//! Only additions, products, quotients and square roots are used, which IEEE 754 defines to the last bit.

use crate::nifti::Grid;
use crate::random::Random;

const SHAPE: [usize; 3] = [64, 64, 32];
const AIR_HU: f64 = -1000.0;
const BODY_HU: f64 = 40.0;
/// Noise is rounded to steps of this size, which halves the compressed files.
const STEP_HU: f64 = 4.0;
/// Every such case has no lesion.
const EMPTY_EVERY: usize = 6;
const LESIONS_MAX: usize = 5;
/// Width of the soft border of a lesion.
const BORDER_MM: f64 = 1.0;

/// A drawn case.
pub(crate) struct Phantom {
    pub(crate) grid: Grid,
    /// One value per voxel.
    pub(crate) hounsfield: Vec<i16>,
    /// 1 inside a lesion, else 0.
    pub(crate) lesions: Vec<u8>,
}

/// An axis-parallel ellipsoid with a constant density.
#[derive(Debug, Clone)]
struct Ellipsoid {
    centre_mm: [f64; 3],
    radius_mm: [f64; 3],
    hounsfield: f64,
}

impl Ellipsoid {
    /// 0 at the centre, 1 on the surface.
    fn depth(&self, point_mm: [f64; 3]) -> f64 {
        let sum: f64 = (0..3)
            .map(|axis| {
                let part = (point_mm[axis] - self.centre_mm[axis]) / self.radius_mm[axis];
                part * part
            })
            .sum();
        sum.sqrt()
    }

    fn smallest_radius_mm(&self) -> f64 {
        self.radius_mm[0].min(self.radius_mm[1]).min(self.radius_mm[2])
    }

    fn largest_radius_mm(&self) -> f64 {
        self.radius_mm[0].max(self.radius_mm[1]).max(self.radius_mm[2])
    }
}

/// Everything that is decided before voxels are painted.
struct Scene {
    body: Ellipsoid,
    organ: Ellipsoid,
    lesions: Vec<Ellipsoid>,
    noise_hu: f64,
}

/// Draws case number `index` of a seed.
pub(crate) fn draw(seed: u64, index: usize) -> Phantom {
    let mut random = Random::new(seed, index as u64);
    let grid = place(&mut random);
    let scene = compose(&mut random, &grid, index);
    let mut lesions = Vec::with_capacity(grid.voxels());
    let mut density = Vec::with_capacity(grid.voxels());
    for voxel in 0..grid.voxels() {
        let point_mm = centre_of(voxel, &grid);
        lesions.push(u8::from(scene.lesions.iter().any(|lesion| lesion.depth(point_mm) <= 1.0)));
        density.push(density_at(&scene, point_mm));
    }
    sprinkle_specks(&mut random, &mut density, &lesions);
    let hounsfield = density.iter().map(|&value| digitise(value, scene.noise_hu, &mut random)).collect();
    Phantom { grid, hounsfield, lesions }
}

/// Spacing differs between directions and cases; all values are exact in single precision.
fn place(random: &mut Random) -> Grid {
    let across = [0.75, 0.8125, 0.875][random.below(3)];
    let along = [2.0, 2.5, 3.0][random.below(3)];
    let origin_mm = [20u16, 18, 400].map(|base| f32::from(base) + 0.5 * small(random.below(20)));
    Grid { shape: SHAPE, spacing_mm: [across, across, along], origin_mm }
}

fn small(value: usize) -> f32 {
    f32::from(u8::try_from(value).expect("drawn below 20"))
}

/// Position of a voxel's centre, the middle of the volume being 0.
fn centre_of(voxel: usize, grid: &Grid) -> [f64; 3] {
    let [nx, ny, _] = grid.shape;
    let index = [voxel % nx, voxel / nx % ny, voxel / (nx * ny)];
    std::array::from_fn(|axis| {
        let middle = (grid.shape[axis] - 1) as f64 / 2.0;
        (index[axis] as f64 - middle) * f64::from(grid.spacing_mm[axis])
    })
}

fn compose(random: &mut Random, grid: &Grid, index: usize) -> Scene {
    let extent_mm: [f64; 3] =
        std::array::from_fn(|axis| grid.shape[axis] as f64 * f64::from(grid.spacing_mm[axis]));
    let body = Ellipsoid {
        centre_mm: [0.0; 3],
        // Far longer than the volume: the body leaves it at both ends.
        radius_mm: [0.47 * extent_mm[0], random.between(0.38, 0.44) * extent_mm[1], 3.0 * extent_mm[2]],
        hounsfield: BODY_HU,
    };
    let organ = Ellipsoid {
        centre_mm: [random.between(-4.0, 4.0), random.between(-2.0, 2.0), random.between(-5.0, 5.0)],
        radius_mm: [random.between(15.0, 17.0), random.between(12.0, 14.0), random.between(26.0, 32.0)],
        hounsfield: random.between(52.0, 66.0),
    };
    let wanted = if index % EMPTY_EVERY == EMPTY_EVERY - 1 { 0 } else { 1 + random.below(LESIONS_MAX) };
    let lesions = grow_lesions(random, &organ, wanted);
    Scene { body, organ, lesions, noise_hu: random.between(8.0, 18.0) }
}

/// Lesions inside the organ that do not touch; where none fits after many tries, fewer are grown.
fn grow_lesions(random: &mut Random, organ: &Ellipsoid, wanted: usize) -> Vec<Ellipsoid> {
    let mut lesions: Vec<Ellipsoid> = Vec::new();
    for _ in 0..200 {
        if lesions.len() == wanted {
            break;
        }
        let size_mm = random.between(2.8, 6.5);
        let lesion = Ellipsoid {
            centre_mm: organ_point(random, organ),
            radius_mm: [0, 1, 2]
                .map(|axis| size_mm * random.between(0.85, if axis == 2 { 1.6 } else { 1.15 })),
            hounsfield: random.between(95.0, 150.0),
        };
        let inside = organ.depth(lesion.centre_mm) + lesion.largest_radius_mm() / 26.0 < 0.85;
        if inside && lesions.iter().all(|other| apart(other, &lesion)) {
            lesions.push(lesion);
        }
    }
    lesions
}

fn organ_point(random: &mut Random, organ: &Ellipsoid) -> [f64; 3] {
    std::array::from_fn(|axis| organ.centre_mm[axis] + random.between(-0.75, 0.75) * organ.radius_mm[axis])
}

fn apart(one: &Ellipsoid, other: &Ellipsoid) -> bool {
    let square: f64 = (0..3)
        .map(|axis| {
            let step = one.centre_mm[axis] - other.centre_mm[axis];
            step * step
        })
        .sum();
    square.sqrt() > one.largest_radius_mm() + other.largest_radius_mm() + 2.0
}

/// Density without specks and noise.
fn density_at(scene: &Scene, point_mm: [f64; 3]) -> f64 {
    if scene.body.depth(point_mm) > 1.0 {
        return AIR_HU;
    }
    let base =
        if scene.organ.depth(point_mm) <= 1.0 { scene.organ.hounsfield } else { scene.body.hounsfield };
    scene.lesions.iter().fold(base, |density, lesion| {
        let inwards_mm = (1.0 - lesion.depth(point_mm)) * lesion.smallest_radius_mm();
        let share = (0.5 + inwards_mm / BORDER_MM).clamp(0.0, 1.0);
        density + share * (lesion.hounsfield - density)
    })
}

/// Bright dots of one or two voxels, as bright as lesions or brighter: what a plain threshold takes for lesions.
fn sprinkle_specks(random: &mut Random, density: &mut [f64], lesions: &[u8]) {
    let specks = 10 + random.below(30);
    for _ in 0..specks {
        let voxel = random.below(density.len() - 1);
        let length = 1 + random.below(2);
        let hounsfield = random.between(120.0, 240.0);
        for at in voxel..voxel + length {
            if density[at] > AIR_HU && lesions[at] == 0 {
                density[at] = hounsfield;
            }
        }
    }
}

/// Noise, rounding to steps, and the range of a scanner. Air stays quiet.
fn digitise(density: f64, noise_hu: f64, random: &mut Random) -> i16 {
    let deviate = random.noise();
    let noisy = if density > AIR_HU { density + noise_hu * deviate } else { density };
    let stepped = (noisy / STEP_HU).round() * STEP_HU;
    #[expect(clippy::cast_possible_truncation, reason = "clamped to the range of a scanner just here")]
    let value = stepped.clamp(-1024.0, 3071.0) as i16;
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sixth_case_has_no_lesion_and_all_others_have_some() {
        for index in 0..12 {
            let lesions = draw(3, index).lesions.contains(&1);
            assert_eq!(lesions, index % 6 != 5, "case {index}");
        }
    }

    #[test]
    fn lesions_are_brighter_than_the_organ_and_away_from_air() {
        let phantom = draw(5, 0);
        let inside: Vec<f64> = phantom
            .hounsfield
            .iter()
            .zip(&phantom.lesions)
            .filter(|&(_, &lesion)| lesion == 1)
            .map(|(&value, _)| f64::from(value))
            .collect();
        let mean = inside.iter().sum::<f64>() / inside.len() as f64;
        assert!(mean > 80.0, "mean of {} lesion voxels is {mean} HU", inside.len());
        assert!(inside.iter().all(|&value| value > 0.0));
    }

    #[test]
    fn cases_of_one_seed_differ() {
        assert_ne!(draw(1, 0).hounsfield, draw(1, 1).hounsfield);
    }
}
