//! Rankings of algorithms over cases, and their stability.
