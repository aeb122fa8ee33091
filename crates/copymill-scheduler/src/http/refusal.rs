//! What a request is told that gets nothing: a status, a sentence, and all problems at once.

use std::path::Path;

use axum::{
    http::StatusCode,
    response::{IntoResponse, Response},
};
use copymill_campaign::UserError;
use serde::Serialize;

use super::json;

/// An error that a client is told.
#[derive(Debug, Serialize)]
pub(super) struct Refusal {
    #[serde(skip)]
    status: StatusCode,
    /// What is wrong.
    error: String,
    /// Each thing that is wrong with a campaign, as `copymill validate` prints it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    problems: Vec<String>,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, error: impl Into<String>) -> Self {
        Self { status, error: error.into(), problems: Vec::new() }
    }

    /// What the client mends has this status; the rest is the server's, and told to its log alone.
    pub(super) fn of(error: &anyhow::Error, status: StatusCode) -> Self {
        let Some(UserError(text)) = error.downcast_ref() else {
            tracing::warn!(error = format!("{error:#}"), "a request over HTTP failed");
            let words =
                "the store, the broker or the scratch folder could not be used; the scheduler's log says why";
            return Self::new(StatusCode::SERVICE_UNAVAILABLE, words);
        };
        Self::new(status, text)
    }

    /// What is wrong with a campaign that was checked in a folder. Its name is taken out: where the server keeps what is
    /// none of the client's business.
    pub(super) fn of_campaign(error: &anyhow::Error, folder: &Path) -> Self {
        let mut refusal = Self::of(error, StatusCode::BAD_REQUEST);
        refusal.error = refusal.error.replace(&format!("{}/", folder.display()), "");
        // A line that names no key counts the others.
        refusal.problems =
            refusal.error.lines().filter(|line| line.contains(": ")).map(str::to_owned).collect();
        if !refusal.problems.is_empty() {
            refusal.error = "the campaign is not in order; `problems` says why".to_owned();
        }
        refusal
    }
}

impl From<anyhow::Error> for Refusal {
    fn from(error: anyhow::Error) -> Self {
        Self::of(&error, StatusCode::BAD_REQUEST)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        json(self.status, &self)
    }
}
