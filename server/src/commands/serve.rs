//! `fiel serve`: the hub.

use super::output::{OrFail, Result, note, say};
use super::processes;
use crate::config::HubConfig;
use std::net::SocketAddr;
use std::path::PathBuf;
use tracing_subscriber::EnvFilter;

/// Run a hub: API, pages, queue, leaderboards.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  fiel serve --data /var/lib/fiel --listen 127.0.0.1:8080 --public-url https://hub.example.org
  fiel serve --database-url postgres://fiel@localhost/fiel --blobs 's3://bucket?endpoint=http://127.0.0.1:9000'

The first start makes the account `admin`; its token lies in the file `admin-token` of the data folder.
RUST_LOG sets how much is logged, for instance RUST_LOG=debug.")]
pub(crate) struct Args {
    /// Folder of the database, the blobs and the administrator's token.
    #[arg(long, env = "FIEL_DATA", value_name = "DIR", default_value = "fiel-data")]
    data: PathBuf,
    /// Address to listen on; port 0 takes a free one.
    #[arg(long, env = "FIEL_LISTEN", value_name = "ADDR", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// PostgreSQL address; SQLite in the data folder when absent.
    #[arg(long, env = "FIEL_DATABASE_URL", value_name = "URL", hide_env_values = true)]
    database_url: Option<String>,
    /// S3-compatible store, keys from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; a folder when absent.
    #[arg(long, env = "FIEL_BLOBS", value_name = "URL")]
    blobs: Option<String>,
    /// Address under which people reach the hub.
    #[arg(long, env = "FIEL_PUBLIC_URL", value_name = "URL")]
    public_url: Option<String>,
    /// Seconds a run stays leased to a node that has fallen silent.
    #[arg(long, env = "FIEL_LEASE_S", value_name = "SECONDS", default_value_t = 60)]
    lease_s: u64,
    #[command(flatten)]
    parent: processes::ParentArgs,
}

/// Runs `fiel serve`.
pub(crate) fn run(args: &Args) -> Result {
    args.parent.follow()?;
    init_log();
    fs_err::create_dir_all(&args.data)?;
    let mut config = HubConfig::new(&args.data);
    config.listen = args.listen;
    config.database_url.clone_from(&args.database_url);
    config.blobs_url.clone_from(&args.blobs);
    config.public_url.clone_from(&args.public_url);
    config.lease_s = args.lease_s;
    config.workers = std::thread::available_parallelism().map_or(2, usize::from);
    actix_web::rt::System::new().block_on(async {
        let hub = crate::hub::start(config).await.or_fail_while("the hub could not start")?;
        say(format!("listening on {}", hub.url))?;
        let file = args.data.join("admin-token");
        note(match &hub.admin_token {
            Some(_) => format!("administrator's token: {}", file.display()),
            None => format!(
                "the database has an administrator already, and {} holds no token of it that works: use the one in \
                 the data folder of the first start, or log in with its password and make another",
                file.display()
            ),
        });
        hub.wait().await.or_fail()
    })
}

/// Logs to stderr; RUST_LOG sets how much.
pub(crate) fn init_log() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    // A second subscriber in one process is refused; the first stays.
    let _ = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).try_init();
}
