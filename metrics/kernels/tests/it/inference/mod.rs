//! Tests of `inference`.

mod behaviour;
mod reference;
