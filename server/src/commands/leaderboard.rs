//! `fiel leaderboard`.

use super::client::{Client, HubArgs};
use super::output::{OrFail, Result, block_on, emit, say};
use super::tables;
use fiel_schemas::leaderboard::Leaderboard;

/// Show a challenge's leaderboard, as the hub publishes it.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  fiel leaderboard breast-fna
  fiel leaderboard breast-fna --csv > board.csv")]
pub(crate) struct Args {
    /// Challenge id.
    challenge: String,
    /// Print the hub's JSON document, byte for byte.
    #[arg(long, conflicts_with = "csv")]
    json: bool,
    /// Print the hub's CSV table, byte for byte.
    #[arg(long)]
    csv: bool,
    #[command(flatten)]
    hub: HubArgs,
}

/// Runs `fiel leaderboard`.
pub(crate) fn run(args: &Args) -> Result {
    let client = Client::new(&args.hub)?;
    let ending = if args.csv { ".csv" } else { "" };
    let bytes = block_on(client.bytes(&format!("/challenges/{}/leaderboard{ending}", args.challenge)))?;
    if args.json || args.csv {
        return emit(&bytes);
    }
    let board: Leaderboard = serde_json::from_slice(&bytes).or_fail_while("reading the leaderboard")?;
    say(tables::leaderboard(&board))?;
    say(format!("{}/challenges/{}/leaderboard", client.base(), args.challenge))
}
