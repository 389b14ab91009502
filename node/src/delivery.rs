//! Getting results to the hub once, however often either side dies in between.

use crate::agent::{Backoff, Inner, Stop};
use crate::folder::{self, Access};
use crate::pending::{self, Decision};
use crate::policy::Policy;
use crate::release_log::LoggedEnvelope;
use crate::runs::stored_statement;
use crate::{NodeError, gate};
use fiel_schemas::api::FailureReason;
use fiel_schemas::run_order::RunOrder;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often a decision is looked for.
const DECISION_EVERY: Duration = Duration::from_millis(200);

/// A signed result the hub has not acknowledged; the envelope lies in the run's folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Letter {
    pub(crate) run: String,
    pub(crate) fence: i64,
}

impl Inner {
    fn letter_path(&self, run: &str) -> PathBuf {
        self.data.root().join("outbox").join(format!("{run}.json"))
    }

    /// The letters an earlier process left.
    pub(crate) fn outbox(&self) -> Result<Vec<Letter>, NodeError> {
        let mut letters = Vec::new();
        for entry in fs_err::read_dir(self.data.root().join("outbox"))? {
            let path = entry?.path();
            if path.file_name().is_some_and(|n| !n.to_string_lossy().starts_with('.')) {
                letters.push(folder::read_json(&path)?);
            }
        }
        Ok(letters)
    }

    pub(crate) fn forget_letter(&self, run: &str) -> Result<(), NodeError> {
        folder::remove_if_there(&self.letter_path(run))
    }

    /// Sends a logged envelope until the hub has answered. The same bytes are sent however often it takes; when the
    /// lease was lost meanwhile they are kept for the next time the run is leased to this site.
    pub(crate) async fn deliver(
        &self,
        run: &str,
        fence: i64,
        envelope: &LoggedEnvelope,
        stop: &Stop,
    ) -> Result<(), NodeError> {
        let letter = Letter { run: run.to_owned(), fence };
        folder::write_json(&self.letter_path(run), &letter, Access::Shared)?;
        let report = gate::report(run, fence, envelope)?;
        match self.send_until_answered(&report, stop).await {
            Ok(()) => {
                tracing::info!(run, "assessment accepted by the hub");
                self.forget_letter(run)
            }
            Err(e @ NodeError::Abandoned(_)) => Err(e),
            Err(e) if e.is_lease_lost() => {
                self.forget_letter(run)?;
                Err(e)
            }
            Err(e) => {
                // The hub will never take these bytes; the next attempt measures anew.
                self.forget_letter(run)?;
                for name in ["envelope.json", "statement.json"] {
                    folder::remove_if_there(&self.data.run(run).join(name))?;
                }
                Err(NodeError::Task(format!("the hub refused the assessment: {e}")))
            }
        }
    }

    /// Tells the hub that a run failed; a failure nobody hears of ends with the lease.
    pub(crate) async fn fail(&self, run: &str, fence: i64, reason: FailureReason, stop: &Stop) {
        let told = match gate::failure(run, fence, reason) {
            Ok(failure) => self.send_until_answered(&failure, stop).await,
            Err(e) => Err(e),
        };
        if let Err(e) = told {
            tracing::warn!(run, "the hub did not take the failure: {e}");
        }
    }

    async fn send_until_answered(&self, outgoing: &gate::Outgoing, stop: &Stop) -> Result<(), NodeError> {
        let mut backoff = Backoff::default();
        loop {
            match self.hub.send(outgoing.clone()).await {
                Ok(_) => return Ok(()),
                Err(e) if e.is_transient() => tracing::warn!("{e}; trying again"),
                Err(e) => return Err(e),
            }
            if stop.is_set() {
                return Err(NodeError::Abandoned("the node is stopping"));
            }
            backoff.pause(stop).await;
        }
    }

    /// Waits for a person's decision beside the loop, keeping the lease.
    pub(crate) fn watch(self: Arc<Self>, order: RunOrder, every: Duration, stop: Stop) {
        let this = Arc::clone(&self);
        self.spawn(async move {
            match this.await_decision(&order, every, &stop).await {
                Ok(()) => {}
                Err(e) if e.is_lease_lost() => {
                    tracing::info!(run = order.run, "the lease of a pending run ended; its result is kept");
                }
                Err(e) => tracing::error!(run = order.run, "pending run: {e}"),
            }
        });
    }

    async fn await_decision(&self, order: &RunOrder, every: Duration, stop: &Stop) -> Result<(), NodeError> {
        let root = self.data.root();
        let mut beaten: Option<Instant> = None;
        while !stop.is_set() {
            match pending::decision(root, &order.run)? {
                Some(Decision::Approved) => {
                    self.release_pending(order, stop).await?;
                    return pending::clear(root, &order.run);
                }
                Some(Decision::Refused) => {
                    tracing::info!(run = order.run, "a person refused the release");
                    self.fail(&order.run, order.fence, FailureReason::PolicyRefused, stop).await;
                    return pending::clear(root, &order.run);
                }
                None => {}
            }
            if beaten.is_none_or(|then| then.elapsed() >= every) {
                match self.hub.send(gate::heartbeat(&order.run, order.fence, 0, 0, true)?).await {
                    Err(e) if e.is_transient() => tracing::warn!(run = order.run, "heartbeat: {e}"),
                    other => drop(other?),
                }
                beaten = Some(Instant::now());
            }
            stop.sleep(DECISION_EVERY.min(every)).await;
        }
        Ok(())
    }

    async fn release_pending(&self, order: &RunOrder, stop: &Stop) -> Result<(), NodeError> {
        // The policy of the moment of measuring is in the statement; a changed one asks for measuring again.
        let policy = Policy::open(self.data.root())?;
        if let Some(statement) = stored_statement(&self.data.run(&order.run), order, &policy)? {
            return self.release(order, &statement, stop).await;
        }
        tracing::warn!(run = order.run, "the policy changed since; the run goes back to the queue");
        self.fail(&order.run, order.fence, FailureReason::SiteError, stop).await;
        Ok(())
    }
}
