//! The hub through its public door, on SQLite or, where `FIEL_TEST_DATABASE_URL` names a PostgreSQL, on that.

#![allow(clippy::unwrap_used, reason = "a test fails where it unwraps")]

mod authorisation;
mod boards;
mod elsewhere;
mod harness;
mod nodes;
mod registry;
mod submissions;
mod two_hubs;
mod uploads;
