//! Numbers against numbers: errors, agreement.
