//! Making errors ones that the user mends.

use copymill_campaign::UserError;

/// Makes an error that the user mends.
pub fn user_error(message: impl Into<String>) -> anyhow::Error {
    UserError(message.into()).into()
}

/// Errors of a step in which only what the user wrote can be wrong.
pub trait OrUserError<T> {
    /// Makes the error one that the user mends; its causes become part of its message.
    fn or_user_error(self) -> anyhow::Result<T>;
}

impl<T, E: Into<anyhow::Error>> OrUserError<T> for Result<T, E> {
    fn or_user_error(self) -> anyhow::Result<T> {
        self.map_err(|error| user_error(format!("{:#}", error.into())))
    }
}
