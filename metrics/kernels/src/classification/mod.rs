//! Scores and labels against the truth: ROC, precision-recall, confusion matrices, their intervals.
