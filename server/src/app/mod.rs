//! Rules and transactions.
