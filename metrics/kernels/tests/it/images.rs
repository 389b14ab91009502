//! Tests of `images`.
