//! Tests of `surface`.
