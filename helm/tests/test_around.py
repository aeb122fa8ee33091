"""What stands around the pods: network, HTTP, monitoring, the test campaign, words for the operator."""

import json
import re
import tomllib
import unittest

import chart


class Network(unittest.TestCase):
    def test_only_http_and_admin_ports_can_be_reached_and_a_workers_only_for_metrics(self):
        for case in chart.CI:
            objects = chart.rendered(case)
            for name, ports in (("-scheduler", ["http", "admin"]), ("-worker", ["admin"])):
                policy = chart.one(objects, "NetworkPolicy", name)["spec"]
                self.assertEqual([rule["ports"] for rule in policy["ingress"]], [[{"port": port}] for port in ports])
                self.assertTrue(all(rule["from"] for rule in policy["ingress"]), "nothing is open to everybody")
                self.assertIn("Ingress", policy["policyTypes"])

    def test_egress_is_restricted_only_where_rules_are_given_and_then_names_are_still_looked_up(self):
        free = chart.one(chart.rendered("minimal"), "NetworkPolicy", "-worker")["spec"]
        self.assertEqual(free["policyTypes"], ["Ingress"])
        closed = chart.one(chart.rendered("tls"), "NetworkPolicy", "-worker")["spec"]
        self.assertEqual(closed["policyTypes"], ["Ingress", "Egress"])
        self.assertEqual({port["port"] for port in closed["egress"][0]["ports"]}, {53})
        self.assertEqual(len(closed["egress"]), 4, "names, broker, store and traces")

    def test_policies_select_the_pods_that_they_are_for(self):
        objects = chart.rendered("multi-model")
        chosen = chart.one(objects, "NetworkPolicy", "-worker")["spec"]["podSelector"]["matchLabels"].items()
        for found in chart.workers(objects):
            self.assertLessEqual(chosen, found["spec"]["template"]["metadata"]["labels"].items())

    def test_an_ingress_and_a_route_lead_to_the_schedulers_http_port_and_only_where_asked_for(self):
        ingress = chart.one(chart.rendered("tls"), "Ingress")["spec"]
        (path,) = ingress["rules"][0]["http"]["paths"]
        self.assertEqual(ingress["tls"], [{"hosts": ["copymill.example"], "secretName": "copymill-example-tls"}])
        route = chart.one(chart.rendered("multi-model"), "HTTPRoute")["spec"]["rules"][0]
        service = chart.one(chart.rendered("tls"), "Service")
        self.assertEqual(path["path"], "/v1", "health stays inside")
        self.assertEqual(path["backend"]["service"], {"name": service["metadata"]["name"], "port": {"name": "http"}})
        self.assertEqual(route["backendRefs"], [{"name": service["metadata"]["name"], "port": 8080}])
        for kind in ("Ingress", "HTTPRoute"):
            self.assertEqual(chart.of_kind(chart.rendered("minimal"), kind), [])


class Monitoring(unittest.TestCase):
    def test_prometheus_finds_schedulers_and_workers_under_the_jobs_that_dashboards_know(self):
        for case in chart.CI:
            objects = chart.rendered(case)
            (endpoint,) = chart.one(objects, "ServiceMonitor")["spec"]["endpoints"]
            (pod_endpoint,) = chart.one(objects, "PodMonitor")["spec"]["podMetricsEndpoints"]
            for found, job in ((endpoint, "copymill-scheduler"), (pod_endpoint, "copymill-worker")):
                self.assertEqual(found["port"], "admin")
                self.assertEqual(found["relabelings"], [{"targetLabel": "job", "replacement": job}])

    def test_monitors_and_rules_carry_the_labels_that_prometheus_selects_by(self):
        for kind in ("ServiceMonitor", "PodMonitor", "PrometheusRule"):
            labels = chart.one(chart.rendered("multi-model"), kind)["metadata"]["labels"]
            self.assertEqual(labels["release"], "kube-prometheus-stack")

    def test_alerts_are_those_of_deploy_with_their_braces_untouched(self):
        text = (chart.ROOT / "deploy/prometheus/rules/copymill.yml").read_text()
        self.assertIn("{{ $labels.", text)
        self.assertEqual(chart.one(chart.rendered("minimal"), "PrometheusRule")["spec"], chart.yaml.safe_load(text))
        address = "https://wiki.example/copymill/runbook"
        linked = chart.render(chart.merged("minimal", {"monitoring": {"runbook": address}}))
        rules = [rule for group in chart.one(linked, "PrometheusRule")["spec"]["groups"] for rule in group["rules"]]
        links = [rule["annotations"]["runbook_url"] for rule in rules if "alert" in rule]
        self.assertTrue(links and all(link.startswith(f"{address}#copymill") for link in links), links)

    def test_dashboards_are_those_of_deploy_unchanged(self):
        files = {path.name: path.read_text() for path in (chart.ROOT / "deploy/grafana/dashboards").glob("*.json")}
        self.assertGreaterEqual(len(files), 1)
        maps = chart.of_kind(chart.rendered("minimal"), "ConfigMap")
        found = [one for one in maps if one["metadata"]["labels"].get("grafana_dashboard") == "1"]
        rendered = {name: text for one in found for name, text in one["data"].items()}
        self.assertEqual(set(rendered), set(files))
        for name, text in files.items():
            self.assertEqual(json.loads(rendered[name]), json.loads(text))
        for one in found:
            self.assertLess(len(json.dumps(one)), 900_000, "a ConfigMap holds 1 MiB")
        self.assertFalse([name for name in rendered if name in json.dumps(chart.rendered("no-keda"))])


class TestCampaign(unittest.TestCase):
    def test_helm_test_submits_a_campaign_of_one_row_waits_for_it_and_verifies_it(self):
        objects = chart.rendered("minimal")
        pod = chart.one(objects, "Pod")
        self.assertEqual(pod["metadata"]["annotations"]["helm.sh/hook"], "test")
        files = chart.one(objects, "ConfigMap", "-test")["data"]
        self.assertEqual(re.findall(r"copymill (\w+)", files["test.sh"]), ["submit", "status", "verify"])
        self.assertEqual(len(files["recipients.csv"].splitlines()), 2, "a head and one row")
        self.assertEqual(pod["spec"]["activeDeadlineSeconds"], 1800)

    def test_its_model_is_the_first_or_the_one_that_is_chosen_by_its_checksum(self):
        for case, name in (("minimal", "demo"), ("multi-model", "llama-8b")):
            files = chart.one(chart.rendered(case), "ConfigMap", "-test")["data"]
            campaign = chart.yaml.safe_load(files["campaign.yaml"])
            (model,) = [model for model in chart.values(case)["models"] if model["name"] == name]
            self.assertEqual((campaign["model"], campaign["model_sha256"]), (model["source"], model["sha256"]))


class Words(unittest.TestCase):
    def test_every_object_says_what_it_belongs_to(self):
        for case, found in chart.everything():
            labels = found["metadata"]["labels"]
            with self.subTest(case, kind=found["kind"], name=found["metadata"]["name"]):
                self.assertEqual(labels["app.kubernetes.io/name"], "copymill")
                self.assertEqual(labels["app.kubernetes.io/instance"], chart.RELEASE)
                self.assertEqual(labels["helm.sh/chart"], "copymill-0.1.0")

    def test_two_releases_share_no_name(self):
        def names(release):
            with chart.tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
                file.write(chart.CI["multi-model"].read_text())
                file.flush()
                text = chart.helm(
                    "template", release, chart.CHART, "--kube-version", chart.KUBERNETES, "--values", file.name
                )
            return {(found["kind"], found["metadata"]["name"]) for found in chart.documents(text)}

        self.assertEqual(names("copymill") & names("spring"), set())
        self.assertTrue(all(len(name) <= 63 for _, name in names("a-release-with-a-very-long-name-indeed")))

    def test_version_of_chart_and_programs_are_one(self):
        version = tomllib.loads((chart.ROOT / "Cargo.toml").read_text())["workspace"]["package"]["version"]
        described = chart.yaml.safe_load((chart.CHART / "Chart.yaml").read_text())
        self.assertEqual((described["version"], described["appVersion"]), (version, version))
