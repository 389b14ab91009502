//! What the published documents accept and refuse, and what a signature is worth.

#[path = "all/agreement.rs"]
mod agreement;
#[path = "all/envelopes.rs"]
mod envelopes;
#[path = "all/refusals.rs"]
mod refusals;
#[path = "all/samples.rs"]
mod samples;
