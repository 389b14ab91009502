//! Compressed NIfTI files, their bytes in memory.

use crate::inputs::Inputs;
use crate::measure::Measured;
use fiel_kernels::image::{LabelRuns, ReadOptions, Volume, parse_image_i16, parse_label_runs, parse_labels};
use std::error::Error;
use std::hint::black_box;

type Outcome = Result<Measured, Box<dyn Error>>;

pub(crate) fn mask(inputs: &Inputs, repeats: usize) -> Outcome {
    let file = inputs.bytes("organ_gt.nii.gz")?;
    let read = || -> Result<Volume<u8>, Box<dyn Error>> {
        Ok(parse_labels(black_box(&file), ReadOptions::default())?)
    };
    Measured::of(inflated_bytes(&file), repeats, read, |v| {
        Ok(vec![("sum", v.data.iter().map(|&x| f64::from(x)).sum())])
    })
}

pub(crate) fn mask_runs(inputs: &Inputs, repeats: usize) -> Outcome {
    let file = inputs.bytes("organ_gt.nii.gz")?;
    let read = || -> Result<LabelRuns, Box<dyn Error>> {
        Ok(parse_label_runs(black_box(&file), ReadOptions::default())?)
    };
    Measured::of(inflated_bytes(&file), repeats, read, |runs| {
        Ok(vec![("sum", runs.iter().map(|(run, label)| run.len() as f64 * f64::from(label)).sum())])
    })
}

pub(crate) fn ct(inputs: &Inputs, repeats: usize) -> Outcome {
    let file = inputs.bytes("ct.nii.gz")?;
    let read = || -> Result<Volume<i16>, Box<dyn Error>> {
        Ok(parse_image_i16(black_box(&file), ReadOptions::default())?)
    };
    Measured::of(inflated_bytes(&file), repeats, read, |v| {
        Ok(vec![("sum", v.data.iter().map(|&x| f64::from(x)).sum())])
    })
}

/// Bytes of the image once decompressed, as the end of a gzip file says.
fn inflated_bytes(file: &[u8]) -> usize {
    file.last_chunk().map_or(0, |n| u32::from_le_bytes(*n) as usize)
}
