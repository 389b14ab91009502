//! Doing one run: check the order, measure (or find what was measured before), release.

use crate::agent::{Inner, STOP_WITHIN, Stop};
use crate::evaluate::{Evaluation, evaluate_until};
use crate::folder::{self, Access};
use crate::pending::{self, Decision};
use crate::policy::{Policy, ReleaseRule};
use crate::reference_set::LoadedReferenceSet;
use crate::registry::Registry;
use crate::release_log::LoggedEnvelope;
use crate::{NodeError, gate, logs, release};
use base64::Engine as _;
use chrono::Utc;
use fiel_sandbox::Model;
use fiel_schemas::api::FailureReason;
use fiel_schemas::assessment::Statement;
use fiel_schemas::digest;
use fiel_schemas::run_order::RunOrder;
use fiel_schemas::submission::{Artifact, MediaType};
use polars_io::prelude::ParquetWriter;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How often a registry is tried that does not answer or breaks off: half a minute where it refuses connections.
const REGISTRY_TRIES_MAX: u32 = 20;

/// Counters that a heartbeat reads while cases run.
#[derive(Debug, Default)]
struct Progress {
    done: AtomicU64,
    total: AtomicU64,
    stop: AtomicBool,
}

impl Inner {
    /// Takes up what an earlier process of this folder left: unsent results, pending runs, a run in the middle.
    pub(crate) async fn resume(self: Arc<Self>, stop: &Stop) -> Result<(), NodeError> {
        let unsent = self.outbox()?;
        for letter in &unsent {
            match LoggedEnvelope::load(&self.data.run(&letter.run))? {
                Some(envelope) => {
                    if let Err(e) = self.deliver(&letter.run, letter.fence, &envelope, stop).await {
                        tracing::warn!(run = letter.run, "{e}");
                    }
                }
                None => self.forget_letter(&letter.run)?,
            }
        }
        for record in pending::all(self.data.root())? {
            Arc::clone(&self).watch(record.order, Duration::from_secs(3), stop.clone());
        }
        let current = self.current_path();
        if !current.exists() {
            return Ok(());
        }
        let order: Option<RunOrder> = folder::read_json(&current).ok();
        let Some(order) = order.filter(|o| unsent.iter().all(|letter| letter.run != o.run)) else {
            return folder::remove_if_there(&current);
        };
        match self.hub.send(gate::heartbeat(&order.run, order.fence, 0, 0, false)?).await {
            Ok(_) => self.execute(order, stop).await,
            Err(_) => folder::remove_if_there(&current),
        }
    }

    fn current_path(&self) -> PathBuf {
        self.data.root().join("current.json")
    }

    /// Does a run to its end: reported, failed, pending or given up. Only trouble with the site's own disk is an error.
    pub(crate) async fn execute(self: Arc<Self>, order: RunOrder, stop: &Stop) -> Result<(), NodeError> {
        tracing::info!(
            run = order.run,
            challenge = order.challenge.id,
            attempt = order.attempt,
            "run claimed"
        );
        folder::write_json(&self.current_path(), &order, Access::Shared)?;
        let result = Arc::clone(&self).attempt(&order, stop).await;
        match result {
            Ok(()) => {}
            Err(NodeError::Abandoned(_)) if stop.is_set() => {
                // The file stays: the next process takes the run up if its lease still holds.
                return Ok(());
            }
            Err(e) if e.is_lease_lost() || matches!(e, NodeError::Abandoned(_)) => {
                tracing::warn!(run = order.run, "run given up: {e}");
            }
            Err(e) => {
                tracing::error!(run = order.run, "run failed: {e}");
                self.fail(&order.run, order.fence, e.reason(), stop).await;
            }
        }
        folder::remove_if_there(&self.current_path())
    }

    async fn attempt(self: Arc<Self>, order: &RunOrder, stop: &Stop) -> Result<(), NodeError> {
        self.check_order(order)?;
        let run_dir = self.data.run(&order.run);
        fs_err::create_dir_all(&run_dir)?;
        if let Some(envelope) = LoggedEnvelope::load(&run_dir)?
            && release::answers(&statement_of(&envelope)?, order)
        {
            self.deliver(&order.run, order.fence, &envelope, stop).await?;
            return pending::clear(self.data.root(), &order.run);
        }
        let policy = Policy::open(self.data.root())?;
        policy.engines.check(&order.submission.artifact)?;
        let statement = match stored_statement(&run_dir, order, &policy)? {
            Some(statement) => statement,
            None => Arc::clone(&self).measure(order, &run_dir, &policy, stop).await?,
        };
        if policy.release == ReleaseRule::Automatic {
            return self.release(order, &statement, stop).await;
        }
        match pending::decision(self.data.root(), &order.run)? {
            Some(Decision::Approved) => self.release(order, &statement, stop).await?,
            Some(Decision::Refused) => {
                pending::clear(self.data.root(), &order.run)?;
                return Err(NodeError::refused(
                    FailureReason::PolicyRefused,
                    "a person at the site refused the release",
                ));
            }
            None => {
                pending::store(self.data.root(), order, &statement)?;
                tracing::info!(run = order.run, "waits for a person: `fiel node approve {}`", order.run);
                let every = self.heartbeat_every(order);
                self.watch(order.clone(), every, stop.clone());
                return Ok(());
            }
        }
        pending::clear(self.data.root(), &order.run)
    }

    /// Signs a statement, writes it to the release log, sends it.
    pub(crate) async fn release(
        &self,
        order: &RunOrder,
        statement: &Statement,
        stop: &Stop,
    ) -> Result<(), NodeError> {
        let run_dir = self.data.run(&order.run);
        let envelope = {
            let mut log = self.log.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            match LoggedEnvelope::load(&run_dir)? {
                Some(logged) if release::answers(&statement_of(&logged)?, order) => logged,
                _ => {
                    log.append(&order.run, &run_dir, release::sign(&release::payload(statement)?, &self.key))?
                }
            }
        };
        self.deliver(&order.run, order.fence, &envelope, stop).await
    }

    /// Whether the order is meant for this site and consistent.
    fn check_order(&self, order: &RunOrder) -> Result<(), NodeError> {
        let refuse = |reason, message: &str| Err(NodeError::refused(reason, message));
        let artifact = &order.submission.artifact;
        let phase = order.challenge.phases.iter().find(|phase| phase.id == order.submission.phase);
        if order.site != self.config.site {
            return refuse(FailureReason::PolicyRefused, "the order is for another site");
        }
        if order.challenge_digest != digest::challenge_digest(&order.challenge) {
            return refuse(FailureReason::PolicyRefused, "the order's challenge does not match its digest");
        }
        if order.submission.challenge != order.challenge.id {
            return refuse(FailureReason::PolicyRefused, "the submission is for another challenge");
        }
        if artifact.media_type == MediaType::Predictions && !phase.is_some_and(|phase| phase.public_inputs) {
            return refuse(
                FailureReason::ArtifactInvalid,
                "a file of predictions answers a phase whose inputs are public, and this phase's are not",
            );
        }
        if !folder::is_plain_name(&order.run) {
            return refuse(FailureReason::PolicyRefused, "the run's id is not a plain name");
        }
        if artifact.sha256.len() != 64
            || !artifact.sha256.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
        {
            return refuse(FailureReason::ArtifactInvalid, "the artifact's digest is not a SHA-256");
        }
        if artifact.size > order.challenge.limits.artifact_mib.saturating_mul(1 << 20) {
            return refuse(
                FailureReason::ArtifactInvalid,
                "the artifact is larger than the challenge allows",
            );
        }
        Ok(())
    }

    /// Measures a run under heartbeats and stores everything about it in its folder.
    async fn measure(
        self: Arc<Self>,
        order: &RunOrder,
        run_dir: &Path,
        policy: &Policy,
        stop: &Stop,
    ) -> Result<Statement, NodeError> {
        let progress = Arc::new(Progress::default());
        let worker = Arc::clone(&self).evaluation(order.clone(), policy.clone(), Arc::clone(&progress));
        let mut worker = std::pin::pin!(worker);
        let (set, evaluation) = tokio::select! {
            result = &mut worker => result?,
            e = self.heartbeats(order, &progress) => {
                progress.stop.store(true, Ordering::Relaxed);
                let _ = tokio::time::timeout(STOP_WITHIN, worker).await;
                return Err(e);
            }
            () = stop.wait() => {
                progress.stop.store(true, Ordering::Relaxed);
                let _ = tokio::time::timeout(STOP_WITHIN, worker).await;
                return Err(NodeError::Abandoned("the node is stopping"));
            }
        };
        let this = Arc::clone(&self);
        let (order, policy, run_dir) = (order.clone(), policy.clone(), run_dir.to_owned());
        blocking(move || {
            store_evaluation(&run_dir, &evaluation)?;
            let secret = folder::replicates_secret(this.data.root())?;
            let terms = release::Terms { policy: &policy, secret: &secret };
            let statement = release::statement(&order, &set, &evaluation, terms, Utc::now())?;
            release::payload(&statement)?;
            folder::write_json(&run_dir.join("statement.json"), &statement, Access::Shared)?;
            Ok(statement)
        })
        .await
    }

    async fn evaluation(
        self: Arc<Self>,
        order: RunOrder,
        policy: Policy,
        progress: Arc<Progress>,
    ) -> Result<(Arc<LoadedReferenceSet>, Evaluation), NodeError> {
        let (this, wanted) =
            (Arc::clone(&self), (order.reference_set.clone(), order.reference_set_digest.clone()));
        let set = blocking(move || this.shelf.get(&wanted.0, &wanted.1)).await?;
        if (set.cases() as u64) < policy.min_cases {
            let message =
                format!("the set has {} cases, the policy asks for {}", set.cases(), policy.min_cases);
            return Err(NodeError::refused(FailureReason::TooFewCases, message));
        }
        let artifact = &order.submission.artifact;
        let path = self.download(artifact, &progress).await?;
        blocking(move || {
            let on_progress = |done, total| {
                progress.done.fetch_max(done, Ordering::Relaxed);
                progress.total.store(total, Ordering::Relaxed);
            };
            let stop = || progress.stop.load(Ordering::Relaxed);
            let artifact = &order.submission.artifact;
            let model = Model { path, sha256: artifact.sha256.clone(), media_type: artifact.media_type };
            let evaluation =
                evaluate_until(&order.challenge, &set, &self.sandbox, &model, &on_progress, &stop)?;
            tracing::info!(
                run = order.run,
                engine = evaluation.engine.name,
                dialect = crate::dialect::name(evaluation.dialect),
                table = evaluation.table_digest()?,
                "all cases are measured"
            );
            Ok((set, evaluation))
        })
        .await
    }

    /// Downloads the artifact; a connection that breaks is tried again while the run is ours. A registry is given up
    /// after some tries, since the run would keep the node from all others.
    async fn download(&self, artifact: &Artifact, progress: &Progress) -> Result<PathBuf, NodeError> {
        let folder = self.data.root().join("artifacts");
        let Artifact { media_type, sha256, size, source } = artifact;
        let mut registry = source.clone().map(Registry::new).transpose()?;
        let (mut pause, mut tries) = (Duration::from_millis(50), 0);
        loop {
            tries += 1;
            let downloaded = match (&mut registry, media_type) {
                (Some(registry), _) => registry.image(&folder.join("elsewhere"), sha256, *size).await,
                (None, MediaType::ImageManifest) => self.hub.image(&folder, sha256, *size).await,
                (None, _) => self.hub.artifact(&folder, sha256, *size).await,
            };
            match downloaded {
                Err(e @ NodeError::Registry { .. }) if tries >= REGISTRY_TRIES_MAX => return Err(e),
                Err(e) if e.is_transient() && !progress.stop.load(Ordering::Relaxed) => {
                    tracing::warn!("downloading the artifact: {e}; trying again");
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(Duration::from_secs(2));
                }
                Err(e @ NodeError::Hub { .. }) => {
                    return Err(NodeError::Task(format!("downloading the artifact: {e}")));
                }
                other => return other,
            }
        }
    }

    /// A third of the lease, between 100 ms and 20 s.
    fn heartbeat_every(&self, order: &RunOrder) -> Duration {
        let third = (order.lease_until - Utc::now()).to_std().unwrap_or_default() / 3;
        self.options.heartbeat.unwrap_or(third).clamp(Duration::from_millis(100), Duration::from_secs(20))
    }

    /// Renews the lease, sooner (at most once a second) while cases get done; returns when the lease is lost.
    async fn heartbeats(&self, order: &RunOrder, progress: &Progress) -> NodeError {
        let every = self.heartbeat_every(order);
        let (mut last, mut sent_done) = (Instant::now(), 0);
        loop {
            tokio::time::sleep(every.min(Duration::from_secs(1))).await;
            let (done, total) =
                (progress.done.load(Ordering::Relaxed), progress.total.load(Ordering::Relaxed));
            if done == sent_done && last.elapsed() < every {
                continue;
            }
            let beat = match gate::heartbeat(&order.run, order.fence, done, total, false) {
                Ok(beat) => self.hub.send(beat).await,
                Err(e) => return e,
            };
            match beat {
                Ok(_) => (last, sent_done) = (Instant::now(), done),
                Err(e) if e.is_transient() => tracing::warn!(run = order.run, "heartbeat: {e}"),
                Err(e) if e.is_lease_lost() => return e,
                Err(e) => {
                    tracing::error!(run = order.run, "heartbeat: {e}");
                    return NodeError::Abandoned("the hub refused a heartbeat");
                }
            }
        }
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, NodeError> + Send + 'static,
) -> Result<T, NodeError> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|e| Err(NodeError::Task(e.to_string())))
}

/// The statement inside an envelope of this site.
fn statement_of(envelope: &LoggedEnvelope) -> Result<Statement, NodeError> {
    let wrong = |e: String| NodeError::Metric(format!("a stored envelope is not readable: {e}"));
    let payload = base64::engine::general_purpose::STANDARD
        .decode(&envelope.envelope().payload)
        .map_err(|e| wrong(e.to_string()))?;
    serde_json::from_slice(&payload).map_err(|e| wrong(e.to_string()))
}

/// The statement of an earlier attempt, if it answers the order under the same policy.
pub(crate) fn stored_statement(
    run_dir: &Path,
    order: &RunOrder,
    policy: &Policy,
) -> Result<Option<Statement>, NodeError> {
    let path = run_dir.join("statement.json");
    if !path.exists() {
        return Ok(None);
    }
    let statement: Statement = folder::read_json(&path)?;
    let fits = release::answers(&statement, order) && statement.predicate.policy == policy.info();
    Ok(fits.then_some(statement))
}

fn store_evaluation(run_dir: &Path, evaluation: &Evaluation) -> Result<(), NodeError> {
    let mut bytes = Vec::new();
    ParquetWriter::new(&mut bytes).finish(&mut evaluation.table.clone())?;
    folder::write_atomic(&run_dir.join("cases.parquet"), &bytes, Access::Private)?;
    folder::write_atomic(&run_dir.join("seed"), evaluation.seed.as_bytes(), Access::Private)?;
    logs::write(run_dir, &evaluation.logs)
}
