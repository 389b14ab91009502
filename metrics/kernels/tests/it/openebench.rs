//! Tests of `openebench`.
