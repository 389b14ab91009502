//! Who may push, and how the registry says no: the specification's codes, with the platform's words and stable code.

use crate::auth::{Actor, Role, identify_by_token, not_signed_in};
use crate::error::{Code, Error};
use crate::state::AppState;
use actix_web::dev::Payload;
use actix_web::http::header::{LOCATION, RANGE, RETRY_AFTER, WWW_AUTHENTICATE};
use actix_web::http::{Method, StatusCode};
use actix_web::web::Data;
use actix_web::{FromRequest, HttpRequest, HttpResponse, ResponseError};
use serde_json::json;
use std::fmt;
use std::pin::Pin;

/// A code of the distribution specification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Oci {
    BlobUnknown,
    BlobUploadInvalid,
    BlobUploadUnknown,
    Denied,
    DigestInvalid,
    ManifestBlobUnknown,
    ManifestInvalid,
    ManifestUnknown,
    NameInvalid,
    NameUnknown,
    SizeInvalid,
    TagInvalid,
    TooManyRequests,
    Unauthorized,
    Unsupported,
    Unknown,
}

impl Oci {
    /// The code and the status that goes with it.
    fn row(self) -> (&'static str, StatusCode) {
        match self {
            Self::BlobUnknown => ("BLOB_UNKNOWN", StatusCode::NOT_FOUND),
            Self::BlobUploadInvalid => ("BLOB_UPLOAD_INVALID", StatusCode::BAD_REQUEST),
            Self::BlobUploadUnknown => ("BLOB_UPLOAD_UNKNOWN", StatusCode::NOT_FOUND),
            Self::Denied => ("DENIED", StatusCode::FORBIDDEN),
            Self::DigestInvalid => ("DIGEST_INVALID", StatusCode::BAD_REQUEST),
            Self::ManifestBlobUnknown => ("MANIFEST_BLOB_UNKNOWN", StatusCode::NOT_FOUND),
            Self::ManifestInvalid => ("MANIFEST_INVALID", StatusCode::BAD_REQUEST),
            Self::ManifestUnknown => ("MANIFEST_UNKNOWN", StatusCode::NOT_FOUND),
            Self::NameInvalid => ("NAME_INVALID", StatusCode::BAD_REQUEST),
            Self::NameUnknown => ("NAME_UNKNOWN", StatusCode::NOT_FOUND),
            Self::SizeInvalid => ("SIZE_INVALID", StatusCode::PAYLOAD_TOO_LARGE),
            Self::TagInvalid => ("TAG_INVALID", StatusCode::BAD_REQUEST),
            Self::TooManyRequests => ("TOOMANYREQUESTS", StatusCode::TOO_MANY_REQUESTS),
            Self::Unauthorized => ("UNAUTHORIZED", StatusCode::UNAUTHORIZED),
            Self::Unsupported => ("UNSUPPORTED", StatusCode::METHOD_NOT_ALLOWED),
            Self::Unknown => ("UNKNOWN", StatusCode::INTERNAL_SERVER_ERROR),
        }
    }

    fn of(code: Code) -> Self {
        match code {
            Code::NotSignedIn | Code::WrongCredentials => Self::Unauthorized,
            Code::WrongRole
            | Code::QuotaExceeded
            | Code::PhaseClosed
            | Code::ArtifactKindRefused
            | Code::ArtifactMissing => Self::Denied,
            Code::ArtifactTooLarge | Code::BodyTooLarge => Self::SizeInvalid,
            Code::DigestMismatch => Self::DigestInvalid,
            Code::UploadCut | Code::UploadOutOfStep => Self::BlobUploadInvalid,
            Code::UploadUnknown => Self::BlobUploadUnknown,
            Code::UploadBusy | Code::TooManyUploads => Self::TooManyRequests,
            Code::ManifestInvalid | Code::ArtifactUnknown | Code::BadRequest => Self::ManifestInvalid,
            Code::BlobMissing => Self::ManifestBlobUnknown,
            Code::NotFound => Self::NameUnknown,
            _ => Self::Unknown,
        }
    }
}

/// A refusal as clients of registries understand it.
pub(crate) struct Refused {
    oci: Oci,
    error: Error,
}

impl Refused {
    pub(super) fn new(oci: Oci, detail: String) -> Self {
        Self { oci, error: Error::new(Code::BadRequest, detail) }
    }

    /// An error where a missing thing and a wrong name have their own codes.
    pub(super) fn naming(missing: Oci, wrong: Oci, error: Error) -> Self {
        match error.code {
            Code::NotFound => Self { oci: missing, error },
            Code::BadRequest => Self { oci: wrong, error },
            _ => error.into(),
        }
    }

    pub(super) fn blob(error: Error) -> Self {
        Self::naming(Oci::BlobUnknown, Oci::DigestInvalid, error)
    }

    /// The answer to a part that does not follow what has arrived: where to go on.
    pub(super) fn out_of_step(&self, name: &str, id: &str, arrived: u64) -> HttpResponse {
        HttpResponse::build(StatusCode::RANGE_NOT_SATISFIABLE)
            .insert_header((LOCATION, format!("/v2/{name}/blobs/uploads/{id}")))
            .insert_header((RANGE, format!("0-{}", arrived.saturating_sub(1))))
            .json(self.body())
    }

    fn body(&self) -> serde_json::Value {
        let detail = json!({"code": self.error.code.as_str()});
        json!({"errors": [{"code": self.oci.row().0, "message": self.error.detail, "detail": detail}]})
    }
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self { oci: Oci::of(error.code), error }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl fmt::Debug for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Refused").field("oci", &self.oci).field("error", &self.error).finish()
    }
}

impl ResponseError for Refused {
    fn status_code(&self) -> StatusCode {
        match (self.oci, self.error.code) {
            (Oci::Unknown, code) => {
                StatusCode::from_u16(code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
            }
            (_, Code::UploadOutOfStep) => StatusCode::RANGE_NOT_SATISFIABLE,
            (oci, _) => oci.row().1,
        }
    }

    fn error_response(&self) -> HttpResponse {
        self.error.log();
        let mut response = HttpResponse::build(self.status_code());
        if self.oci == Oci::Unauthorized {
            response.insert_header((WWW_AUTHENTICATE, "Basic realm=\"fiel\""));
        }
        if matches!(self.error.code, Code::Unavailable | Code::UploadBusy) {
            response.insert_header((RETRY_AFTER, "2"));
        }
        response.insert_header(("Docker-Distribution-API-Version", "registry/2.0")).json(self.body())
    }
}

/// An account that may submit, by its token.
#[derive(Debug, Clone)]
pub(super) struct Pusher(pub(super) Actor);

impl FromRequest for Pusher {
    type Error = Refused;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Refused>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            let state = request
                .app_data::<Data<AppState>>()
                .ok_or_else(|| Error::internal("the application state is not registered"))?;
            let actor = identify_by_token(state, request.headers()).await?.ok_or_else(not_signed_in)?;
            if actor.at_least(Role::Participant) {
                return Ok(Self(actor));
            }
            let detail = "This needs the role participant. Use another account or token.";
            Err(Error::new(Code::WrongRole, detail).into())
        })
    }
}

/// Addresses of the registry that do not exist.
pub(crate) async fn nowhere(request: HttpRequest) -> Result<HttpResponse, Refused> {
    if *request.method() == Method::DELETE {
        let detail = "What was pushed stays: submissions refer to it.";
        return Err(Refused { oci: Oci::Unsupported, error: Error::new(Code::MethodNotAllowed, detail) });
    }
    let detail = "There is no such address. Push to `<this hub>/<challenge>/<tool>:<version>`.";
    Err(Refused { oci: Oci::NameInvalid, error: Error::new(Code::NotFound, detail) })
}
