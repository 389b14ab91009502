//! The sandbox against models that do what they should not.

#![allow(clippy::unwrap_used, reason = "a test fails where it unwraps")]

mod containers;
mod images;
mod isolation;
mod outcomes;
mod preparing;
mod processes;
mod support;
