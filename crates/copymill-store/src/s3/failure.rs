//! What went wrong, in the words of the seam.

use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};

use crate::StoreError;

/// Codes that servers give where they have no room.
const FULL: [&str; 4] = ["InsufficientStorage", "XMinioStorageFull", "QuotaExceeded", "TotalQuotaExceeded"];

/// A call that may fail.
#[derive(Clone)]
pub(super) struct Failing<'a> {
    pub(super) action: &'static str,
    pub(super) key: &'a str,
    pub(super) place: String,
}

impl Failing<'_> {
    /// The error of a call.
    pub(super) fn with<E>(&self, error: SdkError<E, HttpResponse>) -> StoreError
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        if error.code().is_some_and(|code| FULL.contains(&code)) || status(&error) == Some(507) {
            return StoreError::Full { place: self.place.clone() };
        }
        self.because(explain(&error))
    }

    /// The error of a part of a call, such as reading its body.
    pub(super) fn because(&self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> StoreError {
        StoreError::Failed {
            action: self.action,
            key: self.key.to_owned(),
            place: self.place.clone(),
            source: source.into(),
        }
    }
}

/// What the server said, or why it could not be asked; the SDK's own texts name neither.
fn explain<E>(error: &SdkError<E, HttpResponse>) -> String
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    if let (Some(status), Some(code)) = (status(error), error.code()) {
        let message = error.message().map(|message| format!(": {message}")).unwrap_or_default();
        return format!("the server answers {status} {code}{message}");
    }
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

/// The HTTP status, where there was an answer.
pub(super) fn status<E>(error: &SdkError<E, HttpResponse>) -> Option<u16> {
    error.raw_response().map(|response| response.status().as_u16())
}

/// Whether the object is missing; a missing bucket is a failure.
pub(super) fn is_missing<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> bool {
    status(error) == Some(404) && error.code() != Some("NoSuchBucket")
}
