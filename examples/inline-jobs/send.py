#!/usr/bin/env python3
"""Sends an inline job to Copymill's workers over RabbitMQ, waits for the answer and prints the messages.

    pip install pika            # or: apt-get install python3-pika
    copymill models demo        # says which queue the model's jobs are published to
    python3 examples/inline-jobs/send.py --queue copymill.jobs.demo.0123456789ab

The job is a file of JSON, docs/inline-job.schema.json describes it. Sending it again with the same --message-id is
harmless: the stored result is answered again. Exit codes: 0 answered, 1 refused, 2 not answered.
"""

import argparse
import json
import os
import pathlib
import sys
import uuid

import pika
import pika.exceptions


def main():
    options = read_options()
    try:
        body = options.job.read_bytes()
        connection = pika.BlockingConnection(pika.URLParameters(options.broker))
    except OSError as error:
        stop(f"{options.job} cannot be read: {error.strerror}")
    except (ValueError, pika.exceptions.AMQPError) as error:
        stop(f"the broker cannot be reached; is --broker (or COPYMILL_BROKER__URL) right? {error!r}")
    try:
        answer = ask(connection, options, body)
    finally:
        connection.close()
    if answer["status"] == "refused":
        refuse(answer)
    show(answer)


def read_options():
    parser = argparse.ArgumentParser(description="Send an inline job to Copymill's workers and print the messages.")
    parser.add_argument("--queue", required=True, help="the queue of the model's jobs; `copymill models` names it")
    parser.add_argument(
        "--broker",
        default=os.environ.get("COPYMILL_BROKER__URL", "amqp://guest:guest@127.0.0.1:5672/%2f"),
        help="the broker's address; COPYMILL_BROKER__URL, if not given",
    )
    parser.add_argument("--job", type=pathlib.Path, default=pathlib.Path(__file__).with_name("job.json"))
    parser.add_argument("--message-id", default=str(uuid.uuid4()), help="the job's id; a new one, if not given")
    parser.add_argument("--patience", type=float, default=600, help="seconds to wait for the answer")
    return parser.parse_args()


def ask(connection, options, body):
    """Publishes the job and waits for the message with its correlation id."""
    channel = connection.channel()
    # Without confirms a job that no queue took would be waited for in vain.
    channel.confirm_delivery()
    # Only this connection reads it, and it goes with the connection.
    answers = channel.queue_declare(queue="", exclusive=True).method.queue
    properties = pika.BasicProperties(
        message_id=options.message_id,
        correlation_id=options.message_id,
        reply_to=answers,
        content_type="application/json",
        delivery_mode=2,
    )
    try:
        channel.basic_publish("", options.queue, body, properties, mandatory=True)
    except pika.exceptions.UnroutableError:
        stop(f"there is no queue {options.queue}: has a worker with that model been started?")
    print(f"{options.message_id} was sent to {options.queue}", file=sys.stderr)
    for method, received, answer in channel.consume(answers, auto_ack=True, inactivity_timeout=options.patience):
        if method is None:
            stop(f"no answer within {options.patience:g} s; send it again with --message-id {options.message_id}")
        if received.correlation_id == options.message_id:
            return json.loads(answer)
    return stop("the broker closed the connection; send the job again with the same --message-id")


def show(answer):
    if "lines" not in answer:
        print(f"the messages are too large for an answer; they are in the object {answer['key']}")
        return
    for line in answer["lines"]:
        print(f"{line['recipient_id']} {line['variant']} {line['outcome']}")
        for name, text in line.get("rendered", {}).items():
            print(f"  {name}: {text}")
        for reason in line.get("reasons", []):
            print(f"  attempt {reason['attempt']} failed: {reason['message']}")


def refuse(answer):
    print(f"refused: {answer['reason']}", file=sys.stderr)
    for problem in answer["problems"]:
        print(f"  {problem['key']}: {problem['message']}", file=sys.stderr)
    sys.exit(1)


def stop(message):
    print(message, file=sys.stderr)
    sys.exit(2)


if __name__ == "__main__":
    main()
