//! `lesion-phantom public DIR` rewrites the public sample, `lesion-phantom train DIR` writes phantoms to learn from,
//! `lesion-phantom SITE DIR` writes the set of one site.

use lesion_phantom::{PhantomSpec, generate, generate_public, seal};
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

const USAGE: &str = "usage: lesion-phantom (public|train|site-a|site-b|site-c) DIR\n";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [set, folder] = arguments.as_slice() else {
        return say(USAGE, 2);
    };
    let folder = Path::new(folder);
    let written = if set == "public" {
        generate_public(folder)
    } else if set == "train" {
        generate(folder, &PhantomSpec::train())
    } else if let Some(site) = PhantomSpec::sites().into_iter().find(|site| site.name == *set) {
        generate(folder, &site).and_then(|()| seal(folder, &site))
    } else {
        return say(&format!("there is no set named {set}\n{USAGE}"), 2);
    };
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => say(&format!("the phantoms could not be written: {error}\n"), 1),
    }
}

/// Prints a message to the error stream and gives the exit code.
fn say(message: &str, code: u8) -> ExitCode {
    // Nothing is left to do when even the error stream is closed.
    let _ = io::stderr().write_all(message.as_bytes());
    ExitCode::from(code)
}
