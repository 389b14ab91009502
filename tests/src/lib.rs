//! fiel-tests
