//! The hub's one error: a stable code, a message for the person, a context for the log.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, ResponseError};
use fiel_schemas::api::Problem;
use std::fmt;

/// Every stable error code with its HTTP status and title; documented, and never reused for something else.
pub const CODES: &[(Code, &str, u16, &str)] = &[
    (Code::BadRequest, "bad-request", 400, "The request could not be understood"),
    (Code::DocumentInvalid, "document-invalid", 422, "The document is not valid"),
    (Code::NotSignedIn, "not-signed-in", 401, "Sign in, or send a bearer token"),
    (Code::WrongCredentials, "wrong-credentials", 401, "Name or password is wrong"),
    (Code::WrongRole, "wrong-role", 403, "Your role does not allow this"),
    (Code::CrossSite, "cross-site-request", 403, "The request came from another site"),
    (Code::NotFound, "not-found", 404, "There is no such thing here"),
    (Code::MethodNotAllowed, "method-not-allowed", 405, "This address does not answer to this method"),
    (Code::NameTaken, "name-taken", 409, "The name is taken"),
    (Code::ChallengeFixed, "challenge-fixed", 409, "The challenge can no longer be changed"),
    (Code::PhaseClosed, "phase-closed", 409, "No phase is open"),
    (Code::ArtifactMissing, "artifact-missing", 409, "The artifact has not been uploaded"),
    (Code::ArtifactTooLarge, "artifact-too-large", 413, "The artifact is too large"),
    (Code::ArtifactUnknown, "artifact-unknown", 422, "The file is no kind of model"),
    (
        Code::ArtifactKindRefused,
        "artifact-kind-refused",
        422,
        "The challenge does not take this kind of artifact",
    ),
    (Code::BodyTooLarge, "body-too-large", 413, "The request is too large"),
    (Code::DigestMismatch, "digest-mismatch", 422, "The bytes do not have the digest they were sent under"),
    (Code::UploadCut, "upload-cut", 400, "The upload ended early"),
    (Code::UploadUnknown, "upload-unknown", 404, "There is no such upload in progress"),
    (Code::UploadOutOfStep, "upload-out-of-step", 416, "The part does not follow what has arrived"),
    (Code::UploadBusy, "upload-busy", 429, "Another request writes to this upload"),
    (Code::TooManyUploads, "too-many-uploads", 429, "Too many uploads are in progress"),
    (Code::ManifestInvalid, "manifest-invalid", 422, "The image manifest is not valid"),
    (Code::BlobMissing, "blob-missing", 409, "A blob that the manifest names has not been pushed"),
    (Code::QuotaExceeded, "quota-exceeded", 429, "The quota of submissions is used up"),
    (Code::KeyReused, "idempotency-key-reused", 409, "The idempotency key belongs to another submission"),
    (Code::CodeInvalid, "code-invalid", 403, "The enrolment code is not valid"),
    (Code::ReferenceSetFixed, "reference-set-fixed", 409, "The reference set is fixed by its digest"),
    (Code::LeaseLost, "lease-lost", 409, "The run is no longer leased to this node"),
    (Code::ResultDiffers, "result-differs", 409, "Another result was accepted for this run"),
    (Code::SignatureInvalid, "signature-invalid", 422, "The signature is not the site's"),
    (Code::StatementMismatch, "statement-mismatch", 422, "The statement does not describe this run"),
    (Code::TimedOut, "timed-out", 408, "The request took too long"),
    (Code::Unavailable, "unavailable", 503, "The hub cannot answer now"),
    (Code::Internal, "internal", 500, "Something failed at the hub"),
];

/// A stable error code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is explained by its row of CODES")]
pub enum Code {
    BadRequest,
    DocumentInvalid,
    NotSignedIn,
    WrongCredentials,
    WrongRole,
    CrossSite,
    NotFound,
    MethodNotAllowed,
    NameTaken,
    ChallengeFixed,
    PhaseClosed,
    ArtifactMissing,
    ArtifactTooLarge,
    ArtifactUnknown,
    ArtifactKindRefused,
    BodyTooLarge,
    DigestMismatch,
    UploadCut,
    UploadUnknown,
    UploadOutOfStep,
    UploadBusy,
    TooManyUploads,
    ManifestInvalid,
    BlobMissing,
    QuotaExceeded,
    KeyReused,
    CodeInvalid,
    ReferenceSetFixed,
    LeaseLost,
    ResultDiffers,
    SignatureInvalid,
    StatementMismatch,
    TimedOut,
    Unavailable,
    Internal,
}

impl Code {
    fn row(self) -> &'static (Code, &'static str, u16, &'static str) {
        CODES.iter().find(|r| r.0 == self).unwrap_or(&CODES[CODES.len() - 1])
    }

    /// The code as clients see it.
    pub fn as_str(self) -> &'static str {
        self.row().1
    }

    /// HTTP status.
    pub fn status(self) -> u16 {
        self.row().2
    }

    /// Short title.
    pub fn title(self) -> &'static str {
        self.row().3
    }
}

/// What went wrong. `detail` is for the person; the context goes to the log only and is not displayed.
pub struct Error {
    /// Stable code.
    pub code: Code,
    /// What was wrong, where, and what to do.
    pub detail: String,
    context: Option<String>,
}

impl Error {
    /// An error with a message for the person.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), context: None }
    }

    /// Something that does not exist, or that the asker may not know of.
    pub fn not_found(what: &str) -> Self {
        Self::new(Code::NotFound, format!("{what} does not exist, or you may not see it."))
    }

    /// A fault of the hub: the person gets a general message, the log gets the context.
    pub fn internal(context: impl fmt::Display) -> Self {
        Self {
            code: Code::Internal,
            detail: "The hub failed to do this. Try again; if it stays, tell the administrator.".into(),
            context: Some(context.to_string()),
        }
    }

    /// A fault that keeps the hub from starting; shown to whoever started it.
    pub fn startup(detail: impl Into<String>) -> Self {
        Self::new(Code::Internal, detail)
    }

    /// The problem document of this error.
    pub fn problem(&self) -> Problem {
        Problem {
            kind: format!("/docs/errors#{}", self.code.as_str()),
            title: self.code.title().into(),
            status: self.code.status(),
            code: self.code.as_str().into(),
            detail: self.detail.clone(),
        }
    }

    /// Writes the context, where there is one, to the log.
    pub fn log(&self) {
        if let Some(context) = &self.context {
            tracing::error!(code = self.code.as_str(), %context, "request failed");
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.title(), self.detail)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("code", &self.code)
            .field("detail", &self.detail)
            .field("context", &self.context)
            .finish()
    }
}

impl std::error::Error for Error {}

impl From<sea_orm::DbErr> for Error {
    fn from(e: sea_orm::DbErr) -> Self {
        if matches!(e, sea_orm::DbErr::ConnectionAcquire(_) | sea_orm::DbErr::Conn(_)) {
            let mut unavailable =
                Self::new(Code::Unavailable, "The database does not answer. Try again in a few seconds.");
            unavailable.context = Some(e.to_string());
            return unavailable;
        }
        Self::internal(e)
    }
}

impl From<serde_json::Error> for Error {
    fn from(e: serde_json::Error) -> Self {
        Self::internal(e)
    }
}

impl ResponseError for Error {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        self.log();
        let mut response = HttpResponse::build(self.status_code());
        if self.code == Code::NotSignedIn {
            response.insert_header(("WWW-Authenticate", "Bearer"));
        }
        if matches!(self.code, Code::Unavailable | Code::UploadBusy) {
            response.insert_header(("Retry-After", "2"));
        }
        response
            .content_type("application/problem+json")
            .body(serde_json::to_vec(&self.problem()).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_every_row_is_found_by_its_code() {
        for (i, row) in CODES.iter().enumerate() {
            assert_eq!(row.0.as_str(), row.1);
            assert!(CODES[i + 1..].iter().all(|r| r.1 != row.1 && r.0 != row.0), "{} twice", row.1);
        }
    }
}
