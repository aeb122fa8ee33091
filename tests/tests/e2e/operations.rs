//! The settings in the documentation are those of the programs.

use std::collections::BTreeMap;
use std::fs;

use copymill_scheduler::program::Settings as SchedulerSettings;
use copymill_tests::repository;
use copymill_worker::program::Settings as WorkerSettings;
use serde_json::Value;

/// Every setting below a value, with its default as JSON.
fn flatten(name: &str, value: &Value, settings: &mut BTreeMap<String, String>) {
    match value {
        Value::Object(entries) => {
            let below = |key: &str| if name.is_empty() { key.to_owned() } else { format!("{name}.{key}") };
            entries.iter().for_each(|(key, value)| flatten(&below(key), value, settings));
        }
        _ => {
            let temporary = std::env::temp_dir().display().to_string();
            let default = value.to_string().replace(temporary.trim_end_matches('/'), "/tmp");
            settings.insert(name.to_owned(), default);
        }
    }
}

#[test]
fn every_setting_of_scheduler_and_worker_is_documented_with_its_default() {
    let mut settings = BTreeMap::new();
    for program in [
        serde_json::to_value(SchedulerSettings::default()).unwrap(),
        serde_json::to_value(WorkerSettings::default()).unwrap(),
    ] {
        flatten("", &program, &mut settings);
    }
    let text = fs::read_to_string(repository().join("docs/OPERATIONS.md")).unwrap();
    let (_, section) = text.split_once("\n## Settings").unwrap();
    let (section, _) = section.split_once("\n## ").unwrap();
    let documented: BTreeMap<String, String> = section
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once("` | `"))
        .filter_map(|(name, rest)| Some((name.to_owned(), rest.split_once("` |")?.0.to_owned())))
        .collect();
    assert_eq!(documented, settings);
}
