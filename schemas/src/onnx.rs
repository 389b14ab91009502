//! The manifest of an ONNX model: how a case's files become tensors, and tensors the answer's files.
//!
//! An ONNX artifact is a tar archive of this document (`manifest.json`) and `model.onnx`.
//!
//! **Axes.** A volume's own axes are x, y, z in the order its file stores them, x running fastest. Nothing is turned
//! or resampled. A tensor's spatial axes are those of [`Window::axes`], slowest first.
//!
//! **Windows.** A volume is cut into windows of one size. On each axis they begin at 0, `patch - overlap`,
//! 2 (`patch - overlap`), ... and the last one ends with the volume. A volume smaller than the window is padded on both
//! sides (half of what is missing, rounded down, comes before it). Windows run in the order of their position, the
//! last axis fastest; where they overlap, the weighted mean of the tensors counts, in single precision, before any
//! activation.

use serde::{Deserialize, Serialize};

/// How a model's tensors are filled and read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OnnxManifest {
    /// Always `fiel/onnx-manifest/v1`.
    pub schema: String,
    /// Input images, all on one grid. Those with the same tensor are its channels, in this order.
    #[serde(default)]
    pub images: Vec<ImageInput>,
    /// Input tables, each a tensor of its own of shape `[1, columns]`.
    #[serde(default)]
    pub tables: Vec<TableInput>,
    /// How images are cut; needed exactly where there are images.
    #[serde(default)]
    pub window: Option<Window>,
    /// Masks to write, from tensors of shape `[1, channels, window]`.
    #[serde(default)]
    pub masks: Vec<MaskOutput>,
    /// Tables to write, from tensors of any shape, whose elements are numbered in row-major order. With images, the
    /// mean over the windows counts.
    #[serde(default)]
    pub scores: Vec<ScoreOutput>,
}

/// An image as a channel of a tensor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageInput {
    /// Name of the challenge's input, of kind `image` or `mask`.
    pub port: String,
    /// Name of the model's input.
    pub tensor: String,
    /// Type of its elements. Integers are the values below rounded to the nearest, ties to even, and cut to the range.
    pub dtype: ElementType,
    /// Values are first cut to this range, `[low, high]`.
    #[serde(default)]
    pub clip: Option<[f64; 2]>,
    /// Then this is subtracted.
    #[serde(default)]
    pub mean: f64,
    /// Then they are divided by this. A window `[lo, hi]` scaled to 0..1 is `clip: [lo, hi]`, `mean: lo`,
    /// `std: hi - lo`.
    #[serde(default = "one")]
    pub std: f64,
    /// Distances between voxels that the model was made for; without it, any.
    #[serde(default)]
    pub spacing_mm: Option<SpacingRange>,
}

/// Smallest and largest distance between voxels along x, y and z, millimetres.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SpacingRange {
    /// Smallest.
    pub min: [f64; 3],
    /// Largest.
    pub max: [f64; 3],
}

/// A table's row as a tensor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableInput {
    /// Name of the challenge's input, of kind `table`.
    pub port: String,
    /// Name of the model's input.
    pub tensor: String,
    /// Type of its elements, as in [`ImageInput::dtype`].
    pub dtype: ElementType,
    /// The columns, in the order of the tensor.
    pub columns: Vec<InputColumn>,
}

/// A column of numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputColumn {
    /// Its name in the table.
    pub name: String,
    /// Subtracted first.
    #[serde(default)]
    pub mean: f64,
    /// Then divided by this.
    #[serde(default = "one")]
    pub std: f64,
}

/// How volumes are cut into windows, and how the windows' answers are put together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// Shape of the image tensors.
    pub layout: Layout,
    /// Which axis of the volume each spatial axis of the tensor is, slowest first.
    pub axes: Axes,
    /// Size of a window along the spatial axes, in their order; with `nchw` the first is 1.
    pub patch: [u32; 3],
    /// Voxels that neighbouring windows share at least, along the same axes; less than the size.
    pub overlap: [u32; 3],
    /// What a window's voxel counts.
    pub blend: Blend,
    /// Value outside the volume, as the model sees it: after subtraction and division.
    pub pad: f64,
}

/// A mask from a tensor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MaskOutput {
    /// Name of the challenge's output, of kind `mask`.
    pub port: String,
    /// Name of the model's output.
    pub tensor: String,
    /// What is done to the numbers first, over channels.
    pub activation: Activation,
    /// The channel that stands for the mask, from 0.
    pub channel: u32,
    /// A voxel is marked where the channel is at least this; without it, where no other channel is larger and no
    /// earlier one equal.
    #[serde(default)]
    pub threshold: Option<f64>,
}

/// A row of numbers from a tensor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScoreOutput {
    /// Name of the challenge's output, of kind `table`.
    pub port: String,
    /// Name of the model's output.
    pub tensor: String,
    /// What is done to the numbers first, over all elements.
    pub activation: Activation,
    /// The columns to write after `case_id`, in the challenge's order.
    pub columns: Vec<OutputColumn>,
}

/// A column and the element it shows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutputColumn {
    /// Its name in the table.
    pub name: String,
    /// Number of the element, from 0.
    pub index: u32,
}

/// Type of a tensor's elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ElementType {
    /// `FLOAT`.
    F32,
    /// `INT64`.
    I64,
    /// `UINT8`.
    U8,
}

impl ElementType {
    /// The name in a manifest.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::I64 => "i64",
            Self::U8 => "u8",
        }
    }
}

/// Shape of image tensors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Layout {
    /// `[1, channels, first, second, third axis]`.
    Ncdhw,
    /// `[1, channels, second, third axis]`: slice by slice along the first.
    Nchw,
}

/// Order of a volume's axes, slowest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Axes {
    /// As stored.
    Zyx,
    /// The reverse of it, as NumPy shows a volume read by `nibabel`.
    Xyz,
    /// Coronal slices.
    Yzx,
    /// Sagittal slices.
    Xzy,
    /// Slices as stored, transposed.
    Zxy,
    /// Coronal slices, transposed.
    Yxz,
}

impl Axes {
    /// Number of the volume's axis (x 0, y 1, z 2) for each spatial axis of the tensor.
    #[must_use]
    pub const fn order(self) -> [usize; 3] {
        match self {
            Self::Zyx => [2, 1, 0],
            Self::Xyz => [0, 1, 2],
            Self::Yzx => [1, 2, 0],
            Self::Xzy => [0, 2, 1],
            Self::Zxy => [2, 0, 1],
            Self::Yxz => [1, 0, 2],
        }
    }
}

/// Weight of a window's voxels where windows overlap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Blend {
    /// All the same.
    Constant,
    /// exp(-d²/2) with d the distance from the window's centre, on each axis in units of an eighth of its size.
    Gaussian,
}

/// What is done to a tensor's numbers before they are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Activation {
    /// Nothing.
    None,
    /// 1 / (1 + exp(-x)).
    Sigmoid,
    /// exp(x) / sum of exp(x).
    Softmax,
}

const fn one() -> f64 {
    1.0
}
