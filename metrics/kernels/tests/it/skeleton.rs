//! Tests of `skeleton`.
