//! The sandbox against models that do what they should not.

mod isolation;
mod outcomes;
mod preparing;
mod processes;
mod support;
