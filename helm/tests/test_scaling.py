"""How many workers run, and who decides it."""

import re
import sys
import unittest

import chart

sys.path.insert(0, str(chart.ROOT / "tests/scaling"))

from settings import POLL_S, Settings  # noqa: E402  (from the simulation)

DEMO = "230ef3391e2dfdadb8e2504b82943c85e080833156276b49d4ca376c76417d48"


def scaled(case):
    return chart.of_kind(chart.rendered(case), "ScaledObject")


def triggers(found):
    return {trigger["type"]: trigger for trigger in found["spec"]["triggers"]}


class Keda(unittest.TestCase):
    def test_every_model_has_one_deployment_and_one_scaledobject_for_it(self):
        for case in set(chart.CI) - {"no-keda"}:
            targets = [found["spec"]["scaleTargetRef"]["name"] for found in scaled(case)]
            deployments = [found["metadata"]["name"] for found in chart.workers(chart.rendered(case))]
            models = [model["name"] for model in chart.values(case)["models"]]
            self.assertEqual(targets, deployments)
            self.assertEqual(deployments, [f"{chart.RELEASE}-copymill-worker-{model}" for model in models])

    def test_scaledobject_counts_unacknowledged(self):
        for case in chart.CI:
            for found in scaled(case):
                metadata = triggers(found)["rabbitmq"]["metadata"]
                self.assertEqual(metadata["protocol"], "http", "by AMQP only chunks that wait are counted")
                self.assertEqual(metadata["excludeUnacknowledged"], "false")
                self.assertEqual(metadata["mode"], "QueueLength")
                self.assertEqual(metadata["activationValue"], "0")

    def test_the_prediction_is_the_first_trigger_and_outlives_a_change_of_leader(self):
        (found,) = scaled("minimal")
        first = found["spec"]["triggers"][0]
        self.assertEqual(first["type"], "prometheus")
        expected = 'max(max_over_time(copymill_scheduler_wanted_workers{model="demo",namespace="prod"}[1m]))'
        self.assertEqual(first["metadata"]["query"], expected)
        self.assertEqual(first["metadata"]["threshold"], "1")

    def test_the_label_of_the_namespace_is_a_choice(self):
        def query(label):
            given = chart.merged("minimal", {"scaling": {"prometheus": {"namespaceLabel": label}}})
            found = chart.one(chart.render(given), "ScaledObject")
            return triggers(found)["prometheus"]["metadata"]["query"]

        self.assertIn('{model="demo",kubernetes_namespace="prod"}', query("kubernetes_namespace"))
        self.assertIn('{model="demo"}', query(""))

    def test_queue_and_label_are_the_programs_own_names_of_a_model(self):
        # As `model_label` and `jobs_queue` in copymill-campaign make them.
        expected = {
            "demo": ("demo", "copymill.jobs.demo.230ef3391e2d"),
            "llama-8b": (
                "Meta-Llama-3-1-8B-Instruct-Q4-K-M",
                "copymill.jobs.Meta-Llama-3-1-8B-Instruct-Q4-K-M.7b064f5842bf",
            ),
            "llama-8b-voice": ("Meta-Llama-3-1-8B-Instru-voice", "copymill.jobs.Meta-Llama-3-1-8B-Instru-voice.02215c02b368"),
            "own": ("own-v2", "copymill.jobs.own-v2.0f1b2c3d4e5f"),
        }
        for found in scaled("multi-model"):
            label, queue = expected[found["metadata"]["labels"]["copymill/model"]]
            self.assertIn(f'model="{label}"', triggers(found)["prometheus"]["metadata"]["query"])
            self.assertEqual(triggers(found)["rabbitmq"]["metadata"]["queueName"], queue)

    def test_a_queues_name_has_40_characters_of_the_models_at_most(self):
        source = f"s3://models/{'long-' * 10}name.gguf"
        given = chart.merged("minimal", {"models": [{"name": "long", "source": source, "sha256": DEMO}]})
        queue = triggers(chart.one(chart.render(given), "ScaledObject"))["rabbitmq"]["metadata"]["queueName"]
        self.assertEqual(queue, f"copymill.jobs.{'long-' * 8}.{DEMO[:12]}")

    def test_password_comes_through_a_trigger_authentication_and_not_in_the_address(self):
        for case in set(chart.CI) - {"no-keda"}:
            authentication = chart.one(chart.rendered(case), "TriggerAuthentication")
            secrets = {entry["parameter"]: entry for entry in authentication["spec"]["secretTargetRef"]}
            self.assertLessEqual({"username", "password"}, set(secrets))
            for found in scaled(case):
                trigger = triggers(found)["rabbitmq"]
                self.assertEqual(trigger["authenticationRef"]["name"], authentication["metadata"]["name"])
                self.assertNotIn("@", trigger["metadata"]["host"])

    def test_keda_may_have_a_user_of_its_own_that_only_reads(self):
        authentication = chart.one(chart.rendered("gpu"), "TriggerAuthentication")
        self.assertEqual({entry["name"] for entry in authentication["spec"]["secretTargetRef"]}, {"rabbitmq-watcher"})

    def test_a_private_authority_of_the_management_api_reaches_keda(self):
        authentication = chart.one(chart.rendered("tls"), "TriggerAuthentication")["spec"]
        self.assertIn("ca", [entry["parameter"] for entry in authentication["secretTargetRef"]])
        (switch,) = authentication["configMapTargetRef"]
        self.assertEqual(switch["parameter"], "tls")
        self.assertEqual(chart.one(chart.rendered("tls"), "ConfigMap", switch["name"])["data"][switch["key"]], "enable")

    def test_the_virtual_host_is_the_one_of_the_brokers_address(self):
        hosts = {"minimal": "copymill", "tls": "/"}
        for case, host in hosts.items():
            self.assertEqual(triggers(scaled(case)[0])["rabbitmq"]["metadata"]["vhostName"], host)
        without = chart.merged("minimal", {"broker": {"url": "amqp://rabbitmq"}})
        self.assertEqual(
            triggers(chart.one(chart.render(without), "ScaledObject"))["rabbitmq"]["metadata"]["vhostName"], "/"
        )

    def test_workers_start_from_zero_and_a_model_may_say_otherwise(self):
        self.assertEqual(scaled("minimal")[0]["spec"]["minReplicaCount"], 0)
        self.assertNotIn("idleReplicaCount", scaled("minimal")[0]["spec"])
        by_model = {found["metadata"]["labels"]["copymill/model"]: found["spec"] for found in scaled("multi-model")}
        self.assertEqual((by_model["own"]["minReplicaCount"], by_model["own"]["idleReplicaCount"]), (1, 0))
        # What a model says counts even where it is 0 or null.
        self.assertEqual(by_model["demo"]["minReplicaCount"], 0)
        self.assertNotIn("idleReplicaCount", by_model["demo"])

    def test_scale_down_waits_until_the_last_step_is_over(self):
        for case in chart.CI:
            objects = chart.rendered(case)
            killed_after = {
                found["metadata"]["name"]: found["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
                for found in chart.workers(objects)
            }
            for name, behavior in behaviors(objects):
                with self.subTest(case, worker=name):
                    down = behavior["scaleDown"]
                    self.assertGreaterEqual(down["stabilizationWindowSeconds"], killed_after[name])
                    for policy in down["policies"]:
                        self.assertGreaterEqual(policy["periodSeconds"], killed_after[name])

    def test_the_longest_chunks_stay_within_what_an_hpa_takes(self):
        given = chart.merged("minimal", {"modelDefaults": {"secondsPerChunk": 800}})
        ((_, behavior),) = behaviors(chart.render(given))
        self.assertLessEqual(behavior["scaleDown"]["policies"][0]["periodSeconds"], 1800)
        self.assertLessEqual(behavior["scaleDown"]["stabilizationWindowSeconds"], 3600)

    def test_nobody_but_the_scaler_sets_the_number_of_workers(self):
        for case in chart.CI:
            for found in chart.workers(chart.rendered(case)):
                self.assertNotIn("replicas", found["spec"])


class WithoutKeda(unittest.TestCase):
    def test_an_hpa_follows_the_same_prediction_and_never_goes_to_zero(self):
        objects = chart.rendered("no-keda")
        found = chart.one(objects, "HorizontalPodAutoscaler")["spec"]
        self.assertEqual((found["minReplicas"], found["maxReplicas"]), (1, 6))
        (metric,) = found["metrics"]
        self.assertEqual(metric["external"]["metric"]["name"], "copymill_scheduler_wanted_workers")
        self.assertEqual(metric["external"]["metric"]["selector"]["matchLabels"], {"model": "demo"})
        self.assertEqual(metric["external"]["target"], {"type": "AverageValue", "averageValue": "1"})
        self.assertEqual([found["kind"] for found in objects if "keda" in found["apiVersion"]], [])

    def test_without_a_scaler_there_are_as_many_workers_as_the_least(self):
        changes = {"scaling": {"mode": "none"}, "modelDefaults": {"replicas": {"min": 3}}}
        objects = chart.render(chart.merged("minimal", changes))
        (found,) = chart.workers(objects)
        self.assertEqual(found["spec"]["replicas"], 3)
        self.assertEqual(list(behaviors(objects)), [])


class Window(unittest.TestCase):
    def window(self, changes):
        return chart.settings(chart.render(chart.merged("minimal", changes)), "-scheduler")["scheduler"]["window"]

    def test_the_window_is_at_least_twice_the_most_workers(self):
        self.assertEqual(chart.settings(chart.rendered("minimal"), "-scheduler")["scheduler"]["window"], 8)
        self.assertEqual(chart.settings(chart.rendered("gpu"), "-scheduler")["scheduler"]["window"], 400)
        self.assertEqual(self.window({"scheduler": {"window": 8}}), 8)

    def test_a_window_that_is_too_small_is_refused_with_the_number_that_is_needed(self):
        with self.assertRaisesRegex(chart.Refused, r"scheduler\.window is 7, .* at least 8"):
            self.window({"scheduler": {"window": 7}})


class Simulated(unittest.TestCase):
    """docs/SCALING.md holds for what the chart and the programs are set to when nobody says otherwise."""

    SIMULATED = Settings()

    def rendered(self):
        return chart.render(chart.merged("minimal", {"modelDefaults": {"replicas": {"max": self.SIMULATED.max_workers}}}))

    def test_keda_is_set_as_in_the_simulation(self):
        objects = self.rendered()
        spec = chart.one(objects, "ScaledObject")["spec"]
        self.assertEqual((spec["pollingInterval"], spec["cooldownPeriod"]), (POLL_S, self.SIMULATED.cooldown_s))
        counts = (spec["minReplicaCount"], spec["maxReplicaCount"])
        self.assertEqual(counts, (self.SIMULATED.min_workers, self.SIMULATED.max_workers))
        by_type = {trigger["type"]: trigger["metadata"] for trigger in spec["triggers"]}
        self.assertEqual(float(by_type["rabbitmq"]["value"]), self.SIMULATED.queue_value)
        self.assertEqual(by_type["prometheus"]["threshold"], "1")
        self.assertIn(f"[{self.SIMULATED.held_s // 60}m]", by_type["prometheus"]["query"])

    def test_the_autoscalers_steps_are_those_of_the_simulation(self):
        ((_, behavior),) = behaviors(self.rendered())
        up = {policy["type"]: policy for policy in behavior["scaleUp"]["policies"]}
        self.assertEqual(up["Pods"]["value"], self.SIMULATED.up_pods)
        self.assertEqual(up["Percent"]["value"], self.SIMULATED.up_percent)
        self.assertEqual({policy["periodSeconds"] for policy in up.values()}, {self.SIMULATED.up_period_s})
        down = behavior["scaleDown"]
        self.assertEqual(down["stabilizationWindowSeconds"], self.SIMULATED.stabilization_s)
        steps = {policy["type"]: policy for policy in down["policies"]}
        self.assertEqual(steps["Percent"]["value"], self.SIMULATED.down_percent)
        self.assertEqual({policy["periodSeconds"] for policy in steps.values()}, {self.SIMULATED.down_period_s})
        if "Pods" in steps:
            self.assertEqual(steps["Pods"]["value"], self.SIMULATED.down_pods)

    def test_the_programs_are_set_as_in_the_simulation(self):
        scheduler = chart.settings(self.rendered(), "-scheduler")["scheduler"]
        self.assertEqual(scheduler["window"], self.SIMULATED.window)
        # The table is held equal to the programs' own settings by a test of theirs.
        rows = re.findall(r"^\| `(\w+\.\w+)` \| `(\d+)` \|", (chart.ROOT / "docs/OPERATIONS.md").read_text(), re.MULTILINE)
        defaults = {name: int(value) for name, value in rows}
        for name, simulated in {
            "scheduler.chunk_tokens": self.SIMULATED.chunk_tokens,
            "scheduler.worker_start_s": self.SIMULATED.start_s,
            "scheduler.horizon_s": self.SIMULATED.horizon_s,
            "worker.chunks_in_hand": self.SIMULATED.chunks_in_hand,
            "worker.grace_s": self.SIMULATED.grace_s,
        }.items():
            with self.subTest(name):
                self.assertEqual(defaults[name], simulated)


class Gpus(unittest.TestCase):
    def test_a_cuda_model_gets_its_gpus_its_image_and_its_machines(self):
        (found,) = chart.workers(chart.rendered("gpu"))
        pod = found["spec"]["template"]["spec"]
        (container,) = pod["containers"]
        self.assertEqual(container["resources"]["limits"]["nvidia.com/gpu"], 1)
        self.assertEqual(container["resources"]["limits"]["memory"], "16Gi")
        self.assertTrue(container["image"].startswith("registry.example/team/copymill-worker-cuda:"))
        self.assertEqual(pod["nodeSelector"], {"node.kubernetes.io/instance-type": "g6.2xlarge"})
        self.assertEqual(pod["tolerations"][0]["key"], "nvidia.com/gpu")
        self.assertEqual((pod["priorityClassName"], pod["runtimeClassName"]), ("batch", "nvidia"))
        self.assertEqual(found["spec"]["strategy"]["rollingUpdate"], {"maxSurge": 0, "maxUnavailable": 1})

    def test_a_cpu_model_asks_for_no_gpu(self):
        (found,) = chart.workers(chart.rendered("minimal"))
        resources = found["spec"]["template"]["spec"]["containers"][0]["resources"]
        self.assertEqual(set(resources["limits"]), {"memory"})

    def test_models_are_kept_as_each_model_says(self):
        volumes = {}
        for case in ("minimal", "gpu", "multi-model"):
            for found in chart.workers(chart.rendered(case)):
                (cache,) = [
                    volume for volume in found["spec"]["template"]["spec"]["volumes"] if volume["name"] == "cache"
                ]
                volumes[case, found["metadata"]["labels"]["copymill/model"]] = cache
        self.assertEqual(volumes["minimal", "demo"]["emptyDir"], {"sizeLimit": "20Gi"})
        claim = volumes["gpu", "qwen-7b"]["ephemeral"]["volumeClaimTemplate"]["spec"]
        self.assertEqual(claim["resources"], {"requests": {"storage": "40Gi"}})
        shared = volumes["multi-model", "llama-8b"]["persistentVolumeClaim"]["claimName"]
        self.assertEqual(chart.one(chart.rendered("multi-model"), "PersistentVolumeClaim")["metadata"]["name"], shared)
        self.assertEqual(volumes["multi-model", "own"]["persistentVolumeClaim"], {"claimName": "models"})

    def test_the_cache_is_never_filled_to_the_brim(self):
        (found,) = chart.workers(chart.rendered("minimal"))
        kept = chart.settings(chart.rendered("minimal"), found["metadata"]["name"])["worker"]["cache_bytes"]
        self.assertLess(kept, 20 * 2**30)
        self.assertIsInstance(kept, int)


def behaviors(objects):
    for found in chart.of_kind(objects, "ScaledObject"):
        config = found["spec"]["advanced"]["horizontalPodAutoscalerConfig"]
        yield found["metadata"]["name"], config["behavior"]
    for found in chart.of_kind(objects, "HorizontalPodAutoscaler"):
        yield found["metadata"]["name"], found["spec"]["behavior"]
