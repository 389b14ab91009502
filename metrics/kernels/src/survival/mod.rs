//! Risks against censored times: concordance, Brier scores, Kaplan-Meier.
