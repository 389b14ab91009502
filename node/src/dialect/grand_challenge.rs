//! The dialect of Grand Challenge: sockets, one MetaImage in a folder for each image, JSON for values.

use super::{Case, InputFile, Value};
use crate::NodeError;
use crate::cases::image_limits;
use fiel_metrics::image;
use fiel_schemas::challenge::{Interface, Port, PortKind};
use serde::Serialize;
use serde_json::{Map, Number};
use sha2::{Digest as _, Sha256};

/// An entry of `inputs.json`. Models of before December 2025 look under `interface`, later ones under `socket`.
#[derive(Debug, Serialize)]
struct Entry<'a> {
    pk: usize,
    socket: &'a Socket<'a>,
    interface: &'a Socket<'a>,
    value: Option<&'a serde_json::Value>,
    file: Option<&'a str>,
    image: Option<Image<'a>>,
}

#[derive(Debug, Serialize)]
struct Socket<'a> {
    pk: usize,
    title: String,
    description: &'a str,
    slug: String,
    kind: &'a str,
    super_kind: &'static str,
    relative_path: String,
    default_value: Option<&'a str>,
    overlay_segments: [&'a str; 0],
    look_up_table: Option<&'a str>,
}

#[derive(Debug, Serialize)]
struct Image<'a> {
    pk: &'a str,
    name: String,
}

pub(super) fn inputs(interface: &Interface, case: Case<'_>) -> Result<Vec<InputFile>, NodeError> {
    let wrong =
        |e: &dyn std::fmt::Display| NodeError::Task(format!("inputs of a Grand Challenge model: {e}"));
    let (mut files, mut entries) = (Vec::new(), Vec::new());
    for (at, (port, value)) in interface.inputs.iter().zip(case.values).enumerate() {
        let socket = socket(at + 1, port);
        let key = image_key(case.name, &socket.slug);
        let json;
        let mut entry =
            Entry { pk: at + 1, socket: &socket, interface: &socket, value: None, file: None, image: None };
        files.push(match value {
            Value::Row(row) => {
                json = value_of(port, &row);
                entry.value = Some(&json);
                (socket.relative_path.clone(), serde_json::to_vec(&json).map_err(|e| wrong(&e))?)
            }
            Value::Image(nifti) => {
                let bytes = image::encode_meta_image(&nifti, &image_limits()).map_err(|e| wrong(&e))?;
                entry.image = Some(Image { pk: &key, name: format!("{}.mha", case.name) });
                (format!("{}/{key}.mha", socket.relative_path), bytes)
            }
        });
        entries.push(serde_json::to_value(&entry).map_err(|e| wrong(&e))?);
    }
    let list = serde_json::to_vec(&entries).map_err(|e| wrong(&e))?;
    files.insert(0, ("inputs.json".to_owned(), list));
    Ok(files)
}

fn socket(pk: usize, port: &Port) -> Socket<'_> {
    let super_kind = match port.kind {
        PortKind::Image | PortKind::Mask => "Image",
        PortKind::Table => "Value",
    };
    Socket {
        pk,
        title: port.name.clone(),
        description: &port.description,
        slug: port.socket_slug(),
        kind: port.socket_kind(),
        super_kind,
        relative_path: port.socket_path(),
        default_value: None,
        overlay_segments: [],
        look_up_table: None,
    }
}

/// The only column where the socket's kind says so, else an object of columns.
fn value_of(port: &Port, row: &[&str]) -> serde_json::Value {
    if port.is_plain_value() {
        return row.first().map_or(serde_json::Value::Null, |text| cell(text));
    }
    let columns = port.columns.iter().zip(row).map(|(name, text)| (name.clone(), cell(text)));
    serde_json::Value::Object(columns.collect::<Map<_, _>>())
}

/// A number where the text is one, nothing where it is empty, else the text.
fn cell(text: &str) -> serde_json::Value {
    let number = || {
        let whole = text.parse::<i64>().ok().map(Number::from);
        whole.or_else(|| text.parse::<f64>().ok().and_then(Number::from_f64))
    };
    match number() {
        Some(number) => number.into(),
        None if text.is_empty() => serde_json::Value::Null,
        None => text.into(),
    }
}

/// An identifier of an image in the form of a UUID (version 8), drawn from the random name of its case.
fn image_key(case: &str, slug: &str) -> String {
    let hash = Sha256::new().chain_update(case).chain_update("/").chain_update(slug).finalize();
    let hex = fiel_schemas::digest::to_hex(&hash[..16]);
    format!("{}-{}-8{}-8{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..])
}
