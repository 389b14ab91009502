//! Tests of `inference`.
