//! The one binary of Fiel.

fn main() -> std::process::ExitCode {
    fiel_server::commands::main()
}
