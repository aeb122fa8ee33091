//! The window: how many chunks of one model are published at once, and whose they are.
//!
//! Campaigns share it by weight. Each has a virtual time that moves on by 1/weight with every chunk it publishes, and a
//! free place goes to the one that wants it and is furthest behind: weighted fair queueing with chunks of equal cost. A
//! campaign that would miss its deadline moves on more slowly, and so gets more.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::Notify;

/// A turn waits this long for who has it: between two chunks a leader is busy with the store and the broker, and who is
/// quicker must not take its share. One that is stuck holds nobody up for longer.
const TURN_PATIENCE: Duration = Duration::from_millis(100);

/// A window; clones share it.
#[derive(Clone)]
pub struct Window(Arc<Inner>);

struct Inner {
    places: Mutex<Places>,
    /// Told whenever a place or a turn may be free.
    changed: Notify,
}

struct Places {
    all: usize,
    free: usize,
    shares: BTreeMap<u64, Standing>,
    next_share: u64,
    /// When the latest of the chunks that workers began was published.
    begun_until: Option<Instant>,
}

/// One campaign's standing.
struct Standing {
    virtual_time: f64,
    weight: f64,
    /// How many times the share of its weight it gets, for the sake of its deadline.
    urgency: f64,
    /// Places that it has.
    taken: usize,
    wants: bool,
    /// Until when it counts as wanting a place although it does not wait for one.
    busy_until: Option<tokio::time::Instant>,
}

impl Standing {
    fn takes_part(&self) -> bool {
        self.wants || self.busy_until.is_some_and(|until| tokio::time::Instant::now() < until)
    }
}

/// A campaign's part in a window; ends when dropped.
pub struct Member {
    window: Window,
    share: u64,
}

/// The right to have one chunk published; free again when dropped.
pub struct Place(Window, u64);

/// Looks at a campaign's part in a window.
pub(crate) struct Share(Window, u64);

impl Share {
    /// Places that the campaign has at the moment.
    pub(crate) fn taken(&self) -> usize {
        self.0.places().shares.get(&self.1).map_or(0, |share| share.taken)
    }
}

impl Window {
    /// A window of `places` chunks, at least one.
    pub fn new(places: usize) -> Self {
        let places = Places {
            all: places.max(1),
            free: places.max(1),
            shares: BTreeMap::new(),
            next_share: 0,
            begun_until: None,
        };
        Self(Arc::new(Inner { places: Mutex::new(places), changed: Notify::new() }))
    }

    /// Lets a campaign take part. It starts level with the one that is furthest behind: who comes late neither owes
    /// nor is owed anything.
    pub fn join(&self, weight: f64) -> Member {
        let mut places = self.places();
        let times = places.shares.values().map(|share| share.virtual_time);
        let virtual_time = times.reduce(f64::min).unwrap_or_default();
        let share = places.next_share;
        places.next_share += 1;
        places.shares.insert(
            share,
            Standing {
                virtual_time,
                taken: 0,
                weight: weight.max(f64::MIN_POSITIVE),
                urgency: 1.0,
                wants: false,
                busy_until: None,
            },
        );
        Member { window: self.clone(), share }
    }

    /// Places that are taken.
    pub(crate) fn taken(&self) -> usize {
        let places = self.places();
        places.all - places.free
    }

    fn places(&self) -> MutexGuard<'_, Places> {
        self.0.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Places {
    /// Whether a share is the one that is furthest behind among those that want a place.
    fn is_turn_of(&self, share: u64) -> bool {
        let waiting = self.shares.iter().filter(|(_, share)| share.takes_part());
        let next = waiting.min_by(|(_, a), (_, b)| a.virtual_time.total_cmp(&b.virtual_time));
        next.is_some_and(|(id, _)| *id == share)
    }

    fn take(&mut self, share: u64) -> bool {
        if self.free == 0 || !self.is_turn_of(share) {
            return false;
        }
        self.free -= 1;
        if let Some(share) = self.shares.get_mut(&share) {
            share.virtual_time += 1.0 / (share.weight * share.urgency);
            share.taken += 1;
            share.wants = false;
        }
        true
    }
}

impl Member {
    /// Waits for a place; cancel-safe.
    pub async fn place(&self) -> Place {
        let wanting = Wanting::begin(self);
        loop {
            let changed = self.window.0.changed.notified();
            let taken = self.window.places().take(self.share);
            if taken {
                drop(wanting);
                return Place(self.window.clone(), self.share);
            }
            // The turn of somebody who is stuck ends without a word.
            let _ = tokio::time::timeout(TURN_PATIENCE, changed).await;
        }
    }

    /// Looks at the places that it has.
    pub(crate) fn share(&self) -> Share {
        Share(self.window.clone(), self.share)
    }

    /// Gives the campaign this many times the share of its weight.
    pub fn hurry(&self, urgency: f64) {
        if let Some(share) = self.window.places().shares.get_mut(&self.share) {
            share.urgency = urgency.max(f64::MIN_POSITIVE);
        }
    }

    /// Says that there is nothing to publish for the time being: turns pass on at once.
    pub fn rest(&self) {
        if let Some(share) = self.window.places().shares.get_mut(&self.share)
            && share.busy_until.take().is_some()
        {
            self.window.0.changed.notify_waiters();
        }
    }

    /// Notes that a worker began a chunk that was published at a moment.
    pub fn begun(&self, published: Instant) {
        let mut places = self.window.places();
        places.begun_until = places.begun_until.max(Some(published));
    }

    /// When the latest chunk of the window that a worker began was published: a queue keeps its order.
    pub fn begun_until(&self) -> Option<Instant> {
        self.window.places().begun_until
    }
}

/// Says that a member waits, for as long as it does.
struct Wanting<'a>(&'a Member);

impl<'a> Wanting<'a> {
    fn begin(member: &'a Member) -> Self {
        let mut places = member.window.places();
        let others = places.shares.iter().filter(|(id, share)| **id != member.share && share.takes_part());
        let behind = others.map(|(_, share)| share.virtual_time).reduce(f64::min);
        if let Some(share) = places.shares.get_mut(&member.share) {
            // Who did not want anything for a while does not save up turns.
            if !share.takes_part() {
                let level = behind.unwrap_or(share.virtual_time);
                share.virtual_time = share.virtual_time.max(level - 1.0 / (share.weight * share.urgency));
            }
            share.wants = true;
        }
        drop(places);
        Self(member)
    }
}

impl Drop for Wanting<'_> {
    fn drop(&mut self) {
        if let Some(share) = self.0.window.places().shares.get_mut(&self.0.share) {
            share.wants = false;
            share.busy_until = Some(tokio::time::Instant::now() + TURN_PATIENCE);
        }
        self.0.window.0.changed.notify_waiters();
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.window.places().shares.remove(&self.share);
        self.window.0.changed.notify_waiters();
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut places = self.0.places();
        places.free += 1;
        if let Some(share) = places.shares.get_mut(&self.1) {
            share.taken -= 1;
        }
        drop(places);
        self.0.0.changed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;
    use tokio::time::timeout;

    use super::*;

    /// Publishes as fast as the window lets it, each chunk being done after a moment, and counts.
    async fn publish(member: Member, count: Arc<Mutex<u64>>) {
        loop {
            let place = member.place().await;
            *count.lock().unwrap() += 1;
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(10)).await;
                drop(place);
            });
        }
    }

    async fn shares_of(weights: &[f64], places: usize, time: Duration) -> Vec<u64> {
        let window = Window::new(places);
        let counts: Vec<_> = weights.iter().map(|_| Arc::new(Mutex::new(0))).collect();
        let members = weights.iter().zip(&counts);
        let tasks: Vec<_> = members
            .map(|(weight, count)| tokio::spawn(publish(window.join(*weight), count.clone())))
            .collect();
        tokio::time::sleep(time).await;
        tasks.iter().for_each(tokio::task::JoinHandle::abort);
        counts.iter().map(|count| *count.lock().unwrap()).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn campaigns_share_a_window_by_weight() {
        let counts = shares_of(&[1.0, 2.0, 5.0], 16, Duration::from_secs(10)).await;
        let total: u64 = counts.iter().sum();
        assert!(total > 15_000, "the window stays full: {counts:?}");
        for (count, weight) in counts.iter().zip([1.0, 2.0, 5.0]) {
            let share = *count as f64 / total as f64;
            assert!((share - weight / 8.0).abs() < 0.01, "{counts:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_in_a_hurry_gets_more_and_leaves_the_others_theirs() {
        let window = Window::new(8);
        let (calm, hasty) = (Arc::new(Mutex::new(0)), Arc::new(Mutex::new(0)));
        let member = window.join(1.0);
        member.hurry(4.0);
        tokio::spawn(publish(window.join(1.0), calm.clone()));
        tokio::spawn(publish(member, hasty.clone()));
        tokio::time::sleep(Duration::from_secs(10)).await;
        let (calm, hasty) = (*calm.lock().unwrap(), *hasty.lock().unwrap());
        assert!((3.9..4.1).contains(&(hasty as f64 / calm as f64)), "{hasty} and {calm}");
    }

    #[tokio::test(start_paused = true)]
    async fn who_comes_late_gets_a_share_and_no_more() {
        let window = Window::new(4);
        let (old, new) = (Arc::new(Mutex::new(0)), Arc::new(Mutex::new(0)));
        tokio::spawn(publish(window.join(1.0), old.clone()));
        tokio::time::sleep(Duration::from_secs(5)).await;
        *old.lock().unwrap() = 0;
        tokio::spawn(publish(window.join(1.0), new.clone()));
        tokio::time::sleep(Duration::from_secs(5)).await;
        let (old, new) = (*old.lock().unwrap(), *new.lock().unwrap());
        assert!(old.abs_diff(new) <= 4, "{old} and {new}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_member_that_leaves_or_gives_up_waiting_holds_nobody_up() {
        let window = Window::new(1);
        let (first, second) = (window.join(1.0), window.join(1.0));
        let held = first.place().await;
        assert!(timeout(Duration::from_secs(1), second.place()).await.is_err());
        drop(held);
        drop(second.place().await);
        let third = window.join(1.0);
        let held = first.place().await;
        let waiting = tokio::spawn(async move { drop(third.place().await) });
        tokio::task::yield_now().await;
        drop(first);
        drop(held);
        waiting.await.unwrap();
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn any_weights_are_kept(weights in prop::collection::vec(1_u32..20, 1..6), places in 1_usize..20) {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
            let weights: Vec<f64> = weights.into_iter().map(f64::from).collect();
            let sum: f64 = weights.iter().sum();
            let counts = runtime.block_on(shares_of(&weights, places, Duration::from_secs(20)));
            let total: u64 = counts.iter().sum();
            for (count, weight) in counts.iter().zip(&weights) {
                let expected = total as f64 * weight / sum;
                prop_assert!((*count as f64 - expected).abs() <= expected.mul_add(0.05, 25.0), "{counts:?} for {weights:?}");
            }
        }
    }
}
