//! Uploads in parts: resumed, out of step, cut, abandoned.

use super::{Pusher, header, refused};
use crate::harness::{DAY_MS, TestHub};
use fiel_schemas::digest::sha256_hex;
use fiel_server::config::HubConfig;
use reqwest::Method;
use std::io::Write as _;

fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|i| u8::try_from((i * 31 + i / 251) % 256).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parts_follow_each_other_and_a_part_out_of_step_is_told_where_to_go_on() {
    let hub = TestHub::start().await;
    hub.challenge(3).await;
    let anna = Pusher::new(&hub, "anna").await;
    let bytes = pattern(3000);
    let upload = anna.start().await;
    let answer = anna.part(&upload, Some("0-999"), &bytes[..1000]).await;
    assert_eq!((answer.status().as_u16(), header(&answer, "range").as_str()), (202, "0-999"));
    for range in ["0-999", "999-1998", "1001-2000", "1000-1500", "1000-3000", "5-2"] {
        let answer = anna.part(&upload, Some(range), &bytes[1000..2000]).await;
        assert_eq!(header(&answer, "range"), "0-999", "{range}");
        let message = refused(answer, 416, "BLOB_UPLOAD_INVALID").await;
        assert!(message.contains("1000 bytes have arrived"), "{message}");
    }
    for range in ["x-y", "10", "-", "99999999999999999999-0"] {
        refused(anna.part(&upload, Some(range), &bytes[1000..2000]).await, 400, "BLOB_UPLOAD_INVALID").await;
    }
    assert_eq!(anna.part(&upload, Some("1000-1999"), &bytes[1000..2000]).await.status(), 202);
    let answer = anna.send(Method::GET, &upload).await;
    assert_eq!((answer.status().as_u16(), header(&answer, "range").as_str()), (204, "0-1999"));
    let digest = sha256_hex(&bytes);
    let answer = anna.finish(&upload, &bytes[2000..], &digest).await;
    assert_eq!(answer.status(), 201);
    assert_eq!(header(&answer, "location"), format!("/v2/test/tool/blobs/sha256:{digest}"));
    assert_eq!(header(&answer, "docker-content-digest"), format!("sha256:{digest}"));
    refused(anna.send(Method::GET, &upload).await, 404, "BLOB_UPLOAD_UNKNOWN").await;
    let answer = anna.send(Method::HEAD, &format!("blobs/sha256:{digest}")).await;
    assert_eq!((answer.status().as_u16(), header(&answer, "content-length").as_str()), (200, "3000"));
    let answer = anna.send(Method::GET, &format!("blobs/sha256:{digest}")).await;
    assert_eq!(answer.bytes().await.unwrap(), bytes);
    hub.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_push_that_is_cut_goes_on_where_it_broke_off_also_at_a_hub_that_was_restarted() {
    let mut hub = TestHub::start().await;
    hub.challenge(3).await;
    let bytes = pattern(100_000);
    let digest = sha256_hex(&bytes);
    let (token, upload) = {
        let anna = Pusher::new(&hub, "anna").await;
        (anna.token.clone(), anna.start().await)
    };
    let address = hub.url.strip_prefix("http://").unwrap().to_owned();
    let mut socket = std::net::TcpStream::connect(&address).unwrap();
    let head = format!(
        "PATCH /v2/test/tool/{upload} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\n\
         Content-Length: 100000\r\n\r\n"
    );
    socket.write_all(head.as_bytes()).unwrap();
    socket.write_all(&bytes[..50_000]).unwrap();
    socket.flush().unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    drop(socket);
    let anna = Pusher { hub: &hub, token: token.clone(), tool: "tool" };
    let arrived = async |anna: &Pusher<'_>| header(&anna.send(Method::GET, &upload).await, "range");
    let mut tries = 0;
    while arrived(&anna).await != "0-49999" {
        tries += 1;
        assert!(tries < 100, "{} arrived", arrived(&anna).await);
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(anna.part(&upload, Some("50000-69999"), &bytes[50_000..70_000]).await.status(), 202);

    hub.hub.take().unwrap().stop().await;
    let mut config = HubConfig::new(hub.folder());
    config.database_url = hub.database_url();
    config.workers = 1;
    let again = fiel_server::hub::start(config).await.unwrap();
    hub.url.clone_from(&again.url);
    hub.hub = Some(again);
    let anna = Pusher { hub: &hub, token, tool: "tool" };
    assert_eq!(arrived(&anna).await, "0-69999", "the hub remembers what has arrived");
    assert_eq!(anna.part(&upload, Some("70000-89999"), &bytes[70_000..90_000]).await.status(), 202);
    assert_eq!(
        anna.finish(&upload, &bytes[90_000..], &digest).await.status(),
        201,
        "the digest covers all parts"
    );
    let answer = anna.send(Method::GET, &format!("blobs/sha256:{digest}")).await;
    assert_eq!(answer.bytes().await.unwrap(), bytes);
    hub.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_requests_that_write_to_one_upload_at_once_never_mix() {
    let hub = TestHub::start().await;
    hub.challenge(3).await;
    let anna = Pusher::new(&hub, "anna").await;
    let bytes = pattern(200_000);
    let upload = anna.start().await;
    let range = format!("0-{}", bytes.len() - 1);
    let answers =
        futures_util::future::join_all((0..8).map(|_| anna.part(&upload, Some(&range), &bytes))).await;
    let taken = answers.iter().filter(|a| a.status() == 202).count();
    let out_of_step = answers.iter().filter(|a| a.status() == 416).count();
    assert_eq!((taken, out_of_step), (1, 7));
    let digest = sha256_hex(&bytes);
    let ends = futures_util::future::join_all((0..8).map(|_| anna.finish(&upload, &[], &digest))).await;
    assert_eq!(ends.iter().filter(|a| a.status() == 201).count(), 1);
    assert_eq!(ends.iter().filter(|a| a.status() == 404).count(), 7);
    assert_eq!(anna.send(Method::GET, &format!("blobs/sha256:{digest}")).await.bytes().await.unwrap(), bytes);
    hub.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_has_few_unfinished_uploads_and_they_go_when_cancelled_or_a_day_old() {
    let hub = TestHub::start().await;
    hub.challenge(3).await;
    let anna = Pusher::new(&hub, "anna").await;
    let starts = (0..40).map(|_| anna.send(Method::POST, "blobs/uploads/"));
    let answers = futures_util::future::join_all(starts).await;
    let started: Vec<_> = answers.iter().filter(|a| a.status() == 202).collect();
    assert_eq!(started.len(), 16);
    let first = header(started[0], "location").replace("/v2/test/tool/", "");
    let message = refused(anna.send(Method::POST, "blobs/uploads/").await, 429, "TOOMANYREQUESTS").await;
    assert!(message.contains("16 unfinished uploads"), "{message}");
    assert_eq!(Pusher::new(&hub, "ben").await.send(Method::POST, "blobs/uploads/").await.status(), 202);
    assert_eq!(anna.send(Method::DELETE, &first).await.status(), 204);
    refused(anna.send(Method::DELETE, &first).await, 404, "BLOB_UPLOAD_UNKNOWN").await;
    let upload = anna.start().await;
    hub.move_clock(DAY_MS + 60_000);
    let fresh = anna.start().await;
    refused(anna.part(&upload, None, b"late").await, 404, "BLOB_UPLOAD_UNKNOWN").await;
    assert_eq!(anna.part(&fresh, None, b"in time").await.status(), 202);
    let folder = hub.folder().join("uploads");
    let files: usize = std::fs::read_dir(folder)
        .unwrap()
        .map(|account| std::fs::read_dir(account.unwrap().path()).unwrap().count())
        .sum();
    assert_eq!(files, 2, "one of each account");
    hub.end().await;
}
