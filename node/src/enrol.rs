//! Enrolment: a single-use code and the site's public key for a token.

use crate::folder::{self, Access, DataFolder, NodeConfig};
use crate::hub_client::HubClient;
use crate::policy::Policy;
use crate::{NodeError, gate};
use fiel_schemas::api::Enrolled;
use std::path::Path;

/// Enrols a data folder with a hub: makes the key where there is none, hands in the code, writes `node.json` and the
/// default `policy.json`.
pub async fn enrol(data_dir: &Path, hub_url: &str, code: &str) -> Result<NodeConfig, NodeError> {
    let data = DataFolder::open(data_dir)?;
    let key = folder::signing_key(data.root())?;
    Policy::open(data.root())?;
    let client = HubClient::anonymous(hub_url)?;
    let answer = client.send(gate::enrolment(code, &key.verifying_key())?).await?.unwrap_or_default();
    let enrolled: Enrolled = serde_json::from_slice(&answer).map_err(|e| NodeError::Unreachable {
        url: hub_url.to_owned(),
        message: format!("the answer to the enrolment is not readable ({e}); is this the address of a hub?"),
    })?;
    let config = NodeConfig {
        hub: hub_url.trim_end_matches('/').to_owned(),
        site: enrolled.site,
        token: enrolled.token,
    };
    folder::write_json(&data_dir.join("node.json"), &config, Access::Private)?;
    Ok(config)
}
