//! `fiel account`: people's accounts and tokens at a hub, for administrators.

use super::client::{Client, HubArgs, word};
use super::output::{CommandError, Result, block_on, note, say};
use clap::ValueEnum;
use serde_json::{Value, json};
use std::io::Read;

/// Make accounts and bearer tokens at a hub.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Make an account and print its first token.
    Create {
        /// Name to log in with.
        name: String,
        /// What the account may do.
        #[arg(long, value_enum, default_value = "participant")]
        role: Role,
        /// Read the password from standard input; otherwise one is made and printed.
        #[arg(long)]
        password_stdin: bool,
        #[command(flatten)]
        hub: HubArgs,
    },
    /// Make a further token for an account and print it.
    Token {
        /// The account.
        account: String,
        /// What the token is for.
        #[arg(long, default_value = "command line")]
        name: String,
        #[command(flatten)]
        hub: HubArgs,
    },
}

/// What an account may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Role {
    /// Everything.
    Administrator,
    /// Challenges, sites and enrolment codes.
    Organizer,
    /// Submissions.
    Participant,
    /// Reading only.
    Reader,
}

impl Role {
    /// The role's name in the API.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Administrator => "administrator",
            Self::Organizer => "organizer",
            Self::Participant => "participant",
            Self::Reader => "reader",
        }
    }
}

/// Runs `fiel account`.
pub(crate) fn run(args: &Args) -> Result {
    match &args.action {
        Action::Create { name, role, password_stdin, hub } => {
            let client = Client::new(hub)?;
            let password = if *password_stdin { read_password()? } else { random_password()? };
            let token = block_on(create(&client, name, *role, &password))?;
            if !password_stdin {
                note(format!("password of {name}, shown once: {password}"));
            }
            note(format!("token of {name}, shown once:"));
            say(token)
        }
        Action::Token { account, name, hub } => {
            let token = block_on(token(&Client::new(hub)?, account, name))?;
            note(format!("token of {account}, shown once:"));
            say(token)
        }
    }
}

/// Makes an account and returns its first token.
pub(crate) async fn create(client: &Client, name: &str, role: Role, password: &str) -> Result<String> {
    let body = json!({"name": name, "role": role.name(), "password": password});
    let answer: Value = client.post("/accounts", &body).await?;
    word(&answer, "token")
}

/// Makes a further token for an account.
async fn token(client: &Client, account: &str, name: &str) -> Result<String> {
    let answer: Value = client.post(&format!("/accounts/{account}/tokens"), &json!({"name": name})).await?;
    word(&answer, "token")
}

fn read_password() -> Result<String> {
    let mut text = String::new();
    std::io::stdin().take(4096).read_to_string(&mut text)?;
    let password = text.trim_end_matches(['\r', '\n']).to_string();
    if password.is_empty() {
        return Err(CommandError::usage("no password on standard input"));
    }
    Ok(password)
}

/// Sixteen letters and digits that are told apart easily.
pub(crate) fn random_password() -> Result<String> {
    const LETTERS: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz123456789";
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes)
        .map_err(|e| CommandError::new(format!("no randomness from the system: {e}")))?;
    Ok(bytes.iter().map(|b| char::from(LETTERS[usize::from(b % 32)])).collect())
}
