//! A fake hub that records every byte, and a site with a small reference set of real cases.

mod hub;
mod site;

pub(crate) use hub::FakeHub;
pub(crate) use site::{TestSite, baseline, eventually, run_id, sandbox, sandbox_of};
