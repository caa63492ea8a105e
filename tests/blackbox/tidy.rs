//! What must hold of the files of the project themselves.

use std::{collections::BTreeSet, fs, path::Path, process::Command};

use crate::harness::servers::root;

/// Files that git tracks or would.
fn files() -> Vec<String> {
    let mut git = Command::new("git");
    git.args(["ls-files", "--cached", "--others", "--exclude-standard"]).current_dir(root());
    let output = git.output().expect("git");
    assert!(output.status.success(), "git ls-files: {}", String::from_utf8_lossy(&output.stderr));
    let listed = String::from_utf8(output.stdout).unwrap();
    let there = listed.lines().filter(|path| root().join(path).is_file());
    there.map(str::to_owned).collect()
}

fn read(path: &str) -> String {
    String::from_utf8_lossy(&fs::read(root().join(path)).unwrap()).into_owned()
}

fn is(path: &str, extension: &str) -> bool {
    Path::new(path).extension().is_some_and(|own| own == extension)
}

#[test]
fn source_files_are_short_and_explain_their_exceptions() {
    let mut faults = Vec::new();
    // Written in halves, so that this file does not find itself.
    let bare_allow = concat!("#", "[allow(");
    let inner_allow = concat!("#!", "[allow(");
    for path in files().iter().filter(|path| is(path, "rs")) {
        let text = read(path);
        let lines = text.lines().count();
        if lines > 400 {
            faults.push(format!("{path} has {lines} lines; 400 are plenty"));
        }
        if text.contains(bare_allow) || text.contains(inner_allow) {
            faults.push(format!("{path}: use expect with a reason instead of allow"));
        }
        if !text.starts_with("//!") && !text.starts_with("#!") {
            faults.push(format!("{path} does not begin by saying what it is for"));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn nothing_is_left_for_later() {
    let words = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("X", "XX")];
    let mut faults = Vec::new();
    for path in files().iter().filter(|path| *path != "Cargo.lock") {
        for (number, line) in (1..).zip(read(path).lines()) {
            let holds =
                |word: &str| line.split(|char: char| !char.is_ascii_alphanumeric()).any(|one| one == word);
            if let Some(word) = words.into_iter().find(|word| holds(word)) {
                faults.push(format!("{path}:{number}: {word}"));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// What a text names that looks like a path: targets of links, and words in backticks.
fn named(text: &str) -> BTreeSet<&str> {
    let links = text.split("](").skip(1).filter_map(|rest| rest.split([')', '#', ' ']).next());
    let links = links.filter(|link| !link.contains("://") && !link.starts_with("mailto:"));
    let without_blocks = text.split("```").step_by(2);
    let ticked = without_blocks.flat_map(|part| part.split('`').skip(1).step_by(2));
    links.chain(ticked.filter(|word| is_path(word))).filter(|name| !name.is_empty()).collect()
}

fn is_path(word: &str) -> bool {
    let plain = |char: char| char.is_ascii_alphanumeric() || "._-/".contains(char);
    let first = word.split('/').next().unwrap_or_default();
    word.contains('/') && word.chars().all(plain) && !first.is_empty() && root().join(first).exists()
}

#[test]
fn documents_name_only_files_that_exist() {
    let mut faults = Vec::new();
    for path in files().iter().filter(|path| is(path, "md")) {
        let text = read(path);
        let folder = Path::new(path).parent().unwrap();
        for name in named(&text) {
            let generated = name.starts_with("target/") || name.starts_with(".raven/");
            let exists = root().join(name).exists() || root().join(folder).join(name).exists();
            if !exists && !generated {
                faults.push(format!("{path} names {name}, which does not exist"));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn the_door_and_the_readers_cannot_reach_mailjet() {
    // The management API beside them may; a crate of its own would say so to the compiler, at the price of three more.
    let bound = ["crates/ingest/src/door/", "crates/ingest/src/read/", "crates/ingest/src/directory.rs"];
    let mut seen = 0;
    for path in files().iter().filter(|path| bound.iter().any(|place| path.starts_with(place))) {
        let text = read(path);
        let code = text.split("#[cfg(test)]").next().unwrap();
        assert!(!code.contains("mailjet::") && !code.contains("provisioning"), "{path} calls Mailjet");
        seen += 1;
    }
    assert!(seen > 10, "the door has moved");
}
