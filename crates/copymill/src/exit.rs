//! How the program ends, and which errors are the user's to mend.

use std::{fmt, process::ExitCode};

/// Exit codes; `copymill help` lists them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// What was asked for is done.
    Done = 0,
    /// It could not be done, or what was looked at is not in order.
    Failed = 1,
    /// The command line, the campaign or a file that it names has to be changed first (`EX_USAGE` of sysexits.h).
    Usage = 64,
    /// Stopped by a signal before it was done; the same command continues. Shells report Ctrl-C as 130.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// An error that the user mends, not the machine: it ends the program with [`Exit::Usage`].
#[derive(Debug)]
struct Usage(String);

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}

/// Makes an error that the user mends.
pub(crate) fn usage(message: impl Into<String>) -> anyhow::Error {
    Usage(message.into()).into()
}

/// The code that an error ends the program with.
pub(crate) fn code_of(error: &anyhow::Error) -> Exit {
    if error.is::<Usage>() { Exit::Usage } else { Exit::Failed }
}

/// Errors of a step in which only what the user wrote can be wrong.
pub(crate) trait OrUsage<T> {
    /// Makes the error one that the user mends; its causes become part of its message.
    fn or_usage(self) -> anyhow::Result<T>;
}

impl<T, E: Into<anyhow::Error>> OrUsage<T> for Result<T, E> {
    fn or_usage(self) -> anyhow::Result<T> {
        self.map_err(|error| usage(format!("{:#}", error.into())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context;

    #[test]
    fn what_the_user_mends_ends_with_64_whatever_is_said_around_it() {
        let error = Err::<(), _>(std::io::Error::other("no such key")).or_usage().unwrap_err();
        assert_eq!(code_of(&error), Exit::Usage);
        assert_eq!(code_of(&Err::<(), _>(error).context("while reading").unwrap_err()), Exit::Usage);
        assert_eq!(code_of(&anyhow::anyhow!("the disk failed")), Exit::Failed);
    }
}
