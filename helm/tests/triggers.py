"""Prints what KEDA is told to ask for the demo model, as JSON: queries of Prometheus, and queues of RabbitMQ."""

import json

import chart


def triggers():
    asked = {"prometheus": [], "rabbitmq": []}
    for scaled in chart.of_kind(chart.rendered("minimal"), "ScaledObject"):
        for trigger in scaled["spec"]["triggers"]:
            metadata = trigger["metadata"]
            asked[trigger["type"]].append(metadata.get("query") or metadata["queueName"])
    return asked


if __name__ == "__main__":
    print(json.dumps(triggers()))
