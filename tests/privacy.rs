//! No byte of patient-level data leaves a site: everything the nodes send is recorded, checked and searched.

use fiel_schemas::assessment::Statement;
use fiel_schemas::summary::Summary;
use fiel_schemas::validate::{Kind, from_json};
use fiel_tests::recorder::Recorder;
use fiel_tests::{Client, Hub, breast_fna_site, enrol, lesion_phantom_site, node, repository, write_policy};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const SITES: [&str; 3] = ["site-a", "site-b", "site-c"];
const MODELS: [(&str, &str); 6] = [
    ("breast-fna", "logistic"),
    ("breast-fna", "boosted"),
    ("breast-fna", "broken"),
    ("lesion-phantom", "empty"),
    ("lesion-phantom", "threshold"),
    ("lesion-phantom", "smooth-threshold"),
];

/// What a site must keep to itself.
struct Secrets {
    /// Names of cases.
    ids: Vec<String>,
    /// Every number that belongs to one patient, with what it is.
    numbers: Vec<(f64, String)>,
    /// Labels in the order of the reference set.
    labels: Vec<u64>,
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_about_a_single_patient_is_ever_sent() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    // The finest histograms there are: what the demo's sites release of public data.
    let (recorder, rows) = record(folder.path(), 1).await;
    let statements = recorder.statements();
    assert_eq!(statements.len(), SITES.len() * MODELS.len(), "one statement for each run");
    let text = recorder.text();
    for site in SITES {
        let data = folder.path().join(site);
        let secrets = secrets(&data, &rows[site]);
        for id in &secrets.ids {
            assert!(!text.contains(id.as_str()), "case id {id} was sent in plain text");
        }
        let others = recorder.other_bodies();
        assert!(others.len() > MODELS.len() * SITES.len(), "{} bodies beside the statements", others.len());
        for body in &others {
            assert_eq!(leaks(body, &secrets, &[]), Vec::<String>::new(), "{body}");
        }
        let (mut looked_at, mut planted) = (0, 0);
        for payload in &statements {
            let statement: Statement = from_json(Kind::Statement, payload).unwrap_or_else(|e| panic!("{e}"));
            if statement.predicate.site != site {
                continue;
            }
            let mut value: Value = serde_json::from_slice(payload).expect("a checked statement is JSON");
            let clock = seconds(&data, &statement.predicate.run);
            assert_eq!(leaks(&value, &secrets, &clock), Vec::<String>::new(), "a statement of {site}");
            looked_at += 1;
            planted += plant(&mut value, &secrets, &clock);
        }
        assert_eq!(
            (looked_at, planted),
            (MODELS.len(), 4 * MODELS.len()),
            "every leak that was planted is found"
        );
    }
}

/// What a statement tells about single patients.
fn leaks(statement: &Value, secrets: &Secrets, clock: &[String]) -> Vec<String> {
    let text = statement.to_string();
    let ids = secrets.ids.iter().filter(|id| text.contains(id.as_str()));
    let mut found: Vec<String> = ids.map(|id| format!("the case id {id}")).collect();
    let numbers: HashMap<u64, &str> =
        secrets.numbers.iter().map(|(v, what)| (v.to_bits(), what.as_str())).collect();
    let mut leaves = Vec::new();
    flatten("", statement, &mut leaves);
    for (path, leaf) in &leaves {
        for reading in readings(leaf) {
            let Some(what) = numbers.get(&reading.to_bits()) else { continue };
            if !is_cost(path, reading, clock) && !is_share_of_cases(path, reading, statement) {
                found.push(format!("{path} is {reading}: {what}"));
            }
        }
    }
    found.extend(labels_sent(&secrets.labels, &leaves));
    found
}

/// Costs are short numbers that coincide with features now and then. Seconds of cases are traced to the clock readings of
/// this very run; compiling is over before a case is opened; the others are sums or the largest over all cases, of what
/// the machine counted. All are told to three digits.
fn is_cost(path: &str, reading: f64, clock: &[String]) -> bool {
    let three_digits = format!("{reading:.2e}");
    let of_all_cases = ["load_s", "cpu_s", "memory_mib_peak", "output_mib"];
    match path.strip_prefix("/predicate/costs/") {
        Some(cost) if cost.starts_with("case_s") => clock.contains(&three_digits),
        Some(cost) => of_all_cases.contains(&cost) && three_digits.parse() == Ok(reading),
        None => false,
    }
}

/// The rank error of a sketched quartile is a number of cases over their number: it knows nothing of values.
fn is_share_of_cases(path: &str, reading: f64, statement: &Value) -> bool {
    let estimate = path.strip_suffix("/rank_error").and_then(|path| Some(path.rsplit_once("/quartiles/")?.0));
    let cases = estimate.and_then(|estimate| statement.pointer(estimate)?["n"].as_f64());
    cases.is_some_and(|n| (reading * n * 4.0 - (reading * n * 4.0).round()).abs() < 1e-9)
}

/// Plants a feature, the same in fixed point, a case id and the labels of cases where a count stands, one after the
/// other; how many of the four are found.
fn plant(statement: &mut Value, secrets: &Secrets, clock: &[String]) -> usize {
    let (secret, _) = secrets.numbers[secrets.numbers.len() / 2];
    #[expect(clippy::cast_possible_truncation, reason = "the same rounding as the summaries'")]
    let fixed = (secret * 2f64.powi(72)).round() as i128;
    let mixed = secrets.labels.windows(24).step_by(6).find(|w| w.contains(&0) && w.contains(&1));
    let labels = mixed.expect("both classes occur at every site").to_vec();
    let place = "/predicate/cases/ok";
    let known = statement.pointer(place).cloned().unwrap_or_default();
    let planted = [json!(secret), json!(fixed.to_string()), json!(secrets.ids[0]), json!(labels)];
    let mut found = 0;
    for leak in planted {
        statement["predicate"]["cases"]["ok"] = leak;
        found += usize::from(!leaks(statement, secrets, clock).is_empty());
    }
    statement["predicate"]["cases"]["ok"] = known;
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn with_the_default_policy_every_cell_describes_five_cases() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (recorder, _) = record(folder.path(), 5).await;
    let statements = recorder.statements();
    assert_eq!(statements.len(), SITES.len() * MODELS.len(), "one statement for each run");
    let (mut cells, mut bins, mut sketched) = (0, 0, 0);
    for payload in &statements {
        let statement: Statement = from_json(Kind::Statement, payload).unwrap_or_else(|e| panic!("{e}"));
        for (id, metric) in &statement.predicate.metrics {
            match &metric.summary {
                Summary::Scores(scores) => {
                    assert!(scores.cells.iter().all(|c| c.pos + c.neg >= 5), "{id}: {:?}", scores.cells);
                    cells += scores.cells.len();
                }
                Summary::Calibration(c) => {
                    assert!(c.bins.iter().all(|b| b.n == 0 || b.n >= 5), "{id}: {:?}", c.bins);
                    bins += c.bins.len();
                }
                Summary::Confusion(c) => {
                    let few = |n: u64| n > 0 && n < 5;
                    assert!(!few(c.tp + c.fp) && !few(c.tn + c.r#fn), "{id}: {c:?}");
                }
                Summary::Moments(m) => {
                    assert!(m.n == 0 || m.n >= 5, "{id}: a mean of {} cases", m.n);
                    assert!(m.cells.iter().all(|c| c.n >= 5), "{id}: {:?}", m.cells);
                    sketched += m.cells.len();
                }
                Summary::Agreement(a) => assert!(a.n == 0 || a.n >= 5, "{id}: sums of {} cases", a.n),
                Summary::PerSite(p) => assert!(p.sites.iter().all(|s| s.n >= 5), "{id}: {:?}", p.sites),
            }
        }
    }
    assert!(
        cells > 50 && bins >= 45 && sketched > 30,
        "{cells} cells, {bins} bins and {sketched} cells of sketches were looked at"
    );
}

/// Runs every model at three sites whose nodes speak to the hub through a recorder.
async fn record(folder: &Path, min_cell: u64) -> (Recorder, HashMap<&'static str, Vec<String>>) {
    let hub = Hub::start(&folder.join("hub"), &[]).await;
    let admin = hub.client(&hub.admin_token());
    for challenge in ["breast-fna", "lesion-phantom"] {
        let yaml = repository().join(format!("challenges/{challenge}/challenge.yaml"));
        admin.challenge(&fs_err::read_to_string(yaml).expect("the challenge is in the repository")).await;
    }
    let (proxy, recorder) = Recorder::start(&hub.url).await;
    let mut rows = HashMap::new();
    let mut nodes = Vec::new();
    for site in SITES {
        let data = folder.join(site);
        write_policy(&data, min_cell);
        rows.insert(site, breast_fna_site(&data, site, usize::MAX));
        lesion_phantom_site(&data, site);
        enrol(&admin, site, &data, &proxy).await;
        nodes.push(node(&data));
    }
    let participant = admin.account("ada", "participant").await;
    let mut submissions = Vec::new();
    for (challenge, name) in MODELS {
        let wasm = repository().join(format!("challenges/{challenge}/baselines/{name}.wasm"));
        let digest = participant.upload(&fs_err::read(wasm).expect("the baseline is built")).await;
        let body = json!({"tool": name, "version": "1", "artifact": digest});
        let answer = participant.post(&format!("/challenges/{challenge}/submissions"), body).await;
        submissions.push(answer["submission"]["id"].as_str().expect("an id").to_string());
    }
    for id in &submissions {
        reported(&participant, id).await;
    }
    (recorder, rows)
}

async fn reported(client: &Client, id: &str) {
    let start = Instant::now();
    loop {
        let status = client.get(&format!("/submissions/{id}")).await;
        let runs = status["runs"].as_array().cloned().unwrap_or_default();
        if runs.len() == SITES.len() && runs.iter().all(|r| r["state"] == "reported") {
            return;
        }
        assert!(start.elapsed() < Duration::from_mins(2), "{status}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Everything in a site's folder that is about one patient: ids, features, labels, and each run's case table.
fn secrets(data: &Path, rows: &[String]) -> Secrets {
    let mut found = Secrets { ids: Vec::new(), numbers: Vec::new(), labels: Vec::new() };
    for row in rows {
        let fields: Vec<&str> = row.split(',').collect();
        found.ids.push(fields[0].to_string());
        found.labels.push(fields[31].parse().expect("the label is 0 or 1"));
        for value in &fields[1..31] {
            keep(&mut found, value.parse().expect("features are numbers"), "a feature");
        }
    }
    let site = data.file_name().expect("a site has a folder of its name");
    let phantoms = data.join("reference-sets").join(site).join("cases.csv");
    let table = fs_err::read_to_string(phantoms).expect("the phantoms were generated");
    let ids = table.lines().skip(1).filter_map(|l| l.split(',').next());
    found.ids.extend(ids.map(String::from));
    let mut scores = 0;
    for table in tables(data) {
        let columns = [
            "score",
            "dice",
            "iou",
            "nsd@1.0",
            "hd95",
            "lesion_f1",
            "volume_error_ml",
            "reference_ml",
            "prediction_ml",
        ];
        for column in columns {
            let Ok(values) = fiel_metrics::table::read_f64_column(&table, column) else { continue };
            let values: Vec<f64> = values.into_iter().flatten().collect();
            for &value in &values {
                keep(&mut found, value, column);
                scores += 1;
                if column == "score" {
                    keep(&mut found, value * value, "a squared error");
                    keep(&mut found, (1.0 - value) * (1.0 - value), "a squared error");
                }
            }
        }
    }
    assert!(found.ids.len() > 60 && scores > 300, "{} ids and {scores} measurements", found.ids.len());
    found
}

/// Whole numbers, halves, ... and sixteenths are left out: a count of cases cannot be told from a feature such as 17, nor
/// a mean distance from one of the few distances between neighbouring voxels (traced: 0.8125 mm is both at site-b).
fn keep(secrets: &mut Secrets, value: f64, what: &str) {
    if (value * 16.0).fract() != 0.0 {
        secrets.numbers.push((value, format!("{what} of a case")));
    }
}

/// The case tables of every run at a site.
fn tables(data: &Path) -> Vec<PathBuf> {
    let runs = fs_err::read_dir(data.join("runs")).expect("the node keeps its runs");
    runs.map(|entry| entry.expect("a folder's entry").path().join("cases.parquet")).collect()
}

/// A run's own clock readings, one for each case, to three digits as costs are released.
fn seconds(data: &Path, run: &str) -> Vec<String> {
    let table = data.join("runs").join(run).join("cases.parquet");
    let read = fiel_metrics::table::read_f64_column(&table, "seconds").expect("the case table has a clock");
    read.into_iter().flatten().map(|s| format!("{s:.2e}")).collect()
}

/// Every leaf of a JSON document with its pointer.
fn flatten(path: &str, value: &Value, out: &mut Vec<(String, Value)>) {
    match value {
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(i, v)| flatten(&format!("{path}/{i}"), v, out));
        }
        Value::Object(fields) => fields.iter().for_each(|(k, v)| flatten(&format!("{path}/{k}"), v, out)),
        leaf => out.push((path.to_string(), leaf.clone())),
    }
}

/// The numbers that a leaf may stand for: itself, a decimal text, fixed point in units of 2^-72, the bits of a float.
fn readings(leaf: &Value) -> Vec<f64> {
    match leaf {
        Value::Number(n) => n.as_f64().into_iter().collect(),
        Value::String(s) => {
            let fixed = s.parse::<i128>().map(|v| v as f64 / 2f64.powi(72));
            let bits = u64::from_str_radix(s, 16).map(f64::from_bits);
            [s.parse::<f64>().ok(), fixed.ok(), bits.ok()].into_iter().flatten().collect()
        }
        _ => Vec::new(),
    }
}

/// Stretches of whole numbers in a statement that repeat the labels of cases in their order, forwards or backwards.
fn labels_sent(labels: &[u64], leaves: &[(String, Value)]) -> Option<String> {
    let sent: Vec<u64> = leaves.iter().filter_map(|(_, v)| v.as_u64()).collect();
    let mixed = labels.windows(24).step_by(6).filter(|w| w.contains(&0) && w.contains(&1));
    for window in mixed {
        let backwards: Vec<u64> = window.iter().rev().copied().collect();
        if sent.windows(24).any(|s| s == window || s == backwards) {
            return Some(format!("labels of consecutive cases: {window:?}"));
        }
    }
    None
}
