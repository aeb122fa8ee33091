"""Prints what scaling asks for the demo model, as JSON: queries of Prometheus, of KEDA and of the adapter for HPAs, and
queues of RabbitMQ."""

import json
import re

import chart


def triggers():
    asked = {"prometheus": [], "rabbitmq": []}
    for scaled in chart.of_kind(chart.rendered("minimal"), "ScaledObject"):
        for trigger in scaled["spec"]["triggers"]:
            metadata = trigger["metadata"]
            asked[trigger["type"]].append(metadata.get("query") or metadata["queueName"])
    asked["prometheus"].append(query_of_the_adapter())
    return asked


def query_of_the_adapter():
    """What prometheus-adapter asks with the rule of docs/DEPLOY.md, for the metric that the chart's HPA names."""
    page = (chart.ROOT / "docs/DEPLOY.md").read_text()
    (block,) = (block for block in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL) if block.startswith("externalRules:"))
    (rule,) = chart.yaml.safe_load(block)["externalRules"]
    scaled = chart.render(chart.merged("minimal", {"scaling": {"mode": "hpa"}}))
    metric = chart.of_kind(scaled, "HorizontalPodAutoscaler")[0]["spec"]["metrics"][0]["external"]["metric"]
    assert rule["seriesQuery"] == metric["name"]
    chosen = {"namespace": chart.NAMESPACE, **metric["selector"]["matchLabels"]}
    matchers = ",".join(f'{label}="{value}"' for label, value in chosen.items())
    return rule["metricsQuery"].replace("<<.LabelMatchers>>", matchers)


if __name__ == "__main__":
    print(json.dumps(triggers()))
