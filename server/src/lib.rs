//! fiel-server
