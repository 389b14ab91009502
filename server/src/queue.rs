//! The queue: claiming runs, leases that end, waiting for work.
//!
//! Invariant: every claim raises the run's fence, and every later write names it, so that at most one attempt's
//! result is taken however often nodes and hub are killed.

use crate::app;
use crate::auth::Actor;
use crate::error::Error;
use crate::state::{AppState, time};
use crate::store::runs::{self, Ending, FAILED, Held};
use crate::store::{challenges, entities, submissions};
use fiel_schemas::run_order::RunOrder;
use std::time::Duration;

/// Errors at the site after which a run is given up.
pub(crate) const ERRORS_MAX: i32 = 5;
/// Attempts after which a run whose leases keep ending is given up: it may be what kills the node.
const ATTEMPTS_MAX: i32 = 25;
/// Longest wait of a claim.
const WAIT_S_MAX: u64 = 30;
/// How often a waiting claim looks again, for work that another hub on the same database made.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// Claims the oldest run of the site, waiting for one up to `wait_s` seconds.
pub async fn claim(state: &AppState, site: &Actor, wait_s: u64) -> Result<Option<RunOrder>, Error> {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(wait_s.min(WAIT_S_MAX));
    loop {
        // Listening starts before looking, so that work made in between is not missed.
        let mut woken = std::pin::pin!(state.work.notified());
        woken.as_mut().enable();
        if let Some(order) = try_claim(state, &site.id).await? {
            return Ok(Some(order));
        }
        let left = deadline.saturating_duration_since(tokio::time::Instant::now());
        if left.is_zero() {
            return Ok(None);
        }
        let _ = tokio::time::timeout(left.min(LOOK_AGAIN), woken).await;
    }
}

async fn try_claim(state: &AppState, site: &str) -> Result<Option<RunOrder>, Error> {
    loop {
        let now = state.now();
        if !runs::any_claimable(&state.db.read, site, now).await? {
            return Ok(None);
        }
        let tx = state.db.begin().await?;
        let Some(run) = runs::next(&tx, site, now).await? else { return Ok(None) };
        if run.attempt >= ATTEMPTS_MAX {
            give_up(&tx, &run, now).await?;
            tx.commit().await?;
            changed(state, &run);
            continue;
        }
        let until = now + state.config.lease_ms();
        if runs::lease(&tx, &run, until).await? != 1 {
            continue;
        }
        let order = order(&tx, &run, until).await?;
        tx.commit().await?;
        changed(state, &run);
        return Ok(Some(order));
    }
}

async fn order<C: sea_orm::ConnectionTrait>(
    db: &C,
    run: &entities::run::Model,
    until: i64,
) -> Result<RunOrder, Error> {
    let missing = || Error::internal(format!("run {} refers to what is not there", run.id));
    let submission = submissions::get(db, &run.submission).await?.ok_or_else(missing)?;
    let challenge = challenges::get(db, &run.challenge).await?.ok_or_else(missing)?;
    let set = challenges::set(db, &run.site, &run.reference_set).await?.ok_or_else(missing)?;
    Ok(RunOrder {
        schema: "fiel/run-order/v1".into(),
        run: run.id.clone(),
        site: run.site.clone(),
        reference_set: run.reference_set.clone(),
        reference_set_digest: set.digest,
        fence: run.fence + 1,
        attempt: u32::try_from(run.attempt + 1).unwrap_or(u32::MAX),
        lease_until: time(until),
        challenge: serde_json::from_str(&challenge.document)?,
        challenge_digest: challenge.digest,
        submission: app::submissions::document(submission),
    })
}

async fn give_up<C: sea_orm::ConnectionTrait>(
    db: &C,
    run: &entities::run::Model,
    now: i64,
) -> Result<(), Error> {
    let held = Held { run: &run.id, site: &run.site, fence: run.fence };
    let ending = Ending { state: FAILED, reason: Some("lease-expired"), cases: None, total: None, at: now };
    runs::end(db, &held, ending).await?;
    app::runs::settle(db, &run.submission).await
}

fn changed(state: &AppState, run: &entities::run::Model) {
    state.events.announce(&run.submission);
    state.boards.touch(&run.challenge);
}

/// Gives runs whose lease has ended back to the queue; how many.
pub async fn release_expired(state: &AppState) -> Result<usize, Error> {
    let now = state.now();
    let expired = runs::expired(&state.db.read, now).await?;
    if expired.is_empty() {
        return Ok(0);
    }
    let tx = state.db.begin().await?;
    let mut released = Vec::new();
    for run in expired {
        if runs::release(&tx, &run, now).await? == 1 {
            released.push(run);
        }
    }
    tx.commit().await?;
    state.work.notify_waiters();
    for run in &released {
        changed(state, run);
    }
    Ok(released.len())
}

/// Looks for ended leases until the hub stops.
pub(crate) async fn keep_released(state: actix_web::web::Data<AppState>) {
    let every = Duration::from_millis((state.config.lease_s * 250).clamp(100, 5_000));
    loop {
        tokio::time::sleep(every).await;
        if let Err(error) = release_expired(&state).await {
            error.log();
        }
    }
}
