//! A data site's agent: its reference sets, its policy, the runs it accepts, disclosure control and signing.
//!
//! The node opens connections to one hub and nothing opens a connection to it. What may leave the site is built in
//! one module ([`mod@gate`]) and sent by one module ([`mod@hub_client`]): enrolment, the digests of reference sets,
//! claims, heartbeat counters, reasons of a closed list, and signed assessments that stand in the release log. Images
//! are read from other registries ([`mod@registry`]) only where the policy lists them; nothing but an image's name is
//! sent there.
//!
//! The data folder:
//!
//! | path | holds |
//! |---|---|
//! | `node.json` | hub address, site, token (readable by the owner only) |
//! | `key.pem` | the site's Ed25519 key, PKCS#8 (readable by the owner only) |
//! | `replicates.key` | what bootstrap weights are drawn from (readable by the owner only) |
//! | `policy.json` | what may be released, see [`policy::Policy`] |
//! | `reference-sets/<id>/` | held-out cases, see [`mod@reference_set`] |
//! | `runs/<run>/` | `cases.parquet`, `statement.json`, `envelope.json`, `logs/`: all of it stays |
//! | `release-log.jsonl` | everything released, hash-chained, written before it is sent |
//! | `pending/` | runs that wait for a person, and what was decided |
//! | `outbox/` | signed assessments the hub has not acknowledged yet |
//! | `artifacts/` | downloaded models by digest; of images, `blobs/` and one `<manifest>.oci/` each; the same of images of other registries below `elsewhere/` |

pub mod agent;
mod case_table;
pub mod cases;
mod delivery;
pub mod dialect;
pub mod enrol;
pub mod error;
pub mod evaluate;
pub mod folder;
pub mod gate;
pub mod hub_client;
mod images;
mod judge;
pub mod logs;
pub mod outputs;
pub mod pending;
pub mod policy;
mod predictions;
pub mod reference_set;
pub mod registry;
pub mod release;
pub mod release_log;
mod runs;
mod shelf;

pub use agent::{Node, NodeOptions, shutdown_signal};
pub use enrol::enrol;
pub use error::NodeError;
pub use pending::{PendingRun, approve, pending, refuse};
pub use release_log::verify_log;
