//! A line to the hub that counts what passes, remembers what the hub answers, and breaks on demand.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// How long a broken line still holds its end at the hub, so that what passed arrives.
const DRAIN: Duration = Duration::from_millis(500);

/// The line.
#[derive(Debug, Clone)]
pub struct Wire(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    sent: u64,
    allowed: u64,
    heard: Vec<u8>,
}

impl Wire {
    /// Starts a line to the hub and returns its address, `host:port`.
    ///
    /// # Panics
    /// When loopback has no free port.
    pub async fn start(hub: &str) -> (String, Self) {
        let target = hub.trim_start_matches("http://").to_string();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
        let address = listener.local_addr().expect("a bound socket has an address").to_string();
        let wire = Self(Arc::new(Mutex::new(State { sent: 0, allowed: u64::MAX, heard: Vec::new() })));
        let held = wire.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(held.clone().relay(client, target.clone()));
            }
        });
        (address, wire)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("no panic while held")
    }

    /// Lets so many more bytes pass to the hub; then every connection breaks, and so does each new one.
    pub fn allow(&self, bytes: u64) {
        self.state().allowed = bytes;
    }

    /// Bytes that passed to the hub since the last call.
    #[must_use]
    pub fn take_sent(&self) -> u64 {
        std::mem::take(&mut self.state().sent)
    }

    /// What the hub answered since the last call.
    #[must_use]
    pub fn take_heard(&self) -> String {
        String::from_utf8_lossy(&std::mem::take(&mut self.state().heard)).into_owned()
    }

    /// How many of `length` bytes pass.
    fn pass(&self, length: usize) -> usize {
        let mut state = self.state();
        let pass = usize::try_from(state.allowed).unwrap_or(usize::MAX).min(length);
        state.allowed -= pass as u64;
        state.sent += pass as u64;
        pass
    }

    async fn relay(self, mut client: TcpStream, target: String) {
        let Ok(mut server) = TcpStream::connect(&target).await else { return };
        let broken = {
            let (mut from_client, mut to_client) = client.split();
            let (mut from_hub, mut to_hub) = server.split();
            let up = async {
                let mut buffer = vec![0; 65536];
                while let Ok(length @ 1..) = from_client.read(&mut buffer).await {
                    let pass = self.pass(length);
                    if to_hub.write_all(&buffer[..pass]).await.is_err() {
                        return false;
                    }
                    if pass < length {
                        return true;
                    }
                }
                false
            };
            let down = async {
                let mut buffer = vec![0; 65536];
                while let Ok(length @ 1..) = from_hub.read(&mut buffer).await {
                    self.state().heard.extend_from_slice(&buffer[..length]);
                    if to_client.write_all(&buffer[..length]).await.is_err() {
                        return;
                    }
                }
            };
            tokio::select! { broken = up => broken, () = down => false }
        };
        drop(client);
        if broken {
            tokio::time::sleep(DRAIN).await;
        }
    }
}
