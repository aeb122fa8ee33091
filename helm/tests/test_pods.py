"""What a reviewer looks for in pods: rights, secrets, how they start and stop."""

import json
import re
import unittest

import chart


def all_pods():
    return [(case, name, pod) for case in chart.CI for name, pod in chart.pods(chart.rendered(case))]


def all_workers():
    return [(case, found) for case in chart.CI for found in chart.workers(chart.rendered(case))]


class Rights(unittest.TestCase):
    def test_no_container_runs_as_root(self):
        for case, name, pod in all_pods():
            with self.subTest(case, pod=name):
                self.assertIs(pod["securityContext"]["runAsNonRoot"], True)
                self.assertEqual(pod["securityContext"]["runAsUser"], 10001)
                self.assertEqual(pod["securityContext"]["seccompProfile"], {"type": "RuntimeDefault"})

    def test_every_container_has_a_read_only_root_and_no_capabilities(self):
        for case, name, pod in all_pods():
            for container in pod["containers"]:
                with self.subTest(case, pod=name):
                    security = container["securityContext"]
                    self.assertIs(security["readOnlyRootFilesystem"], True)
                    self.assertIs(security["allowPrivilegeEscalation"], False)
                    self.assertEqual(security["capabilities"], {"drop": ["ALL"]})

    def test_no_pod_has_a_token_for_the_kubernetes_api(self):
        for case, name, pod in all_pods():
            with self.subTest(case, pod=name):
                self.assertIs(pod["automountServiceAccountToken"], False)

    def test_no_service_becomes_a_variable_that_a_program_would_read_as_a_setting(self):
        for case, name, pod in all_pods():
            with self.subTest(case, pod=name):
                self.assertIs(pod["enableServiceLinks"], False)

    def test_every_folder_that_is_written_to_is_a_volume_with_a_limit(self):
        for case, name, pod in all_pods():
            writable = {
                mount["mountPath"]: mount["name"]
                for mount in pod["containers"][0]["volumeMounts"]
                if not mount.get("readOnly")
            }
            with self.subTest(case, pod=name):
                self.assertLessEqual({"/tmp", "/var/cache/copymill"}, set(writable))
                volumes = {volume["name"]: volume for volume in pod["volumes"]}
                for volume in writable.values():
                    self.assertTrue("emptyDir" not in volumes[volume] or volumes[volume]["emptyDir"]["sizeLimit"])

    def test_every_container_asks_for_what_it_needs_and_limits_its_memory(self):
        for case, name, pod in all_pods():
            with self.subTest(case, pod=name):
                resources = pod["containers"][0]["resources"]
                self.assertLessEqual({"cpu", "memory"}, set(resources["requests"]))
                self.assertIn("memory", resources["limits"])

    def test_folders_and_addresses_are_those_that_the_images_set_in_their_environment(self):
        # The environment counts more than the file, so another value in the file would be no more than a claim.
        objects = chart.rendered("minimal")
        images = {"scheduler": "-scheduler", "worker": "-worker-demo", "worker-cuda": "-worker-demo"}
        for image, program in images.items():
            text = (chart.ROOT / f"deploy/docker/{image}.Dockerfile").read_text()
            settings = chart.settings(objects, program)
            for section, key, value in re.findall(r"COPYMILL_([A-Z]+)__([A-Z_]+)=(\S+)", text):
                with self.subTest(image, setting=f"{section}.{key}"):
                    self.assertEqual(settings[section.lower()][key.lower()], value)


class Secrets(unittest.TestCase):
    def test_no_secret_is_rendered(self):
        self.assertEqual([found for _, found in chart.everything() if found["kind"] == "Secret"], [])

    def test_password_never_in_values_or_configmap(self):
        for case, found in chart.everything():
            text = json.dumps(found)
            with self.subTest(case, kind=found["kind"], name=found["metadata"]["name"]):
                self.assertNotRegex(text, r"[a-z]+://[^/\s\"]*@", "an address with a user in it")
                self.assertNotRegex(text, r"AKIA[0-9A-Z]{16}|hf_[A-Za-z0-9]{20}|-----BEGIN")
        for case in chart.CI:
            for name in ("-scheduler", *(found["metadata"]["name"] for found in chart.workers(chart.rendered(case)))):
                broker = chart.settings(chart.rendered(case), name)["broker"]
                self.assertFalse({"password", "username"} & set(broker), case)

    def test_the_brokers_user_is_read_from_files_of_a_secret(self):
        for case in set(chart.CI) - {"tls"}:
            for name, pod in chart.pods(chart.rendered(case)):
                with self.subTest(case, pod=name):
                    (volume,) = [volume for volume in pod["volumes"] if volume["name"] == "broker"]
                    self.assertEqual(volume["secret"]["secretName"], "rabbitmq-copymill")
                    self.assertEqual({item["path"] for item in volume["secret"]["items"]}, {"username", "password"})
            broker = chart.settings(chart.rendered(case), "-scheduler")["broker"]
            self.assertEqual(broker["username_file"], "/etc/copymill/broker/username")
            self.assertEqual(broker["password_file"], "/etc/copymill/broker/password")

    def test_a_client_certificate_takes_the_place_of_the_brokers_user(self):
        broker = chart.settings(chart.rendered("tls"), "-scheduler")["broker"]
        self.assertNotIn("password_file", broker)
        self.assertEqual(set(broker["tls"]), {"ca_file", "certificate_file", "key_file"})

    def test_keys_of_the_store_come_from_a_secret_or_from_the_service_accounts_role(self):
        for name, pod in chart.pods(chart.rendered("tls")):
            environment = {entry["name"]: entry for entry in pod["containers"][0]["env"]}
            with self.subTest(pod=name):
                for key in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
                    self.assertEqual(environment[key]["valueFrom"]["secretKeyRef"]["name"], "copymill-s3")
        account = chart.one(chart.rendered("gpu"), "ServiceAccount")
        self.assertIn("eks.amazonaws.com/role-arn", account["metadata"]["annotations"])
        for _, pod in chart.pods(chart.rendered("gpu")):
            self.assertEqual(pod["serviceAccountName"], account["metadata"]["name"])
            self.assertNotIn("AWS_ACCESS_KEY_ID", json.dumps(pod))


class StartAndStop(unittest.TestCase):
    def test_grace_period_is_longer_than_a_chunk(self):
        for case, found in all_workers():
            name = found["metadata"]["name"]
            grace = chart.settings(chart.rendered(case), name)["worker"]["grace_s"]
            killed_after = found["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
            with self.subTest(case, worker=name):
                self.assertGreaterEqual(grace, 2 * seconds_per_chunk(case, name))
                self.assertEqual(killed_after, grace + 30, "half a minute to hand back what did not fit")

    def test_seconds_per_chunk_that_are_no_whole_number_are_rounded_up(self):
        (found,) = chart.workers(chart.rendered("gpu"))
        self.assertEqual(found["spec"]["template"]["spec"]["terminationGracePeriodSeconds"], 121)

    def test_startup_probe_allows_for_the_models_download(self):
        for case, found in all_workers():
            probe = container_of(found)["startupProbe"]
            minutes = 20 if case == "gpu" else 15
            with self.subTest(case, worker=found["metadata"]["name"]):
                self.assertEqual(probe["periodSeconds"] * probe["failureThreshold"], 60 * minutes)
                self.assertGreater(found["spec"]["progressDeadlineSeconds"], 60 * minutes)
                # It fails until the model is loaded, whatever broker and store do.
                self.assertEqual(probe["httpGet"], {"path": "/startz", "port": "admin"})

    def test_an_outage_of_broker_or_store_restarts_nothing(self):
        for case in chart.CI:
            for found in chart.of_kind(chart.rendered(case), "Deployment"):
                container = container_of(found)
                with self.subTest(case, deployment=found["metadata"]["name"]):
                    self.assertEqual(container["livenessProbe"]["httpGet"], {"path": "/healthz", "port": "admin"})
                    self.assertNotEqual(container["startupProbe"]["httpGet"]["path"], "/readyz")
                    self.assertEqual(container["readinessProbe"]["httpGet"], {"path": "/readyz", "port": "admin"})
                    self.assertIn({"name": "admin", "containerPort": 9090}, container["ports"])

    def test_other_settings_make_other_pods_and_another_chart_version_does_not(self):
        before = chart.workers(chart.rendered("minimal"))[0]["spec"]["template"]
        after = chart.workers(chart.render(chart.merged("minimal", {"store": {"url": "s3://others"}})))[0]
        self.assertNotEqual(before["metadata"]["annotations"], after["spec"]["template"]["metadata"]["annotations"])
        self.assertFalse({"helm.sh/chart", "app.kubernetes.io/version"} & set(before["metadata"]["labels"]))

    def test_two_schedulers_stand_by_for_each_other_and_are_replaced_without_a_gap(self):
        found = chart.one(chart.rendered("minimal"), "Deployment", "-scheduler")
        self.assertEqual(found["spec"]["replicas"], 2)
        self.assertEqual(found["spec"]["strategy"]["rollingUpdate"], {"maxSurge": 1, "maxUnavailable": 0})
        pod = found["spec"]["template"]["spec"]
        pause = container_of(found)["lifecycle"]["preStop"]["sleep"]["seconds"]
        self.assertGreater(pod["terminationGracePeriodSeconds"], pause + 30)

    def test_pods_are_spread_over_zones_and_machines(self):
        for case in chart.CI:
            for found in chart.of_kind(chart.rendered(case), "Deployment"):
                spread = found["spec"]["template"]["spec"]["topologySpreadConstraints"]
                keys = [constraint["topologyKey"] for constraint in spread]
                self.assertEqual(keys, ["topology.kubernetes.io/zone", "kubernetes.io/hostname"])
                for constraint in spread:
                    labels = constraint["labelSelector"]["matchLabels"]
                    self.assertEqual(labels, found["spec"]["selector"]["matchLabels"])

    def test_every_deployment_has_a_disruption_budget_of_its_own(self):
        for case in chart.CI:
            objects = chart.rendered(case)
            budgets = [found["spec"]["selector"] for found in chart.of_kind(objects, "PodDisruptionBudget")]
            deployments = [found["spec"]["selector"] for found in chart.of_kind(objects, "Deployment")]
            self.assertEqual(sorted(map(str, budgets)), sorted(map(str, deployments)))


def container_of(deployment):
    return deployment["spec"]["template"]["spec"]["containers"][0]


def seconds_per_chunk(case, worker):
    for model in chart.values(case)["models"]:
        if worker.endswith(f"-worker-{model['name']}"):
            return model.get("secondsPerChunk", 60)
    raise AssertionError(f"no model for {worker}")
