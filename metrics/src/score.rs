//! Scoring files at once, for the command line.
