//! Tests of `classification`.

#![allow(
    clippy::unwrap_used,
    clippy::float_cmp,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::items_after_statements,
    clippy::manual_midpoint,
    clippy::single_match_else,
    reason = "inputs and expectations are small and written out"
)]

mod bootstrap;
mod brute;
mod counts;
mod reference;
mod scores;
