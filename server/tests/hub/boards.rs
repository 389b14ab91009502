//! Leaderboards: pooled values, ranks, ties, rows without a rank, JSON and CSV.

use crate::harness::{TestHub, TestSite, challenge, sign, statement};
use fiel_schemas::summary::Replicates;
use reqwest::Method;
use serde_json::{Value, json};

async fn run_all(hub: &TestHub, site: &TestSite, dice: &dyn Fn(&str) -> (f64, u64, u64)) {
    while let Some(order) = hub.claim(site).await {
        let (value, ok, crashed) = dice(&order.submission.tool);
        let envelope = sign(&statement(&order, value, ok, crashed), &site.key);
        let (status, body) = hub.report(site, &order, &envelope).await;
        assert_eq!(status, 200, "{body}");
    }
}

fn row<'a>(board: &'a Value, tool: &str) -> &'a Value {
    board["leaderboard"].as_array().unwrap().iter().find(|r| r["submission"] == tool).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn results_of_all_sites_are_pooled_ranked_and_the_same_in_json_and_csv() {
    let hub = TestHub::start().await;
    hub.challenge(100).await;
    let (north, south) = (hub.site("north").await, hub.site("south").await);
    let token = hub.account("anna", "participant").await;
    for tool in ["poor", "good", "same as good", "breaks", "waits"] {
        hub.submit(&token, tool).await;
    }
    let board = hub.board_when(|b| b["leaderboard"].as_array().unwrap().len() == 5).await;
    assert_eq!(row(&board, "good")["unranked"], "no site has reported yet");
    run_all(&hub, &north, &|tool| match tool {
        "poor" => (0.25, 20, 0),
        "breaks" => (1.0, 10, 10),
        _ => (0.5, 20, 0),
    })
    .await;
    while let Some(order) = hub.claim(&south).await {
        if order.submission.tool == "waits" {
            break;
        }
        let dice = if order.submission.tool == "poor" { 0.25 } else { 1.0 };
        hub.report(&south, &order, &sign(&statement(&order, dice, 60, 0), &south.key)).await;
    }
    let state = |b: &Value, tool: &str| row(b, tool)["sites"]["south"]["state"].clone();
    let board = hub.board_when(|b| state(b, "breaks") == "reported" && state(b, "waits") == "leased").await;
    let ranks: Vec<_> = board["leaderboard"].as_array().unwrap().iter().map(|r| r["rank"].as_u64()).collect();
    assert_eq!(ranks, [Some(1), Some(1), Some(3), None, None], "{board:#}");
    let good = row(&board, "good");
    assert_eq!(
        good["metrics"]["dice"]["value"],
        (0.5 * 20.0 + 60.0) / 80.0,
        "pooled over cases, not over sites"
    );
    assert_eq!(good["sites"]["north"]["metrics"]["dice"]["value"], 0.5);
    assert_eq!((good["tied"].as_bool(), good["cases"]["ok"].as_u64()), (Some(true), Some(80)));
    assert_eq!(good["case_s_p50"], 0.01);
    assert_eq!(row(&board, "breaks")["unranked"], "10 of 80 cases failed; at most 10 % may");
    assert_eq!(row(&board, "breaks")["cases"]["crashed"], 10);
    assert_eq!(row(&board, "waits")["unranked"], "not measured at south (leased)");
    let document: fiel_schemas::leaderboard::Leaderboard = serde_json::from_value(board.clone()).unwrap();
    let answer = hub.request(Method::GET, "/challenges/test/leaderboard.csv", None).send().await.unwrap();
    let etag = answer.headers()["etag"].clone();
    let csv = answer.text().await.unwrap();
    assert_eq!(csv, fiel_server::leaderboard::to_csv(&document));
    assert!(csv.lines().nth(1).unwrap().starts_with("1,,true,good,1,anna,"), "{csv}");
    let again = hub.request(Method::GET, "/challenges/test/leaderboard", None).header("If-None-Match", etag);
    assert_eq!(again.send().await.unwrap().status(), 304);
    hub.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_says_why_no_site_could_run_it() {
    let hub = TestHub::start().await;
    hub.challenge(100).await;
    let site = hub.site("north").await;
    let token = hub.account("anna", "participant").await;
    hub.submit(&token, "broken").await;
    hub.board_when(|b| b["leaderboard"].as_array().unwrap().len() == 1).await;
    let order = hub.claim(&site).await.unwrap();
    hub.fail(&site, &order, "artifact-invalid").await;
    let board = hub.board_when(|b| row(b, "broken")["sites"]["north"]["state"] == "failed").await;
    assert_eq!(row(&board, "broken")["unranked"], "no site could run it: artifact-invalid");
    hub.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_challenge_is_refused_with_pointer_and_hint_and_an_open_one_is_fixed() {
    let hub = TestHub::start().await;
    let mut wrong = challenge(1);
    wrong["task"] = json!("guessing");
    let (status, body) = hub.post("/challenges", Some(&hub.admin), &wrong).await;
    assert_eq!((status.as_u16(), body["code"].as_str()), (422, Some("document-invalid")));
    assert!(body["detail"].as_str().unwrap().contains("/task"), "{body}");
    let mut unknown = challenge(1);
    for metric in ["luck", "auc", "mae"] {
        unknown["metrics"] = json!(["dice", metric]);
        let (status, body) = hub.post("/challenges", Some(&hub.admin), &unknown).await;
        assert!(status == 422 && body["detail"].as_str().unwrap().contains(metric), "{body}");
    }
    hub.challenge(1).await;
    let (status, body) = hub.post("/challenges", Some(&hub.admin), &challenge(2)).await;
    assert_eq!((status.as_u16(), body["code"].as_str()), (409, Some("challenge-fixed")));
    assert_eq!(hub.post("/challenges", Some(&hub.admin), &challenge(1)).await.0, 200, "the same again");
    assert_eq!(hub.get("/challenges/none/leaderboard", None).await.0, 404);
    hub.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicates_of_all_sites_say_how_stable_the_ranks_are() {
    let hub = TestHub::start().await;
    hub.challenge(100).await;
    let sites = [hub.site("north").await, hub.site("south").await];
    let token = hub.account("anna", "participant").await;
    for tool in ["clear", "close", "nearly"] {
        hub.submit(&token, tool).await;
    }
    hub.board_when(|b| b["leaderboard"].as_array().unwrap().len() == 3).await;
    let mut left = 6;
    for site in &sites {
        while let Some(order) = hub.claim(site).await {
            let dice = match order.submission.tool.as_str() {
                "clear" => 1.0,
                "close" => 0.5,
                _ => 0.25,
            };
            let mut statement = statement(&order, dice, 20, 0);
            // 20 cases of weight 1; "close" and "nearly" change places in one replicate of three.
            let swing = |b: i64| if order.submission.tool == "nearly" && b % 3 == 0 { 0.5 } else { 0.0 };
            #[expect(clippy::cast_possible_truncation, reason = "at most 20 times 8,192")]
            let sums = (0..60).map(|b| ((dice + swing(b)) * 20.0 * 8192.0) as i64).collect();
            let replicates = Replicates { sums, weights: vec![20; 60] };
            statement.predicate.metrics.get_mut("dice").unwrap().replicates = Some(replicates);
            assert_eq!(hub.report(site, &order, &sign(&statement, &site.key)).await.0, 200);
            left -= 1;
        }
    }
    assert_eq!(left, 0);
    // Boards in between know two of the three.
    let board = hub.board_when(|b| b["stability"]["submissions"] == 3).await;
    assert_eq!(
        (board["stability"]["replicates"].as_u64(), board["stability"]["submissions"].as_u64()),
        (Some(60), Some(3))
    );
    // Two of three orders agree with the ranking, in the others one pair of three is turned: tau 1/3.
    let tau = board["stability"]["kendall_tau"].as_f64().unwrap();
    assert!((tau - (2.0 + 1.0 / 3.0) / 3.0).abs() < 1e-12, "{tau}");
    let of = |tool: &str| row(&board, tool)["stability"].clone();
    assert_eq!((&of("clear")["ranks"], &of("clear")["first"]), (&json!([1, 1]), &json!(1.0)));
    assert_eq!((&of("close")["ranks"], &of("nearly")["ranks"]), (&json!([2, 3]), &json!([2, 3])));
    assert_eq!(
        [&of("clear")["group"], &of("close")["group"], &of("nearly")["group"]],
        [&json!(1), &json!(2), &json!(2)]
    );
    assert!(of("clear")["lead"][0].as_f64() > Some(0.0) && of("close")["lead"][0].as_f64() < Some(0.0));
    assert!(of("nearly")["lead"].is_null(), "nobody is ranked after the last");
    let csv = hub.request(Method::GET, "/challenges/test/leaderboard.csv", None).send().await.unwrap();
    let csv = csv.text().await.unwrap();
    assert!(csv.lines().next().unwrap().contains("rank low,rank high,share first"), "{csv}");
    hub.end().await;
}
