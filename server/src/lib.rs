//! The hub of Fiel: HTTP API, pages, store, queue, leaderboards, plots; and the command line.
//!
//! The flow of a request is `api/<noun>` (extract, call, map), `app/<noun>` (rules, transaction),
//! `store/<noun>` (queries); the same noun names the file at every level.

pub mod api;
pub mod app;
pub mod auth;
pub mod blobs;
pub mod commands;
pub mod config;
pub mod error;
pub mod hub;
pub mod leaderboard;
mod migrations;
mod pace;
pub mod pages;
pub mod plots;
pub mod queue;
pub mod sniff;
pub mod sse;
pub mod state;
mod store;
mod uploads;
