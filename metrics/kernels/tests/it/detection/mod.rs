//! Detection kernels against reference values, brute force and laws.

#![allow(clippy::float_cmp, reason = "literal values are met exactly")]

mod behaviour;
mod references;
