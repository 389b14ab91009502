//! Uncertainty: bootstraps, tests, multiple comparisons, random effects.
