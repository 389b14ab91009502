//! Starting and stopping a hub.

use crate::api::{self, OpenApiJson};
use crate::blobs::Blobs;
use crate::config::HubConfig;
use crate::error::Error;
use crate::state::AppState;
use crate::store::db::Db;
use crate::uploads::Uploads;
use crate::{app, auth, leaderboard, pages, queue};
use actix_web::dev::ServerHandle;
use actix_web::middleware::from_fn;
use actix_web::web::{self, Data};
use actix_web::{App, HttpServer};
use bytes::Bytes;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;
use tokio::task::JoinHandle;
use utoipa_actix_web::{AppExt, scope};

/// A hub that serves requests until it is stopped.
pub struct RunningHub {
    /// Where it listens.
    pub address: SocketAddr,
    /// `http://address`.
    pub url: String,
    /// Token and first password of the account `admin`, made at the first start and kept in `admin-token`; `None`
    /// where another data folder keeps it, or it works no more.
    pub admin_token: Option<String>,
    /// Shared state.
    pub state: Data<AppState>,
    server: JoinHandle<std::io::Result<()>>,
    handle: ServerHandle,
    tasks: Vec<JoinHandle<()>>,
}

/// Starts a hub: opens database and blobs, makes the administrator where there is none, listens.
pub async fn start(config: HubConfig) -> Result<RunningHub, Error> {
    config.check()?;
    let folder = |e| Error::startup(format!("The data folder cannot be used: {e}."));
    fs_err::create_dir_all(&config.data_dir).map_err(folder)?;
    let blobs = Blobs::open(&config)?;
    let parts = Uploads::open(&config.data_dir)?;
    let db = Db::open(&config).await?;
    let state = Data::new(AppState::new(config, db, blobs, parts));
    let admin_token = app::accounts::ensure_admin(&state).await?;
    let listen = state.config.listen;
    let listener = TcpListener::bind(listen).map_err(|e| {
        Error::startup(format!("{listen} cannot be listened on: {e}. Choose another address."))
    })?;
    let address = listener.local_addr().map_err(Error::internal)?;
    let server = serve(state.clone(), listener)?;
    let handle = server.handle();
    let server = tokio::spawn(server);
    let mut tasks = vec![
        tokio::spawn(queue::keep_released(state.clone())),
        tokio::spawn(leaderboard::keep_fresh(state.clone())),
        tokio::spawn(auth::keep_pruned(state.clone())),
        tokio::spawn(app::registry::keep_swept(state.clone())),
    ];
    // SQLite belongs to one hub.
    if state.config.database_url.is_some() {
        tasks.push(tokio::spawn(leaderboard::keep_in_step(state.clone())));
    }
    Ok(RunningHub { address, url: format!("http://{address}"), admin_token, state, server, handle, tasks })
}

fn serve(state: Data<AppState>, listener: TcpListener) -> Result<actix_web::dev::Server, Error> {
    let workers = state.config.workers.max(1);
    let server = HttpServer::new(move || {
        let (app, document) = App::new()
            .into_utoipa_app()
            .openapi(api::frame())
            .service(scope("/api/v1").configure(api::routes).default_service(web::to(api::nowhere)))
            .service(
                scope("/v2")
                    .configure(api::registry::routes)
                    .default_service(web::to(api::registry::nowhere)),
            )
            .split_for_parts();
        // Serialising a document that was built from types cannot fail.
        let document = Bytes::from(document.to_json().unwrap_or_default());
        app.app_data(state.clone())
            .app_data(Data::new(OpenApiJson(document)))
            .configure(api::extractors)
            .configure(pages::configure)
            .wrap(from_fn(api::limit_time))
            .wrap(from_fn(api::secure_headers))
    });
    Ok(server
        .workers(workers)
        .client_request_timeout(Duration::from_secs(5))
        .client_disconnect_timeout(Duration::from_secs(2))
        .keep_alive(Duration::from_secs(75))
        .shutdown_timeout(3)
        .listen(listener)
        .map_err(Error::internal)?
        .run())
}

impl RunningHub {
    /// Waits until the server ends, which a signal makes it do.
    pub async fn wait(self) -> Result<(), Error> {
        let ended = self.server.await.map_err(Error::internal)?;
        close(self.tasks, &self.state).await;
        ended.map_err(|e| Error::startup(format!("The server ended: {e}.")))
    }

    /// Ends the server, letting requests finish.
    pub async fn stop(self) {
        self.handle.stop(true).await;
        if let Err(error) = self.server.await {
            tracing::warn!(%error, "the server's task ended badly");
        }
        close(self.tasks, &self.state).await;
    }
}

async fn close(tasks: Vec<JoinHandle<()>>, state: &AppState) {
    for task in tasks {
        task.abort();
    }
    state.db.clone().close().await;
}
