//! What wraps every request: security headers and a time limit.

use crate::error::{Code, Error};
use crate::state::AppState;
use actix_web::Error as WebError;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::web::Data;

const POLICY: &str = "default-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; \
                      form-action 'self'; img-src 'self' data:";

/// Headers that keep a browser from doing more than the pages need.
pub(crate) async fn secure_headers(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, WebError> {
    let mut response = next.call(request).await?;
    let headers = response.headers_mut();
    for (name, value) in [
        ("content-security-policy", POLICY),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "same-origin"),
        ("cross-origin-opener-policy", "same-origin"),
    ] {
        let name = HeaderName::from_static(name);
        if !headers.contains_key(&name) {
            headers.insert(name, HeaderValue::from_static(value));
        }
    }
    Ok(response)
}

/// True for requests that wait or stream by design and watch over themselves.
fn takes_its_time(method: &Method, path: &str) -> bool {
    // The form with the model, which is as long as an upload through the API.
    (method == Method::POST && path.starts_with("/submit/"))
        || path.ends_with("/claim")
        || path.ends_with("/events")
        || path.contains("/artifacts/")
        || (path.starts_with("/v2/") && path.contains("/blobs/"))
        || path.contains("/files/")
}

/// Ends requests that take too long.
pub(crate) async fn limit_time(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, WebError> {
    let limit = request.app_data::<Data<AppState>>().map(|state| state.config.request_time);
    let Some(limit) = limit.filter(|_| !takes_its_time(request.method(), request.path())) else {
        return Ok(next.call(request).await?.map_into_boxed_body());
    };
    if let Ok(answer) = tokio::time::timeout(limit, next.call(request)).await {
        return Ok(answer?.map_into_boxed_body());
    }
    let detail = format!("The hub did not finish in {} seconds. Try again.", limit.as_secs());
    Err(Error::new(Code::TimedOut, detail).into())
}
