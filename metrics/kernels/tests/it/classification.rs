//! Tests of `classification`.
