//! Images that stay warm and answer over HTTP.

use fiel_schemas::api::FailureReason;
use fiel_schemas::challenge::Limits;
use fiel_schemas::outcome::Outcome;
use serde_json::{Value, json};

use super::bench::{answer, case, hostile, limits, python};
use super::engines::{Engine, on_the_hosts_kernel};

/// Serves cases as the contract says; `mode` says how to break it.
pub(super) const SERVER: &str = r#"
import http.server, os, threading, time
count = 0

class Model(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def reply(self, status, body=b""):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.reply(200 if self.path == "/health" else 404)

    def do_POST(self):
        global count
        count += 1
        mode = open("/input/mode").read()
        left = len(os.listdir("/output"))
        print("case", count, mode, flush=True)
        open("/output/answer", "w").write(f"{open('/input/data').read()}{count} {left}")
        if mode == "slow":
            time.sleep(60)
        if mode == "exit":
            os._exit(3)
        if mode == "end":
            os._exit(0)
        if mode == "garbage":
            self.wfile.write(b"\x00\xff" * 1000)
            self.close_connection = True
            return
        if mode == "endless":
            self.wfile.write(b"HTTP/1.1 201 Created\r\n\r\n")
            while True:
                self.wfile.write(b"x" * 65536)
        if mode == "eat":
            eaten = []
            while True:
                eaten.append(bytearray(b"x") * (1 << 20))
        if mode == "haunt":
            def haunt():
                n = 0
                while True:
                    n += 1
                    open("/output/answer", "w").write("haunted")
                    open(f"/output/ghost", "w").write("x")
            threading.Thread(target=haunt, daemon=True).start()
        if mode == "fail":
            return self.reply(500)
        self.reply(201, b"{}")

time.sleep(0.2)
http.server.HTTPServer(("127.0.0.1", 4743), Model).serve_forever()
"#;

pub(super) fn invoke() -> Value {
    json!({ "Labels": { "org.grand-challenge.api-method": "invoke" } })
}

fn cases(modes: &[&str]) -> Vec<fiel_sandbox::CaseInput> {
    modes.iter().map(|mode| case(&[("mode", mode)])).collect()
}

fn one_process_answers_case_after_case(engine: Engine) {
    let bench = engine.bench();
    let prepared = bench.prepare(&python(SERVER, &invoke()));
    let results = bench.cases(&prepared, &limits(), cases(&["plain"; 4]));
    for (index, result) in results.iter().enumerate() {
        assert_eq!(answer(result), format!("a,b\n1,2\n{} 0", index + 1), "warm, and an empty output");
        assert!(result.usage.memory_bytes_peak.is_some());
    }
    // The runtime passes on what is printed, in its own time: some of it comes with the next case.
    let logs: Vec<u8> = results.iter().flat_map(|result| result.log.clone()).collect();
    let logs = String::from_utf8(logs).unwrap();
    assert!(
        "case 1 plain\ncase 2 plain\ncase 3 plain\ncase 4 plain\n".starts_with(&logs) && logs.len() > 26,
        "{logs}"
    );
    for result in &results[1..] {
        assert!(result.seconds < 0.2, "{} s", result.seconds);
        assert!(result.usage.cpu_s.unwrap() < 0.2, "{:?}", result.usage);
    }
    bench.assert_nothing_left("a warm model");
}

fn each_way_to_fail_has_its_outcome_and_the_next_case_runs(engine: Engine) {
    let bench = engine.bench();
    let prepared = bench.prepare(&python(SERVER, &invoke()));
    let expected = [
        ("slow", Outcome::TimedOut, "ran longer than 3000 ms", "1 0"),
        ("exit", Outcome::Crashed, "ended with exit code 3", "1 0"),
        ("end", Outcome::Crashed, "ended before it had answered", "1 0"),
        ("garbage", Outcome::Crashed, "broke the connection of `POST /invoke`", "1 0"),
        ("eat", Outcome::OutOfMemory, "asked for more than 64 MiB of memory", "1 0"),
        // A model that says no may go on.
        ("fail", Outcome::Crashed, "answered `POST /invoke` with status 500, expected 201", "3 0"),
    ];
    let modes: Vec<&str> = expected.iter().flat_map(|(mode, ..)| [*mode, "plain"]).collect();
    let results = bench.cases(&prepared, &Limits { case_ms: 3_000, ..limits() }, cases(&modes));
    for (pair, (mode, outcome, reason, next)) in results.chunks(2).zip(expected) {
        assert_eq!((pair[0].outcome, pair[0].reason.as_str()), (outcome, reason), "{mode}");
        assert_eq!(answer(&pair[1]), format!("a,b\n1,2\n{next}"), "the case after {mode}");
    }
    bench.assert_nothing_left("warm models that fail");
}

fn a_warm_process_cannot_touch_what_it_has_answered(engine: Engine) {
    let bench = engine.bench();
    let prepared = bench.prepare(&python(SERVER, &invoke()));
    // From the first case on, a thread of the model rewrites `/output` without pause.
    let results = bench.cases(&prepared, &limits(), cases(&["haunt", "plain", "plain", "plain"]));
    for result in &results {
        // Its own two threads may write into each other's answer, as long as it runs.
        let read = answer(result);
        assert!(read.starts_with("haunted") || read.starts_with("a,b\n1,2\n") || read.is_empty(), "{read}");
    }
    let endless = bench.cases(&prepared, &limits(), cases(&["endless", "plain"]));
    assert_eq!(endless[0].outcome, Outcome::Ok, "{}", endless[0].reason);
    bench.assert_nothing_left("a haunted model");
}

fn a_model_that_never_becomes_ready_says_so(engine: Engine) {
    let bench = engine.bench();
    let starts = [
        (json!(["/model", "serve", "302 Found"]), "plain", "answered `GET /health` with a redirect"),
        (json!(["/model"]), "nothing", "ended before it was ready"),
        (json!(["/model"]), "exit3", "ended with exit code 3"),
        (json!(["/model"]), "eat", "asked for more than 64 MiB of memory"),
        (
            json!(["/absent"]),
            "plain",
            "would not start: `/absent` is not in the image, or its interpreter is not",
        ),
    ];
    for (entrypoint, mode, reason) in starts {
        let prepared =
            bench.prepare(&hostile(&json!({ "Entrypoint": entrypoint, "Labels": invoke()["Labels"] })));
        let result = bench.cases(&prepared, &limits(), cases(&[mode])).remove(0);
        let outcome = if mode == "eat" { Outcome::OutOfMemory } else { Outcome::Crashed };
        assert_eq!((result.outcome, result.reason.as_str()), (outcome, reason));
    }
    let well = hostile(&json!({ "Entrypoint": ["/model", "serve"], "Labels": invoke()["Labels"] }));
    let prepared = bench.prepare(&well);
    for result in bench.cases(&prepared, &limits(), cases(&["plain"; 3])) {
        assert_eq!(answer(&result), "a,b\n1,2\n");
    }
    bench.assert_nothing_left("models that never become ready");
}

on_the_hosts_kernel!(
    one_process_answers_case_after_case,
    each_way_to_fail_has_its_outcome_and_the_next_case_runs,
    a_warm_process_cannot_touch_what_it_has_answered,
    a_model_that_never_becomes_ready_says_so,
);

#[test]
fn gvisor_refuses_what_the_node_could_not_reach() {
    let refusal = Engine::Runsc.bench().try_prepare(&hostile(&invoke())).unwrap_err();
    assert_eq!(refusal.reason, FailureReason::EngineUnavailable);
    assert_eq!(
        refusal.message,
        "this site does not run container images: gVisor does not let the node reach a model that serves over HTTP"
    );
}
