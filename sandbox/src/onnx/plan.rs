//! Which tensors a manifest fills and reads, and whether a model has them.

use fiel_schemas::onnx::{Layout, OnnxManifest};
use tract_onnx::pb::{GraphProto, ModelProto};

use super::archive::shown;
use super::backend::{Fact, Names};
use super::graph::{Port, listed, sound};

/// A tensor that is filled, and from what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Feed {
    /// Name of the model's input.
    pub(super) tensor: String,
    /// Its type and fixed shape.
    pub(super) fact: Fact,
    /// Where its numbers come from.
    pub(super) source: Source,
}

/// Where a tensor's numbers come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Source {
    /// A window of these images of the manifest, a channel each.
    Images(Vec<usize>),
    /// The row of this table of the manifest.
    Table(usize),
}

/// The tensors of a manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Plan {
    /// Tensors that are filled.
    pub(super) feeds: Vec<Feed>,
    /// Names of the tensors that are read, each once.
    pub(super) outputs: Vec<String>,
}

impl Plan {
    /// The plan of a checked manifest.
    pub(super) fn of(manifest: &OnnxManifest) -> Self {
        let mut feeds: Vec<Feed> = Vec::new();
        for (index, image) in manifest.images.iter().enumerate() {
            let known = feeds.iter_mut().find(|feed| feed.tensor == image.tensor);
            if let Some(Feed { fact, source: Source::Images(images), .. }) = known {
                images.push(index);
                fact.shape[1] += 1;
            } else {
                feeds.push(Feed {
                    tensor: image.tensor.clone(),
                    fact: Fact { kind: image.dtype.into(), shape: [vec![1, 1], spatial(manifest)].concat() },
                    source: Source::Images(vec![index]),
                });
            }
        }
        feeds.extend(manifest.tables.iter().enumerate().map(|(index, table)| Feed {
            tensor: table.tensor.clone(),
            fact: Fact { kind: table.dtype.into(), shape: vec![1, table.columns.len()] },
            source: Source::Table(index),
        }));
        let mut outputs: Vec<String> = Vec::new();
        let masks = manifest.masks.iter().map(|mask| &mask.tensor);
        for tensor in masks.chain(manifest.scores.iter().map(|score| &score.tensor)) {
            if !outputs.contains(tensor) {
                outputs.push(tensor.clone());
            }
        }
        Self { feeds, outputs }
    }

    /// Types and shapes of the tensors that are filled.
    pub(super) fn facts(&self) -> Vec<Fact> {
        self.feeds.iter().map(|feed| feed.fact.clone()).collect()
    }

    /// Names of the tensors that are filled and read.
    pub(super) fn names(&self) -> Names {
        Names {
            inputs: self.feeds.iter().map(|feed| feed.tensor.clone()).collect(),
            outputs: self.outputs.clone(),
        }
    }

    /// Refuses a model that does not fit, or that no engine should see; `known` tells the operators of the engine.
    pub(super) fn check(&self, model: &ModelProto, known: &dyn Fn(&str) -> bool) -> Result<(), String> {
        let graph = sound(model, known)?;
        self.check_inputs(graph)?;
        self.check_outputs(graph)
    }

    fn check_inputs(&self, graph: &GraphProto) -> Result<(), String> {
        let inputs = Port::inputs(graph);
        for feed in &self.feeds {
            let mut named = inputs.iter().filter(|input| input.name == feed.tensor);
            let Some(input) = named.next() else {
                let names = listed(inputs.iter().map(|input| input.name.as_str()));
                return Err(format!(
                    "the manifest fills {}, which is no input of the model; its inputs are {names}",
                    shown(&feed.tensor)
                ));
            };
            if named.next().is_some() {
                return Err(format!("the model has two inputs named {}", shown(&feed.tensor)));
            }
            input.takes(&feed.fact, "the manifest")?;
        }
        let unfilled = inputs.iter().find(|input| self.feeds.iter().all(|feed| feed.tensor != input.name));
        unfilled.map_or(Ok(()), |input| {
            Err(format!("the model's input {} is not filled by the manifest", shown(&input.name)))
        })
    }

    fn check_outputs(&self, graph: &GraphProto) -> Result<(), String> {
        let outputs = Port::outputs(graph);
        for name in &self.outputs {
            let Some(output) = outputs.iter().find(|output| output.name == *name) else {
                let names = listed(outputs.iter().map(|output| output.name.as_str()));
                return Err(format!(
                    "the manifest reads {}, which is no output of the model; its outputs are {names}",
                    shown(name)
                ));
            };
            if let Some(found) = output.other_than_float() {
                return Err(format!("the model's output {} is of type {found}; FLOAT is read", shown(name)));
            }
        }
        Ok(())
    }
}

/// Sizes of the spatial axes of image tensors.
fn spatial(manifest: &OnnxManifest) -> Vec<usize> {
    let Some(window) = &manifest.window else { return Vec::new() };
    let skipped = usize::from(window.layout == Layout::Nchw);
    window.patch[skipped..].iter().map(|&size| size as usize).collect()
}
