//! Checks of a message. Each has a stable code and a sentence; `docs/CHECKS.md` lists them.

mod facts;
mod phrases;
mod shape;

pub(crate) use facts::{LockedFacts, numbers_in};
pub(crate) use phrases::{Banned, echoes, leftovers, repeats, runs_of};
pub(crate) use shape::{Texts, fields, label, parse};

use copymill_campaign::Reason;

/// What a check found: code, field, sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) code: &'static str,
    pub(crate) field: Option<String>,
    pub(crate) message: String,
}

impl Finding {
    pub(crate) fn new(code: &'static str, field: impl Into<Option<String>>, message: impl Into<String>) -> Self {
        Self { code, field: field.into(), message: message.into() }
    }

    pub(crate) fn reason(self, attempt: u32) -> Reason {
        Reason { code: self.code.into(), field: self.field, message: self.message, attempt }
    }
}
