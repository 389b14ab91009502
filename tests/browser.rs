//! A real browser logs in, submits, follows progress and reads the leaderboard; screenshots go to `target/screenshots`.

use fiel_tests::webdriver::{Browser, Driver};
use fiel_tests::{Hub, breast_fna_site, enrol, node, open_policy, repository};
use serde_json::Value;
use std::path::Path;
use std::time::{Duration, Instant};

async fn shoot(browser: &Browser, name: &str) {
    let folder = repository().join("target/screenshots");
    fs_err::create_dir_all(&folder).expect("the folder can be made");
    let png = browser.screenshot().await;
    fs_err::write(folder.join(format!("{name}.png")), png).expect("the screenshot can be written");
}

/// Nothing may reach past the right edge of a narrow screen, except inside a region that scrolls by itself.
async fn fits(browser: &Browser, path: &str) {
    let script = "return document.documentElement.scrollWidth - document.documentElement.clientWidth";
    let over = browser.execute(script).await;
    assert!(over.as_i64() <= Some(0), "{path} is {over} px wider than the window");
}

/// No rule of WCAG 2.1 A and AA that a program can check is broken (axe-core, which `tests/run.sh` installs).
async fn accessible(browser: &Browser, path: &str) {
    let library =
        std::env::var("FIEL_AXE").expect("FIEL_AXE names axe.min.js; `bash tests/run.sh` installs it");
    browser.execute(&fs_err::read_to_string(library).expect("axe-core is readable")).await;
    let found = browser
        .execute_async(
            "const done = arguments[arguments.length - 1];
             axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa']}).then(
               r => done({rules: r.passes.length,
                          broken: r.violations.map(v => v.id + ': ' + v.nodes.map(n => n.html).join(' '))}),
               e => done({rules: 0, broken: [String(e)]}))",
        )
        .await;
    assert!(found["rules"].as_u64() > Some(5), "axe looked at {path}: {found}");
    assert_eq!(found["broken"], serde_json::json!([]), "{path}");
}

async fn submit(browser: &Browser, hub: &str, model: &Path) {
    browser.goto(&format!("{hub}/login")).await;
    browser.type_into("main form [name=name]", "ada").await;
    browser.type_into("main form [name=password]", "a long enough passphrase").await;
    browser.click("main form [type=submit]").await;
    // The click does not wait for the answer: opening the next page before it would drop the session's cookie.
    browser.find("form[action='/logout']").await;
    browser.goto(&format!("{hub}/submit/breast-fna")).await;
    shoot(browser, "submit").await;
    browser.type_into("main form[enctype] [name=tool]", "my-model").await;
    browser.execute("document.querySelector('main form[enctype] [name=version]').value = ''").await;
    browser.type_into("main form[enctype] [name=version]", "0.1").await;
    browser.type_into("main form[enctype] input[type=file]", &model.display().to_string()).await;
    browser.click("main form[enctype] [type=submit]").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_logs_in_submits_follows_and_reads_the_board() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let hub = Hub::start(&folder.path().join("hub"), &[]).await;
    let admin = hub.client(&hub.admin_token());
    let yaml =
        fs_err::read_to_string(repository().join("challenges/breast-fna/challenge.yaml")).expect("yaml");
    admin.challenge(&yaml).await;
    admin.account("ada", "participant").await;
    let site = folder.path().join("site");
    open_policy(&site);
    let _ = breast_fna_site(&site, "site-b", usize::MAX);
    enrol(&admin, "site-b", &site, &hub.url).await;
    let _node = node(&site);

    let driver = Driver::start();
    let browser = driver.session(1280, false, true).await;
    let model = repository().join("challenges/breast-fna/baselines/logistic.wasm");
    submit(&browser, &hub.url, &model).await;
    let start = Instant::now();
    loop {
        let page = browser.text("main").await;
        if page.to_lowercase().contains("reported") {
            break;
        }
        if start.elapsed() > Duration::from_secs(30) {
            shoot(&browser, "failure").await;
            panic!("no report on the page: {page}");
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    shoot(&browser, "submission").await;
    browser.close().await;
    looks(&driver, &hub.url).await;
}

/// Every page, wide and narrow, light and dark; then without JavaScript.
async fn looks(driver: &Driver, hub: &str) {
    let pages = [
        ("home", "/"),
        ("challenge", "/challenges/breast-fna"),
        ("board", "/challenges/breast-fna/leaderboard"),
        ("login", "/login"),
    ];
    for (width, dark) in [(1280, false), (1280, true), (500, false), (500, true)] {
        let browser = driver.session(width, dark, true).await;
        assert!(browser.runs_scripts().await, "scripts are on unless switched off");
        for (name, path) in pages {
            browser.goto(&format!("{hub}{path}")).await;
            assert_eq!(browser.find_all("h1").await.len(), 1, "{path} has one h1");
            fits(&browser, path).await;
            accessible(&browser, path).await;
            let mode = if dark { "dark" } else { "light" };
            shoot(&browser, &format!("{name}-{width}-{mode}")).await;
        }
        assert_board(&browser, hub).await;
        browser.close().await;
    }
    let plain = driver.session(1280, false, false).await;
    assert!(!plain.runs_scripts().await, "scripts are really off");
    for (_, path) in pages {
        plain.goto(&format!("{hub}{path}")).await;
        assert_eq!(plain.find_all("h1").await.len(), 1, "{path} reads without scripts");
    }
    assert_board(&plain, hub).await;
    plain.close().await;
}

/// The board shows the same value as the API.
async fn assert_board(browser: &Browser, hub: &str) {
    browser.goto(&format!("{hub}/challenges/breast-fna/leaderboard")).await;
    let table = browser.text("main table").await;
    assert!(table.contains("my-model"), "{table}");
    let address = format!("{hub}/api/v1/challenges/breast-fna/leaderboard");
    let board: Value = reqwest::get(address).await.expect("an answer").json().await.expect("JSON");
    let auc = board["leaderboard"][0]["metrics"]["auc"]["value"].as_f64().expect("a value");
    assert!(table.contains(&format!("{auc:.3}")), "{auc} is not on the page: {table}");
}
