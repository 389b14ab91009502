//! Queries. Every function takes the connection (or transaction) it runs on; nothing here decides.

pub(crate) mod accounts;
pub(crate) mod assessments;
pub(crate) mod audit;
pub(crate) mod challenges;
pub(crate) mod db;
pub(crate) mod entities;
pub(crate) mod registry;
pub(crate) mod runs;
pub(crate) mod sites;
pub(crate) mod submissions;
