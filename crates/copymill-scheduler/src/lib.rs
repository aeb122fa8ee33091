//! Accepts, plans, publishes, tracks and finishes campaigns.
//!
//! A [`Leader`] holds the lease, cuts the audience into chunks, keeps a window of them on the queue, follows what
//! workers report, and writes the manifest. Everything it knows it can read back from the store.

pub mod audience;
mod demand;
pub mod desk;
mod finish;
mod http;
mod intake;
mod lead;
mod lease;
pub mod metrics;
pub mod office;
mod plan;
pub mod program;
mod source;
mod state_file;
mod tracker;
mod window;

pub use intake::{
    Acceptance, Checked, OrUserError, Places, Prepared, accept, check, differences, kind_definition, load,
    locate, prepare, unknown_kind, user_error,
};
pub use lead::{Ended, Leader, Notes, Signals};
pub use lease::{HOLD, Lease, LeaseError, TAKEOVER};
pub use plan::rows_per_chunk;
pub use source::{SEGMENT_COPIES, Source, SourceFile};
pub use window::{Member, Window};
