//! The tree is the architecture: who may name what, and how long a file may be.

use std::{fs, path::Path};

use copymill_tests::repository;

/// Libraries that only one crate names.
const OWNERS: [(&str, &str); 10] = [
    ("aws-sdk-s3", "copymill-store"),
    ("axum", "copymill-scheduler"),
    ("hf-hub", "copymill-model"),
    ("lapin", "copymill-broker"),
    ("llama-cpp-2", "copymill-engine"),
    ("llguidance", "copymill-engine"),
    ("mrml", "copymill-content"),
    ("parquet", "copymill-scheduler"),
    ("prometheus", "copymill-service"),
    ("tokenizers", "copymill-tokenizer"),
];

/// The crates from the ground up: one may use those before it.
const ORDER: [&str; 12] = [
    "copymill-campaign",
    "copymill-content",
    "copymill-tokenizer",
    "copymill-engine",
    "copymill-broker",
    "copymill-store",
    "copymill-suppression",
    "copymill-model",
    "copymill-service",
    "copymill-scheduler",
    "copymill-worker",
    "copymill",
];

/// Lines of one source file at most.
const LINES: usize = 500;

fn dependencies(manifest: &str) -> Vec<String> {
    let section = manifest.split("[dependencies]").nth(1).unwrap_or_default();
    let section = section.split("\n[").next().unwrap_or_default();
    section.lines().filter_map(|line| Some(line.split(['.', '=', ' ']).next()?.to_owned())).collect()
}

#[test]
fn outside_systems_are_named_by_one_crate_and_arrows_go_one_way() {
    for (place, name) in ORDER.iter().enumerate() {
        let manifest = fs::read_to_string(repository().join("crates").join(name).join("Cargo.toml")).unwrap();
        for dependency in dependencies(&manifest) {
            if let Some((_, owner)) = OWNERS.iter().find(|(library, _)| *library == dependency) {
                assert_eq!(owner, name, "{dependency} is named by {name}");
            }
            if let Some(other) = ORDER.iter().position(|other| *other == dependency) {
                assert!(other < place, "{name} must not use {dependency}");
            }
        }
    }
    let crates = fs::read_dir(repository().join("crates")).unwrap().count();
    assert_eq!(crates, ORDER.len(), "a crate that this test does not know");
}

#[test]
fn the_scheduler_does_not_link_llama_cpp() {
    let manifest = fs::read_to_string(repository().join("crates/copymill-scheduler/Cargo.toml")).unwrap();
    assert!(
        !dependencies(&manifest).iter().any(|name| name == "copymill-engine" || name == "copymill-worker")
    );
}

#[test]
fn no_source_file_is_longer_than_a_few_screens() {
    let mut too_long = Vec::new();
    for folder in ["crates", "tests"] {
        visit(&repository().join(folder), &mut |path, text| {
            let lines = text.lines().count();
            if lines > LINES {
                too_long.push(format!("{} has {lines} lines", path.display()));
            }
        });
    }
    assert!(too_long.is_empty(), "{too_long:#?}");
}

fn visit(folder: &Path, check: &mut dyn FnMut(&Path, &str)) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            visit(&path, check);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            check(&path, &fs::read_to_string(&path).expect("a text file"));
        }
    }
}
