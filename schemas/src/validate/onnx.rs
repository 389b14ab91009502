//! What a JSON Schema cannot say about the manifest of an ONNX model.

use super::Problem;
use super::meaning::doubled;
use super::text::quoted;
use crate::onnx::{ImageInput, Layout, OnnxManifest, Window};

/// Most voxels of a window.
const WINDOW_VOXELS: u64 = 1 << 27;

/// Problems of meaning.
pub(super) fn problems(manifest: &OnnxManifest) -> Vec<Problem> {
    let mut problems: Vec<Problem> = [
        something(
            manifest.images.is_empty() && manifest.tables.is_empty(),
            "images",
            "an input: an image or a table",
        ),
        something(
            manifest.masks.is_empty() && manifest.scores.is_empty(),
            "masks",
            "an output: a mask or a score",
        ),
        window_and_images(manifest),
    ]
    .into_iter()
    .flatten()
    .collect();
    problems.extend(manifest.window.iter().flat_map(window));
    problems.extend(manifest.images.iter().enumerate().flat_map(image));
    problems.extend(ports(manifest));
    problems.extend(tensors(manifest));
    problems
}

fn something(missing: bool, field: &str, expected: &str) -> Option<Problem> {
    missing.then(|| Problem::new(format!("/{field}"), "none", expected))
}

fn window_and_images(manifest: &OnnxManifest) -> Option<Problem> {
    match (&manifest.window, manifest.images.is_empty()) {
        (None, false) => Some(
            Problem::new("/window", "none", "how the images are cut into windows")
                .hint("for a model that takes a whole volume, give the volume's size as `patch`"),
        ),
        (Some(_), true) => {
            Some(Problem::new("/window", "a window", "none: there are no images").hint("remove it"))
        }
        _ => None,
    }
}

fn window(window: &Window) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (axis, (patch, overlap)) in window.patch.iter().zip(window.overlap).enumerate() {
        if overlap >= *patch {
            let expected = format!("less than the window's {patch} voxels");
            problems.push(Problem::new(format!("/window/overlap/{axis}"), overlap.to_string(), expected));
        }
    }
    if window.layout == Layout::Nchw && window.patch[0] != 1 {
        let found = window.patch[0].to_string();
        problems.push(Problem::new("/window/patch/0", found, "1: with `nchw` a window is one slice"));
    }
    let voxels: u64 = window.patch.iter().map(|&voxels| u64::from(voxels)).product();
    if voxels > WINDOW_VOXELS {
        let expected = format!("at most {WINDOW_VOXELS} voxels in a window");
        problems.push(Problem::new("/window/patch", voxels.to_string(), expected));
    }
    problems
}

fn image((index, image): (usize, &ImageInput)) -> Vec<Problem> {
    let mut problems = Vec::new();
    if let Some([low, high]) = image.clip.filter(|[low, high]| low >= high) {
        let found = format!("[{low}, {high}]");
        problems.push(Problem::new(format!("/images/{index}/clip"), found, "the lower end first"));
    }
    if let Some(range) = &image.spacing_mm {
        for (axis, (min, max)) in range.min.iter().zip(range.max).enumerate() {
            if *min > max {
                let pointer = format!("/images/{index}/spacing_mm/min/{axis}");
                problems.push(Problem::new(pointer, min.to_string(), format!("at most the largest, {max}")));
            }
        }
    }
    problems
}

/// An input may feed several tensors; an output is written once.
fn ports(manifest: &OnnxManifest) -> Vec<Problem> {
    let masks = manifest
        .masks
        .iter()
        .enumerate()
        .map(|(index, mask)| (format!("/masks/{index}"), mask.port.as_str()));
    let scores = manifest
        .scores
        .iter()
        .enumerate()
        .map(|(index, score)| (format!("/scores/{index}"), score.port.as_str()));
    let (pointers, names): (Vec<String>, Vec<&str>) = masks.chain(scores).unzip();
    let mut problems = doubled(names.into_iter(), |index| format!("{}/port", pointers[index]), "port");
    for (index, score) in manifest.scores.iter().enumerate() {
        let columns = score.columns.iter().map(|column| column.name.as_str());
        problems.extend(doubled(columns, |at| format!("/scores/{index}/columns/{at}/name"), "column"));
        if let Some(at) = score.columns.iter().position(|column| column.name == "case_id") {
            let pointer = format!("/scores/{index}/columns/{at}/name");
            problems
                .push(Problem::new(pointer, "`case_id`", "the columns after `case_id`").hint("remove it"));
        }
    }
    problems
}

/// Channels of one tensor have one type; a table has a tensor of its own.
fn tensors(manifest: &OnnxManifest) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (index, image) in manifest.images.iter().enumerate() {
        let before = manifest.images[..index].iter().find(|other| other.tensor == image.tensor);
        if let Some(other) = before.filter(|other| other.dtype != image.dtype) {
            let expected = format!("`{}`, as the tensor's first channel", other.dtype.as_str());
            let found = quoted(image.dtype.as_str());
            problems.push(Problem::new(format!("/images/{index}/dtype"), found, expected));
        }
    }
    for (index, table) in manifest.tables.iter().enumerate() {
        let image = manifest.images.iter().any(|image| image.tensor == table.tensor);
        if image || manifest.tables[..index].iter().any(|other| other.tensor == table.tensor) {
            let pointer = format!("/tables/{index}/tensor");
            problems.push(Problem::new(pointer, quoted(&table.tensor), "a tensor that nothing else fills"));
        }
    }
    problems
}
