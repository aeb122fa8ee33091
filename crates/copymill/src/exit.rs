//! How the program ends, and which errors are the user's to mend.

use std::process::ExitCode;

use copymill_campaign::UserError;
pub(crate) use copymill_scheduler::{OrUserError, user_error as usage};

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

/// The code that an error ends the program with.
pub(crate) fn code_of(error: &anyhow::Error) -> Exit {
    if error.is::<UserError>() { Exit::Usage } else { Exit::Failed }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context;

    #[test]
    fn what_the_user_mends_ends_with_64_whatever_is_said_around_it() {
        let error = Err::<(), _>(std::io::Error::other("no such key")).or_user_error().unwrap_err();
        assert_eq!(code_of(&error), Exit::Usage);
        assert_eq!(code_of(&Err::<(), _>(error).context("while reading").unwrap_err()), Exit::Usage);
        assert_eq!(code_of(&anyhow::anyhow!("the disk failed")), Exit::Failed);
    }
}
