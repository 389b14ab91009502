//! Starting and stopping a hub.

use crate::config::HubConfig;
use crate::error::Error;
use crate::state::AppState;
use actix_web::web::Data;
use std::net::SocketAddr;

/// A hub that serves requests until it is stopped.
pub struct RunningHub {
    /// Where it listens.
    pub address: SocketAddr,
    /// `http://address`.
    pub url: String,
    /// Token and password of the account `admin`, made at the first start and kept in `admin-token`.
    pub admin_token: String,
    /// Shared state.
    pub state: Data<AppState>,
}

/// Starts a hub.
pub async fn start(_config: HubConfig) -> Result<RunningHub, Error> {
    Err(Error::startup("not ready"))
}

impl RunningHub {
    /// Waits until the server ends.
    pub async fn wait(self) -> Result<(), Error> {
        Ok(())
    }

    /// Ends the server, letting requests finish.
    pub async fn stop(self) {}
}
