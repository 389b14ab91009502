//! NumPy arrays.
#![no_main]

use fiel_kernels_fuzz::read_in_every_way;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| read_in_every_way(bytes));
