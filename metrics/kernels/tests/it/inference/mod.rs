//! Tests of `inference`.

mod behaviour;
mod own;
mod reference;
