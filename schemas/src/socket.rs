//! How a port is called on Grand Challenge, for models that speak its dialect.

use crate::challenge::{Port, PortKind};
use serde::{Deserialize, Serialize};

/// A socket of Grand Challenge that a port stands for. What is absent follows from the port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Socket {
    /// Slug by which models know the socket, for instance `venous-vascular-ct`.
    pub slug: String,
    /// Kind as Grand Challenge words it, for instance `Image`, `Segmentation`, `Float`, `Anything`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Folder of an image or file of a value, relative to `/input` or `/output`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub relative_path: Option<String>,
}

/// Kinds whose value is one number, text or truth value rather than an object.
const PLAIN_KINDS: [&str; 4] = ["Float", "Integer", "String", "Bool"];

impl Port {
    /// Slug of the port's socket: its name with hyphens, unless the challenge says otherwise.
    ///
    /// ```
    /// # use fiel_schemas::challenge::{Port, PortKind};
    /// let name = "lung_ct".to_owned();
    /// let port = Port { name, kind: PortKind::Image, path: "ct.nii".into(), columns: vec![], description: String::new(), socket: None };
    /// assert_eq!(port.socket_slug(), "lung-ct");
    /// assert_eq!(port.socket_path(), "images/lung-ct");
    /// assert_eq!(port.socket_kind(), "Image");
    /// ```
    pub fn socket_slug(&self) -> String {
        self.socket.as_ref().map_or_else(|| self.name.replace('_', "-"), |socket| socket.slug.clone())
    }

    /// Path of the socket: `images/<slug>` for images and masks, `<slug>.json` for tables, unless the challenge says
    /// otherwise.
    pub fn socket_path(&self) -> String {
        let said = self.socket.as_ref().and_then(|socket| socket.relative_path.clone());
        said.unwrap_or_else(|| match self.kind {
            PortKind::Table => format!("{}.json", self.socket_slug()),
            PortKind::Image | PortKind::Mask => format!("images/{}", self.socket_slug()),
        })
    }

    /// Kind of the socket: `Image`, `Segmentation`, `Float` for a table of one column, `Anything` for one of several,
    /// unless the challenge says otherwise.
    pub fn socket_kind(&self) -> &str {
        let said = self.socket.as_ref().and_then(|socket| socket.kind.as_deref());
        said.unwrap_or(match self.kind {
            PortKind::Image => "Image",
            PortKind::Mask => "Segmentation",
            PortKind::Table if self.columns.len() == 1 => "Float",
            PortKind::Table => "Anything",
        })
    }

    /// Whether the socket's value is that of the port's only column, and not an object of columns.
    pub fn is_plain_value(&self) -> bool {
        self.columns.len() == 1 && PLAIN_KINDS.contains(&self.socket_kind())
    }
}
