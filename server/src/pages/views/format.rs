//! Numbers, times and digests as people read them.

use chrono::{DateTime, Utc};
use fiel_schemas::assessment::{Estimate, Pooling};
use std::fmt::Write as _;

/// `value` with `decimals` places and a true minus sign; "undefined" is the caller's word.
pub fn number(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$}");
    let is_zero = text.bytes().all(|b| matches!(b, b'-' | b'0' | b'.'));
    match text.strip_prefix('-') {
        Some(rest) if is_zero => rest.to_owned(),
        Some(rest) => format!("−{rest}"),
        None => text,
    }
}

/// A metric's value, `(RE)` after it where random effects over sites gave it; `None` where it is undefined.
pub fn estimate(estimate: &Estimate, decimals: usize) -> Option<String> {
    let text = number(estimate.value?, decimals);
    Some(match estimate.pooling {
        None => text,
        Some(Pooling::RandomEffects) => format!("{text} (RE)"),
    })
}

/// Seconds in the unit that reads best.
pub fn seconds(value: f64) -> String {
    if value >= 10.0 {
        format!("{value:.0} s")
    } else if value >= 1.0 {
        format!("{value:.1} s")
    } else if value >= 0.01 {
        format!("{:.0} ms", value * 1e3)
    } else if value >= 0.001 {
        format!("{:.1} ms", value * 1e3)
    } else {
        format!("{:.0} µs", value * 1e6)
    }
}

/// Bytes in the unit that reads best.
pub fn bytes(value: u64) -> String {
    match value {
        0..1024 => format!("{value} B"),
        1024..1_048_576 => format!("{:.1} KiB", value as f64 / 1024.0),
        _ => format!("{:.1} MiB", value as f64 / 1_048_576.0),
    }
}

/// Day of a time, for people.
pub fn date(time: &DateTime<Utc>) -> String {
    time.format("%-d %B %Y").to_string()
}

/// A time, for people.
pub fn date_time(time: &DateTime<Utc>) -> String {
    time.format("%-d %B %Y, %H:%M UTC").to_string()
}

/// A time, for machines.
pub fn iso(time: &DateTime<Utc>) -> String {
    time.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// First characters of a digest; the whole digest stands beside it in a title.
pub fn short_digest(digest: &str) -> &str {
    let hex = digest.strip_prefix("sha256:").unwrap_or(digest);
    hex.char_indices().nth(12).map_or(hex, |(at, _)| &hex[..at])
}

/// A whole number with thin spaces between thousands.
pub fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut out = String::with_capacity(digits.len() * 2);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) && digits.len() > 4 {
            out.push('\u{202f}');
        }
        out.push(digit);
    }
    out
}

/// Percent-encodes everything but unreserved characters.
pub fn url_part(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}
