//! What users write: campaign files, good and bad.

mod bad_files;
mod init;
mod robustness;
mod schema;

use std::{
    fs,
    path::{Path, PathBuf},
};

/// The columns that campaign files of these tests are checked against.
fn columns() -> Vec<String> {
    ["customer_id", "first_name", "last_category", "tier", "city", "points", "Last Name", "[odd]"]
        .map(String::from)
        .into()
}

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

/// Compares a text with a file; with `UPDATE_GOLDEN` set, writes the file instead.
fn assert_golden(path: &Path, text: &str) {
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(path, text).expect("the golden file can be written");
    }
    let golden = fs::read_to_string(path).unwrap_or_default();
    assert_eq!(
        text,
        golden,
        "{} differs; if that is meant, run the test with UPDATE_GOLDEN=1",
        path.display()
    );
}
