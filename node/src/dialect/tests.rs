//! What a model of each dialect finds, and how its answers are read.

use super::*;
use fiel_metrics::image::{self, Geometry, ReadLimits};
use fiel_schemas::challenge::Socket;
use fiel_schemas::validate::{self, Kind};
use serde_json::{Value as Json, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

fn challenge(id: &str) -> Challenge {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../challenges").join(id);
    validate::from_yaml(Kind::Challenge, &std::fs::read_to_string(folder.join("challenge.yaml")).unwrap())
        .unwrap()
}

/// An oblique grid, far from the origin.
fn grid() -> Geometry {
    let (s, c) = 0.3_f64.sin_cos();
    Geometry {
        shape: [4, 3, 2],
        spacing_mm: [0.75, 0.75, 2.5],
        origin_mm: [-102.5, 31.25, 740.0],
        direction: [c, -s, 0.0, s, c, 0.0, 0.0, 0.0, 1.0],
        plane: false,
    }
}

fn ct() -> Vec<u8> {
    let data = (0..24).map(|v| v * 40 - 400).collect();
    image::encode_nifti_i16(&Volume { geometry: grid(), data }).unwrap()
}

fn files(dialect: Dialect, challenge: &Challenge, values: Vec<Value<'_>>) -> BTreeMap<String, Vec<u8>> {
    Layout::new(dialect, challenge).inputs(Case { name: "c1f00ba2", values }).unwrap().into_iter().collect()
}

fn parsed(files: &BTreeMap<String, Vec<u8>>, path: &str) -> Json {
    serde_json::from_slice(&files[path]).unwrap()
}

#[test]
fn a_fiel_model_finds_the_challenge_s_files_and_a_list_that_follows_its_schema() {
    let schema = include_str!("../../../schemas/json/model-inputs.schema.json");
    let schema = jsonschema::draft202012::new(&serde_json::from_str(schema).unwrap()).unwrap();
    let (table, images) = (challenge("breast-fna"), challenge("lesion-phantom"));
    let row = vec!["17.990"; 30];
    for (challenge, files) in [
        (&table, files(Dialect::Fiel, &table, vec![Value::Row(row)])),
        (&images, files(Dialect::Fiel, &images, vec![Value::Image(ct())])),
    ] {
        let list = parsed(&files, "inputs.json");
        assert!(schema.is_valid(&list), "{list}");
        assert_eq!(list["case"], "c1f00ba2");
        let listed: BTreeSet<&str> =
            list["inputs"].as_array().unwrap().iter().map(|slot| slot["path"].as_str().unwrap()).collect();
        let there: BTreeSet<&str> =
            files.keys().map(String::as_str).filter(|path| *path != "inputs.json").collect();
        assert_eq!(listed, there);
        assert_eq!(list["outputs"][0]["path"], challenge.interface.outputs[0].path.as_str());
        for broken in [
            json!({"schema": "fiel/inputs/v1", "case": "c1", "inputs": list["inputs"]}),
            json!({"schema": "fiel/inputs/v2", "case": "c1", "inputs": list["inputs"], "outputs": list["outputs"]}),
            json!({"schema": "fiel/inputs/v1", "case": "c1", "inputs": [{"name": "a"}], "outputs": list["outputs"]}),
        ] {
            assert!(!schema.is_valid(&broken), "{broken}");
        }
    }
}

#[test]
fn a_grand_challenge_model_finds_one_meta_image_of_the_same_voxels_on_the_same_grid() {
    let challenge = challenge("lesion-phantom");
    let files = files(Dialect::GrandChallenge, &challenge, vec![Value::Image(ct())]);
    let list = parsed(&files, "inputs.json");
    let [entry] = list.as_array().unwrap().as_slice() else { panic!("{list}") };
    for key in ["socket", "interface"] {
        let socket = &entry[key];
        assert_eq!(socket["slug"], "ct");
        assert_eq!(socket["kind"], "Image");
        assert_eq!(socket["super_kind"], "Image");
        assert_eq!(socket["relative_path"], "images/ct");
        let fields: BTreeSet<&str> = socket.as_object().unwrap().keys().map(String::as_str).collect();
        let documented = [
            "title",
            "description",
            "slug",
            "kind",
            "pk",
            "default_value",
            "super_kind",
            "relative_path",
            "overlay_segments",
            "look_up_table",
        ];
        assert_eq!(fields, BTreeSet::from(documented));
    }
    assert_eq!((&entry["value"], &entry["file"]), (&Json::Null, &Json::Null));
    let key = entry["image"]["pk"].as_str().unwrap();
    assert_eq!(entry["image"]["name"], "c1f00ba2.mha");
    assert_eq!(files.len(), 2);
    let mha = &files[&format!("images/ct/{key}.mha")];
    let limits = ReadLimits::default();
    let (theirs, ours) =
        (image::parse_image_i16(mha, &limits).unwrap(), image::parse_image_i16(&ct(), &limits).unwrap());
    assert_eq!(theirs.data, ours.data);
    assert!(theirs.geometry.same_grid(&ours.geometry));
    // ITK's world is LPS+: the first two coordinates have the other sign.
    let header = String::from_utf8_lossy(mha);
    assert!(header.contains("\nOffset = 102.5 -31.25 740\n"), "{header:.400}");
    // The spacing comes from a rotation of 32-bit numbers.
    let spacing = header.lines().find_map(|line| line.strip_prefix("ElementSpacing = ")).unwrap();
    let spacing: Vec<f64> = spacing.split(' ').map(|mm| mm.parse().unwrap()).collect();
    assert!(spacing.iter().zip([0.75, 0.75, 2.5]).all(|(a, b)| (a - b).abs() < 1e-6), "{spacing:?}");
    assert!(header.contains("\nElementType = MET_SHORT\n"), "{header:.400}");
}

#[test]
fn a_grand_challenge_model_finds_tables_as_values() {
    let challenge = challenge("breast-fna");
    let mut row = vec!["17.990"; 30];
    (row[1], row[2], row[3]) = ("3", "", "n/a");
    let files = files(Dialect::GrandChallenge, &challenge, vec![Value::Row(row)]);
    let list = parsed(&files, "inputs.json");
    assert_eq!(list[0]["socket"]["super_kind"], "Value");
    assert_eq!(list[0]["socket"]["kind"], "Anything");
    let value = parsed(&files, "features.json");
    assert_eq!(value, list[0]["value"]);
    assert_eq!(value.as_object().unwrap().len(), 30);
    assert_eq!(value["mean_radius"], json!(17.99));
    assert_eq!(value["mean_texture"], json!(3));
    assert_eq!(value["mean_perimeter"], Json::Null);
    assert_eq!(value["mean_area"], json!("n/a"));
}

#[test]
fn sockets_are_called_as_the_challenge_says() {
    let mut challenge = challenge("lesion-phantom");
    let named = |slug: &str, path: &str| {
        Some(Socket {
            slug: slug.to_owned(),
            kind: Some("Heat Map".to_owned()),
            relative_path: Some(path.to_owned()),
        })
    };
    challenge.interface.inputs[0].socket = named("thorax-ct", "images/thorax-scan");
    challenge.interface.outputs[0].socket = named("nodules", "images/nodule-masks");
    let files = files(Dialect::GrandChallenge, &challenge, vec![Value::Image(ct())]);
    let list = parsed(&files, "inputs.json");
    assert_eq!(list[0]["interface"]["slug"], "thorax-ct");
    assert_eq!(list[0]["interface"]["kind"], "Heat Map");
    assert!(files.keys().any(|path| path.starts_with("images/thorax-scan/")));
    let layout = Layout::new(Dialect::GrandChallenge, &challenge);
    assert_eq!(layout.expected(), [Expected::OnlyFileIn("images/nodule-masks".to_owned())]);
}

#[test]
fn a_table_of_one_column_is_a_plain_number_and_of_a_json_kind_an_object() {
    let mut challenge = challenge("breast-fna");
    challenge.interface.inputs[0].columns.truncate(1);
    let value = |challenge: &Challenge| {
        parsed(&files(Dialect::GrandChallenge, challenge, vec![Value::Row(vec!["17.99"])]), "features.json")
    };
    assert_eq!(value(&challenge), json!(17.99));
    challenge.interface.inputs[0].socket =
        Some(Socket { slug: "features".to_owned(), kind: Some("Anything".to_owned()), relative_path: None });
    assert_eq!(value(&challenge), json!({"mean_radius": 17.99}));
}

#[test]
fn a_medperf_model_finds_its_data_and_parameters() {
    let challenge = challenge("lesion-phantom");
    let files = files(Dialect::MedPerf, &challenge, vec![Value::Image(ct())]);
    assert_eq!(files.keys().collect::<Vec<_>>(), ["ct.nii", "parameters.yaml"]);
    assert_eq!(files["ct.nii"], ct());
    let layout = Layout::new(Dialect::MedPerf, &challenge);
    assert_eq!(layout.expected(), [Expected::File("lesions.nii".to_owned())]);
}

#[test]
fn the_same_answer_is_the_same_in_every_dialect() {
    let (table, masks) = (challenge("breast-fna"), challenge("lesion-phantom"));
    let port = &table.interface.outputs[0];
    for (dialect, text) in [
        (Dialect::Fiel, "case_id,probability\nc1f00ba2,0.125\n"),
        (Dialect::MedPerf, "case_id,probability\nc1f00ba2,0.125\n"),
        (Dialect::GrandChallenge, "0.125"),
        (Dialect::GrandChallenge, "{\"probability\": 0.125}"),
    ] {
        let layout = Layout::new(dialect, &table);
        assert_eq!(layout.probability(port, text.as_bytes(), "c1f00ba2"), Ok(0.125), "{dialect:?}");
    }
    let data: Vec<u8> = (0..24).map(|v| u8::from(v % 5 == 0)).collect();
    let mask = image::encode_nifti_mask(&Volume { geometry: grid(), data: data.clone() }).unwrap();
    let mha = image::encode_meta_image(&mask, &ReadLimits::default()).unwrap();
    let limits = ReadLimits::default();
    let reference = Volume { data: vec![0; 24], ..image::parse_nifti_mask(&mask, &limits).unwrap() };
    for (dialect, bytes) in
        [(Dialect::Fiel, &mask), (Dialect::MedPerf, &mask), (Dialect::GrandChallenge, &mha)]
    {
        let layout = Layout::new(dialect, &masks);
        assert_eq!(layout.mask(bytes, &reference).unwrap().data, data, "{dialect:?}");
    }
    assert!(Layout::new(Dialect::Fiel, &masks).mask(&mha, &reference).is_err());
}
