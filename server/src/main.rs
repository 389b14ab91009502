//! The one binary, `fiel`.

fn main() -> std::process::ExitCode {
    fiel_server::commands::main()
}
