//! The start-up probe: whether a store honours conditions when writers race. Two real servers are known to answer 200
//! and overwrite; exactly-once output cannot be had on them.

use std::sync::Arc;

use futures::future::join_all;

use crate::store::{Condition, Put, Store, StoreError};

/// Writers that race for one object.
const WRITERS: usize = 8;
/// Races on each condition. A server that only looks and then writes fails nearly every one of them.
const RACES: usize = 3;

/// Why a store cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// Several writers were told that they won, or none.
    #[error(
        "{place} does not honour {header}: of {WRITERS} writers that raced for one object, {winners} were told that they \
         won. Results could be overwritten there. Use another store, or set store.unconditional: true, which allows one \
         scheduler only and gives up the guarantee of one result per message"
    )]
    NotAtomic {
        /// The store.
        place: String,
        /// The condition.
        header: &'static str,
        /// Writers that were told so.
        winners: usize,
    },
    /// The store could not be asked.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Lets writers race on each condition; exactly one may win each race.
pub async fn probe(store: &Arc<dyn Store>) -> Result<(), ProbeError> {
    for _ in 0..RACES {
        let key = format!("probe/{}", ulid::Ulid::generate());
        let raced = race_twice(store, &key).await;
        store.delete(&key).await?;
        raced?;
    }
    Ok(())
}

async fn race_twice(store: &Arc<dyn Store>, key: &str) -> Result<(), ProbeError> {
    let etag = race(store, key, &Condition::IfAbsent, "If-None-Match").await?;
    race(store, key, &Condition::IfMatch(etag), "If-Match").await.map(drop)
}

/// The winner's ETag.
async fn race(
    store: &Arc<dyn Store>,
    key: &str,
    condition: &Condition,
    header: &'static str,
) -> Result<String, ProbeError> {
    let bodies = (0..WRITERS).map(|writer| format!("{header} {writer}").into());
    let puts = join_all(bodies.map(|body| store.put(key, body, condition.clone()))).await;
    let mut winners = Vec::new();
    for put in puts {
        if let Put::Stored(etag) = put? {
            winners.push(etag);
        }
    }
    match winners.as_slice() {
        [etag] => Ok(etag.clone()),
        _ => Err(ProbeError::NotAtomic { place: store.describe(), header, winners: winners.len() }),
    }
}
