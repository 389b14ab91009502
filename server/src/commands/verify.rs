//! `fiel verify`.

use super::client::{Client, HubArgs, word};
use super::output::{CommandError, OrFail, Result, block_on, say, say_json};
use super::tables;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::pkcs8::{DecodePrivateKey, DecodePublicKey};
use ed25519_dalek::{SigningKey, VerifyingKey};
use fiel_schemas::assessment::Statement;
use fiel_schemas::digest::sha256_hex;
use fiel_schemas::dsse::{Envelope, key_id, verify};
use fiel_schemas::validate::{Kind, from_json};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// Check that a site signed a statement, and show what it says.
///
/// The key comes from a file you trust, or from the hub that enrolled the site.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  fiel verify statement.json --key site-a.pub
  fiel verify statement.json --hub https://hub.example.org")]
pub(crate) struct Args {
    /// DSSE envelope: `statement.json` of a site's run, or `/api/v1/assessments/RUN` of a hub.
    statement: PathBuf,
    /// The site's Ed25519 public key: PEM, or 32 bytes in base64 or hexadecimal (at the site itself: `key.pem`).
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// Take the key that this hub holds for the site.
    #[arg(long, env = "FIEL_HUB", value_name = "URL", required_unless_present = "key")]
    hub: Option<String>,
    /// Bearer token for the hub.
    #[arg(long, env = "FIEL_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Runs `fiel verify`.
pub(crate) fn run(args: &Args) -> Result {
    let bytes = fs_err::read(&args.statement)?;
    let envelope: Envelope = serde_json::from_slice(&bytes)
        .or_fail_while(format!("{} is not a DSSE envelope", args.statement.display()))?;
    let key = match (&args.key, &args.hub) {
        (Some(file), _) => read_key(file)?,
        (None, Some(hub)) => key_of_hub(hub, args.token.clone(), &claimed_site(&envelope)?)?,
        (None, None) => return Err(CommandError::usage("give `--key FILE` or `--hub URL`")),
    };
    let payload = verify(&envelope, &key).map_err(|e| {
        CommandError::new(format!("{}: {e}", args.statement.display()))
            .hint("do not rely on this statement; fetch it again from the hub, or ask the site")
    })?;
    let statement: Statement = from_json(Kind::Statement, &payload).or_fail()?;
    // A hub names a statement by the digest of the envelope it stored.
    let digest = sha256_hex(&bytes);
    if args.json {
        return say_json(&json!({
            "verified": true, "key": key_id(&key), "envelope": digest, "statement": statement,
        }));
    }
    say(page(&statement, &key))
}

fn page(statement: &Statement, key: &VerifyingKey) -> String {
    let a = &statement.predicate;
    let subject = statement.subject.first();
    let name = subject.map_or("?", |s| s.name.as_str());
    let artifact = subject.and_then(|s| s.digest.get("sha256")).map_or("?", String::as_str);
    let counts: Vec<String> = a.cases.iter().map(|(kind, n)| format!("{n} {kind}")).collect();
    let mut table = tables::table(["metric", "value [95 % CI]", "cases", "undefined"]);
    for (id, metric) in &a.metrics {
        let e = &metric.estimate;
        table.add_row(vec![
            id.clone(),
            tables::with_interval(Some(e)),
            e.n.to_string(),
            e.undefined.to_string(),
        ]);
    }
    format!(
        "verified: signed by key {}\n  submission     {name} ({})\n  artifact       {artifact}\n  challenge      {} {} ({})\n  \
         site           {}\n  reference set  {} ({})\n  run            {}\n  engine         {} {}, metrics {}\n  \
         cases          {}\n  measured       {}\n{}",
        key_id(key),
        a.submission,
        a.challenge,
        a.challenge_version,
        a.challenge_digest,
        a.site,
        a.reference_set,
        a.reference_set_digest,
        a.run,
        a.engine.name,
        a.engine.version,
        a.metrics_version,
        counts.join(", "),
        a.measured_at,
        table.trim_fmt()
    )
}

/// The site that an unverified statement names; good for finding a key, and nothing else.
fn claimed_site(envelope: &Envelope) -> Result<String> {
    let payload = STANDARD.decode(&envelope.payload).or_fail_while("the payload is not base64")?;
    let statement: Statement = from_json(Kind::Statement, &payload).or_fail()?;
    Ok(statement.predicate.site)
}

fn key_of_hub(hub: &str, token: Option<String>, site: &str) -> Result<VerifyingKey> {
    let client = Client::new(&HubArgs { hub: hub.to_string(), token })?;
    let answer: Value = block_on(client.get(&format!("/sites/{site}")))?;
    parse_key(&word(&answer, "public_key")?)
        .ok_or_else(|| CommandError::new(format!("the hub's key of {site} is not an Ed25519 public key")))
}

fn read_key(file: &Path) -> Result<VerifyingKey> {
    let text = fs_err::read_to_string(file)?;
    parse_key(text.trim()).ok_or_else(|| {
        CommandError::new(format!("{} holds no Ed25519 public key", file.display()))
            .hint("expected PEM (`-----BEGIN PUBLIC KEY-----`), or 32 bytes in base64 or hexadecimal")
    })
}

fn parse_key(text: &str) -> Option<VerifyingKey> {
    if text.starts_with("-----BEGIN PRIVATE KEY") {
        return SigningKey::from_pkcs8_pem(text).ok().map(|key| key.verifying_key());
    }
    if text.starts_with("-----BEGIN") {
        return VerifyingKey::from_public_key_pem(text).ok();
    }
    let bytes = if text.len() == 64 {
        let pair = |i: usize| text.get(2 * i..2 * i + 2).and_then(|hex| u8::from_str_radix(hex, 16).ok());
        (0..32).map(pair).collect::<Option<Vec<u8>>>()?
    } else {
        STANDARD.decode(text).ok()?
    };
    VerifyingKey::from_bytes(&bytes.try_into().ok()?).ok()
}
