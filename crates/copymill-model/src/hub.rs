//! Files of the Hugging Face hub.

use std::path::PathBuf;

use crate::ModelError;

/// Finds a file in the hub's own cache folder, fetching it where it is not there.
pub(crate) fn fetch_from_hub(name: &str, address: &str) -> Result<PathBuf, ModelError> {
    let bad = || ModelError::BadAddress(name.to_owned());
    let mut parts = address.splitn(3, '/');
    let (owner, repository) = (parts.next().ok_or_else(bad)?, parts.next().ok_or_else(bad)?);
    let file = parts.next().filter(|file| !file.is_empty()).ok_or_else(bad)?;
    let failed = |error: hf_hub::api::sync::ApiError| ModelError::Hub {
        address: name.into(),
        reason: error.to_string(),
    };
    tracing::info!(
        model = name,
        "looking for the model in the hub's cache; it is fetched where it is not there"
    );
    // The hub's own cache folder and token are used, so that files fetched by other tools are found.
    let api = hf_hub::api::sync::ApiBuilder::from_env().build().map_err(failed)?;
    api.model(format!("{owner}/{repository}")).get(file).map_err(failed)
}
