//! fiel-node
