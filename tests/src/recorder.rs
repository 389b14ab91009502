//! A proxy in front of the hub that keeps every byte the nodes send.

use base64::Engine as _;
use fiel_schemas::dsse::Envelope;
use serde_json::Value;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What one connection sent.
type Sent = Arc<Mutex<Vec<u8>>>;

/// What was sent through the proxy so far, one stream of bytes per connection.
#[derive(Debug, Clone, Default)]
pub struct Recorder(Arc<Mutex<Vec<Sent>>>);

impl Recorder {
    /// Starts a proxy of the hub and returns its address.
    ///
    /// # Panics
    /// When loopback has no free port.
    pub async fn start(hub: &str) -> (String, Self) {
        let target = hub.trim_start_matches("http://").to_string();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
        let address = format!("http://{}", listener.local_addr().expect("a bound address"));
        let record = Self::default();
        let kept = record.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let stream = Arc::new(Mutex::new(Vec::new()));
                kept.0.lock().expect("no panic while held").push(stream.clone());
                tokio::spawn(relay(client, target.clone(), stream));
            }
        });
        (address, record)
    }

    /// Every byte sent, as text, connection after connection.
    ///
    /// # Panics
    /// When a relay panicked.
    #[must_use]
    pub fn text(&self) -> String {
        let streams = self.0.lock().expect("no panic while held");
        let text = |s: &Arc<Mutex<Vec<u8>>>| {
            String::from_utf8_lossy(&s.lock().expect("no panic while held")).into_owned()
        };
        streams.iter().map(text).collect::<Vec<_>>().join("\n")
    }

    /// The JSON bodies that carry no signed statement: enrolment, offers, claims, progress.
    #[must_use]
    pub fn other_bodies(&self) -> Vec<Value> {
        bodies(&self.text()).into_iter().filter(|body| body["envelope"].is_null()).collect()
    }

    /// The signed statements among what was sent, each once.
    ///
    /// # Panics
    /// When an envelope's payload is not base64.
    #[must_use]
    pub fn statements(&self) -> Vec<Vec<u8>> {
        let mut found: Vec<Vec<u8>> = Vec::new();
        for body in bodies(&self.text()) {
            if let Ok(envelope) = serde_json::from_value::<Envelope>(body["envelope"].clone()) {
                let payload = base64::engine::general_purpose::STANDARD.decode(&envelope.payload);
                let payload = payload.expect("a payload is base64");
                if !found.contains(&payload) {
                    found.push(payload);
                }
            }
        }
        found
    }
}

async fn relay(mut client: TcpStream, target: String, kept: Arc<Mutex<Vec<u8>>>) {
    let Ok(mut server) = TcpStream::connect(&target).await else { return };
    let (mut from_node, mut to_node) = client.split();
    let (mut from_hub, mut to_hub) = server.split();
    let up = async {
        let mut buffer = vec![0; 65536];
        while let Ok(n) = from_node.read(&mut buffer).await {
            if n == 0 {
                break;
            }
            kept.lock().expect("no panic while held").extend_from_slice(&buffer[..n]);
            if to_hub.write_all(&buffer[..n]).await.is_err() {
                break;
            }
        }
    };
    tokio::select! { () = up => {}, _ = tokio::io::copy(&mut from_hub, &mut to_node) => {} }
}

/// JSON objects that are bodies of requests in a recorded stream.
fn bodies(sent: &str) -> Vec<Value> {
    let mut found = Vec::new();
    for (at, _) in sent.match_indices("\r\n\r\n") {
        let mut values = serde_json::Deserializer::from_str(&sent[at + 4..]).into_iter::<Value>();
        if let Some(Ok(value @ Value::Object(_))) = values.next() {
            found.push(value);
        }
    }
    found
}
