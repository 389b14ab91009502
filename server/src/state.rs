//! What every request shares.

use crate::config::HubConfig;

/// What every request shares; `web::Data<AppState>` in handlers.
pub struct AppState {
    /// Configuration.
    pub config: HubConfig,
}
