//! Reading the submission form: text fields with limits, the file streamed to disk while its digest is computed.

use super::views::forms::SubmitForm;
use crate::auth::Actor;
use crate::error::{Code, Error};
use crate::pace::{IDLE, Pace, in_time};
use crate::sniff::Sniffer;
use crate::state::AppState;
use actix_multipart::{Field, Multipart};
use bytes::Bytes;
use fiel_schemas::digest::to_hex;
use futures_util::{Stream, TryStreamExt};
use sha2::{Digest, Sha256};
use tokio::io::AsyncWriteExt;
use tokio_util::io::ReaderStream;

/// Largest text field, bytes: 4,000 characters of four bytes.
const TEXT_BYTES_MAX: usize = 16_000;

/// Most parts of a form; the hub's own has six.
const PARTS_MAX: usize = 8;

/// A received file, deleted when this is dropped.
pub(super) struct Spooled {
    /// Digest of its bytes.
    pub(super) sha256: String,
    file: tempfile::NamedTempFile,
}

impl Spooled {
    /// The bytes again.
    pub(super) async fn stream(
        &self,
    ) -> Result<impl Stream<Item = Result<Bytes, std::io::Error>> + use<>, Error> {
        let file = tokio::fs::File::open(self.file.path()).await.map_err(Error::internal)?;
        Ok(ReaderStream::with_capacity(file, 64 << 10))
    }
}

/// A form as it arrived.
pub(super) struct Upload {
    /// Text fields, with what is wrong about the file.
    pub(super) form: SubmitForm,
    /// The file, where one of the right size and kind came.
    pub(super) file: Option<Spooled>,
}

/// Reads the form. Its token has to come before its file, as in the hub's own form, so that nothing is received on
/// behalf of another site.
pub(super) async fn read(
    state: &AppState,
    actor: &Actor,
    mut body: Multipart,
    bytes_max: u64,
) -> Result<Upload, Error> {
    let mut upload = Upload { form: SubmitForm::default(), file: None };
    let mut is_ours = false;
    let mut parts = 0;
    while let Some(mut field) = in_time(body.try_next()).await.map_err(cut)? {
        parts += 1;
        if parts > PARTS_MAX {
            return Err(Error::new(Code::BadRequest, format!("The form has more than {PARTS_MAX} parts.")));
        }
        let name = field.name().unwrap_or_default().to_owned();
        if name == "csrf" {
            actor.check_form(&text(&mut field).await?)?;
            is_ours = true;
            continue;
        }
        if !is_ours {
            actor.check_form("")?;
        }
        match name.as_str() {
            "tool" => upload.form.tool = text(&mut field).await?,
            "version" => upload.form.version = text(&mut field).await?,
            "description" => upload.form.description = text(&mut field).await?.replace("\r\n", "\n"),
            "key" => upload.form.key = text(&mut field).await?,
            "artifact" => spool(state, &mut upload, field, bytes_max).await?,
            other => {
                return Err(Error::new(Code::BadRequest, format!("The form has no field `{other}`.")));
            }
        }
    }
    if !is_ours {
        actor.check_form("")?;
    }
    if upload.form.key.is_empty() {
        upload.form.key = state.new_id();
    }
    Ok(upload)
}

fn cut(error: impl std::fmt::Display) -> Error {
    Error::new(Code::UploadCut, format!("The upload ended early or is not a form ({error}). Send it again."))
}

async fn text(field: &mut Field) -> Result<String, Error> {
    let too_long = || Error::new(Code::BodyTooLarge, "A text field of the form is longer than 16,000 bytes.");
    let bytes = tokio::time::timeout(IDLE, field.bytes(TEXT_BYTES_MAX))
        .await
        .map_err(|_| cut("a text field took longer than 30 seconds"))?
        .map_err(|_| too_long())?
        .map_err(cut)?;
    String::from_utf8(bytes.to_vec())
        .map_err(|_| Error::new(Code::BadRequest, "A text field of the form is not UTF-8."))
}

/// Streams the file to disk. A file that is too large or no model is read to its end without being kept, so that
/// the browser gets to see the answer.
async fn spool(state: &AppState, upload: &mut Upload, mut field: Field, bytes_max: u64) -> Result<(), Error> {
    let folder = state.config.data_dir.clone();
    let file = tempfile::Builder::new().prefix(".upload-").tempfile_in(folder).map_err(Error::internal)?;
    let mut out = tokio::fs::File::from_std(file.reopen().map_err(Error::internal)?);
    let mut digest = Sha256::new();
    let mut size = 0_u64;
    let mut sniffer = Sniffer::default();
    let mut unknown = None;
    let mut pace = Pace::start();
    while let Some(chunk) = pace.next(field.try_next()).await.map_err(cut)? {
        size += chunk.len() as u64;
        if size > bytes_max.saturating_mul(2) {
            let detail =
                format!("The file is larger than {} MiB, the limit of this challenge.", bytes_max >> 20);
            return Err(Error::new(Code::ArtifactTooLarge, detail));
        }
        if unknown.is_none() {
            unknown = sniffer.push(&chunk).err();
        }
        if size <= bytes_max && unknown.is_none() {
            digest.update(&chunk);
            out.write_all(&chunk).await.map_err(Error::internal)?;
        }
    }
    out.flush().await.map_err(Error::internal)?;
    let unknown = unknown.or_else(|| sniffer.finish().err());
    if size == 0 {
        upload.form.artifact_error = Some("Choose the file of the model.".into());
    } else if size > bytes_max {
        upload.form.artifact_error =
            Some(format!("The file is larger than {} MiB, the limit of this challenge.", bytes_max >> 20));
    } else if let Some(unknown) = unknown {
        upload.form.artifact_error = Some(unknown.to_string());
    } else {
        upload.file = Some(Spooled { sha256: to_hex(&digest.finalize()), file });
    }
    Ok(())
}
