//! fiel-sandbox
