//! The commands, one file each.

pub(crate) mod bench;
pub(crate) mod cluster;
pub(crate) mod generate;
pub(crate) mod init;
pub(crate) mod kinds;
pub(crate) mod models;
pub(crate) mod preview;
pub(crate) mod report;
pub(crate) mod run;
pub(crate) mod schema;
pub(crate) mod validate;
pub(crate) mod verify;
