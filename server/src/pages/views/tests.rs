use super::board::query::Query;
use super::board::{render_board, render_top};
use super::challenge::{Extras, render_challenge};
use super::curves::render_curves;
use super::docs::{CodeLine, render_errors};
use super::entry::{render_entry, render_public};
use super::forms::{SubmitFacts, SubmitForm, render_login, render_submit};
use super::home::{Card, render_home};
use super::layout::{Frame, Viewer, page, problem};
use super::submission::render_submission;
use super::{format, markdown};
use crate::plots::{ReliabilityPoint, ReliabilitySeries, RocSeries};
use chrono::{DateTime, Utc};
use fiel_schemas::api::SubmissionStatus;
use fiel_schemas::challenge::Challenge;
use fiel_schemas::leaderboard::Leaderboard;
use serde_json::{Value, json};

const HOSTILE: &[&str] = &[
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "'><svg/onload=alert(1)>",
    "</title></textarea></style><script>alert(1)</script>",
    "<a href=\"javascript:alert(1)\">x</a>",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
];

fn estimate(value: f64, low: f64, high: f64) -> Value {
    json!({"value": value, "ci95": [low, high], "bound": 1e-5, "n": 400, "undefined": 0})
}

fn row(rank: Option<u32>, tool: &str, auc: f64, half: f64) -> Value {
    let site = |id: &str, n: u64, auc: f64| {
        (
            id.to_owned(),
            json!({"state": "reported", "metrics": {"auc": estimate(auc, auc - 0.05, (auc + 0.03).min(1.0))},
            "cases": {"ok": n}, "statement": "ab".repeat(32), "reference_set_digest": "cd".repeat(32),
            "engine": "wasmtime 48.0.2", "metrics_version": "0.1.0"}),
        )
    };
    let sites: serde_json::Map<String, Value> =
        [site("site-a", 220, auc), site("site-b", 120, auc - 0.004), site("site-c", 60, auc + 0.002)]
            .into_iter()
            .collect();
    json!({"rank": rank, "tied": false, "submission": tool, "version": "1.0.0",
        "submission_id": format!("0192-{tool}"), "participant": "demo", "artifact": "ef".repeat(32),
        "metrics": {"auc": estimate(auc, auc - half, (auc + half).min(1.0)), "average_precision": estimate(auc - 0.01, auc - 0.03, auc),
            "sensitivity@specificity=0.95": estimate(auc - 0.05, auc - 0.1, auc), "brier": estimate(0.0312, 0.02, 0.04),
            "ece@15": estimate(0.021, 0.01, 0.05), "calibration_slope": estimate(0.93, 0.7, 1.2),
            "calibration_intercept": estimate(-0.12, -0.5, 0.3)},
        "sites": sites, "cases": {"ok": 400}, "case_s_p50": 0.00042})
}

/// A board like the demo's.
fn board() -> Leaderboard {
    let mut twin = row(Some(1), "overconfident-twin", 0.9931, 0.005);
    twin["tied"] = json!(true);
    twin["metrics"]["brier"] = estimate(0.0897, 0.07, 0.11);
    let mut logistic = row(Some(1), "logistic-regression", 0.9931, 0.005);
    logistic["tied"] = json!(true);
    let mut broken = row(None, "broken-on-some", 0.989, 0.008);
    broken["unranked"] = json!("11.5 % of the cases failed; 5 % are allowed");
    broken["cases"] = json!({"ok": 354, "crashed": 23, "invalid-output": 23});
    let mut running = row(None, "still-running", 0.9, 0.1);
    running["unranked"] = json!("waiting for site-c");
    running["sites"]["site-c"] = json!({"state": "leased", "metrics": {}, "cases": {}, "statement": null,
        "reference_set_digest": null, "engine": null, "metrics_version": null});
    running["metrics"] = json!({});
    let rows = vec![
        logistic,
        twin,
        row(Some(3), "boosted-trees", 0.9902, 0.007),
        row(Some(4), "one-feature-threshold", 0.9124, 0.027),
        row(Some(5), "constant-prevalence", 0.5, 0.0),
        broken,
        running,
    ];
    of_rows(&rows)
}

fn of_rows(rows: &[Value]) -> Leaderboard {
    serde_json::from_value(
        json!({"schema": "fiel/leaderboard/v1", "challenge": "breast-fna", "challenge_version": "1.0.0",
        "challenge_digest": "12".repeat(32), "phase": "open", "primary_metric": "auc",
        "updated_at": "2026-11-23T11:00:00Z", "leaderboard": rows}),
    )
    .unwrap()
}

fn challenge() -> Challenge {
    serde_json::from_value(json!({"schema": "fiel/challenge/v1", "id": "breast-fna", "version": "1.0.0",
        "title": "Breast mass, fine needle aspirate", "community": "fiel",
        "summary": "Estimate the probability that a breast mass is malignant from 30 features of the cell nuclei in a fine needle aspirate.",
        "task": "classification",
        "interface": {"inputs": [{"name": "features", "kind": "table", "path": "case.csv", "columns": ["mean_radius", "mean_texture",
            "mean_area", "worst_area", "worst_radius"], "description": "One row with properties of the nuclei."}],
            "outputs": [{"name": "prediction", "kind": "table", "path": "prediction.csv", "columns": ["probability"]}]},
        "metrics": ["auc", "average_precision", "brier", "calibration_slope"],
        "ranking": {"metric": "auc", "failed_cases": "exclude", "max_failed_fraction": 0.05},
        "limits": {"memory_mib": 256, "case_ms": 2000, "output_mib": 1, "artifact_mib": 16},
        "phases": [{"id": "open", "title": "Open phase", "opens": "2026-01-01T00:00:00Z", "quota": {"submissions": 20, "days": 1}}],
        "data": {"description": "569 patients of one hospital; 400 are **held out**.", "licence": "CC BY 4.0",
            "attribution": "Wolberg, Street, Mangasarian, UCI, 1995, doi:10.24432/C5DW2B"}}))
    .unwrap()
}

fn status(state: &str) -> SubmissionStatus {
    let run = |site: &str, state: &str, done: u64, reason: Option<&str>, cases: Value| {
        json!({"run": format!("run-{site}"), "site": site, "state": state, "attempt": 1, "done": done, "total": 220,
            "reason": reason, "cases": cases})
    };
    serde_json::from_value(json!({"submission": {"schema": "fiel/submission/v1", "id": "0192-abc", "challenge": "breast-fna",
            "phase": "open", "tool": "my-model", "version": "0.1", "description": "A **small** model.", "participant": "ada",
            "artifact": {"media_type": "application/wasm", "sha256": "ef".repeat(32), "size": 48_213},
            "submitted_at": "2026-11-23T11:00:00Z"}, "state": state,
        "runs": [run("site-a", "leased", 141, None, json!({})), run("site-b", "reported", 120, None, json!({"ok": 117, "crashed": 3})),
            run("site-c", "failed", 0, Some("import-refused"), json!({}))]}))
    .unwrap()
}

fn now() -> DateTime<Utc> {
    "2026-11-23T12:00:00Z".parse().unwrap()
}

fn viewer() -> Viewer {
    Viewer { name: "ada".into(), csrf: "token".into() }
}

fn curves() -> (Vec<RocSeries>, Vec<ReliabilitySeries>) {
    let labels = [
        "logistic-regression 1.0.0",
        "overconfident-twin 1.0.0",
        "boosted-trees 1.0.0",
        "one-feature-threshold 1.0.0",
        "constant-prevalence 1.0.0",
    ];
    let roc = labels.iter().enumerate().map(|(i, label)| {
        let bend = [0.02, 0.03, 0.05, 0.2, 1.0][i];
        let points = (0..=60).map(|k| f64::from(k) / 60.0).map(|x| [x, x.powf(bend)]).collect();
        RocSeries { label: (*label).into(), auc: Some(1.0 / (1.0 + bend)), points }
    });
    let reliability = labels.iter().take(3).enumerate().map(|(i, label)| {
        let points = (0..10).map(|k| (f64::from(k) + 0.5) / 10.0).map(|p| {
            let observed = (p + [0.03, -0.12, 0.06][i] * (p * 6.0).sin()).clamp(0.0, 1.0);
            ReliabilityPoint {
                mean_p: p,
                observed,
                ci95: [(observed - 0.12).max(0.0), (observed + 0.12).min(1.0)],
                n: 24,
            }
        });
        ReliabilitySeries { label: (*label).into(), points: points.collect() }
    });
    (roc.collect(), reliability.collect())
}

fn board_page(board: &Leaderboard, sort: Option<&str>, page_no: Option<usize>) -> String {
    let main = render_board("Breast mass", board, &Query::read(sort, page_no, board));
    page(&Frame { title: "Leaderboard", wide: true, ..Frame::default() }, &main)
}

/// Every page once, by name; written to the folder named by `FIEL_PAGES` for looking at.
#[expect(clippy::too_many_lines, reason = "a list")]
fn every_page() -> Vec<(&'static str, String)> {
    let viewer = viewer();
    let signed_in = |title: &'static str, main: &str| {
        page(&Frame { title, viewer: Some(&viewer), ..Frame::default() }, main)
    };
    let card = |id: &str, title: &str, open| Card {
        id: id.into(),
        title: title.into(),
        community: "fiel".into(),
        summary: challenge().summary,
        task: "Classification",
        phase: if open { "open".into() } else { "opens 1 January 2027".into() },
        open,
        submissions: 7,
        sites: 3,
        best: open.then(|| "AUC 0.993".into()),
    };
    let (roc, reliability) = curves();
    let extras = Extras {
        readme: "# Title\n\n## Task\n\nA model is a *module*.\n\n| site | n |\n|---|---|\n| a | 220 |\n"
            .into(),
        digest: "12".repeat(32),
        left: vec![Some(17)],
        top: render_top(&board(), 5),
        curves: render_curves("breast-fna", &roc, &reliability).unwrap(),
        sites: vec![("site-a".into(), "cd".repeat(32))],
    };
    let facts = SubmitFacts {
        challenge: "breast-fna".into(),
        title: "Breast mass".into(),
        phase: Some("Open phase".into()),
        quota: "20 per day".into(),
        left: Some(17),
        kinds: "A WebAssembly module (.wasm)".into(),
        artifact_mib: 16,
    };
    let mut form = SubmitForm { tool: " ".into(), version: "1".into(), ..SubmitForm::default() };
    form.check();
    form.artifact_error = Some("Choose a file.".into());
    let live =
        Frame { title: "my-model", viewer: Some(&viewer), refresh_s: Some(5), live: true, wide: false };
    vec![
        (
            "home",
            page(
                &Frame { title: "Challenges", ..Frame::default() },
                &render_home(&[
                    card("breast-fna", "Breast mass, fine needle aspirate", true),
                    card("lesion-phantom", "Liver lesions, phantom", false),
                ]),
            ),
        ),
        ("challenge", signed_in("Breast mass", &render_challenge(&challenge(), &extras, now()))),
        ("board", board_page(&board(), None, None)),
        (
            "submission",
            page(
                &live,
                &render_submission(
                    &status("running"),
                    "Breast mass",
                    render_entry(&board(), "0192-boosted-trees").as_deref(),
                ),
            ),
        ),
        (
            "entry",
            page(
                &Frame { title: "Submission", ..Frame::default() },
                &render_public("Breast mass", &board(), "0192-boosted-trees").unwrap(),
            ),
        ),
        (
            "login",
            page(
                &Frame { title: "Sign in", ..Frame::default() },
                &render_login("ada", "/", Some("Name or password is wrong.")),
            ),
        ),
        ("submit", signed_in("Submit", &render_submit("t", &facts, &form))),
        (
            "errors",
            signed_in(
                "Errors",
                &render_errors(&[CodeLine {
                    code: "not-found",
                    status: 404,
                    title: "There is no such thing here",
                }]),
            ),
        ),
        (
            "problem",
            problem(404, "There is no such thing here", "The challenge does not exist.", "not-found", None),
        ),
    ]
}

#[test]
fn every_page_has_one_heading_a_skip_link_landmarks_and_nothing_inline() {
    let folder = std::env::var_os("FIEL_PAGES");
    for (name, html) in every_page() {
        if let Some(folder) = &folder {
            std::fs::write(std::path::Path::new(folder).join(format!("{name}.html")), &html).unwrap();
        }
        assert_eq!(html.matches("<h1").count(), 1, "{name}");
        assert!(
            html.contains("<a class=\"skip\" href=\"#main\">") && html.contains("<main id=\"main\""),
            "{name}"
        );
        assert!(
            html.contains("<html lang=\"en-GB\">") && html.contains("<nav ") && html.contains("<footer"),
            "{name}"
        );
        assert!(
            !html.contains(" style=") && !html.contains("<style") && !html.contains(" onclick="),
            "{name}"
        );
        assert!(!html.replace("<script src=\"/static/live.js", "").contains("<script"), "{name}");
        let html = html.replace("xmlns=\"http://www.w3.org/2000/svg\"", "");
        assert!(!html.contains("http://") && !html.contains("https://"), "{name} reaches another host");
        assert_ids_are_unique(name, &html);
    }
}

fn assert_ids_are_unique(name: &str, html: &str) {
    let mut ids: Vec<&str> = html.split(" id=\"").skip(1).filter_map(|part| part.split('"').next()).collect();
    ids.sort_unstable();
    assert!(ids.windows(2).all(|w| w[0] != w[1]), "{name} has an id twice: {ids:?}");
}

#[test]
fn hostile_text_stays_text_in_every_template() {
    for hostile in HOSTILE {
        let mut board = board();
        for row in &mut board.leaderboard {
            row.submission = (*hostile).into();
            row.version = (*hostile).into();
            row.participant = (*hostile).into();
            row.unranked = row.unranked.as_ref().map(|_| (*hostile).to_owned());
            let sites = std::mem::take(&mut row.sites);
            row.sites = sites.into_iter().map(|(site, part)| (format!("{site}{hostile}"), part)).collect();
        }
        let mut status = status("running");
        status.submission.tool = (*hostile).into();
        status.submission.description =
            format!("{hostile}\n\n[x](javascript:alert(1)) ![y](http://evil/x.png) <b onclick=x>z</b>");
        status.runs[2].reason = Some((*hostile).into());
        let facts = SubmitFacts {
            title: (*hostile).into(),
            phase: Some((*hostile).into()),
            kinds: (*hostile).into(),
            ..SubmitFacts::default()
        };
        let form = SubmitForm {
            tool: (*hostile).into(),
            description: (*hostile).into(),
            error: Some((*hostile).into()),
            ..SubmitForm::default()
        };
        let mut definition = challenge();
        definition.title = (*hostile).into();
        definition.data.description = (*hostile).into();
        let extras = Extras { readme: (*hostile).into(), top: render_top(&board, 5), ..Extras::default() };
        for html in [
            board_page(&board, Some("tool"), None),
            render_submission(&status, hostile, None),
            render_submit(hostile, &facts, &form),
            render_login(hostile, hostile, Some(hostile)),
            render_challenge(&definition, &extras, now()),
            render_public(hostile, &board, "0192-boosted-trees").unwrap(),
            problem(
                500,
                hostile,
                hostile,
                "x",
                Some(&Viewer { name: (*hostile).into(), csrf: (*hostile).into() }),
            ),
        ] {
            for tag in html.split('<').skip(1).filter_map(|part| part.split('>').next()) {
                let outside_quotes: String = tag.split('"').step_by(2).collect();
                let is_harmful = ["img", "script", "svg/", "iframe"].iter().any(|name| tag.starts_with(name))
                    || tag.contains("=\"javascript:")
                    || outside_quotes.contains(" on");
                assert!(
                    !is_harmful || tag.starts_with("script src=\"/static/"),
                    "{hostile} gave <{tag}> in {html}"
                );
            }
        }
    }
}

#[test]
fn markdown_keeps_structure_and_drops_what_could_act() {
    let html = markdown::render(
        "# A\n\n[ok](https://example.org) [no](javascript:x) [rel](/logout)\n\n<iframe src=x></iframe>\n\n- `code`\n",
    );
    assert!(html.contains("<h3>A</h3>") && html.contains("<code>code</code>"), "{html}");
    assert!(html.contains("href=\"https://example.org\"") && html.contains("nofollow"), "{html}");
    assert!(
        !html.contains("javascript:") && !html.contains("<iframe") && !html.contains("/logout"),
        "{html}"
    );
}

#[test]
fn the_board_heads_its_columns_and_says_how_it_is_sorted() {
    let html = board_page(&board(), Some("brier"), None);
    let headings: Vec<String> = html
        .split("<th scope=\"col\"")
        .skip(1)
        .filter_map(|part| {
            Some(part.split_once("<a ")?.1.split_once('>')?.1.split('<').next()?.trim().to_owned())
        })
        .collect();
    assert_eq!(
        headings[..12],
        [
            "Rank",
            "Tool",
            "AUC",
            "AP",
            "Sens. at spec. 0.95",
            "Brier",
            "ECE",
            "Cal. slope",
            "Cal. intercept",
            "site-a",
            "site-b",
            "site-c"
        ]
    );
    assert_eq!(html.matches("aria-sort=").count(), 1);
    assert!(html.contains("aria-sort=\"ascending\"") && html.contains("?sort=-brier"));
}

#[test]
fn ties_failures_reasons_and_closeness_are_in_words() {
    let html = board_page(&board(), None, None);
    assert_eq!(html.matches(">=1</span><span class=\"vh\">tied at rank 1<").count(), 2);
    assert!(html.contains("23 crashed") && html.contains("23 invalid"));
    assert!(html.contains("Not ranked: 11.5 % of the cases failed; 5 % are allowed"));
    assert!(html.contains("not separable from the best"));
    assert!(html.contains("<data value=\"0.9931\">0.993</data>"));
    assert!(html.contains(">Running</span>") && html.contains("<span class=\"none\">–</span>"));
    assert!(html.contains("signed statement") && html.contains("wasmtime 48.0.2"));
}

#[test]
fn sorting_puts_the_best_first_and_rows_without_a_value_last_both_ways() {
    let board = board();
    let names = |sort: &str| -> Vec<String> {
        Query::read(Some(sort), None, &board).order(&board).iter().map(|r| r.submission.clone()).collect()
    };
    assert_eq!(
        names("auc")[4..],
        ["one-feature-threshold", "constant-prevalence", "still-running"].map(String::from)[..]
    );
    assert_eq!(names("-auc")[0], "constant-prevalence");
    assert_eq!(names("-auc")[6], "still-running");
    assert_eq!(names("brier")[5], "overconfident-twin");
    assert_eq!(names("-failures")[0], "broken-on-some");
    assert_eq!(names("nonsense"), names("rank"));
}

#[test]
fn a_long_board_is_paged_and_addresses_are_canonical() {
    let rows: Vec<Value> = (0..120)
        .map(|i| row(Some(i + 1), &format!("tool-{i:03}"), 0.99 - f64::from(i) / 1000.0, 0.01))
        .collect();
    let board = of_rows(&rows);
    let html = board_page(&board, None, Some(2));
    assert_eq!(html.matches("<th scope=\"row\"").count(), 50);
    assert!(html.contains("tool-050") && !html.contains("tool-049<") && html.contains("Page 2 of 3"));
    assert!(
        html.contains("?page=3") && html.contains("rel=\"prev\" href=\"/challenges/breast-fna/leaderboard\"")
    );
    assert_eq!(Query::read(Some("bogus"), Some(99), &board), Query::read(None, Some(3), &board));
    assert_eq!(
        Query::read(Some("-sensitivity@specificity=0.95"), Some(2), &board).address(),
        "?sort=-sensitivity%40specificity%3D0.95&page=2"
    );
}

#[test]
fn a_submission_shows_progress_and_reasons_without_javascript() {
    let (_, html) = every_page().swap_remove(3);
    assert!(html.contains("<noscript><meta http-equiv=\"refresh\" content=\"5\"></noscript>"));
    assert!(html.contains("<progress max=\"220\" value=\"141\""));
    assert!(html.contains("141 of 220 cases") && html.contains("only WASI preview 1 is"));
    assert!(html.contains("<b>3</b> crashed"));
}

#[test]
fn a_refused_image_of_another_registry_shows_the_registry_and_the_way_out() {
    let mut status = status("failed");
    status.runs[2].state = "refused".into();
    status.runs[2].reason = Some("policy-refused".into());
    let here = render_submission(&status, "Breast mass", None);
    assert!(here.contains("policy-refused") && !here.contains("lists that registry"), "{here}");
    let source = json!({"registry": "registry.example.org", "repository": "group/tool"});
    status.submission.artifact.source = serde_json::from_value(source).unwrap();
    let html = render_submission(&status, "Breast mass", None);
    assert!(html.contains(&format!("registry.example.org/group/tool@sha256:{}", "ef".repeat(32))), "{html}");
    assert!(html.contains("only where its policy lists that registry"), "{html}");
}

#[test]
fn numbers_read_well() {
    assert_eq!(format::number(-0.12, 2), "−0.12");
    assert_eq!(format::number(-0.0001, 2), "0.00");
    assert_eq!(format::seconds(0.00042), "420 µs");
    assert_eq!(format::count(12_345), "12\u{202f}345");
    assert_eq!(format::short_digest(&"ab".repeat(32)), "abababababab");
}

#[test]
fn participants_are_told_of_a_batch_where_there_is_one() {
    let mut definition = challenge();
    assert!(!render_challenge(&definition, &Extras::default(), now()).contains("Cases per start"));
    definition.interface.batch = 8;
    let html = render_challenge(&definition, &Extras::default(), now());
    assert!(html.contains("<dt>Cases per start</dt><dd>up to 8, for containers"), "{html}");
}
