"""Values that cannot work are refused, and the words say which."""

import unittest

import chart

from helm_python import Chart
from helm_python.errors import HelmValuesError

# What is laid over the minimal values, and what the error has to name.
NONSENSE = [
    ("a value that nobody knows", {"replicas": 3}, "replicas"),
    ("a misspelt value further down", {"scheduler": {"replica": 3}}, "replica"),
    ("no registry", {"image": {"registry": ""}}, "image.registry"),
    ("a tag with a space", {"image": {"tag": "0.1 0"}}, "image.tag"),
    ("a pull policy that does not exist", {"image": {"pullPolicy": "Sometimes"}}, "pullPolicy"),
    ("a store that is a folder", {"store": {"url": "/var/campaigns"}}, "store.url"),
    ("a bucket with capitals", {"store": {"url": "s3://Campaigns"}}, "store.url"),
    ("a store without conditions", {"store": {"unconditional": True}}, "unconditional"),
    ("an endpoint without http", {"store": {"s3": {"endpoint": "minio:9000"}}}, "endpoint"),
    ("an access key itself", {"store": {"credentials": {"accessKeyId": "AKIAIOSFODNN7EXAMPLE"}}}, "accessKeyId"),
    (
        "an access key in place of its name",
        {"store": {"credentials": {"accessKeyIdKey": "AKIAIOSFODNN7EXAMPLE"}}},
        "accessKeyIdKey",
    ),
    ("a password in the broker's address", {"broker": {"url": "amqp://user:pass@rabbitmq:5672/c"}}, "broker.url"),
    ("a user in the broker's address", {"broker": {"url": "amqp://user@rabbitmq:5672/copymill"}}, "broker.url"),
    ("a broker that speaks http", {"broker": {"url": "http://rabbitmq:15672"}}, "broker.url"),
    ("a password itself", {"broker": {"password": "hunter2"}}, "password"),
    ("a password where its Secret is named", {"broker": {"secret": {"password": "hunter2"}}}, "password"),
    ("a password with signs that no key has", {"broker": {"secret": {"passwordKey": "hunter 2!"}}}, "passwordKey"),
    (
        "a password in the management address",
        {"broker": {"management": {"url": "http://user:pass@rabbitmq:15672"}}},
        "management.url",
    ),
    ("a node with a scheme", {"broker": {"nodes": ["amqp://rabbitmq-1"]}}, "nodes"),
    ("a token itself", {"huggingFace": {"tokenKey": "hf_abcdefghijklmnopqrstuvwxyz"}}, "tokenKey"),
    ("no scheduler", {"scheduler": {"replicas": 0}}, "replicas"),
    ("chunks of nothing", {"scheduler": {"chunkTokens": 0}}, "chunkTokens"),
    ("half a chunk in the window", {"scheduler": {"window": 0.5}}, "window"),
    ("memory in words", {"scheduler": {"resources": {"limits": {"memory": "lots"}}}}, "memory"),
    ("resources that are neither asked for nor limited", {"scheduler": {"resources": {"cpu": 1}}}, "cpu"),
    ("no models", {"models": []}, "models"),
    ("longest chunks beyond RabbitMQ's patience", {"modelDefaults": {"secondsPerChunk": 1800}}, "secondsPerChunk"),
    ("chunks without a length", {"modelDefaults": {"secondsPerChunk": 0}}, "secondsPerChunk"),
    ("a backend that does not exist", {"modelDefaults": {"backend": "rocm"}}, "backend"),
    ("half a GPU", {"modelDefaults": {"gpu": {"count": 0.5}}}, "count"),
    ("a GPU resource without a maker", {"modelDefaults": {"gpu": {"resource": "gpu"}}}, "resource"),
    ("workers below none", {"modelDefaults": {"replicas": {"min": -1}}}, "min"),
    ("at most no workers", {"modelDefaults": {"replicas": {"max": 0}}}, "max"),
    ("idle workers, which KEDA does not know", {"modelDefaults": {"replicas": {"min": 3, "idle": 1}}}, "idle"),
    ("a cache of words", {"modelDefaults": {"cache": {"sizeGiB": "20Gi"}}}, "sizeGiB"),
    ("a cache of no kind", {"modelDefaults": {"cache": {"type": "hostPath"}}}, "cache.type"),
    ("a toleration of nothing", {"modelDefaults": {"tolerations": [{"effect": "Always"}]}}, "effect"),
    ("half of all workers, misspelt", {"modelDefaults": {"disruptionBudget": "50"}}, "disruptionBudget"),
    ("a startup of no time", {"modelDefaults": {"startup": {"minutes": 0}}}, "minutes"),
    (
        "a secret in the environment",
        {"scheduler": {"extraEnv": [{"name": "HF_TOKEN", "value": "abc"}]}},
        "extraEnv",
    ),
    (
        "an address with a password in the environment",
        {"scheduler": {"extraEnv": [{"name": "HTTPS_PROXY", "value": "http://me:pass@proxy:3128"}]}},
        "extraEnv",
    ),
    ("a scaler that does not exist", {"scaling": {"mode": "vpa"}}, "scaling.mode"),
    ("more than everything at once", {"scaling": {"scaleDown": {"percent": 150}}}, "percent"),
    ("a Prometheus without http", {"scaling": {"prometheus": {"url": "prometheus:9090"}}}, "prometheus.url"),
    ("a label that PromQL does not take", {"scaling": {"prometheus": {"namespaceLabel": "a-b"}}}, "namespaceLabel"),
    ("scrapes too rare for the last minute", {"monitoring": {"interval": "60s"}}, "interval"),
    ("a log level that does not exist", {"logging": {"level": "verbose"}}, "level"),
    ("an address of no collector", {"tracing": {"otlpEndpoint": "collector"}}, "otlpEndpoint"),
    ("a test without time", {"test": {"minutes": 0}}, "minutes"),
    ("a peer of an unknown kind", {"networkPolicy": {"httpFrom": [{"pods": {}}]}}, "httpFrom"),
]

# A model of the minimal values with something else in it.
NONSENSE_MODELS = [
    ("a name with capitals", {"name": "Demo"}, "name"),
    ("a name that is too long for a label", {"name": "a" * 31}, "name"),
    ("a model of the web", {"source": "https://models.example/a.gguf"}, "source"),
    ("a model that is no GGUF file", {"source": "s3://models/a.safetensors"}, "source"),
    ("half a checksum", {"sha256": "230ef3391e2d"}, "sha256"),
    ("a checksum with capitals", {"sha256": "A" * 64}, "sha256"),
    ("an adapter without a checksum", {"adapter": {"source": "s3://models/voice.gguf"}}, "sha256"),
    ("an adapter that is the bundled model", {"adapter": {"source": "demo", "sha256": "a" * 64}}, "source"),
    ("a misspelt key", {"slot": 4}, "slot"),
    ("no slots", {"slots": 0}, "slots"),
]

# What only the templates can see: relations between values.
CONTRADICTIONS = [
    ("KEDA without the management API", {"broker": {"management": {"url": ""}}}, "broker.management.url"),
    ("a broker without a user", {"broker": {"secret": {"name": ""}}}, "broker.secret.name"),
    (
        "a certificate without its key",
        {"broker": {"tls": {"secret": "tls", "certificateKey": "tls.crt"}}},
        "certificateKey and broker.tls.keyKey belong together",
    ),
    ("certificates without TLS", {"broker": {"tls": {"secret": "tls"}}}, "not amqps://"),
    ("more workers at least than at most", {"modelDefaults": {"replicas": {"min": 9, "max": 3}}}, "replicas.min"),
    ("idling below nothing", {"modelDefaults": {"replicas": {"min": 0, "idle": 0}}}, "replicas.idle"),
    (
        "an update that replaces nothing",
        {"modelDefaults": {"rollout": {"maxSurge": 0, "maxUnavailable": 0}}},
        "can replace nothing",
    ),
    ("a route to no Gateway", {"http": {"route": {"enabled": True}}}, "parentRefs"),
    ("an Ingress without a host", {"http": {"ingress": {"enabled": True}}}, "http.ingress needs a host"),
    ("a test of a model that is not there", {"test": {"model": "other"}}, "test.model"),
]


class Values(unittest.TestCase):
    def refused(self, what, changes, words):
        with self.subTest(what), self.assertRaisesRegex(chart.Refused, words.replace(".", r"\.")):
            chart.render(chart.merged("minimal", changes))

    def test_the_schema_refuses_nonsense_and_names_it(self):
        for what, changes, words in NONSENSE:
            self.refused(what, changes, words)

    def test_the_schema_refuses_models_that_are_none_and_names_what_is_wrong(self):
        (demo,) = chart.values("minimal")["models"]
        for what, changes, words in NONSENSE_MODELS:
            self.refused(what, {"models": [{**demo, **changes}]}, words)
        for missing in ("name", "source", "sha256"):
            without = {key: value for key, value in demo.items() if key != missing}
            self.refused(f"no {missing}", {"models": [without]}, missing)

    def test_values_that_contradict_each_other_are_refused_with_what_to_change(self):
        for what, changes, words in CONTRADICTIONS:
            self.refused(what, changes, words)

    def test_no_two_models_share_a_name_or_a_queue(self):
        (demo,) = chart.values("minimal")["models"]
        self.refused("one name twice", {"models": [demo, {**demo, "sha256": "0" * 64}]}, "two are named demo")
        renamed = {**demo, "name": "other", "sha256": "0" * 64}
        self.refused("two files of one name", {"models": [demo, renamed]}, "two files are called demo")
        self.refused("one file twice", {"models": [demo, {**demo, "name": "other"}]}, "is there twice")

    def test_a_model_at_a_path_needs_a_claim_that_holds_it(self):
        (demo,) = chart.values("minimal")["models"]
        self.refused("a path", {"models": [{**demo, "source": "/models/a.gguf"}]}, "must be a claim")

    def test_the_chart_alone_says_what_must_be_given(self):
        with self.assertRaisesRegex(chart.Refused, "registry"):
            chart.render({})

    def test_helm_4_refuses_the_same_nonsense(self):
        with Chart.load(chart.CHART) as loaded:
            for what, changes, _ in NONSENSE:
                with self.subTest(what), self.assertRaises(HelmValuesError):
                    loaded.validate_schema(chart.merged("minimal", changes))

    def test_clusters_that_are_too_old_are_refused(self):
        with self.assertRaisesRegex(chart.Refused, "kubeVersion"):
            chart.render(chart.values("minimal"), "--kube-version", "1.29.0")
