#![doc = include_str!("../README.md")]
#![warn(clippy::missing_errors_doc)]

pub mod assignment;
pub mod calibration;
pub mod classification;
pub mod components;
pub mod detection;
pub mod image;
pub mod inference;
pub mod instances;
pub mod openebench;
pub mod overlap;
pub mod ranking;
pub mod regression;
pub mod skeleton;
pub mod surface;
pub mod survival;

mod draws;
mod error;
mod memory;
mod vectorized;

pub use error::{ImageError, InputError, Undefined};
