//! Live progress: server-sent events.

use crate::app;
use crate::auth::Actor;
use crate::error::Error;
use crate::state::AppState;
use actix_web::web::{Bytes, Data};
use futures_util::stream::{self, Stream};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast::{self, error::RecvError};

/// Announces ids of submissions whose status changed.
pub struct Events(broadcast::Sender<Arc<str>>);

impl Default for Events {
    fn default() -> Self {
        Self(broadcast::channel(1024).0)
    }
}

impl Events {
    /// Announces a change. Nobody may be listening; that is no failure.
    pub fn announce(&self, submission: &str) {
        let _ = self.0.send(Arc::from(submission));
    }

    /// Listens from now on.
    pub fn listen(&self) -> broadcast::Receiver<Arc<str>> {
        self.0.subscribe()
    }
}

struct Feed {
    state: Data<AppState>,
    actor: Actor,
    id: String,
    changes: broadcast::Receiver<Arc<str>>,
    last: Vec<u8>,
    ended: bool,
}

/// The status of a submission as events `status`, the first at once, until every run has ended.
pub async fn submission(
    state: Data<AppState>,
    actor: Actor,
    id: String,
) -> Result<impl Stream<Item = Result<Bytes, Infallible>>, Error> {
    let changes = state.events.listen();
    let first = app::submissions::status(&state, &actor, &id).await?;
    let ended = first.state != "running";
    let last = serde_json::to_vec(&first)?;
    let opening = event(&last);
    let feed = Feed { state, actor, id, changes, last, ended };
    let rest =
        stream::unfold(feed, |mut feed| async move { feed.next().await.map(|bytes| (Ok(bytes), feed)) });
    Ok(stream::StreamExt::chain(stream::iter([Ok(opening)]), rest))
}

fn event(data: &[u8]) -> Bytes {
    let mut bytes = b"event: status\ndata: ".to_vec();
    bytes.extend_from_slice(data);
    bytes.extend_from_slice(b"\n\n");
    Bytes::from(bytes)
}

impl Feed {
    async fn next(&mut self) -> Option<Bytes> {
        if self.ended {
            return None;
        }
        loop {
            // Another hub on the same database may have made the change: look every few seconds as well.
            match tokio::time::timeout(Duration::from_secs(5), self.changes.recv()).await {
                Ok(Ok(id)) if *id != *self.id => continue,
                Ok(Ok(_) | Err(RecvError::Lagged(_))) | Err(_) => {}
                Ok(Err(RecvError::Closed)) => return None,
            }
            let status = app::submissions::status(&self.state, &self.actor, &self.id).await.ok()?;
            self.ended = status.state != "running";
            let data = serde_json::to_vec(&status).ok()?;
            if data == self.last && !self.ended {
                return Some(Bytes::from_static(b": still here\n\n"));
            }
            self.last = data;
            return Some(event(&self.last));
        }
    }
}
