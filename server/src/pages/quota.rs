//! Submissions that a person has left.

use crate::auth::Actor;
use crate::error::Error;
use crate::state::AppState;
use crate::store::submissions;
use fiel_schemas::challenge::Phase;

const DAY_MS: i64 = 86_400_000;

/// Submissions left in the phase's window. Only shown: what counts is decided when a submission is entered.
pub(super) async fn left(
    state: &AppState,
    actor: &Actor,
    challenge: &str,
    phase: &Phase,
) -> Result<u64, Error> {
    let since = state.now() - i64::from(phase.quota.days) * DAY_MS;
    let used = submissions::slots_used(&state.db.read, challenge, &phase.id, &actor.id, since).await?;
    Ok(u64::from(phase.quota.submissions).saturating_sub(used))
}
