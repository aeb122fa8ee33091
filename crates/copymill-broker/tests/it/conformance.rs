//! The in-process broker is a broker.

use std::sync::Arc;

use copymill_broker::conformance::model::{self, Step};
use copymill_broker::{Broker, InProcessBroker};
use proptest::prelude::*;

async fn in_process() -> (Arc<dyn Broker>, ()) {
    (Arc::new(InProcessBroker::new()), ())
}

copymill_broker::conformance_suite!(in_process);

proptest! {
    #[test]
    fn no_message_is_lost_or_doubled_whatever_is_done(steps in prop::collection::vec(step(), 1..120)) {
        // Where everything waits, a paused clock jumps to the end of the shortest wait.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(model::check(Arc::new(InProcessBroker::new()), &steps));
    }
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => Just(Step::Publish),
        1 => (1u16..4).prop_map(Step::Open),
        5 => any::<usize>().prop_map(Step::Next),
        1 => any::<usize>().prop_map(Step::Ack),
        1 => any::<usize>().prop_map(Step::Requeue),
        1 => any::<usize>().prop_map(Step::DeadLetter),
        1 => any::<usize>().prop_map(Step::Forget),
        1 => any::<usize>().prop_map(Step::Close),
    ]
}
