"""Short words for the expressions of the dashboards.

Every selector filters by the variable `$namespace`. Its value `.*` also matches series without that label.
Workers carry no label `model` on their numbers, so a model's workers are found over the info series that they expose.
"""


def selector(name, **labels):
    """Returns a selector; a value may begin with `~`, `!` or `!~` for the other kinds of match."""
    matchers = ['namespace=~"$namespace"']
    for label, value in labels.items():
        operator = "=" + "~" * value.startswith("~")
        if value.startswith("!"):
            operator = "!~" if value.startswith("!~") else "!="
        matchers.append(f'{label}{operator}"{value.lstrip("!~")}"')
    return f"{name}{{{','.join(matchers)}}}"


def worker(name, **labels):
    return selector(f"copymill_worker_{name}", **labels)


def scheduler(name, **labels):
    return selector(f"copymill_scheduler_{name}", **labels)


def planned(name):
    """Returns a series that the leader keeps for each model."""
    return scheduler(name, model="~$model")


MODELS = worker("model_info", model="~$model")


def rate(series, window="$__rate_interval"):
    return f"rate({series}[{window}])"


def increase(series, window="$__range"):
    return f"increase({series}[{window}])"


def total(expression, *labels):
    by = f" by ({', '.join(labels)})" if labels else ""
    return f"sum{by} ({expression})"


def largest(expression, *labels):
    by = f" by ({', '.join(labels)})" if labels else ""
    return f"max{by} ({expression})"


def of_model(expression, window=None):
    """Keeps the workers that hold one of the chosen models; with a window, also those that have ended within it."""
    return f"{expression} and on (namespace, instance) {_models(window)}"


def by_model(expression, window):
    """Sums numbers of workers by the model that they hold."""
    # An address that passed from one worker to another within the window has two models; Prometheus wants one.
    model = f"topk by (namespace, instance) (1, max by (namespace, instance, model) ({_models(window)}))"
    return f"sum by (model) ({expression} * on (namespace, instance) group_left (model) {model})"


def quantile(q, histogram):
    """Returns a quantile over the chosen models' workers."""
    return f"histogram_quantile({q}, {total(of_model(rate(worker(histogram + '_bucket'))), 'le')})"


def scheduler_quantile(q, histogram, *labels):
    return f"histogram_quantile({q}, {total(rate(scheduler(histogram + '_bucket')), 'le', *labels)})"


def both(name, **labels):
    """Returns the rate of a counter that schedulers and workers have alike."""
    return f"{rate(worker(name, **labels))} or {rate(scheduler(name, **labels))}"


def _models(window):
    return f"max_over_time({MODELS}[{window}])" if window else MODELS
