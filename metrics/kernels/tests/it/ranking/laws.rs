//! Laws of rankings.
