//! The OCI distribution API under `/v2/`, so that `skopeo`, `podman`, `buildah` and `oras` submit by pushing. Each path
//! and answer is that of the specification; who may call stands in the handlers' signatures, as in the rest of the API.

mod refused;
mod uploads;

pub(crate) use refused::nowhere;

use super::{State, unhurried};
use crate::app::registry::{self as app, Repository};
use actix_web::body::SizedStream;
use actix_web::http::header::{CONTENT_TYPE, LOCATION};
use actix_web::web::{Path, Payload, Query};
use actix_web::{HttpRequest, HttpResponse, get, head, put};
use fiel_schemas::oci::MANIFEST_BYTES_MAX;
use futures_util::StreamExt;
use refused::{Oci, Pusher, Refused};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;

/// Most tags listed at once.
const TAGS_MAX: u64 = 1000;

/// Name of the header in which a digest is given.
const DIGEST: &str = "Docker-Content-Digest";

/// Every route of the registry.
pub(crate) fn routes(config: &mut ServiceConfig<'_>) {
    config
        .service(base)
        .service(uploads::start)
        .service(uploads::status)
        .service(uploads::append)
        .service(uploads::finish)
        .service(uploads::cancel)
        .service(head_blob)
        .service(get_blob)
        .service(head_manifest)
        .service(get_manifest)
        .service(put_manifest)
        .service(tags);
}

/// Opens the repository that the address names.
async fn open(state: &State, challenge: &str, tool: &str) -> Result<Repository, Refused> {
    Repository::open(state, challenge, tool)
        .await
        .map_err(|e| Refused::naming(Oci::NameUnknown, Oci::NameInvalid, e))
}

/// Whether the registry is here and knows the caller.
#[utoipa::path(responses((status = 200, body = Object), (status = 401, body = Object)))]
#[get("/")]
async fn base(Pusher(_actor): Pusher) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header(("Docker-Distribution-API-Version", "registry/2.0"))
        .json(serde_json::json!({}))
}

/// Whether the account has the blob.
#[utoipa::path(responses((status = 200, description = "It has"), (status = 404, description = "It has not")))]
#[head("/{challenge}/{tool}/blobs/{digest}")]
async fn head_blob(
    state: State,
    Pusher(actor): Pusher,
    at: Path<(String, String, String)>,
) -> Result<HttpResponse, Refused> {
    let (challenge, tool, digest) = at.into_inner();
    open(&state, &challenge, &tool).await?;
    let blob = app::blob(&state, &actor, app::sha256_of(&digest)?).await.map_err(Refused::blob)?;
    Ok(HttpResponse::Ok().insert_header((DIGEST, digest)).content_type("application/octet-stream").body(
        SizedStream::new(blob.size, futures_util::stream::empty::<Result<bytes::Bytes, std::io::Error>>()),
    ))
}

/// A blob of the account.
#[utoipa::path(responses(
    (status = 200, body = Vec<u8>, content_type = "application/octet-stream"),
    (status = 404, body = Object)
))]
#[get("/{challenge}/{tool}/blobs/{digest}")]
async fn get_blob(
    state: State,
    Pusher(actor): Pusher,
    at: Path<(String, String, String)>,
) -> Result<HttpResponse, Refused> {
    let (challenge, tool, digest) = at.into_inner();
    open(&state, &challenge, &tool).await?;
    let blob = app::blob(&state, &actor, app::sha256_of(&digest)?).await.map_err(Refused::blob)?;
    Ok(HttpResponse::Ok()
        .insert_header((DIGEST, digest))
        .content_type("application/octet-stream")
        .body(SizedStream::new(blob.size, blob.bytes)))
}

async fn stored(
    state: &State,
    actor: &crate::auth::Actor,
    at: Path<(String, String, String)>,
) -> Result<(actix_web::HttpResponseBuilder, Vec<u8>), Refused> {
    let (challenge, tool, reference) = at.into_inner();
    let repository = open(state, &challenge, &tool).await?;
    let found = app::manifest(state, actor, &repository, &reference)
        .await
        .map_err(|e| Refused::naming(Oci::ManifestUnknown, Oci::DigestInvalid, e))?;
    let mut answer = HttpResponse::Ok();
    answer
        .insert_header((DIGEST, format!("sha256:{}", found.sha256)))
        .insert_header((CONTENT_TYPE, found.media_type));
    Ok((answer, found.bytes))
}

/// Whether the account has the manifest, by tag or digest.
#[utoipa::path(responses((status = 200, description = "It has"), (status = 404, description = "It has not")))]
#[head("/{challenge}/{tool}/manifests/{reference}")]
async fn head_manifest(
    state: State,
    Pusher(actor): Pusher,
    at: Path<(String, String, String)>,
) -> Result<HttpResponse, Refused> {
    let (mut answer, bytes) = stored(&state, &actor, at).await?;
    Ok(answer.body(bytes))
}

/// A manifest of the account, by tag or digest.
#[utoipa::path(responses((status = 200, body = Object), (status = 404, body = Object)))]
#[get("/{challenge}/{tool}/manifests/{reference}")]
async fn get_manifest(
    state: State,
    Pusher(actor): Pusher,
    at: Path<(String, String, String)>,
) -> Result<HttpResponse, Refused> {
    let (mut answer, bytes) = stored(&state, &actor, at).await?;
    Ok(answer.body(bytes))
}

/// Takes a manifest in. By tag it enters a submission of the tool in the version that the tag names, whose id stands
/// in the header `Fiel-Submission`; by digest it is stored, for an index to name it.
#[utoipa::path(
    request_body(content = Object, content_type = "application/vnd.oci.image.manifest.v1+json"),
    responses((status = 201, description = "Taken in"), (status = 400, body = Object), (status = 403, body = Object))
)]
#[put("/{challenge}/{tool}/manifests/{reference}")]
async fn put_manifest(
    state: State,
    Pusher(actor): Pusher,
    at: Path<(String, String, String)>,
    request: HttpRequest,
    body: Payload,
) -> Result<HttpResponse, Refused> {
    let (challenge, tool, reference) = at.into_inner();
    let repository = open(&state, &challenge, &tool).await?;
    let bytes = whole(body).await?;
    let media_type = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media_type = media_type.map(|value| value.split(';').next().unwrap_or(value).trim());
    let pushed = app::put_manifest(&state, &actor, &repository, &reference, media_type, bytes)
        .await
        .map_err(|e| Refused::naming(Oci::NameUnknown, Oci::TagInvalid, e))?;
    let mut answer = HttpResponse::Created();
    answer
        .insert_header((DIGEST, format!("sha256:{}", pushed.sha256)))
        .insert_header((LOCATION, format!("/v2/{}/manifests/sha256:{}", repository.name(), pushed.sha256)));
    if let Some(submission) = pushed.submission {
        answer.insert_header(("Fiel-Submission", submission));
    }
    Ok(answer.finish())
}

/// Reads a manifest into memory.
async fn whole(body: Payload) -> Result<Vec<u8>, Refused> {
    let mut bytes = Vec::new();
    let mut parts = std::pin::pin!(unhurried(body));
    while let Some(part) = parts.next().await {
        let part =
            part.map_err(|e| Refused::new(Oci::ManifestInvalid, format!("The manifest broke off ({e}).")))?;
        if (bytes.len() + part.len()) as u64 > MANIFEST_BYTES_MAX {
            let detail = format!("A manifest may have {MANIFEST_BYTES_MAX} bytes.");
            return Err(Refused::new(Oci::SizeInvalid, detail));
        }
        bytes.extend_from_slice(&part);
    }
    Ok(bytes)
}

/// Which tags to list.
#[derive(Deserialize, IntoParams)]
struct TagsQuery {
    /// How many at most.
    n: Option<u64>,
    /// Only those after this one.
    last: Option<String>,
}

/// The account's tags of a repository.
#[derive(Serialize, ToSchema)]
struct TagList {
    /// The repository.
    name: String,
    /// Its tags, in their order.
    tags: Vec<String>,
}

/// The account's own tags.
#[utoipa::path(params(TagsQuery), responses((status = 200, body = TagList), (status = 404, body = Object)))]
#[get("/{challenge}/{tool}/tags/list")]
async fn tags(
    state: State,
    Pusher(actor): Pusher,
    at: Path<(String, String)>,
    query: Query<TagsQuery>,
) -> Result<HttpResponse, Refused> {
    let (challenge, tool) = at.into_inner();
    let repository = open(&state, &challenge, &tool).await?;
    let most = query.n.unwrap_or(TAGS_MAX).min(TAGS_MAX);
    let last = query.last.as_deref().unwrap_or_default();
    let tags = app::tags(&state, &actor, &repository, last, most).await?;
    Ok(HttpResponse::Ok().json(TagList { name: repository.name(), tags }))
}
