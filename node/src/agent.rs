//! The node's loop: offer reference sets, claim a run, do it, claim the next.

use crate::folder::{self, DataFolder, NodeConfig};
use crate::hub_client::HubClient;
use crate::policy::Policy;
use crate::release_log::ReleaseLog;
use crate::shelf::Shelf;
use crate::{NodeError, gate};
use ed25519_dalek::SigningKey;
use fiel_sandbox::{Sandbox, SandboxConfig, WorkerCommand};
use fiel_schemas::api::FailureReason;
use fiel_schemas::run_order::RunOrder;
use fiel_schemas::validate::{self, Kind};
use std::collections::HashMap;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// How often reference sets are looked for and refused offers are tried again.
const OFFER_EVERY: Duration = Duration::from_secs(5);
/// How long a stopping node waits for cases in flight.
pub(crate) const STOP_WITHIN: Duration = Duration::from_secs(5);

/// How a node works.
#[derive(Debug, Clone)]
pub struct NodeOptions {
    /// How to start a sandbox worker.
    pub worker: WorkerCommand,
    /// Cases that run at once.
    pub parallel: usize,
    /// Count fuel.
    pub metered: bool,
    /// Time between heartbeats; a third of the lease when absent.
    pub heartbeat: Option<Duration>,
    /// How long the hub may hold a claim open when there is nothing to do; at most 30 s.
    pub claim_wait: Duration,
    /// Folder for the slots of running cases; `work` of the data folder when absent.
    pub work_dir: Option<PathBuf>,
}

impl NodeOptions {
    /// Options with a worker command and the defaults: all cores, no metering, claims of 20 s.
    pub fn new(worker: WorkerCommand) -> Self {
        Self {
            worker,
            parallel: std::thread::available_parallelism().map_or(1, usize::from),
            metered: false,
            heartbeat: None,
            claim_wait: Duration::from_secs(20),
            work_dir: None,
        }
    }
}

/// A node over a locked data folder.
#[derive(Debug, Clone)]
pub struct Node {
    pub(crate) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) data: DataFolder,
    pub(crate) config: NodeConfig,
    pub(crate) key: SigningKey,
    pub(crate) hub: HubClient,
    pub(crate) sandbox: Sandbox,
    pub(crate) options: NodeOptions,
    pub(crate) shelf: Shelf,
    /// A std mutex: appending is short and never held across an await.
    pub(crate) log: Mutex<ReleaseLog>,
    watchers: Mutex<JoinSet<()>>,
}

impl Node {
    /// Opens an enrolled data folder: takes its lock, reads key, policy and release log, tries the sandbox.
    pub fn open(data_dir: &Path, options: NodeOptions) -> Result<Self, NodeError> {
        let data = DataFolder::open(data_dir)?;
        let config = data.config()?;
        let key = folder::signing_key(data.root())?;
        let policy = Policy::open(data.root())?;
        let log = Mutex::new(ReleaseLog::open(data.root())?);
        let sandbox = open_sandbox(data.root(), &options, &policy)?;
        let hub = HubClient::new(&config)?;
        let shelf = Shelf::new(data.root());
        let watchers = Mutex::default();
        Ok(Self { inner: Arc::new(Inner { data, config, key, hub, sandbox, options, shelf, log, watchers }) })
    }

    /// Site id of this node.
    pub fn site(&self) -> &str {
        &self.inner.config.site
    }

    /// Works until `until` is ready, then gives up what is running (the hub leases it anew) and returns.
    pub async fn run(&self, until: impl Future<Output = ()>) -> Result<(), NodeError> {
        let (stop_sender, stop) = watch::channel(false);
        let result = {
            let mut work = std::pin::pin!(Arc::clone(&self.inner).work(Stop(stop)));
            tokio::select! {
                result = &mut work => result,
                () = until => {
                    stop_sender.send_replace(true);
                    tokio::time::timeout(STOP_WITHIN * 2, work).await.unwrap_or(Ok(()))
                }
            }
        };
        let mut watchers =
            std::mem::take(&mut *self.inner.watchers.lock().unwrap_or_else(PoisonError::into_inner));
        watchers.shutdown().await;
        result
    }
}

/// The sandbox under the policy; what is wrong with the site's onnxruntime is said in the site's log, since no run may
/// ask for it for weeks.
fn open_sandbox(root: &Path, options: &NodeOptions, policy: &Policy) -> Result<Sandbox, NodeError> {
    let work_dir = options.work_dir.clone().unwrap_or_else(|| root.join("work"));
    let config =
        SandboxConfig::new(work_dir, root.join("artifacts").join("compiled"), options.worker.clone());
    let config = SandboxConfig { parallel: options.parallel, metered: options.metered, ..config };
    let sandbox = Sandbox::new(policy.engines.sandbox(config)).map_err(|e| NodeError::Task(e.to_string()))?;
    let onnx = sandbox.onnx_report();
    if !onnx.available {
        tracing::error!("ONNX models will be refused: {}", onnx.advice);
    }
    Ok(sandbox)
}

/// Ready on SIGTERM or SIGINT; hand it to [`Node::run`].
pub async fn shutdown_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else { return std::future::pending().await };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}

/// Tells that the node is stopping.
#[derive(Debug, Clone)]
pub(crate) struct Stop(watch::Receiver<bool>);

impl Stop {
    pub(crate) fn is_set(&self) -> bool {
        *self.0.borrow()
    }

    /// Ready when the node is stopping.
    pub(crate) async fn wait(&self) {
        let mut receiver = self.0.clone();
        // An error means that the sender is gone, which is a stop as well.
        let _ = receiver.wait_for(|stopped| *stopped).await;
    }

    /// Sleeps, or returns early when stopping.
    pub(crate) async fn sleep(&self, time: Duration) {
        tokio::select! {
            () = self.wait() => {}
            () = tokio::time::sleep(time) => {}
        }
    }
}

/// Growing pauses between tries: 50 ms to 2 s, shortened at random so that nodes do not come all at once.
#[derive(Debug)]
pub(crate) struct Backoff(Duration);

impl Default for Backoff {
    fn default() -> Self {
        Self(Duration::from_millis(50))
    }
}

impl Backoff {
    pub(crate) async fn pause(&mut self, stop: &Stop) {
        let mut byte = [0_u8; 1];
        let _ = getrandom::fill(&mut byte);
        let share = 0.6 + 0.4 * f64::from(byte[0]) / 255.0;
        stop.sleep(self.0.mul_f64(share)).await;
        self.0 = (self.0 * 2).min(Duration::from_secs(2));
    }
}

/// Which offers the hub has accepted, and when to look again.
#[derive(Debug, Default)]
struct Offered {
    accepted: HashMap<String, String>,
    looked: Option<Instant>,
}

impl Inner {
    async fn work(self: Arc<Self>, stop: Stop) -> Result<(), NodeError> {
        let (mut offered, mut backoff, mut resumed) = (Offered::default(), Backoff::default(), false);
        while !stop.is_set() {
            if !resumed {
                Arc::clone(&self).resume(&stop).await?;
                resumed = true;
            }
            let next = tokio::select! {
                next = self.next_order(&mut offered, &stop) => next,
                () = stop.wait() => break,
            };
            match next {
                Ok(Some(order)) => {
                    backoff = Backoff::default();
                    Arc::clone(&self).execute(order, &stop).await?;
                }
                Ok(None) => backoff = Backoff::default(),
                Err(e @ NodeError::Hub { status: 401, .. }) => return Err(e),
                Err(e) => {
                    tracing::warn!("{e}; trying again");
                    backoff.pause(&stop).await;
                }
            }
        }
        Ok(())
    }

    /// Offers what is new, then claims.
    async fn next_order(&self, offered: &mut Offered, stop: &Stop) -> Result<Option<RunOrder>, NodeError> {
        if offered.looked.is_none_or(|then| then.elapsed() >= OFFER_EVERY) {
            self.offer_sets(offered).await?;
            offered.looked = Some(Instant::now());
        }
        let wait = if offered.accepted.is_empty() { OFFER_EVERY } else { self.options.claim_wait };
        let Some(bytes) = self.hub.send(gate::claim(wait.as_secs().min(30))?).await? else { return Ok(None) };
        match validate::from_json(Kind::RunOrder, &bytes) {
            Ok(order) => Ok(Some(order)),
            Err(e) => {
                if let Ok(order) = serde_json::from_slice::<RunOrder>(&bytes) {
                    self.fail(&order.run, order.fence, FailureReason::PolicyRefused, stop).await;
                }
                let message = format!("the run order is not valid: {e}");
                Err(NodeError::Unreachable { url: self.config.hub.clone(), message })
            }
        }
    }

    async fn offer_sets(&self, offered: &mut Offered) -> Result<(), NodeError> {
        for offer in self.shelf.offers()? {
            if offered.accepted.get(&offer.id) == Some(&offer.digest) {
                continue;
            }
            match self.hub.send(gate::offer(&offer.id, &offer.challenge, &offer.digest)?).await {
                Ok(_) => {
                    tracing::info!(set = offer.id, challenge = offer.challenge, "reference set offered");
                    offered.accepted.insert(offer.id, offer.digest);
                }
                Err(e @ NodeError::Hub { status: 401, .. }) => return Err(e),
                Err(e) if e.is_transient() => return Err(e),
                Err(e) => tracing::warn!(set = offer.id, "the hub does not take the reference set: {e}"),
            }
        }
        Ok(())
    }

    /// Runs a task beside the loop until it ends or the node stops.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut watchers = self.watchers.lock().unwrap_or_else(PoisonError::into_inner);
        while watchers.try_join_next().is_some() {}
        watchers.spawn(task);
    }
}
