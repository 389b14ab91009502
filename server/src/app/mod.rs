//! Rules and transactions, one module per noun. Pages and API call these; nothing here knows HTTP.

pub mod accounts;
pub mod artifacts;
pub mod challenges;
pub mod leaderboards;
pub mod registry;
pub mod runs;
pub mod sites;
pub mod submissions;

use crate::auth::Actor;
use crate::error::Error;
use crate::state::AppState;
use crate::store;
use sea_orm::ConnectionTrait;

/// Writes who did what to the audit table, in the caller's transaction.
async fn audit<C: ConnectionTrait>(
    state: &AppState,
    db: &C,
    actor: &Actor,
    action: &str,
    object: &str,
) -> Result<(), Error> {
    Ok(store::audit::append(db, state.new_id(), state.now(), &actor.name, action, object).await?)
}

/// Short names used in addresses: 1 to 60 lower-case letters, digits and hyphens, not at the ends.
pub(crate) fn is_slug(name: &str) -> bool {
    (1..=60).contains(&name.len())
        && !name.starts_with('-')
        && !name.ends_with('-')
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}
