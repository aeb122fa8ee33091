//! Who must not be written to: suppression lists, read and looked up.
//!
//! [`SuppressionList`] is one version of a list in memory. [`Lists`] finds the newest version of a campaign's list, at
//! planning and again before a message is written. A list that cannot be read is an error; nothing is ever sent
//! without it.

mod list;
mod lists;

pub use list::{ENTRIES_MAX, ListError, SuppressionList};
pub use lists::{CampaignList, LISTS_KEPT, Lists};
