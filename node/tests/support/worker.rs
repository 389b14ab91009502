//! A sandbox worker for the tests of this crate.

use std::process::ExitCode;

fn main() -> ExitCode {
    fiel_sandbox::worker_main()
}
