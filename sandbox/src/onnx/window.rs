//! Cuts volumes into windows and puts the windows' answers together, as the manifest's documentation says
//! (`fiel_schemas::onnx`).

use fiel_schemas::onnx::{Blend, ImageInput, Window};

use super::backend::{Kind, Values};

/// The windows of one volume.
#[derive(Debug)]
pub(super) struct Tiling {
    /// First voxel of each window on each axis of the tensor, in the padded volume.
    starts: [Vec<usize>; 3],
    /// Size of a window.
    patch: [usize; 3],
    /// Voxels of padding before the volume.
    before: [usize; 3],
    /// Size of the volume along the axes of the tensor.
    size: [usize; 3],
    /// How far apart neighbours along the axes of the tensor lie in the stored volume.
    stride: [usize; 3],
    /// Weight of a window's voxels on each axis.
    weights: [Vec<f32>; 3],
    /// Value outside the volume.
    pad: f32,
}

impl Tiling {
    /// The windows of a volume of `shape` (x, y, z).
    #[expect(clippy::cast_possible_truncation, reason = "single precision is what models work in")]
    pub(super) fn new(window: &Window, shape: [usize; 3]) -> Self {
        let order = window.axes.order();
        let patch = window.patch.map(|size| size as usize);
        let size = order.map(|axis| shape[axis]);
        let starts = std::array::from_fn(|axis| {
            starts(size[axis].max(patch[axis]), patch[axis], window.overlap[axis] as usize)
        });
        let strides = [1, shape[0], shape[0] * shape[1]];
        Self {
            starts,
            patch,
            before: std::array::from_fn(|axis| patch[axis].saturating_sub(size[axis]) / 2),
            size,
            stride: order.map(|axis| strides[axis]),
            weights: patch.map(|size| weights(size, window.blend)),
            pad: window.pad as f32,
        }
    }

    /// Voxels of a window.
    pub(super) fn window_voxels(&self) -> usize {
        self.patch.iter().product()
    }

    /// The first voxels of all windows, the last axis running fastest.
    pub(super) fn places(&self) -> impl Iterator<Item = [usize; 3]> + '_ {
        let [first, second, third] = &self.starts;
        first
            .iter()
            .flat_map(move |&a| second.iter().flat_map(move |&b| third.iter().map(move |&c| [a, b, c])))
    }

    /// Appends the window at `place` of a normalised volume.
    pub(super) fn cut(&self, place: [usize; 3], volume: &[f32], into: &mut Vec<f32>) {
        for first in 0..self.patch[0] {
            for second in 0..self.patch[1] {
                let row = self.stored(0, place, first).zip(self.stored(1, place, second));
                into.extend((0..self.patch[2]).map(|third| {
                    row.zip(self.stored(2, place, third)).map_or(self.pad, |((a, b), c)| volume[a + b + c])
                }));
            }
        }
    }

    /// What a voxel of a window adds to its place in the stored volume along one axis; `None` outside the volume.
    fn stored(&self, axis: usize, place: [usize; 3], inside: usize) -> Option<usize> {
        let at = (place[axis] + inside).checked_sub(self.before[axis])?;
        (at < self.size[axis]).then(|| at * self.stride[axis])
    }

    /// Calls `visit` for each voxel of the window at `place` that lies in the volume: its number in the window, its
    /// number in the stored volume, its weight.
    fn each(&self, place: [usize; 3], mut visit: impl FnMut(usize, usize, f32)) {
        let mut inside = 0;
        for first in 0..self.patch[0] {
            for second in 0..self.patch[1] {
                let row = self.stored(0, place, first).zip(self.stored(1, place, second));
                let weight = self.weights[0][first] * self.weights[1][second];
                for third in 0..self.patch[2] {
                    if let Some(((a, b), c)) = row.zip(self.stored(2, place, third)) {
                        visit(inside, a + b + c, weight * self.weights[2][third]);
                    }
                    inside += 1;
                }
            }
        }
    }
}

/// The weighted mean of overlapping windows, channel by channel, in the order of the stored volume.
#[derive(Debug)]
pub(super) struct Blended {
    sums: Vec<f32>,
    weights: Vec<f32>,
}

impl Blended {
    /// Nothing yet, for so many channels and voxels.
    pub(super) fn new(channels: usize, voxels: usize) -> Self {
        Self { sums: vec![0.0; channels * voxels], weights: vec![0.0; voxels] }
    }

    /// Adds the tensor that came out for the window at `place`.
    pub(super) fn add(&mut self, tiling: &Tiling, place: [usize; 3], tensor: &[f32]) {
        let window = tiling.window_voxels();
        tiling.each(place, |_, at, weight| self.weights[at] += weight);
        for (channel, values) in self.sums.chunks_mut(self.weights.len()).zip(tensor.chunks(window)) {
            tiling.each(place, |inside, at, weight| channel[at] += values[inside] * weight);
        }
    }

    /// The means, all voxels of the first channel first.
    pub(super) fn means(mut self) -> Vec<f32> {
        for channel in self.sums.chunks_mut(self.weights.len()) {
            for (sum, weight) in channel.iter_mut().zip(&self.weights) {
                *sum /= weight;
            }
        }
        self.sums
    }
}

/// Where windows begin on an axis of at least their size.
fn starts(size: usize, patch: usize, overlap: usize) -> Vec<usize> {
    let last = size - patch;
    let step = patch - overlap;
    (0..last.div_ceil(step)).map(|index| index * step).chain([last]).collect()
}

#[expect(clippy::cast_possible_truncation, reason = "weights are used in single precision")]
fn weights(size: usize, blend: Blend) -> Vec<f32> {
    let (centre, deviation) = ((size as f64 - 1.0) / 2.0, size as f64 / 8.0);
    let weight = |at: usize| match blend {
        Blend::Constant => 1.0,
        Blend::Gaussian => {
            let distance = (at as f64 - centre) / deviation;
            (-distance * distance / 2.0).exp() as f32
        }
    };
    (0..size).map(weight).collect()
}

/// A volume as the model sees it.
#[expect(clippy::cast_possible_truncation, reason = "single precision is what models work in")]
pub(super) fn normalise(image: &ImageInput, mut volume: Vec<f32>) -> Vec<f32> {
    let (mean, std) = (image.mean as f32, image.std as f32);
    let clip = image.clip.map(|[low, high]| (low as f32, high as f32));
    for value in &mut volume {
        let cut = clip.map_or(*value, |(low, high)| value.clamp(low, high));
        *value = (cut - mean) / std;
    }
    volume
}

/// Numbers as elements of a tensor.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "cut to the type's range, as documented"
)]
pub(super) fn elements(kind: Kind, values: Vec<f32>) -> Values {
    let whole = values.iter().map(|value| value.round_ties_even());
    match kind {
        Kind::F32 => Values::F32(values),
        Kind::F64 => Values::F64(values.into_iter().map(f64::from).collect()),
        Kind::I32 => Values::I32(whole.map(|value| value as i32).collect()),
        Kind::I64 => Values::I64(whole.map(|value| value as i64).collect()),
        Kind::U8 => Values::U8(whole.map(|value| value as u8).collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fiel_schemas::onnx::ElementType;
    use fiel_schemas::onnx::{Axes, Layout};

    fn window(axes: Axes, patch: [u32; 3], overlap: [u32; 3], blend: Blend) -> Window {
        Window { layout: Layout::Ncdhw, axes, patch, overlap, blend, pad: -7.0 }
    }

    #[test]
    fn windows_begin_at_multiples_of_the_step_and_end_with_the_volume() {
        assert_eq!(starts(64, 48, 32), [0, 16]);
        assert_eq!(starts(64, 32, 8), [0, 24, 32]);
        assert_eq!(starts(64, 32, 0), [0, 32]);
        assert_eq!(starts(5, 5, 4), [0]);
        assert_eq!(starts(6, 5, 4), [0, 1]);
    }

    #[test]
    fn an_identity_gives_the_volume_back_whatever_the_windows() {
        let shape = [7, 5, 4];
        let volume: Vec<f32> = (0..140_u16).map(f32::from).collect();
        for axes in [Axes::Zyx, Axes::Xyz, Axes::Yzx, Axes::Xzy, Axes::Zxy, Axes::Yxz] {
            for (patch, overlap) in [([3, 2, 4], [1, 0, 2]), ([9, 9, 9], [0; 3]), ([1, 4, 7], [0, 3, 1])] {
                for blend in [Blend::Constant, Blend::Gaussian] {
                    let tiling = Tiling::new(&window(axes, patch, overlap, blend), shape);
                    let mut blended = Blended::new(2, volume.len());
                    for place in tiling.places() {
                        let mut cut = Vec::new();
                        tiling.cut(place, &volume, &mut cut);
                        assert_eq!(cut.len(), tiling.window_voxels());
                        let second: Vec<f32> = cut.iter().map(|value| value + 1.0).collect();
                        blended.add(&tiling, place, &[cut, second].concat());
                    }
                    let means = blended.means();
                    for (mean, value) in means[..140].iter().zip(&volume) {
                        assert!(
                            (mean - value).abs() < 1e-4,
                            "{axes:?} {patch:?} {blend:?}: {mean} for {value}"
                        );
                    }
                    assert!((means[140] - 1.0).abs() < 1e-4);
                }
            }
        }
    }

    #[test]
    fn axes_and_padding_are_where_they_should_be() {
        // x has 2 voxels, y 3, z 1; the tensor's axes are z, y, x and its size 1, 4, 4.
        let volume = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        let tiling = Tiling::new(&window(Axes::Zyx, [1, 4, 4], [0; 3], Blend::Constant), [2, 3, 1]);
        let mut cut = Vec::new();
        tiling.cut([0; 3], &volume, &mut cut);
        let pad = -7.0;
        let rows = [[pad, 1.0, 2.0, pad], [pad, 3.0, 4.0, pad], [pad, 5.0, 6.0, pad], [pad; 4]];
        assert_eq!(cut, rows.concat());
        let tiling = Tiling::new(&window(Axes::Xyz, [2, 3, 1], [0; 3], Blend::Constant), [2, 3, 1]);
        cut.clear();
        tiling.cut([0; 3], &volume, &mut cut);
        assert_eq!(cut, [1.0, 3.0, 5.0, 2.0, 4.0, 6.0]);
    }

    #[test]
    fn the_centre_counts_most() {
        let weights = weights(16, Blend::Gaussian);
        assert!(weights.windows(2).take(7).all(|pair| pair[0] < pair[1]));
        assert!((weights[0] - weights[15]).abs() < f32::EPSILON && weights[0] > 0.0);
        // A deviation of 2 voxels, half a voxel from the centre.
        assert!((f64::from(weights[8]) - (-0.5 * 0.0625_f64).exp()).abs() < 1e-6);
    }

    #[test]
    fn numbers_are_cut_scaled_and_rounded() {
        let image = ImageInput {
            port: "ct".into(),
            tensor: "x".into(),
            dtype: ElementType::U8,
            clip: Some([-100.0, 300.0]),
            mean: -100.0,
            std: 2.0,
            spacing_mm: None,
        };
        let values = normalise(&image, vec![-1000.0, 0.0, 3.0, 300.0, 5000.0]);
        assert_eq!(values, [0.0, 50.0, 51.5, 200.0, 200.0]);
        assert!(matches!(elements(Kind::U8, values.clone()), Values::U8(v) if v == [0, 50, 52, 200, 200]));
        assert!(matches!(elements(Kind::U8, vec![-3.0, 300.0, f32::NAN]), Values::U8(v) if v == [0, 255, 0]));
        assert!(matches!(elements(Kind::I64, vec![-2.5, 2.5]), Values::I64(v) if v == [-2, 2]));
    }
}
