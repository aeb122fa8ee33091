//! What a worker says every few seconds, and what it is told in between. Shares no thread with decoding.

use std::{sync::Arc, time::Duration};

use copymill_broker::Broker;
use copymill_campaign::{Action, BROADCAST_TOPIC, HEARTBEATS_TOPIC, Heartbeat, ModelPin, Order};
use tokio::task::JoinHandle;

use crate::{hands::Hands, settle::Generator};

/// The leader takes a worker for gone after several of these.
const EVERY: Duration = Duration::from_secs(3);

/// Says that the worker lives, and drops what is cancelled, until it is aborted.
pub(crate) fn beat(
    broker: Arc<dyn Broker>,
    (worker, model): (String, ModelPin),
    hands: Arc<Hands>,
    generator: Generator,
) -> JoinHandle<()> {
    tokio::spawn(async move {
        tokio::join!(speak(&broker, (worker, model), &hands, &generator), listen(&broker, &hands));
    })
}

async fn speak(
    broker: &Arc<dyn Broker>,
    (worker, model): (String, ModelPin),
    hands: &Hands,
    generator: &Generator,
) {
    let mut every = tokio::time::interval(EVERY);
    loop {
        every.tick().await;
        let snapshot = generator.progress.snapshot();
        let heartbeat = Heartbeat {
            v: 1,
            worker: worker.clone(),
            model: model.clone(),
            chunks: hands.held(),
            is_waiting: hands.is_waiting(),
            messages: snapshot.messages,
            tokens: snapshot.generated_tokens,
            busy_s: generator.engine.stats().decode_time.as_secs_f64(),
        };
        let body = serde_json::to_vec(&heartbeat).expect("a heartbeat serialises");
        // One that is not heard is followed by the next.
        if let Err(error) = broker.broadcast(HEARTBEATS_TOPIC, body.into()).await {
            tracing::debug!(%error, "a heartbeat was not sent");
        }
    }
}

/// A hint that is missed costs time only: the campaign's state decides before each chunk.
async fn listen(broker: &Arc<dyn Broker>, hands: &Hands) {
    let Ok(mut orders) = broker.listen(BROADCAST_TOPIC).await else { return };
    while let Ok(Some(body)) = orders.next().await {
        if let Ok(Order { campaign, action: Action::Cancel, .. }) = serde_json::from_slice(&body) {
            hands.cancel(&campaign);
        }
    }
}
