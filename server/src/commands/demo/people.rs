//! The accounts of the demo.

use super::super::account::{self, Role};
use super::super::client::Client;
use super::super::output::Result;
use serde::{Deserialize, Serialize};

/// What a person of the demo needs to act.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Login {
    /// Account name.
    pub(super) name: String,
    /// Password for the pages.
    pub(super) password: String,
    /// Token for the command line.
    pub(super) token: String,
}

/// Makes a participant with a password and a token.
pub(super) async fn participant(admin: &Client, name: &str) -> Result<Login> {
    let password = account::random_password()?;
    let token = account::create(admin, name, Role::Participant, &password).await?;
    Ok(Login { name: name.into(), password, token })
}
