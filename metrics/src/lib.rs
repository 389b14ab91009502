//! fiel-metrics
