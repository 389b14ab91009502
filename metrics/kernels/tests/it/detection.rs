//! Tests of `detection`.
