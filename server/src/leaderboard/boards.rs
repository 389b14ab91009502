//! The cache of finished leaderboards and the task that keeps it fresh.

use super::rows::Rows;
use super::{build, to_csv};
use crate::app;
use crate::error::Error;
use crate::state::AppState;
use actix_web::web::Data;
use bytes::Bytes;
use fiel_schemas::digest::sha256_hex;
use fiel_schemas::leaderboard::Leaderboard;
use fiel_schemas::summary::Summary;
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::Notify;

/// A finished leaderboard in every form it is asked for.
#[derive(Debug)]
pub struct Board {
    /// Changes with every build whose result differs.
    pub version: u64,
    /// The document.
    pub leaderboard: Leaderboard,
    /// The document as JSON.
    pub json: Bytes,
    /// The document as CSV.
    pub csv: Bytes,
    /// Quoted digest of the JSON.
    pub etag: String,
    /// Pooled summaries per submission and metric, for plots.
    pub pooled: HashMap<String, Arc<BTreeMap<String, Summary>>>,
}

#[derive(Default)]
struct Slot {
    current: RwLock<Option<Arc<Board>>>,
    /// Changes that were announced, and how many of them the current board has.
    wanted: AtomicU64,
    built: AtomicU64,
    /// Held while building, so that a board is built once at a time.
    rows: tokio::sync::Mutex<Rows>,
}

type Name = (String, Option<String>);

/// Every leaderboard that somebody has asked for.
#[derive(Default)]
pub struct Boards {
    slots: RwLock<HashMap<Name, Arc<Slot>>>,
    changed: Notify,
}

impl Boards {
    // A poisoned lock is taken over: the maps hold finished values only, so that none can be half-written.
    fn slot(&self, challenge: &str, phase: Option<&str>) -> Arc<Slot> {
        let name = (challenge.to_owned(), phase.map(str::to_owned));
        self.slots.write().unwrap_or_else(PoisonError::into_inner).entry(name).or_default().clone()
    }

    /// The finished leaderboard, if there is one.
    pub fn current(&self, challenge: &str, phase: Option<&str>) -> Option<Arc<Board>> {
        let slots = self.slots.read().unwrap_or_else(PoisonError::into_inner);
        let slot = slots.get(&(challenge.to_owned(), phase.map(str::to_owned)))?;
        slot.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Announces that something on a challenge's boards changed. Many changes at once cause one build.
    pub fn touch(&self, challenge: &str) {
        let slots = self.slots.read().unwrap_or_else(PoisonError::into_inner);
        for (_, slot) in slots.iter().filter(|(name, _)| name.0 == challenge) {
            slot.wanted.fetch_add(1, Ordering::SeqCst);
        }
        drop(slots);
        self.changed.notify_one();
    }

    /// Builds a board unless somebody has done so while this call waited.
    pub(crate) async fn refresh(
        &self,
        state: &AppState,
        challenge: &str,
        phase: Option<&str>,
    ) -> Result<Arc<Board>, Error> {
        let slot = self.slot(challenge, phase);
        let mut rows = slot.rows.lock().await;
        let wanted = slot.wanted.load(Ordering::SeqCst);
        let former = slot.current.read().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(board) = &former
            && slot.built.load(Ordering::SeqCst) == wanted
        {
            return Ok(board.clone());
        }
        let task = app::leaderboards::gather(state, challenge, phase, &rows.fingerprints()).await?;
        let mut kept = std::mem::take(&mut *rows);
        let version = former.as_ref().map_or(0, |b| b.version);
        let work = move || {
            let leaderboard = build(task, &mut kept)?;
            let board = finish(leaderboard, version, kept.pooled())?;
            Ok::<_, Error>((board, kept))
        };
        let (board, kept) = tokio::task::spawn_blocking(work).await.map_err(Error::internal)??;
        *rows = kept;
        let board = match former {
            Some(former) if former.etag == board.etag => former,
            _ => Arc::new(board),
        };
        *slot.current.write().unwrap_or_else(PoisonError::into_inner) = Some(board.clone());
        slot.built.store(wanted, Ordering::SeqCst);
        Ok(board)
    }

    fn is_empty(&self) -> bool {
        self.slots.read().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    fn stale(&self) -> Vec<Name> {
        let slots = self.slots.read().unwrap_or_else(PoisonError::into_inner);
        let differs = |s: &Slot| s.wanted.load(Ordering::SeqCst) != s.built.load(Ordering::SeqCst);
        slots.iter().filter(|(_, slot)| differs(slot)).map(|(name, _)| name.clone()).collect()
    }
}

fn finish(
    leaderboard: Leaderboard,
    former_version: u64,
    pooled: HashMap<String, Arc<BTreeMap<String, Summary>>>,
) -> Result<Board, Error> {
    let json = serde_json::to_vec(&leaderboard)?;
    let etag = format!("\"{}\"", sha256_hex(&json));
    let csv = to_csv(&leaderboard);
    Ok(Board {
        version: former_version + 1,
        leaderboard,
        json: Bytes::from(json),
        csv: Bytes::from(csv),
        etag,
        pooled,
    })
}

/// How often changes that another hub on the same database made are looked for.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Announces changes that another hub on the same database made, until the hub stops. At most a hundredth of the time
/// goes into looking, however large the tables are.
pub(crate) async fn keep_in_step(state: Data<AppState>) {
    let mut known: HashMap<String, String> = HashMap::new();
    let mut rest = LOOK_EVERY;
    loop {
        tokio::time::sleep(rest).await;
        if state.boards.is_empty() {
            continue;
        }
        let started = std::time::Instant::now();
        match app::leaderboards::marks(&state).await {
            Ok(marks) => {
                for (challenge, _) in marks.iter().filter(|(id, mark)| known.get(*id) != Some(*mark)) {
                    state.boards.touch(challenge);
                }
                known = marks;
            }
            Err(error) => error.log(),
        }
        rest = LOOK_EVERY.max(started.elapsed() * 100);
    }
}

/// Builds boards anew as they change until the hub stops. After each round it rests for as long as the round took,
/// so that a flood of assessments leaves half of a core to everything else.
pub(crate) async fn keep_fresh(state: Data<AppState>) {
    loop {
        state.boards.changed.notified().await;
        let started = std::time::Instant::now();
        for (challenge, phase) in state.boards.stale() {
            if let Err(error) = state.boards.refresh(&state, &challenge, phase.as_deref()).await {
                error.log();
            }
        }
        tokio::time::sleep(started.elapsed().clamp(Duration::from_millis(2), Duration::from_secs(2))).await;
    }
}
