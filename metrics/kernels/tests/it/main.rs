//! Behaviour of the kernels: reference values of other packages, laws, brute force.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    clippy::float_cmp,
    clippy::large_stack_arrays,
    clippy::many_single_char_names,
    clippy::needless_for_each,
    clippy::needless_range_loop,
    clippy::naive_bytecount,
    clippy::similar_names,
    clippy::unwrap_used,
    reason = "they compare with literals, on small inputs of their own making"
)]

mod calibration;
mod classification;
mod detection;
mod golden;
mod images;
mod inference;
mod instances;
mod openebench;
mod overlap;
mod ranking;
mod regression;
mod skeleton;
mod surface;
mod survival;
