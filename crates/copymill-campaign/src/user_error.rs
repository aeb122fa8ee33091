//! Errors that the user mends, told apart from those that the machine has.

/// What is wrong with something that a user wrote or named, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct UserError(pub String);
