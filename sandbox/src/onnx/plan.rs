//! Which tensors a manifest fills and reads, and whether a model has them.

use std::collections::HashSet;

use fiel_schemas::onnx::{ElementType, Layout, OnnxManifest};
use tract_onnx::pb::tensor_shape_proto::dimension::Value as Dimension;
use tract_onnx::pb::{AttributeProto, GraphProto, ModelProto, TensorProto, ValueInfoProto, type_proto};

use super::archive::shown;

/// Most nodes of a model, all its graphs together.
const NODES: usize = 100_000;

/// A tensor that is filled, and from what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Feed {
    /// Name of the model's input.
    pub(super) tensor: String,
    /// Type of its elements.
    pub(super) dtype: ElementType,
    /// Its shape, fixed.
    pub(super) shape: Vec<usize>,
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
            if let Some(Feed { shape, source: Source::Images(images), .. }) = known {
                images.push(index);
                shape[1] += 1;
            } else {
                feeds.push(Feed {
                    tensor: image.tensor.clone(),
                    dtype: image.dtype,
                    shape: [vec![1, 1], spatial(manifest)].concat(),
                    source: Source::Images(vec![index]),
                });
            }
        }
        feeds.extend(manifest.tables.iter().enumerate().map(|(index, table)| Feed {
            tensor: table.tensor.clone(),
            dtype: table.dtype,
            shape: vec![1, table.columns.len()],
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

    /// Refuses a model that does not fit, or that no engine should see; `known` tells the operators of the engine.
    pub(super) fn check(&self, model: &ModelProto, known: &dyn Fn(&str) -> bool) -> Result<(), String> {
        let graph = model.graph.as_ref().ok_or("the model holds no graph")?;
        check_parts(graph, known, &mut 0)?;
        if let Some(function) = model.functions.first() {
            let name = function.name.as_deref().unwrap_or_default();
            return Err(format!("the model defines functions of its own ({}); inline them", shown(name)));
        }
        check_order(graph)?;
        self.check_inputs(graph)?;
        self.check_outputs(graph)
    }

    fn check_inputs(&self, graph: &GraphProto) -> Result<(), String> {
        let constant: HashSet<&str> = graph.initializer.iter().map(|tensor| tensor.name.as_str()).collect();
        let inputs: Vec<&ValueInfoProto> =
            graph.input.iter().filter(|input| !constant.contains(input.name.as_str())).collect();
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
            fits(feed, input)?;
        }
        let unfilled = inputs.iter().find(|input| self.feeds.iter().all(|feed| feed.tensor != input.name));
        unfilled.map_or(Ok(()), |input| {
            Err(format!("the model's input {} is not filled by the manifest", shown(&input.name)))
        })
    }

    fn check_outputs(&self, graph: &GraphProto) -> Result<(), String> {
        for output in &self.outputs {
            let Some(info) = graph.output.iter().find(|info| info.name == *output) else {
                let names = listed(graph.output.iter().map(|info| info.name.as_str()));
                return Err(format!(
                    "the manifest reads {}, which is no output of the model; its outputs are {names}",
                    shown(output)
                ));
            };
            if let Some(found) = tensor_type(info).map(|tensor| tensor.elem_type).filter(|&code| code > 1) {
                return Err(format!(
                    "the model's output {} is of type {}; FLOAT is read",
                    shown(output),
                    type_name(found)
                ));
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

/// Refuses weights outside the file, operators the engine lacks, and more nodes than any network has.
fn check_parts(graph: &GraphProto, known: &dyn Fn(&str) -> bool, nodes: &mut usize) -> Result<(), String> {
    graph.initializer.iter().try_for_each(check_tensor)?;
    *nodes = nodes.saturating_add(graph.node.len());
    if *nodes > NODES {
        return Err(format!("the model has more than {NODES} nodes"));
    }
    for node in &graph.node {
        let standard = matches!(node.domain.as_str(), "" | "ai.onnx" | "ai.onnx.ml");
        if !known(&node.op_type) {
            let domain = if standard { String::new() } else { format!(" of {}", shown(&node.domain)) };
            return Err(format!(
                "the operator {}{domain} (node {}) is not known to the engine; export the model without it",
                shown(&node.op_type),
                shown(&node.name)
            ));
        }
        for AttributeProto { t, g, tensors, graphs, .. } in &node.attribute {
            t.iter().chain(tensors).try_for_each(check_tensor)?;
            g.iter().chain(graphs).try_for_each(|inner| check_parts(inner, known, nodes))?;
        }
    }
    Ok(())
}

fn check_tensor(tensor: &TensorProto) -> Result<(), String> {
    // 1 is EXTERNAL in the ONNX specification; the location is not even looked at.
    if tensor.data_location == Some(1) || !tensor.external_data.is_empty() {
        return Err(format!(
            "the tensor {} lies in another file; save the model as one file (`save_as_external_data=False`)",
            shown(&tensor.name)
        ));
    }
    let elements = tensor
        .dims
        .iter()
        .try_fold(1_i64, |product, &size| if size < 0 { None } else { product.checked_mul(size) });
    let stored = tensor.raw_data.len().max(tensor.float_data.len()).max(tensor.int64_data.len());
    let stored =
        stored.max(tensor.int32_data.len()).max(tensor.double_data.len()).max(tensor.uint64_data.len());
    // Every element takes at least a byte of the file; strings are counted one by one.
    let stored = stored.max(tensor.string_data.len()) as u64;
    if elements.and_then(|count| u64::try_from(count).ok()).is_none_or(|count| count > stored) {
        return Err(format!("the tensor {} declares more elements than it holds", shown(&tensor.name)));
    }
    Ok(())
}

/// As ONNX demands, every node stands after those it depends on; a cycle cannot.
fn check_order(graph: &GraphProto) -> Result<(), String> {
    let mut there: HashSet<&str> = graph.initializer.iter().map(|tensor| tensor.name.as_str()).collect();
    there.extend(graph.input.iter().map(|input| input.name.as_str()));
    for node in &graph.node {
        if let Some(early) = node.input.iter().find(|name| !name.is_empty() && !there.contains(name.as_str()))
        {
            return Err(format!(
                "the node {} ({}) uses {}, which nothing before it computes",
                shown(&node.name),
                shown(&node.op_type),
                shown(early)
            ));
        }
        for output in node.output.iter().filter(|name| !name.is_empty()) {
            if !there.insert(output) {
                return Err(format!("the tensor {} is computed twice", shown(output)));
            }
        }
    }
    match graph.output.iter().find(|output| !there.contains(output.name.as_str())) {
        Some(output) => Err(format!("nothing computes the output {}", shown(&output.name))),
        None => Ok(()),
    }
}

fn fits(feed: &Feed, input: &ValueInfoProto) -> Result<(), String> {
    let name = shown(&feed.tensor);
    let tensor = tensor_type(input).ok_or_else(|| format!("the model's input {name} is not a tensor"))?;
    if tensor.elem_type != code(feed.dtype) {
        return Err(format!(
            "the model's input {name} is of type {}; the manifest fills it with {}",
            type_name(tensor.elem_type),
            feed.dtype.as_str()
        ));
    }
    // Without a declared shape there is nothing to compare; the trial tells.
    let Some(shape) = &tensor.shape else { return Ok(()) };
    let fits = |(dimension, &size): (&Option<Dimension>, &usize)| match dimension {
        Some(Dimension::DimValue(fixed)) => usize::try_from(*fixed).is_ok_and(|fixed| fixed == size),
        _ => true,
    };
    let declared: Vec<Option<Dimension>> =
        shape.dim.iter().map(|dimension| dimension.value.clone()).collect();
    if declared.len() == feed.shape.len() && declared.iter().zip(&feed.shape).all(fits) {
        return Ok(());
    }
    let words: Vec<String> = declared
        .iter()
        .take(12)
        .map(|dimension| match dimension {
            Some(Dimension::DimValue(size)) => size.to_string(),
            Some(Dimension::DimParam(_)) | None => "any".to_owned(),
        })
        .collect();
    Err(format!(
        "the model's input {name} has the shape [{}]; the manifest fills {:?}",
        words.join(", "),
        feed.shape
    ))
}

fn tensor_type(info: &ValueInfoProto) -> Option<&type_proto::Tensor> {
    let type_proto::Value::TensorType(tensor) = info.r#type.as_ref()?.value.as_ref()?;
    Some(tensor)
}

/// The code of an element type in the ONNX specification.
const fn code(dtype: ElementType) -> i32 {
    match dtype {
        ElementType::F32 => 1,
        ElementType::U8 => 2,
        ElementType::I64 => 7,
    }
}

fn type_name(code: i32) -> String {
    const NAMES: [&str; 17] = [
        "UNDEFINED",
        "FLOAT",
        "UINT8",
        "INT8",
        "UINT16",
        "INT16",
        "INT32",
        "INT64",
        "STRING",
        "BOOL",
        "FLOAT16",
        "DOUBLE",
        "UINT32",
        "UINT64",
        "COMPLEX64",
        "COMPLEX128",
        "BFLOAT16",
    ];
    let known = usize::try_from(code).ok().and_then(|code| NAMES.get(code));
    known.map_or_else(|| format!("number {code}"), |name| (*name).to_owned())
}

fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<String> = names.take(8).map(shown).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}
