//! Numbers against numbers: errors, agreement.

pub(crate) mod distributions;
