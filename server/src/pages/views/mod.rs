//! What pages show, as typed templates rendered from plain data: no database, no request.

pub mod board;
pub mod challenge;
pub mod curves;
pub mod docs;
pub mod entry;
pub mod format;
pub mod forms;
pub mod home;
pub mod layout;
pub mod markdown;
pub mod metric;
pub mod reasons;
pub mod submission;

#[cfg(test)]
mod tests;
