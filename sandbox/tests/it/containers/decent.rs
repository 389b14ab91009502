//! Images that do what they should.

use fiel_schemas::challenge::Limits;
use serde_json::json;

use super::bench::{answer, bench, bench_with, case, hostile, limits, python};
use super::engines::{Engine, on_every_engine};

/// What real models do: several processes, shared memory, local sockets, threads.
const WORK: &str = r#"
import multiprocessing, multiprocessing.shared_memory, os, socket, tempfile, threading

def square(x):
    return x * x

if __name__ == "__main__":
    with multiprocessing.Pool(3) as pool:
        squares = pool.map(square, range(5))
    shared = multiprocessing.shared_memory.SharedMemory(create=True, size=1 << 20)
    shared.buf[0] = 7
    queue = multiprocessing.Queue()
    other = multiprocessing.Process(target=lambda: queue.put(shared.buf[0]))
    other.start()
    seen = queue.get()
    other.join()
    shared.close(); shared.unlink()
    server = socket.socket(socket.AF_UNIX); server.bind(tempfile.mktemp()); server.listen()
    thread = threading.Thread(target=lambda: server.accept()[0].send(b"hello"))
    thread.start()
    client = socket.socket(socket.AF_UNIX); client.connect(server.getsockname())
    greeting = client.recv(5).decode()
    data = open("/input/data").read()
    open("/output/answer", "w").write(f"{data}{squares} {seen} {greeting} {os.getuid()} {os.environ['HOME']}")
    print("worked")
"#;

fn a_python_model_works_with_processes_and_shared_memory(engine: Engine) {
    let bench = engine.bench();
    let prepared = bench.prepare(&python(WORK, &json!({})));
    let limits = Limits { memory_mib: 256, ..limits() };
    let results = bench.cases(&prepared, &limits, vec![case(&[]), case(&[])]);
    for result in &results {
        assert_eq!(answer(result), "a,b\n1,2\n[0, 1, 4, 9, 16] 7 hello 1000 /home/u");
        assert_eq!(String::from_utf8_lossy(&result.log), "worked\n");
        assert!(result.usage.cpu_s.unwrap() > 0.01 && result.usage.output_bytes > 30);
    }
    bench.assert_nothing_left("a decent model");
}

fn an_image_sees_what_the_contract_says(engine: Engine) {
    let bench = engine.bench();
    let config = json!({
        "User": "1000:1001", "WorkingDir": "/etc",
        "Env": ["MINE=1", "LOG_LEVEL=DEBUG", "GRAND_CHALLENGE_SECRET=1"],
    });
    for (image, user) in [(hostile(&config), "1000 group 1001"), (hostile(&json!({})), "65534 group 65534")] {
        let prepared = bench.prepare(&image);
        let result =
            bench.cases(&prepared, &engine.limits(), vec![case(&[("mode", "environment")])]).remove(0);
        let seen = answer(&result);
        let lines: Vec<&str> = seen.lines().collect();
        for wanted in ["LOG_LEVEL=INFO", "PYTHONUNBUFFERED=1", "HOME=/", "no_proxy=localhost,127.0.0.1"] {
            assert!(lines.contains(&wanted), "{wanted} is missing in {seen}");
        }
        assert!(!seen.contains("GRAND_CHALLENGE"), "{seen}");
        let place = if user.starts_with("1000") { "/etc" } else { "/" };
        assert_eq!(*lines.last().unwrap(), format!("user {user} folder {place} host model pid 1"));
    }
}

on_every_engine!(a_python_model_works_with_processes_and_shared_memory, an_image_sees_what_the_contract_says,);

#[test]
fn one_lane_and_two_lanes_agree() {
    let modes = ["echo", "exit3", "nothing", "echo", "abort", "link", "echo", "environment"];
    let run = |parallel| {
        let results = bench_with(parallel, fiel_sandbox::ContainerConfig::default()).modes(&modes, &limits());
        results.into_iter().map(|r| (r.index, r.outcome, r.reason, r.outputs, r.log)).collect::<Vec<_>>()
    };
    assert_eq!(run(1), run(2));
}

#[test]
fn an_image_is_unpacked_once_and_names_its_engine() {
    let bench = bench();
    let image = hostile(&json!({ "Labels": { "eu.fiel.dialect": "fiel" } }));
    let first = bench.prepare(&image);
    let second = bench.prepare(&image);
    assert_eq!((first.cached, second.cached), (false, true));
    assert_eq!(first.dialect, fiel_sandbox::Dialect::Fiel);
    let info = bench.sandbox.info(&second);
    assert_eq!(info.name, "runc");
    assert_eq!(info.config_digest.len(), 64);
    assert!(info.confinement.iter().any(|held| held == "no-network"), "{:?}", info.confinement);
}

#[test]
fn a_medperf_image_finds_the_folders_where_it_looks() {
    let bench = bench();
    let script = r#"
data = open("/mlcommons/volumes/data/data").read()
open("/mlcommons/volumes/predictions/answer", "w").write(data)
try:
    open("/mlcommons/volumes/data/new", "w")
except OSError as error:
    print(error.strerror)
"#;
    let prepared = bench.prepare(&python(script, &json!({ "Labels": { "eu.fiel.dialect": "medperf" } })));
    let result = bench.cases(&prepared, &limits(), vec![case(&[])]).remove(0);
    assert_eq!(answer(&result), "a,b\n1,2\n");
    assert_eq!(String::from_utf8_lossy(&result.log), "Read-only file system\n");
}
