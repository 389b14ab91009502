//! Registries other than the hub: images are read there without an account, over the OCI distribution API.
//!
//! What is sent to a registry is the name of an image, which came from the hub, and nothing else. `https` is spoken
//! everywhere but on this machine's own addresses. A registry may send a download on to another host; that must be
//! one of the public internet, so that no registry reaches into the site's network through the node.

mod hosts;
mod token;

#[cfg(test)]
mod tests;

use crate::NodeError;
use crate::hub_client::cause;
use crate::images::{self, Origin};
use fiel_schemas::api::FailureReason;
use fiel_schemas::digest::sha256_hex;
use fiel_schemas::oci::{self, DOCKER_LIST, DOCKER_MANIFEST, Manifest, OCI_INDEX, OCI_MANIFEST};
use fiel_schemas::reference::{Reference, Version};
use fiel_schemas::submission::Source;
use reqwest::header::{ACCEPT, LOCATION, RANGE};
use reqwest::{Client, Response, StatusCode, Url};
use std::path::{Path, PathBuf};
use std::time::Duration;
use token::Challenge;

/// Most hosts or addresses that one download is sent on to.
const REDIRECTS_MAX: usize = 5;
/// Longest time in which an image must be there.
const PULL_WITHIN: Duration = Duration::from_hours(6);
/// Docker's registry answers under another name than the one that people write.
const DOCKER: (&str, &str) = ("docker.io", "registry-1.docker.io");

/// A repository of a registry, read without an account.
#[derive(Debug)]
pub struct Registry {
    source: Source,
    base: Url,
    /// Speaks to the registry itself, wherever it is: who runs this chose it.
    own: Client,
    /// Speaks to hosts of the public internet only.
    public: Client,
    token: Option<String>,
}

/// An image that a reference meant at one moment, by what cannot change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pinned {
    /// Where it is.
    pub source: Source,
    /// SHA-256 of its manifest.
    pub sha256: String,
    /// Size of configuration and layers together, bytes, by the manifest.
    pub size: u64,
}

impl Registry {
    /// Makes ready to read a repository; nothing is sent yet.
    pub fn new(source: Source) -> Result<Self, NodeError> {
        let failed = |message: String| NodeError::Registry { registry: source.registry.clone(), message };
        let host = if source.registry == DOCKER.0 { DOCKER.1 } else { source.registry.as_str() };
        let scheme = if hosts::is_this_machine(host) { "http" } else { "https" };
        let base = Url::parse(&format!("{scheme}://{host}/")).map_err(|e| failed(e.to_string()))?;
        let client = || {
            Client::builder()
                .redirect(reqwest::redirect::Policy::none())
                .connect_timeout(Duration::from_secs(10))
                .read_timeout(Duration::from_mins(1))
                .user_agent(concat!("fiel-node/", env!("CARGO_PKG_VERSION")))
        };
        let own = client().build().map_err(|e| failed(cause(&e)))?;
        let public = client().dns_resolver(hosts::PublicOnly).build().map_err(|e| failed(cause(&e)))?;
        Ok(Self { source, base, own, public, token: None })
    }

    /// Where it reads.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// Downloads an image as [`crate::hub_client::HubClient::image`] does, with the same checks and bounds, and a
    /// bound on the time. The folder must not be the one of the hub's images: what is there is not asked for, and
    /// whoever knows the digest of another's image could have it run by naming it here.
    pub async fn image(&mut self, folder: &Path, sha256: &str, size: u64) -> Result<PathBuf, NodeError> {
        let mut origin = Origin::Registry(self);
        match tokio::time::timeout(PULL_WITHIN, images::pull(&mut origin, folder, sha256, size)).await {
            Ok(pulled) => pulled,
            Err(_) => Err(self.refused(format!("not there after {} h", PULL_WITHIN.as_secs() / 3600))),
        }
    }

    /// Opens a manifest by tag or `sha256:` digest.
    pub(crate) async fn manifest(&mut self, reference: &str) -> Result<(String, Response), NodeError> {
        let accept = [OCI_MANIFEST, DOCKER_MANIFEST, OCI_INDEX, DOCKER_LIST].join(", ");
        self.get(&format!("manifests/{reference}"), &accept, 0).await
    }

    /// Opens a blob from its byte `offset` on.
    pub(crate) async fn blob(&mut self, sha256: &str, offset: u64) -> Result<(String, Response), NodeError> {
        self.get(&format!("blobs/sha256:{sha256}"), "*/*", offset).await
    }

    /// A connection to the registry that did not work or broke.
    pub(crate) fn broken(&self, error: &reqwest::Error) -> NodeError {
        NodeError::Registry { registry: self.source.registry.clone(), message: cause(error) }
    }

    /// The registry does not give the image, now or ever.
    fn refused(&self, message: impl std::fmt::Display) -> NodeError {
        NodeError::refused(FailureReason::PullFailed, format!("{}: {message}", self.source))
    }

    /// Asks for something of the repository, with a token once the registry has asked for one.
    async fn get(&mut self, what: &str, accept: &str, offset: u64) -> Result<(String, Response), NodeError> {
        let path = format!("v2/{}/{what}", self.source.repository);
        let url = self.base.join(&path).map_err(|e| self.refused(e))?;
        let mut answer = self.follow(url.clone(), accept, offset).await?;
        if answer.status() == StatusCode::UNAUTHORIZED {
            // An old token is not sent along: it is what was refused.
            self.token = None;
            self.token = Some(self.ask_for_token(token::challenge(answer.headers())).await?);
            answer = self.follow(url.clone(), accept, offset).await?;
        }
        let status = answer.status();
        if status.is_success() {
            return Ok((url.into(), answer));
        }
        if matches!(status.as_u16(), 408 | 429 | 500..) {
            let message = format!("{url} was answered with {status}");
            return Err(NodeError::Registry { registry: self.source.registry.clone(), message });
        }
        Err(self.refused(format!(
            "{url} was answered with {status}; the image is not there, or not for everybody"
        )))
    }

    /// Sends a GET, and again wherever the answer sends it on to.
    async fn follow(&self, mut url: Url, accept: &str, offset: u64) -> Result<Response, NodeError> {
        for _ in 0..=REDIRECTS_MAX {
            let is_own = url.origin() == self.base.origin();
            if !is_own {
                hosts::check_public(&url).map_err(|e| self.refused(e))?;
            }
            let client = if is_own { &self.own } else { &self.public };
            let mut request = client.get(url.clone()).header(ACCEPT, accept);
            if let (true, Some(token)) = (is_own, &self.token) {
                request = request.bearer_auth(token);
            }
            if offset > 0 {
                request = request.header(RANGE, format!("bytes={offset}-"));
            }
            let answer = request.send().await.map_err(|e| self.broken(&e))?;
            if !answer.status().is_redirection() {
                return Ok(answer);
            }
            let location = answer.headers().get(LOCATION).and_then(|value| value.to_str().ok());
            let location = location.ok_or_else(|| self.refused(format!("{url} is sent on to nowhere")))?;
            url = url.join(location).map_err(|e| self.refused(format!("sent on to no address: {e}")))?;
        }
        Err(self.refused(format!("sent on more than {REDIRECTS_MAX} times")))
    }

    /// A token for whoever asks, as the registry's challenge says where to get one.
    async fn ask_for_token(&self, challenge: Option<Challenge>) -> Result<String, NodeError> {
        let challenge = challenge.ok_or_else(|| {
            self.refused("the registry wants a password; only what everybody may read can be referred to")
        })?;
        let url = challenge.address(&self.source.repository).map_err(|e| self.refused(e))?;
        let address = url.to_string();
        let mut answer = self.follow(url, "application/json", 0).await?;
        let status = answer.status();
        if !status.is_success() {
            return Err(self.refused(format!("{address} gave no token: {status}")));
        }
        let body = self.read(&mut answer).await?;
        token::token(&body).ok_or_else(|| self.refused(format!("{address} gave no token that can be used")))
    }

    /// Reads a document whole.
    pub(crate) async fn read(&self, answer: &mut Response) -> Result<Vec<u8>, NodeError> {
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|e| self.broken(&e))? {
            if (body.len() + chunk.len()) as u64 > oci::MANIFEST_BYTES_MAX {
                return Err(
                    self.refused(format!("a document of more than {} bytes", oci::MANIFEST_BYTES_MAX))
                );
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    /// Reads a manifest by tag or digest; its own digest with it.
    async fn document(&mut self, reference: &str) -> Result<(String, Manifest), NodeError> {
        let (_, mut answer) = self.manifest(reference).await?;
        let bytes = self.read(&mut answer).await?;
        let sha256 = sha256_hex(&bytes);
        if reference.strip_prefix("sha256:").is_some_and(|wanted| wanted != sha256) {
            return Err(self.refused(format!("{reference} was asked for and sha256:{sha256} was sent")));
        }
        Ok((sha256, oci::parse(&bytes, None).map_err(|e| self.refused(e))?))
    }
}

/// Asks a registry which image a reference means now; of an index, the one for linux/amd64.
pub async fn pin(reference: &Reference) -> Result<Pinned, NodeError> {
    let mut registry = Registry::new(reference.source.clone())?;
    let wanted = match &reference.version {
        Version::Tag(tag) => tag.clone(),
        Version::Digest(sha256) => format!("sha256:{sha256}"),
    };
    let mut found = registry.document(&wanted).await?;
    if let Manifest::Index(manifests) = &found.1 {
        let child = oci::for_sites(manifests)
            .map(|child| child.digest.clone())
            .ok_or_else(|| registry.refused("the index has no image for linux/amd64, which the sites run"))?;
        found = registry.document(&child).await?;
    }
    match found {
        (sha256, Manifest::Image(image)) if image.is_container() => {
            Ok(Pinned { source: reference.source.clone(), sha256, size: image.size() })
        }
        (_, Manifest::Image(image)) => Err(registry.refused(format!(
            "`{}` is no container image; upload a file of another kind to the hub",
            image.config.media_type.escape_default()
        ))),
        (_, Manifest::Index(_)) => Err(registry.refused("the index names another index for linux/amd64")),
    }
}
