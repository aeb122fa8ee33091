//! `copymill dead-letters`: messages that were given up on.

use std::time::Duration;

use clap::{Args, Subcommand};
use copymill_broker::{Broker, Consumer, DEAD_LETTER_QUEUE, Delivery, Message, RabbitBroker};

use super::Cluster;
use crate::{
    exit::{Exit, usage},
    output,
};

/// Letters that are looked at: more than people read at once, and few enough to be held.
const LOOKED_AT: u16 = 500;

/// How often the queue is looked at until its length stays the same, and when.
const LOOKS: u32 = 20;
const BETWEEN_LOOKS: Duration = Duration::from_millis(200);

/// Look at messages that were given up on, and send them again
///
/// A message that cannot be read, or that came back too often, is kept in the queue `copymill.dead` with the reason.
#[derive(Args)]
pub(crate) struct DeadLetters {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Name them: number, queue and reason of each
    List,
    /// Print one's content, which may hold a recipient's data
    Show {
        /// Its number in `list`
        number: usize,
    },
    /// Send one back to the queue it came from
    Requeue {
        /// Its number in `list`
        number: usize,
    },
}

impl DeadLetters {
    pub(crate) async fn execute(self) -> anyhow::Result<Exit> {
        let broker = Cluster::reach().await?.broker().await?;
        let (letters, _consumer) = held(&broker).await?;
        match self.action {
            Action::List if letters.is_empty() => output::note("there are no dead letters"),
            Action::List => letters.iter().enumerate().for_each(|(index, letter)| {
                let (queue, reason) = origin(letter);
                output::line(output::printable(&format!("{:>4}  {queue}  {reason}", index + 1)));
            }),
            Action::Show { number } => {
                let body = String::from_utf8_lossy(&pick(letters, number)?.body).into_owned();
                let tabs =
                    |line: &str| line.split('\t').map(output::printable).collect::<Vec<_>>().join("\t");
                body.lines().for_each(|line| output::line(tabs(line)));
            }
            Action::Requeue { number } => requeue(&broker, pick(letters, number)?).await?,
        }
        broker.close().await;
        Ok(Exit::Done)
    }
}

/// The letters, and the consumer that holds them: without it they go back.
async fn held(broker: &RabbitBroker) -> anyhow::Result<(Vec<Delivery>, Box<dyn Consumer>)> {
    let waiting = settled_depth(broker).await?.min(LOOKED_AT.into());
    let mut consumer = broker.consume(DEAD_LETTER_QUEUE, LOOKED_AT).await?;
    let mut letters = Vec::new();
    while (letters.len() as u64) < waiting
        && let Some(letter) = consumer.next().await?
    {
        letters.push(letter);
    }
    Ok((letters, consumer))
}

/// How many letters there are, once nobody gives any back: what was looked at a moment ago goes back one by one, and
/// numbers have to stay the same from one look to the next.
async fn settled_depth(broker: &RabbitBroker) -> anyhow::Result<u64> {
    let mut seen = broker.depth(DEAD_LETTER_QUEUE).await?;
    for _ in 0..LOOKS {
        tokio::time::sleep(BETWEEN_LOOKS).await;
        let now = broker.depth(DEAD_LETTER_QUEUE).await?;
        if now == seen {
            break;
        }
        seen = now;
    }
    Ok(seen)
}

fn origin(letter: &Delivery) -> (&str, &str) {
    letter
        .properties
        .death
        .as_ref()
        .map_or(("?", "no reason was given"), |death| (&death.queue, &death.reason))
}

fn pick(mut letters: Vec<Delivery>, number: usize) -> anyhow::Result<Delivery> {
    if number == 0 || number > letters.len() {
        return Err(usage(format!(
            "there are {} dead letters; `copymill dead-letters list` numbers them",
            letters.len()
        )));
    }
    Ok(letters.swap_remove(number - 1))
}

async fn requeue(broker: &RabbitBroker, mut letter: Delivery) -> anyhow::Result<()> {
    let Some(death) = letter.properties.death.take() else {
        return Err(usage("this message does not say which queue it came from"));
    };
    let message = Message { body: letter.body.clone(), properties: letter.properties.clone() };
    broker.publish(&death.queue, message).await?;
    letter.ack().await?;
    output::line(format_args!("sent to {} again", output::printable(&death.queue)));
    Ok(())
}
