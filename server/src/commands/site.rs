//! `fiel site`: the data sites of a hub, for organizers.

use super::client::{Client, HubArgs};
use super::output::{Result, block_on, note, say};
use serde_json::{Value, json};

/// Make data sites and their enrolment codes at a hub.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Make a site.
    Create {
        /// Short name: lower-case letters, digits and hyphens.
        id: String,
        /// Name for people; the id when absent.
        #[arg(long)]
        title: Option<String>,
        #[command(flatten)]
        hub: HubArgs,
    },
    /// Make a single-use enrolment code for a site's administrator and print it.
    Code {
        /// The site.
        id: String,
        #[command(flatten)]
        hub: HubArgs,
    },
}

/// Runs `fiel site`.
pub(crate) fn run(args: &Args) -> Result {
    match &args.action {
        Action::Create { id, title, hub } => {
            let title = title.as_deref().unwrap_or(id);
            block_on(create(&Client::new(hub)?, id, title))?;
            say(format!("site {id} is known to the hub; next: `fiel site code {id}`"))
        }
        Action::Code { id, hub } => {
            let client = Client::new(hub)?;
            let code = block_on(code(&client, id))?;
            say(&code)?;
            note(format!(
                "shown once; at the site: `fiel node enrol --hub {} --code {code} --data FOLDER`",
                client.base()
            ));
            Ok(())
        }
    }
}

/// Makes a site.
pub(crate) async fn create(client: &Client, id: &str, title: &str) -> Result {
    client.post::<Value>("/sites", &json!({"id": id, "title": title})).await.map(drop)
}

/// Makes a single-use enrolment code.
pub(crate) async fn code(client: &Client, id: &str) -> Result<String> {
    let answer: Value = client.post(&format!("/sites/{id}/codes"), &json!({})).await?;
    super::client::word(&answer, "code")
}
