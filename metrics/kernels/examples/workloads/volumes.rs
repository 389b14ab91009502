//! Segmentations: overlap, distances between surfaces, boundary IoU, panoptic quality.

use crate::inputs::Inputs;
use crate::measure::Measured;
use fiel_kernels::components::{Components, Connectivity};
use fiel_kernels::instances::{MatchRule, Overlaps};
use fiel_kernels::overlap::{Counts, count_labels, count_masks};
use fiel_kernels::surface::{Grid, LabelsOnGrid, MasksOnGrid};
use std::error::Error;
use std::hint::black_box;

/// The axis that runs fastest comes first: the files hold 512 x 512 x 300 voxels with the last axis fastest.
const SHAPE: [usize; 3] = [300, 512, 512];
const SPACING_MM: [f64; 3] = [2.5, 0.8, 0.8];
const TOLERANCE_MM: f64 = 1.0;
const BOUNDARY_VOXELS: f64 = 2.0;
const LABELS: u8 = 104;
const LESIONS_SHAPE: [usize; 3] = [256; 3];

type Outcome = Result<Measured, Box<dyn Error>>;

/// The grid of a segmentation; the coarse one has every second voxel of each axis.
fn grid(name: &str) -> Result<Grid, Box<dyn Error>> {
    if name.ends_with("_coarse") {
        return Ok(Grid::volume(SHAPE.map(|n| n / 2), SPACING_MM.map(|s| s * 2.0))?);
    }
    Ok(Grid::volume(SHAPE, SPACING_MM)?)
}

pub(crate) fn dice_iou(inputs: &Inputs, repeats: usize, name: &str) -> Outcome {
    let [reference, prediction] = inputs.pair(name)?;
    Measured::of(
        2 * reference.len(),
        repeats,
        || Ok(count_masks(black_box(&reference), &prediction)?),
        |counts| Ok(vec![("dice", counts.dice()?), ("iou", counts.iou()?)]),
    )
}

pub(crate) fn dice_104(inputs: &Inputs, repeats: usize) -> Outcome {
    let [reference, prediction] = inputs.pair("multi")?;
    let labels: Vec<u8> = (1..=LABELS).collect();
    Measured::of(
        2 * reference.len(),
        repeats,
        || Ok(count_labels(black_box(&reference), &prediction, &labels)?.per_label()),
        |counts| {
            let dice = counts.iter().map(Counts::dice).collect::<Result<Vec<_>, _>>()?;
            let lowest = dice.iter().copied().fold(f64::INFINITY, f64::min);
            Ok(vec![("mean", mean(&dice)), ("min", lowest), ("first", dice[0])])
        },
    )
}

pub(crate) fn distances(inputs: &Inputs, repeats: usize, name: &str) -> Outcome {
    let [reference, prediction] = inputs.pair(name)?;
    let grid = grid(name)?;
    Measured::of(
        2 * reference.len(),
        repeats,
        || {
            let found = MasksOnGrid::new(grid, black_box(&reference), &prediction)?.borders();
            let pooled = found.hd_percentile_pooled(95.0)??;
            let values = [found.hd()?, found.hd_percentile(95.0)??, found.assd()?, found.masd()?];
            Ok((values, found.nsd(TOLERANCE_MM)??, pooled))
        },
        |([hd, hd95, assd, masd], nsd, pooled)| {
            Ok(vec![
                ("hd", hd),
                ("hd95", hd95),
                ("assd", assd),
                ("masd", masd),
                ("nsd", nsd),
                ("hd95_pooled", pooled),
            ])
        },
    )
}

/// The convention of surface-distance: elements of surface weighted with their area.
pub(crate) fn surfels(inputs: &Inputs, repeats: usize, name: &str) -> Outcome {
    let [reference, prediction] = inputs.pair(name)?;
    let grid = grid(name)?;
    Measured::of(
        2 * reference.len(),
        repeats,
        || {
            let found = MasksOnGrid::new(grid, black_box(&reference), &prediction)?.surfels();
            Ok((found.hd()?, found.hd_percentile(95.0)??, found.nsd(TOLERANCE_MM)??, found.directed_means()?))
        },
        |(hd, hd95, nsd, [forth, back])| {
            Ok(vec![("hd", hd), ("hd95", hd95), ("nsd", nsd), ("mean_forth", forth), ("mean_back", back)])
        },
    )
}

pub(crate) fn distances_104(inputs: &Inputs, repeats: usize) -> Outcome {
    let [reference, prediction] = inputs.pair("multi")?;
    let labels: Vec<u8> = (1..=LABELS).collect();
    let grid = grid("multi")?;
    Measured::of(
        2 * reference.len(),
        repeats,
        || {
            let found = LabelsOnGrid::new(grid, black_box(&reference), &prediction, &labels)?.borders();
            let each = found.iter().map(|f| Ok((f.hd_percentile(95.0)??, f.nsd(TOLERANCE_MM)??)));
            each.collect::<Result<Vec<(f64, f64)>, Box<dyn Error>>>()
        },
        |each| {
            let (hd95, nsd): (Vec<f64>, Vec<f64>) = each.into_iter().unzip();
            Ok(vec![
                ("hd95_mean", mean(&hd95)),
                ("nsd_mean", mean(&nsd)),
                ("hd95_mean_20", mean(&hd95[..20])),
                ("nsd_mean_20", mean(&nsd[..20])),
            ])
        },
    )
}

pub(crate) fn boundary_iou(inputs: &Inputs, repeats: usize) -> Outcome {
    let [reference, prediction] = inputs.pair("organ")?;
    let grid = grid("organ")?;
    Measured::of(
        2 * reference.len(),
        repeats,
        || Ok(MasksOnGrid::new(grid, black_box(&reference), &prediction)?.boundary_iou(BOUNDARY_VOXELS)??),
        |value| Ok(vec![("boundary_iou", value)]),
    )
}

pub(crate) fn panoptic(inputs: &Inputs, repeats: usize) -> Outcome {
    let [reference, prediction] = inputs.pair("lesions")?;
    Measured::of(
        2 * reference.len(),
        repeats,
        || {
            let components = |mask: &[u8]| Components::of_mask(mask, LESIONS_SHAPE, Connectivity::Corners);
            let (reference, prediction) = (components(black_box(&reference))?, components(&prediction)?);
            Ok(Overlaps::between(&reference, &prediction)?.matched(MatchRule::PANOPTIC))
        },
        |m| {
            Ok(vec![
                ("pq", m.pq()?),
                ("sq", m.sq()?),
                ("rq", m.rq()?),
                ("tp", m.tp() as f64),
                ("fp", m.fp() as f64),
                ("fn", m.fn_() as f64),
            ])
        },
    )
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}
