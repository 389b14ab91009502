//! Tests of `ranking`.

mod behaviour;
mod challenge_r;
mod joined;
mod laws;
mod replicated;
