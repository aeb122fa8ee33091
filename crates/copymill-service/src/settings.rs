//! Settings: a YAML file, and over it the environment.
//!
//! `store.url` is `COPYMILL_STORE__URL`: two underscores stand for the dot.

use std::path::Path;

use figment::{
    Figment,
    providers::{Env, Serialized},
};
use serde::{Serialize, de::DeserializeOwned};

/// Variables with the same beginning that are no settings.
const OTHERS: [&str; 5] = ["config", "log", "log_format", "cache", "cache_bytes"];

/// Why settings could not be read.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The file is not there, or may not be read.
    #[error("the settings file {path} cannot be read")]
    Read {
        /// The file.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file is no YAML.
    #[error("the settings file {path} is not valid YAML: {reason}")]
    Yaml {
        /// The file.
        path: String,
        /// What and where.
        reason: String,
    },
    /// A setting has the wrong type, or is not known.
    #[error("settings: {0}")]
    Value(#[from] Box<figment::Error>),
}

/// Reads the settings of a program.
pub fn load<S: Default + Serialize + DeserializeOwned>(file: Option<&Path>) -> Result<S, SettingsError> {
    let mut settings = Figment::from(Serialized::defaults(S::default()));
    if let Some(path) = file {
        let shown = path.display().to_string();
        let text = std::fs::read_to_string(path)
            .map_err(|source| SettingsError::Read { path: shown.clone(), source })?;
        let values: serde_json::Value = serde_saphyr::from_str(&text)
            .map_err(|error| SettingsError::Yaml { path: shown, reason: error.to_string() })?;
        settings = settings.merge(Serialized::defaults(values));
    }
    let environment = Env::prefixed("COPYMILL_").ignore(&OTHERS).split("__");
    Ok(settings.merge(environment).extract().map_err(Box::new)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Default, Serialize, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Settings {
        store: Store,
    }

    #[derive(Debug, Default, Serialize, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Store {
        url: String,
        retries: u32,
    }

    fn read(text: &str) -> Result<Settings, SettingsError> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        load(Some(file.path()))
    }

    #[test]
    fn a_file_is_read_and_what_is_wrong_in_it_is_named() {
        let settings = read("store:\n  url: s3://bucket\n").unwrap();
        assert_eq!((settings.store.url.as_str(), settings.store.retries), ("s3://bucket", 0));
        let error = |text: &str| read(text).unwrap_err().to_string();
        assert!(error("store:\n  ulr: x\n").contains("ulr"));
        assert!(error("store:\n  retries: many\n").contains("store.retries"));
        assert!(error("store: [").contains("is not valid YAML"));
        assert!(load::<Settings>(Some(Path::new("/none"))).unwrap_err().to_string().contains("/none"));
    }
}
