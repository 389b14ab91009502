//! A loaded model and what it does with a case.

use std::io::Read;

use fiel_kernels::image::{Geometry, Volume};
use fiel_schemas::challenge::PortKind;
use fiel_schemas::onnx::{ImageInput, OnnxManifest, TableInput};
use ort::environment::Environment;

use super::backend::{self, Backend, Fact, Tensor};
use super::plan::{Feed, Plan, Source};
use super::window::{Blended, Tiling, elements, normalise};
use super::{answer, archive, tract};
use crate::files::{Case, Trouble};

/// Why a case has no answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Failed {
    /// The case's files do not suit the manifest.
    Case(Trouble),
    /// The engine stopped; its words may hold numbers of the case.
    Engine(String),
    /// What came out is no answer.
    Output(String),
}

/// An answer that cannot be written, mostly since it is larger than a case may write, is none.
fn unwritten(trouble: Trouble) -> Failed {
    Failed::Output(trouble.reason)
}

impl From<Trouble> for Failed {
    fn from(trouble: Trouble) -> Self {
        Self::Case(trouble)
    }
}

/// A model, ready to run.
pub(super) struct Model {
    manifest: OnnxManifest,
    plan: Plan,
    backend: Box<dyn Backend>,
}

/// The files of a case as numbers.
struct Inputs {
    volumes: Vec<Vec<f32>>,
    geometry: Option<Geometry>,
    rows: Vec<Vec<f32>>,
}

/// A tensor of single precision.
type Floats = Tensor<Vec<f32>>;

/// What the windows of a case come to, for one tensor.
struct Gathered {
    blended: Option<Blended>,
    sums: Vec<f64>,
}

impl Model {
    /// Reads and checks an artifact and hands it to an engine: onnxruntime where it was loaded, else tract.
    pub(super) fn load(archive: impl Read, onnxruntime: Option<&Environment>) -> Result<Self, String> {
        let archive::Bundle { manifest, model } = archive::unpack(archive)?;
        let plan = Plan::of(&manifest);
        let proto = tract::parse(&model)?;
        plan.check(&proto, &*backend::known(onnxruntime))?;
        let mut backend = backend::load(onnxruntime, &proto, &model, plan.names())?;
        drop((proto, model));
        backend.prepare(&plan.facts())?;
        Ok(Self { manifest, plan, backend })
    }

    /// Runs the model over zeros: the surest way to learn that it runs, and what shapes come out.
    pub(super) fn trial(&mut self) -> Result<(), String> {
        let zeros: Vec<Tensor> = self.plan.feeds.iter().map(|feed| feed.fact.zeros()).collect();
        let outputs = self.infer(&zeros).map_err(|error| format!("a trial run failed: {error}"))?;
        self.check(&outputs)
    }

    /// Runs one set of tensors; the plan's outputs are of single precision.
    fn infer(&mut self, feeds: &[Tensor]) -> Result<Vec<Floats>, String> {
        self.backend.run(feeds)?.into_iter().map(Tensor::into_floats).collect()
    }

    /// Whether the tensors that came out have the shapes that the manifest's outputs need.
    fn check(&self, tensors: &[Floats]) -> Result<(), String> {
        for mask in &self.manifest.masks {
            let Tensor { shape, .. } = &tensors[self.number(&mask.tensor)];
            let Some(image) = self.plan.feeds.iter().find(|feed| matches!(feed.source, Source::Images(_)))
            else {
                return Err(format!("the mask `{}` needs an image to lie on", mask.port));
            };
            let window = &image.fact.shape[2..];
            let fits = shape.len() == image.fact.shape.len() && shape[0] == 1 && shape[2..] == *window;
            if !fits || shape[1] <= mask.channel as usize {
                return Err(format!(
                    "the output `{}` has the shape {shape:?}; the mask `{}` needs [1, more than {}, then {window:?}]",
                    mask.tensor, mask.port, mask.channel
                ));
            }
        }
        for score in &self.manifest.scores {
            let Tensor { shape, values } = &tensors[self.number(&score.tensor)];
            if let Some(column) = score.columns.iter().find(|column| column.index as usize >= values.len()) {
                return Err(format!(
                    "the output `{}` has the shape {shape:?}; the column `{}` needs element {}",
                    score.tensor, column.name, column.index
                ));
            }
        }
        Ok(())
    }

    /// Runs one case, from its files to its answer's files.
    pub(super) fn run(&mut self, case: &Case) -> Result<(), Failed> {
        // What cannot be written is found before the work is done.
        for mask in &self.manifest.masks {
            case.output(&mask.port, PortKind::Mask)?;
        }
        for score in &self.manifest.scores {
            case.output(&score.port, PortKind::Table)?;
        }
        let inputs = self.read(case)?;
        let gathered = self.gather(&inputs)?;
        self.write(case, inputs.geometry, gathered)
    }

    fn read(&self, case: &Case) -> Result<Inputs, Trouble> {
        let mut inputs = Inputs { volumes: Vec::new(), geometry: None, rows: Vec::new() };
        for image in &self.manifest.images {
            let Volume { geometry, data } = case.read_image(&image.port)?;
            check_spacing(image, &geometry)?;
            match &inputs.geometry {
                Some(first) if !first.same_grid(&geometry) => {
                    let first = &self.manifest.images[0].port;
                    return Err(Trouble::plain(format!(
                        "`{}` does not lie on the grid of `{first}`",
                        image.port
                    )));
                }
                Some(_) => {}
                None => inputs.geometry = Some(geometry),
            }
            inputs.volumes.push(normalise(image, data));
        }
        for table in &self.manifest.tables {
            inputs.rows.push(numbers(table, &case.read_row(&table.port)?)?);
        }
        Ok(inputs)
    }

    /// Runs all windows and puts what comes out together, tensor by tensor.
    fn gather(&mut self, inputs: &Inputs) -> Result<Vec<Gathered>, Failed> {
        let tiling = match (&self.manifest.window, &inputs.geometry) {
            (Some(window), Some(geometry)) => Some(Tiling::new(window, geometry.shape)),
            _ => None,
        };
        let voxels = inputs.geometry.as_ref().map_or(0, Geometry::voxels);
        let places: Vec<[usize; 3]> =
            tiling.as_ref().map_or_else(|| vec![[0; 3]], |tiling| tiling.places().collect());
        let mut gathered: Vec<Gathered> = Vec::new();
        for place in &places {
            let feed = |feed| fill(feed, inputs, tiling.as_ref(), *place);
            let feeds: Vec<Tensor> = self.plan.feeds.iter().map(feed).collect();
            let tensors = self.infer(&feeds).map_err(Failed::Engine)?;
            self.check(&tensors).map_err(Failed::Output)?;
            if gathered.is_empty() {
                gathered = tensors
                    .iter()
                    .enumerate()
                    .map(|(number, tensor)| self.start(number, tensor, voxels))
                    .collect();
            }
            for (Gathered { blended, sums }, tensor) in gathered.iter_mut().zip(&tensors) {
                if let (Some(blended), Some(tiling)) = (blended, &tiling) {
                    blended.add(tiling, *place, &tensor.values);
                }
                if !sums.is_empty() && sums.len() != tensor.values.len() {
                    return Err(Failed::Output(
                        "an output has not the same shape for every window".to_owned(),
                    ));
                }
                sums.iter_mut().zip(&tensor.values).for_each(|(sum, value)| *sum += f64::from(*value));
            }
        }
        let windows = places.len() as f64;
        for Gathered { sums, .. } in &mut gathered {
            for sum in sums.iter_mut() {
                *sum /= windows;
            }
        }
        Ok(gathered)
    }

    /// Room for what is read from an output: blended channels for masks, means for scores.
    fn start(&self, number: usize, tensor: &Floats, voxels: usize) -> Gathered {
        let name = &self.plan.outputs[number];
        let mask = self.manifest.masks.iter().any(|mask| mask.tensor == *name);
        let score = self.manifest.scores.iter().any(|score| score.tensor == *name);
        Gathered {
            blended: mask.then(|| Blended::new(tensor.shape[1], voxels)),
            sums: vec![0.0; if score { tensor.values.len() } else { 0 }],
        }
    }

    fn write(&self, case: &Case, geometry: Option<Geometry>, gathered: Vec<Gathered>) -> Result<(), Failed> {
        let no_number = |tensor: &str| {
            Failed::Output(format!(
                "the model's output `{tensor}` holds something that is not a finite number"
            ))
        };
        let (means, sums): (Vec<_>, Vec<_>) =
            gathered.into_iter().map(|tensor| (tensor.blended.map(Blended::means), tensor.sums)).unzip();
        for score in &self.manifest.scores {
            #[expect(clippy::cast_possible_truncation, reason = "as the model gave them")]
            let elements: Vec<f32> =
                sums[self.number(&score.tensor)].iter().map(|mean| *mean as f32).collect();
            let values = answer::scores(score, &elements).ok_or_else(|| no_number(&score.tensor))?;
            let names = score.columns.iter().map(|column| column.name.as_str());
            case.write_row(&score.port, &names.zip(values).collect::<Vec<_>>()).map_err(unwritten)?;
        }
        let Some(geometry) = geometry else { return Ok(()) };
        for mask in &self.manifest.masks {
            let channels = means[self.number(&mask.tensor)].as_deref().unwrap_or_default();
            let marked =
                answer::mask(mask, channels, geometry.voxels()).ok_or_else(|| no_number(&mask.tensor))?;
            let marked = Volume { geometry: geometry.clone(), data: marked };
            case.write_mask(&mask.port, &marked).map_err(unwritten)?;
        }
        Ok(())
    }

    /// Number of an output's tensor in the plan, which holds all of them.
    fn number(&self, tensor: &str) -> usize {
        self.plan.outputs.iter().position(|name| name == tensor).unwrap_or_default()
    }
}

fn fill(feed: &Feed, inputs: &Inputs, tiling: Option<&Tiling>, place: [usize; 3]) -> Tensor {
    let Fact { kind, shape } = &feed.fact;
    let mut numbers = Vec::with_capacity(shape.iter().product());
    match (&feed.source, tiling) {
        (Source::Images(images), Some(tiling)) => {
            for &image in images {
                tiling.cut(place, &inputs.volumes[image], &mut numbers);
            }
        }
        (Source::Images(_), None) => {}
        (Source::Table(table), _) => numbers.extend_from_slice(&inputs.rows[*table]),
    }
    Tensor { shape: shape.clone(), values: elements(*kind, numbers) }
}

/// The reason names no distance: it would tell about the case.
fn check_spacing(image: &ImageInput, geometry: &Geometry) -> Result<(), Trouble> {
    let Some(range) = &image.spacing_mm else { return Ok(()) };
    let outside = |axis: &usize| !(range.min[*axis]..=range.max[*axis]).contains(&geometry.spacing_mm[*axis]);
    (0..3).find(outside).map_or(Ok(()), |axis| {
        let reason = format!("the spacing of `{}` is outside the range of the manifest", image.port);
        let detail = format!("{reason}: axis {axis} has {} mm", geometry.spacing_mm[axis]);
        Err(Trouble { reason, detail })
    })
}

#[expect(clippy::cast_possible_truncation, reason = "single precision is what models work in")]
fn numbers(table: &TableInput, row: &[(String, String)]) -> Result<Vec<f32>, Trouble> {
    let number = |column: &fiel_schemas::onnx::InputColumn| {
        let (_, text) = row.iter().find(|(name, _)| *name == column.name).ok_or_else(|| {
            Trouble::plain(format!("the table `{}` has no column `{}`", table.port, column.name))
        })?;
        let value = text.trim().parse::<f64>().ok().filter(|value| value.is_finite()).ok_or_else(|| {
            let reason = format!("the column `{}` of `{}` holds no number", column.name, table.port);
            Trouble { detail: format!("{reason}: {text:?}"), reason }
        })?;
        Ok(((value - column.mean) / column.std) as f32)
    };
    table.columns.iter().map(number).collect()
}
