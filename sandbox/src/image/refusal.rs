//! The words for what is wrong with an image; short and printable even where they quote it.

use std::io;

use fiel_schemas::api::FailureReason;
use rustix::io::Errno;

use crate::types::Refusal;

/// Most characters of a message.
const MESSAGE: usize = 600;

/// Most characters quoted of a name.
const QUOTE: usize = 120;

/// The image is refused.
pub(super) fn invalid(message: impl Into<String>) -> Refusal {
    Refusal { reason: FailureReason::ImageInvalid, message: message.into().chars().take(MESSAGE).collect() }
}

/// The site could not do its part.
pub(super) fn site(message: impl std::fmt::Display) -> Refusal {
    Refusal { reason: FailureReason::SiteError, message: message.to_string().chars().take(MESSAGE).collect() }
}

/// Says where it went wrong, before what.
pub(super) fn at(place: &str, refusal: Refusal) -> Refusal {
    let Refusal { reason, message } = refusal;
    Refusal { reason, message: format!("{place}: {message}").chars().take(MESSAGE).collect() }
}

/// A name out of an image between backticks: bytes that do not print are escaped, and its end is cut.
pub(super) fn quote(name: &[u8]) -> String {
    let text = String::from_utf8_lossy(name);
    let escaped = |c: char| {
        if c.is_ascii_graphic() || c == ' ' { c.to_string() } else { c.escape_unicode().to_string() }
    };
    let mut quoted: String = text.chars().take(QUOTE).map(escaped).collect();
    if text.chars().nth(QUOTE).is_some() {
        quoted.push_str("...");
    }
    format!("`{quoted}`")
}

/// What an error while reading means: a rule of our own, the site's disk, or damaged data.
pub(super) fn unreadable(error: io::Error) -> Refusal {
    if error.raw_os_error().is_some() {
        return site(format!("cannot read: {error}"));
    }
    if error.kind() == io::ErrorKind::UnexpectedEof {
        return invalid("the data is cut short");
    }
    let text = error.to_string();
    match error
        .into_inner()
        .map(<dyn std::error::Error + std::marker::Send + std::marker::Sync + 'static>::downcast::<Refusal>)
    {
        Some(Ok(refusal)) => *refusal,
        _ => invalid(format!("damaged data: {}", quote(text.as_bytes()))),
    }
}

/// What an error while writing into the root file system means.
pub(super) fn unwritable(error: Errno) -> Refusal {
    match error {
        Errno::LOOP => invalid("lies behind too many links"),
        Errno::NOTDIR => invalid("lies below something that is not a folder"),
        Errno::XDEV => invalid("leads out of the image"),
        Errno::NAMETOOLONG => invalid("its path is too long once links are resolved"),
        Errno::MLINK => invalid("the file has too many names"),
        Errno::FBIG => invalid("the file is too large"),
        other => site(format!("cannot write: {other}")),
    }
}
