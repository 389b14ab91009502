//! Small ONNX artifacts, built node by node, and a sandbox for each engine.

use std::path::{Path, PathBuf};

use fiel_sandbox::{CaseInput, CaseResult, Expected, Model, Prepared, Refusal, Sandbox, SandboxConfig};
use fiel_schemas::challenge::Limits;
use fiel_schemas::digest::sha256_hex;
use fiel_schemas::submission::MediaType;
use prost::Message as _;
use serde_json::{Value, json};
use std::sync::Mutex;
use tract_onnx::pb;
use tract_onnx::pb::tensor_shape_proto::{Dimension, dimension};

use crate::support::config;

/// Codes of element types in the ONNX specification.
pub(crate) const FLOAT: i32 = 1;
pub(crate) const UINT8: i32 = 2;
pub(crate) const INT32: i32 = 6;
pub(crate) const INT64: i32 = 7;
pub(crate) const DOUBLE: i32 = 11;

/// A graph under construction.
#[derive(Clone, Default)]
pub(crate) struct Graph(pub(crate) pb::GraphProto);

impl Graph {
    pub(crate) fn new() -> Self {
        Self(pb::GraphProto { name: "test".into(), ..pb::GraphProto::default() })
    }

    pub(crate) fn input(mut self, name: &str, elem_type: i32, shape: &[i64]) -> Self {
        self.0.input.push(info(name, elem_type, shape));
        self
    }

    pub(crate) fn output(self, name: &str, shape: &[i64]) -> Self {
        self.output_of(name, FLOAT, shape)
    }

    pub(crate) fn output_of(mut self, name: &str, elem_type: i32, shape: &[i64]) -> Self {
        self.0.output.push(info(name, elem_type, shape));
        self
    }

    pub(crate) fn node(self, operator: &str, inputs: &[&str], output: &str) -> Self {
        self.node_with(operator, inputs, output, Vec::new())
    }

    pub(crate) fn node_with(
        mut self,
        operator: &str,
        inputs: &[&str],
        output: &str,
        attribute: Vec<pb::AttributeProto>,
    ) -> Self {
        self.0.node.push(pb::NodeProto {
            op_type: operator.into(),
            name: format!("make {output}"),
            input: inputs.iter().map(|&name| name.to_owned()).collect(),
            output: vec![output.to_owned()],
            attribute,
            ..pb::NodeProto::default()
        });
        self
    }

    pub(crate) fn floats(mut self, name: &str, dims: &[i64], values: &[f32]) -> Self {
        self.0.initializer.push(pb::TensorProto {
            name: name.into(),
            dims: dims.to_vec(),
            data_type: FLOAT,
            float_data: values.to_vec(),
            ..pb::TensorProto::default()
        });
        self
    }

    pub(crate) fn integers(mut self, name: &str, values: &[i64]) -> Self {
        self.0.initializer.push(pb::TensorProto {
            name: name.into(),
            dims: vec![i64::try_from(values.len()).unwrap()],
            data_type: INT64,
            int64_data: values.to_vec(),
            ..pb::TensorProto::default()
        });
        self
    }

    /// The model's bytes, operator set 17.
    pub(crate) fn bytes(self) -> Vec<u8> {
        let model = pb::ModelProto {
            ir_version: 8,
            opset_import: vec![pb::OperatorSetIdProto { domain: String::new(), version: 17 }],
            graph: Some(self.0),
            ..pb::ModelProto::default()
        };
        model.encode_to_vec()
    }
}

pub(crate) fn integer(name: &str, value: i64) -> pb::AttributeProto {
    pb::AttributeProto { name: name.into(), i: value, r#type: 2, ..pb::AttributeProto::default() }
}

/// A tensor's declaration; a negative size stands for any.
fn info(name: &str, elem_type: i32, shape: &[i64]) -> pb::ValueInfoProto {
    let dim = shape.iter().enumerate().map(|(axis, &size)| {
        let any = dimension::Value::DimParam(format!("d{axis}"));
        let value = if size < 0 { any } else { dimension::Value::DimValue(size) };
        Dimension { denotation: String::new(), value: Some(value) }
    });
    let tensor =
        pb::type_proto::Tensor { elem_type, shape: Some(pb::TensorShapeProto { dim: dim.collect() }) };
    pb::ValueInfoProto {
        name: name.into(),
        r#type: Some(pb::TypeProto {
            denotation: String::new(),
            value: Some(pb::type_proto::Value::TensorType(tensor)),
        }),
        doc_string: String::new(),
    }
}

/// The manifest of a model that takes columns `a` and `b` as `x` and gives element 0 of `y`.
pub(crate) fn table_manifest() -> Value {
    json!({
        "schema": "fiel/onnx-manifest/v1",
        "tables": [{"port": "features", "tensor": "x", "dtype": "f32",
            "columns": [{"name": "a"}, {"name": "b"}]}],
        "scores": [{"port": "prediction", "tensor": "y", "activation": "none",
            "columns": [{"name": "probability", "index": 0}]}],
    })
}

/// The manifest of a model that takes an image as `x` and marks where channel 0 of `y` reaches 0.5.
pub(crate) fn image_manifest(patch: [u32; 3]) -> Value {
    json!({
        "schema": "fiel/onnx-manifest/v1",
        "images": [{"port": "ct", "tensor": "x", "dtype": "f32"}],
        "window": {"layout": "ncdhw", "axes": "zyx", "patch": patch, "overlap": [0, 0, 0],
            "blend": "constant", "pad": 0.0},
        "masks": [{"port": "lesions", "tensor": "y", "activation": "none", "channel": 0, "threshold": 0.5}],
    })
}

/// The archive of a manifest and a model.
pub(crate) fn bundle(manifest: &Value, model: &[u8]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, content) in [("manifest.json", manifest.to_string().as_bytes()), ("model.onnx", model)] {
        let mut header = tar::Header::new_ustar();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, name, content).unwrap();
    }
    builder.into_inner().unwrap()
}

/// The site's onnxruntime of these tests.
pub(crate) fn onnxruntime() -> PathBuf {
    let named = std::env::var_os("FIEL_ONNXRUNTIME").map(PathBuf::from);
    let path = named.expect(
        "FIEL_ONNXRUNTIME must name libonnxruntime.so; tests/run.sh takes it from the wheel `onnxruntime` of PyPI",
    );
    assert!(path.is_file(), "FIEL_ONNXRUNTIME names {}, which is no file", path.display());
    path
}

/// The engines: tract, and onnxruntime.
pub(crate) fn engines() -> [Option<PathBuf>; 2] {
    [None, Some(onnxruntime())]
}

/// A sandbox with one engine, in a folder of its own.
pub(crate) struct Lab {
    pub(crate) sandbox: Sandbox,
    pub(crate) folder: tempfile::TempDir,
}

impl Lab {
    pub(crate) fn new(engine: Option<&Path>, parallel: usize) -> Self {
        Self::with(engine, parallel, |config| config)
    }

    pub(crate) fn with(
        engine: Option<&Path>,
        parallel: usize,
        change: impl FnOnce(SandboxConfig) -> SandboxConfig,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = SandboxConfig {
            onnxruntime: engine.map(Path::to_owned),
            ..config(folder.path(), parallel, false)
        };
        Self { sandbox: Sandbox::new(change(config)).unwrap(), folder }
    }

    pub(crate) fn prepare(&self, archive: &[u8]) -> Result<Prepared, Refusal> {
        let sha256 = sha256_hex(archive);
        let path = self.folder.path().join(format!("{sha256}.tar"));
        std::fs::write(&path, archive).unwrap();
        self.sandbox.prepare(&Model { path, sha256, media_type: MediaType::Onnx })
    }

    /// Runs cases and sorts their results.
    pub(crate) fn run(
        &self,
        prepared: &Prepared,
        limits: &Limits,
        cases: Vec<CaseInput>,
        output: &str,
    ) -> Vec<CaseResult> {
        let results = Mutex::new(Vec::new());
        let expected = [Expected::File(output.to_owned())];
        self.sandbox
            .run_cases(prepared, limits, cases.into_iter(), &expected, &|result| {
                results.lock().unwrap().push(result);
            })
            .unwrap();
        let mut results = results.into_inner().unwrap();
        results.sort_by_key(|result| result.index);
        results
    }

    /// Runs one row through an artifact.
    pub(crate) fn row(&self, archive: &[u8], limits: &Limits, columns: &[(&str, &str)]) -> CaseResult {
        let prepared = self.prepare(archive).unwrap_or_else(|refusal| panic!("{refusal}"));
        self.run(&prepared, limits, vec![row_case("c1", columns)], "prediction.csv").remove(0)
    }
}

/// A case of one row.
pub(crate) fn row_case(name: &str, columns: &[(&str, &str)]) -> CaseInput {
    let header: Vec<&str> = std::iter::once("case_id").chain(columns.iter().map(|(name, _)| *name)).collect();
    let row: Vec<&str> = std::iter::once(name).chain(columns.iter().map(|(_, text)| *text)).collect();
    let table = format!("{}\n{}\n", header.join(","), row.join(","));
    let inputs = json!({"schema": "fiel/inputs/v1", "case": name,
        "inputs": [{"name": "features", "kind": "table", "path": "case.csv"}],
        "outputs": [{"name": "prediction", "kind": "table", "path": "prediction.csv"}]});
    CaseInput {
        name: name.to_owned(),
        files: vec![
            ("inputs.json".to_owned(), inputs.to_string().into_bytes()),
            ("case.csv".to_owned(), table.into_bytes()),
        ],
    }
}

/// A case of images, one port each, and a mask to be written.
pub(crate) fn image_case(name: &str, images: &[(&str, Vec<u8>)]) -> CaseInput {
    let ports: Vec<Value> = images
        .iter()
        .map(|(port, _)| json!({"name": port, "kind": "image", "path": format!("{port}.nii")}))
        .collect();
    let inputs = json!({"schema": "fiel/inputs/v1", "case": name, "inputs": ports,
        "outputs": [{"name": "lesions", "kind": "mask", "path": "lesions.nii"}]});
    let mut files = vec![("inputs.json".to_owned(), inputs.to_string().into_bytes())];
    files.extend(images.iter().map(|(port, bytes)| (format!("{port}.nii"), bytes.clone())));
    CaseInput { name: name.to_owned(), files }
}

pub(crate) fn limits() -> Limits {
    Limits { memory_mib: 512, case_ms: 60_000, output_mib: 8, artifact_mib: 16 }
}
