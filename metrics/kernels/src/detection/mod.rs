//! Findings with confidence against findings of the reference: FROC, average precision, PI-CAI.
