//! What every store promises, as functions that panic where a store breaks it.
//!
//! Each function expects a store without objects. [`conformance_suite!`](crate::conformance_suite) makes a test of
//! each one.

mod listing;
mod objects;
mod races;

use std::sync::Arc;

use bytes::Bytes;

pub use listing::*;
pub use objects::*;
pub use races::*;

use crate::{Condition, Put, Store};

/// Makes a test of every promise. The fixture is an async function that returns two stores of one new, empty place,
/// as two processes would open it, and anything that must live as long as the test.
///
/// Servers that are known to break promises are held to everything else; programs refuse to work on those that lose races:
///
/// - `conformance_suite!(fixture, with plain files)`: keys are paths with what a file system allows, and what is known of an
///   object that was put whole is taken for true of one in its place that is put in parts;
/// - `conformance_suite!(fixture, for one writer at a time)`: races are lost, and conditions ignored on what comes in parts.
#[macro_export]
macro_rules! conformance_suite {
    ($fixture:path) => {
        $crate::conformance_suite! { $fixture, with plain files }
        $crate::conformance_suite! { @each $fixture,
            the_longest_key_is_kept
            the_beginning_of_a_key_is_another_key
            a_file_replaces_one_of_any_other_size
        }
    };
    ($fixture:path, with plain files) => {
        $crate::conformance_suite! { @alone $fixture }
        $crate::conformance_suite! { @each $fixture,
            one_of_many_writers_creates_an_object
            one_of_many_writers_replaces_an_object
            no_increment_of_a_counter_is_lost
            a_condition_holds_for_files_of_any_size
        }
    };
    ($fixture:path, for one writer at a time) => {
        $crate::conformance_suite! { @alone $fixture }
        $crate::conformance_suite! { @each $fixture,
            the_longest_key_is_kept
            the_beginning_of_a_key_is_another_key
            a_file_replaces_one_of_any_other_size
        }
    };
    (@alone $fixture:path) => {
        $crate::conformance_suite! { @each $fixture,
            an_object_comes_back_as_it_was_put
            a_missing_key_is_none_and_its_deletion_success
            a_deleted_object_is_gone_and_its_key_free
            an_unconditional_put_replaces
            if_absent_keeps_what_is_there
            if_match_replaces_only_what_was_read
            an_etag_changes_with_the_content
            an_empty_object_is_an_object
            any_bytes_and_any_script_are_kept
            keys_that_not_every_store_can_hold_are_refused
            large_objects_go_from_file_to_file
            a_listing_is_ascending_and_complete_over_pages
            a_listing_holds_to_its_prefix
            a_listing_goes_on_after_any_key
            a_listing_orders_keys_as_bytes
            a_reader_never_sees_half_an_object
        }
    };
    (@each $fixture:path, $($promise:ident)+) => {
        $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $promise() {
                let (first, second, _alive) = $fixture().await;
                $crate::conformance::$promise([first, second]).await;
            }
        )+
    };
}

/// Two stores of one place, as two processes open it.
pub type Pair = [Arc<dyn Store>; 2];

async fn put(store: &Arc<dyn Store>, key: &str, body: impl Into<Bytes>) -> String {
    match store.put(key, body.into(), Condition::Always).await.expect("a plain put succeeds") {
        Put::Stored(etag) => etag,
        Put::Refused => panic!("the unconditional put of {key} was refused"),
    }
}

async fn put_if(store: &Arc<dyn Store>, key: &str, body: impl Into<Bytes>, condition: Condition) -> Put {
    store.put(key, body.into(), condition).await.expect("a conditional put is stored or refused")
}

async fn body_of(store: &Arc<dyn Store>, key: &str) -> Option<Bytes> {
    store.get(key).await.expect("a read succeeds").map(|object| object.body)
}
