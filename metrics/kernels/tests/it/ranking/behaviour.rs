//! What rankings do at their edges.
