//! Tests of `survival`.
