//! From a campaign file to an accepted campaign.
//!
//! [`check`] finds everything that is wrong before anything happens, [`prepare()`] adds the pass over the audience, and
//! [`accept()`] writes down what will be done, once.

mod accept;
mod check;
mod kind;
mod prepare;
mod user;

pub use accept::{Acceptance, accept, differences, load};
pub use check::{Checked, check, locate};
pub use kind::{kind_definition, unknown_kind};
pub(crate) use prepare::prepare_by;
pub use prepare::{Prepared, prepare};
pub use user::{OrUserError, user_error};
