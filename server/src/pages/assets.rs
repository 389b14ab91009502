//! Styles, scripts and pictures, embedded in the binary.

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use std::sync::OnceLock;

struct Asset {
    name: &'static str,
    media_type: &'static str,
    bytes: &'static str,
}

const ASSETS: &[Asset] = &[
    Asset {
        name: "style.css",
        media_type: "text/css; charset=utf-8",
        bytes: include_str!("../../../web/static/style.css"),
    },
    Asset {
        name: "plot.css",
        media_type: "text/css; charset=utf-8",
        bytes: include_str!("../../../web/static/plot.css"),
    },
    Asset {
        name: "live.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_str!("../../../web/static/live.js"),
    },
    Asset {
        name: "favicon.svg",
        media_type: "image/svg+xml",
        bytes: include_str!("../../../web/static/favicon.svg"),
    },
];

/// Digest over all assets; part of their addresses, so that browsers may keep them for ever.
pub(crate) fn version() -> &'static str {
    static VERSION: OnceLock<String> = OnceLock::new();
    VERSION.get_or_init(|| {
        let all: Vec<&str> = ASSETS.iter().map(|a| a.bytes).collect();
        fiel_schemas::digest::sha256_hex(all.concat().as_bytes())[..12].to_owned()
    })
}

/// `GET /static/{name}`
pub(crate) async fn serve(request: HttpRequest, name: web::Path<String>) -> HttpResponse {
    let Some(asset) = ASSETS.iter().find(|a| a.name == *name) else {
        return HttpResponse::NotFound()
            .content_type("text/plain; charset=utf-8")
            .body("There is no such file.");
    };
    let is_versioned = request.query_string() == format!("v={}", version());
    let cache = if is_versioned { "public, max-age=31536000, immutable" } else { "public, max-age=300" };
    HttpResponse::Ok()
        .content_type(asset.media_type)
        .insert_header((header::CACHE_CONTROL, cache))
        .body(asset.bytes)
}
