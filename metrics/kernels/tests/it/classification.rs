//! Tests of `classification`.

mod bootstrap;
mod brute;
mod counts;
mod reference;
mod scores;
