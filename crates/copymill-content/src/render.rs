//! Rendering: fields become a message. Everything that is the same for all rows is escaped once, when copy is drafted;
//! per row only its values are filled in.

mod email;
mod escape;
mod labels;
mod parts;

pub(crate) use email::EmailSkeletons;
pub(crate) use escape::{html, json_inside};
pub(crate) use labels::{is_right_to_left, unsubscribe};
pub(crate) use parts::{Filled, Part, Renderer};
