//! The hub through its public door, on SQLite or, where `FIEL_TEST_DATABASE_URL` names a PostgreSQL, on that.

mod authorisation;
mod boards;
mod harness;
mod nodes;
mod submissions;
mod uploads;
