//! A program that is nothing but a worker; tests and benchmarks start it.

fn main() -> std::process::ExitCode {
    fiel_sandbox::worker_main()
}
