//! Behaviour of the kernels: reference values of other packages, laws, brute force.

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
