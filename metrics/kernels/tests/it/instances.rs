//! Tests of `instances`.
