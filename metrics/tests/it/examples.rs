//! Every public function of the kernels and of this crate shows how it is called and what it then gives.

use std::path::{Path, PathBuf};

/// The lines of documentation above a line, past the attributes between both.
fn documentation<'a>(lines: &[&'a str], at: usize) -> Vec<&'a str> {
    let ends = |line: &&str| line.is_empty() || line.ends_with(['{', '}', ';']);
    let above = lines[..at]
        .iter()
        .rev()
        .map(|line| line.trim())
        .take_while(|line| !ends(line) || line.starts_with("///"));
    let mut found: Vec<&str> = above
        .skip_while(|line| !line.starts_with("///"))
        .take_while(|line| line.starts_with("///"))
        .collect();
    found.reverse();
    found
}

/// Whether documentation has an example that is run and checks something.
fn has_example(documentation: &[&str]) -> bool {
    let fences: Vec<usize> =
        documentation.iter().enumerate().filter(|(_, line)| line.contains("```")).map(|(at, _)| at).collect();
    let runs = |block: &[usize]| match *block {
        [open, close] => {
            documentation[open] == "/// ```"
                && documentation[open..close].iter().any(|line| line.contains("assert"))
        }
        _ => false,
    };
    fences.chunks(2).any(runs)
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The name of the public function that a line begins to define, here or by a macro (`name = ...` below documentation).
fn public_function<'a>(lines: &[&'a str], at: usize) -> Option<&'a str> {
    let line = lines[at].trim_start();
    let named = |rest: &'a str| rest.split(['(', '<']).next().filter(|name| !name.starts_with('$'));
    if let Some(rest) = line.strip_prefix("pub fn ").or_else(|| line.strip_prefix("pub const fn ")) {
        return named(rest);
    }
    let (name, _) = line.split_once(" = ")?;
    let is_word = name.chars().all(|c| c.is_ascii_lowercase() || c == '_');
    (is_word && lines[at.checked_sub(1)?].trim_start().starts_with("///")).then_some(name)
}

/// What is `pub` can be reached from outside: the lint `unreachable_pub` refuses the rest.
#[test]
fn every_public_function_has_an_example_that_is_run() {
    let (folder, mut files) = (Path::new(env!("CARGO_MANIFEST_DIR")), Vec::new());
    sources(&folder.join("src"), &mut files);
    sources(&folder.join("kernels/src"), &mut files);
    let (mut seen, mut without) = (0, Vec::new());
    for path in files {
        let text = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        for at in 0..lines.len() {
            let Some(name) = public_function(&lines, at) else { continue };
            seen += 1;
            if !has_example(&documentation(&lines, at)) {
                without.push(format!("{}:{}: {name}", path.display(), at + 1));
            }
        }
    }
    assert!(seen > 560, "{seen}");
    assert!(without.is_empty(), "without an example that is run:\n{}", without.join("\n"));
}
