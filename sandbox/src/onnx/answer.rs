//! From the tensors that came out to a mask or a row of numbers.

use fiel_schemas::onnx::{Activation, MaskOutput, ScoreOutput};

/// Marks the voxels of a mask; `channels` holds all voxels of the first channel first. `None` where a number is none.
pub(super) fn mask(output: &MaskOutput, channels: &[f32], voxels: usize) -> Option<Vec<u8>> {
    if voxels == 0 || !channels.iter().all(|value| value.is_finite()) {
        return None;
    }
    let chosen = output.channel as usize;
    let of_voxel = |at: usize| channels.iter().skip(at).step_by(voxels).copied();
    let marked = |at: usize| match output.threshold {
        Some(threshold) => f64::from(activated(output.activation, of_voxel(at), chosen)) >= threshold,
        // The first of the largest, as everywhere else.
        None => of_voxel(at).enumerate().all(|(channel, value)| {
            let own = channels[chosen * voxels + at];
            if channel < chosen { value < own } else { value <= own }
        }),
    };
    Some((0..voxels).map(|at| u8::from(marked(at))).collect())
}

/// The numbers of a row. `None` where a number is none.
pub(super) fn scores(output: &ScoreOutput, elements: &[f32]) -> Option<Vec<f64>> {
    let number = |index: u32| {
        let value = activated(output.activation, elements.iter().copied(), index as usize);
        // The shortest text of a single-precision number, not the longer one of its double.
        value.is_finite().then(|| value.to_string().parse().unwrap_or_else(|_| f64::from(value)))
    };
    output.columns.iter().map(|column| number(column.index)).collect()
}

/// One of these numbers after the activation over all of them.
fn activated(activation: Activation, values: impl Iterator<Item = f32> + Clone, chosen: usize) -> f32 {
    let own = values.clone().nth(chosen).unwrap_or(f32::NAN);
    match activation {
        Activation::None => own,
        Activation::Sigmoid => 1.0 / (1.0 + (-own).exp()),
        Activation::Softmax => {
            let largest = values.clone().fold(f32::NEG_INFINITY, f32::max);
            (own - largest).exp() / values.map(|value| (value - largest).exp()).sum::<f32>()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fiel_schemas::onnx::OutputColumn;

    fn output(activation: Activation, channel: u32, threshold: Option<f64>) -> MaskOutput {
        MaskOutput { port: "m".into(), tensor: "y".into(), activation, channel, threshold }
    }

    #[test]
    fn a_threshold_is_met_by_what_reaches_it() {
        let channels = [0.0, -1.0, 1.0, 5.0, 5.0, 5.0];
        assert_eq!(mask(&output(Activation::Sigmoid, 0, Some(0.5)), &channels, 3).unwrap(), [1, 0, 1]);
        assert_eq!(mask(&output(Activation::None, 1, Some(5.5)), &channels, 3).unwrap(), [0, 0, 0]);
        // exp(0) / (exp(0) + exp(5)) is 0.0067.
        assert_eq!(mask(&output(Activation::Softmax, 1, Some(0.993)), &channels, 3).unwrap(), [1, 1, 0]);
    }

    #[test]
    fn without_a_threshold_the_first_of_the_largest_wins() {
        let channels = [1.0, 2.0, 2.0, 1.0, 3.0, 2.0];
        assert_eq!(mask(&output(Activation::None, 0, None), &channels, 3).unwrap(), [1, 0, 1]);
        assert_eq!(mask(&output(Activation::None, 1, None), &channels, 3).unwrap(), [0, 1, 0]);
    }

    #[test]
    fn what_is_no_number_gives_no_answer() {
        for bad in [f32::NAN, f32::INFINITY] {
            assert!(mask(&output(Activation::None, 0, Some(0.5)), &[0.0, bad], 2).is_none());
            assert!(scores(&row(Activation::None, &[0]), &[bad]).is_none());
        }
        assert!(scores(&row(Activation::None, &[2]), &[0.0]).is_none(), "no such element");
    }

    fn row(activation: Activation, indices: &[u32]) -> ScoreOutput {
        let columns =
            indices.iter().map(|&index| OutputColumn { name: format!("c{index}"), index }).collect();
        ScoreOutput { port: "p".into(), tensor: "y".into(), activation, columns }
    }

    #[test]
    fn scores_are_the_numbered_elements() {
        assert_eq!(scores(&row(Activation::None, &[2, 0]), &[0.1, 0.2, 0.3]).unwrap(), [0.3, 0.1]);
        let sum: f64 = scores(&row(Activation::Softmax, &[0, 1]), &[1.0, 3.0]).unwrap().iter().sum();
        assert!((sum - 1.0).abs() < 1e-6);
    }
}
