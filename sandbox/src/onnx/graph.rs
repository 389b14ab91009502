//! Which graphs any engine may see, and what they take and give.

use std::collections::HashSet;

use tract_onnx::pb::tensor_shape_proto::dimension::Value as Dimension;
use tract_onnx::pb::{AttributeProto, GraphProto, ModelProto, TensorProto, ValueInfoProto, type_proto};

use super::archive::shown;
use super::backend::Fact;

/// Most nodes of a model, all its graphs together.
const NODES: usize = 100_000;

/// The graph of a model, refused where no engine should see it; `known` tells the operators of the engine.
pub(super) fn sound<'a>(
    model: &'a ModelProto,
    known: &dyn Fn(&str) -> bool,
) -> Result<&'a GraphProto, String> {
    let graph = model.graph.as_ref().ok_or("the model holds no graph")?;
    check_parts(graph, known, &mut 0)?;
    if let Some(function) = model.functions.first() {
        let name = function.name.as_deref().unwrap_or_default();
        return Err(format!("the model defines functions of its own ({}); inline them", shown(name)));
    }
    check_order(graph)?;
    Ok(graph)
}

/// A tensor that a graph takes or gives, as it declares it.
#[derive(Debug, Clone)]
pub(super) struct Port {
    pub(super) name: String,
    /// Code of its type in the ONNX specification; none of what is no tensor.
    element: Option<i32>,
    /// Sizes of its axes, where they are declared.
    shape: Option<Vec<Option<i64>>>,
}

impl Port {
    /// The inputs of a graph that it does not fill itself.
    pub(super) fn inputs(graph: &GraphProto) -> Vec<Self> {
        let constant: HashSet<&str> = graph.initializer.iter().map(|tensor| tensor.name.as_str()).collect();
        let open = graph.input.iter().filter(|input| !constant.contains(input.name.as_str()));
        open.map(Self::of).collect()
    }

    /// The outputs of a graph.
    pub(super) fn outputs(graph: &GraphProto) -> Vec<Self> {
        graph.output.iter().map(Self::of).collect()
    }

    fn of(info: &ValueInfoProto) -> Self {
        let tensor = tensor_type(info);
        let size = |value: &Option<Dimension>| match value {
            Some(Dimension::DimValue(size)) => Some(*size),
            Some(Dimension::DimParam(_)) | None => None,
        };
        let shape = tensor.and_then(|tensor| tensor.shape.as_ref());
        Self {
            name: info.name.clone(),
            element: tensor.map(|tensor| tensor.elem_type),
            shape: shape.map(|shape| shape.dim.iter().map(|dimension| size(&dimension.value)).collect()),
        }
    }

    /// Refuses a tensor that this input does not take; `filler` is who fills it, in words.
    pub(super) fn takes(&self, fact: &Fact, filler: &str) -> Result<(), String> {
        let name = shown(&self.name);
        let element = self.element.ok_or_else(|| format!("the model's input {name} is not a tensor"))?;
        if element != fact.kind.code() {
            return Err(format!(
                "the model's input {name} is of type {}; {filler} fills it with {}",
                type_name(element),
                fact.kind.as_str()
            ));
        }
        // Without a declared shape there is nothing to compare; a run tells.
        let Some(declared) = &self.shape else { return Ok(()) };
        let fits = |(fixed, &size): (&Option<i64>, &usize)| {
            fixed.is_none_or(|fixed| usize::try_from(fixed).is_ok_and(|fixed| fixed == size))
        };
        if declared.len() == fact.shape.len() && declared.iter().zip(&fact.shape).all(fits) {
            return Ok(());
        }
        let words =
            declared.iter().take(12).map(|size| size.map_or("any".to_owned(), |size| size.to_string()));
        Err(format!(
            "the model's input {name} has the shape [{}]; {filler} fills {:?}",
            words.collect::<Vec<_>>().join(", "),
            fact.shape
        ))
    }

    /// Name of its type where that is declared and another one than single precision.
    pub(super) fn other_than_float(&self) -> Option<String> {
        self.element.filter(|&code| code > 1).map(type_name)
    }
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

fn tensor_type(info: &ValueInfoProto) -> Option<&type_proto::Tensor> {
    let type_proto::Value::TensorType(tensor) = info.r#type.as_ref()?.value.as_ref()?;
    Some(tensor)
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

pub(super) fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<String> = names.take(8).map(shown).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}
