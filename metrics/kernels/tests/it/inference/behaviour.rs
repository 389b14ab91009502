//! What the tests and intervals do at their edges.
