"""docker/prometheus and docker/grafana: valid, about metrics that there are, and about what is documented."""

import json
import math
import re
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

from servers import TOP, Kithd, Prometheus, wait_until

ALERTS = TOP / "docker/prometheus/alerts.yml"
DASHBOARD = TOP / "docker/grafana/dashboards/kith.json"
# Families that a server without such trouble or work has no series of.
NOT_ALWAYS_THERE = {"kith_training_progress_ratio"}


def documented():
    """Types by name: the table of docs/operations.md, which tests/telemetry holds equal to the code."""
    text = (TOP / "docs/operations.md").read_text()
    return dict(re.findall(r"^\| `((?:kith|process)_[a-z_]+)` \| ([a-z]+) \|", text, re.M))


def families_in(text):
    """The metrics that an expression speaks of, by the names of their families."""
    types = documented()
    names = set()
    for name in re.findall(r"\b(?:kith|process)_[a-z_]+", text):
        family = re.sub(r"_(bucket|sum|count)$", "", name)
        names.add(family if types.get(family) == "histogram" else name)
    return names


def expressions():
    """Title and expression of every query of the dashboard, as Grafana would send them."""
    found = []
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        for target in panel.get("targets", []):
            expression = target["expr"].replace("$__rate_interval", "5m").replace("$instance", ".*")
            found.append((panel["title"], expression))
    return found


def run(*command):
    result = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


class Files(unittest.TestCase):
    def setUp(self):
        self.folder = Path(tempfile.mkdtemp(prefix="kith-monitoring-"))
        self.addCleanup(shutil.rmtree, self.folder)

    def test_the_rules_and_the_configuration_are_valid(self):
        text = (TOP / "docker/prometheus/prometheus.yml").read_text()
        token = self.folder / "token"  # that it names has to be there
        token.touch()
        (self.folder / "prometheus.yml").write_text(text.replace("/run/kith/scrape/token", str(token)))
        shutil.copy(ALERTS, self.folder)
        run("promtool", "check", "config", "--lint-fatal", self.folder / "prometheus.yml")
        self.assertIn("rules found", run("promtool", "check", "rules", "--lint-fatal", ALERTS))

    def test_every_alert_fires_when_it_is_to(self):
        shutil.copy(ALERTS, self.folder)
        tests = shutil.copy(TOP / "tests/monitoring/alerts_test.yml", self.folder)
        run("promtool", "test", "rules", tests)
        tested = Path(tests).read_text()
        for alert in re.findall(r"- alert: (\w+)", ALERTS.read_text()):
            self.assertRegex(tested, rf"alertname: {alert}\n\s+exp_alerts:\n", f"no test in which {alert} fires")

    def test_every_alert_is_documented_and_no_other(self):
        alerts = re.findall(r"- alert: (\w+)", ALERTS.read_text())
        described = re.findall(r"^\| `(Kith\w+)` \|", (TOP / "docs/operations.md").read_text(), re.M)
        self.assertEqual(sorted(alerts), sorted(described))

    def test_rules_and_dashboard_speak_of_metrics_that_there_are(self):
        known = set(documented())
        self.assertGreater(len(known), 30)
        self.assertEqual(families_in(ALERTS.read_text()) - known, set())
        shown = set()
        for title, expression in expressions():
            families = families_in(expression)
            self.assertEqual(families - known, set(), title)
            shown |= families
        self.assertEqual(known - shown - {"process_max_fds"}, set(), "not on the dashboard")

    def test_the_queries_of_the_dashboard_are_valid(self):
        rules = [{"record": f"query:{i}", "expr": expression} for i, (_, expression) in enumerate(expressions())]
        self.assertGreater(len(rules), 30)
        queries = self.folder / "queries.yml"
        queries.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))
        run("promtool", "check", "rules", queries)

    def test_the_dashboard_lies_in_rows_of_24_and_finds_its_data(self):
        dashboard = json.loads(DASHBOARD.read_text())
        self.assertEqual(len({panel["id"] for panel in dashboard["panels"]}), len(dashboard["panels"]))
        taken = set()
        for panel in dashboard["panels"]:
            place = panel["gridPos"]
            self.assertLessEqual(place["x"] + place["w"], 24, panel["title"])
            cells = {(x, y) for x in range(place["x"], place["x"] + place["w"])
                     for y in range(place["y"], place["y"] + place["h"])}
            self.assertFalse(cells & taken, f"{panel['title']} lies over another")
            taken |= cells
        provisioned = (TOP / "docker/grafana/provisioning/datasources/prometheus.yml").read_text()
        uid = re.search(r"uid: (\w+)", provisioned).group(1)
        self.assertEqual(set(re.findall(r'"uid": "(\w+)"', DASHBOARD.read_text())), {uid, dashboard["uid"]})


class Scraped(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = Path(tempfile.mkdtemp(prefix="kith-monitoring-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.kithd = Kithd(cls.folder)
        cls.addClassCleanup(cls.kithd.stop)
        cls.prometheus = Prometheus(cls.folder, cls.kithd.http)
        cls.addClassCleanup(cls.prometheus.stop)
        cls.kithd.kith("generate", "--rows", 600, "--dimension", 32, cls.folder / "frames")
        cls.kithd.kith("train", "anna", cls.folder / "frames")
        cls.kithd.kith("add", "anna", cls.folder / "frames")

    def load(self):
        """Half a second of two clients."""
        self.kithd.kith("stream", "anna", next((self.folder / "frames").glob("*.npy")), "--clients", 2, "--block-ms",
                        40, "--seconds", 0.5)

    def test_what_is_done_is_seen(self):
        prometheus = self.prometheus
        wait_until(lambda: prometheus.values('up{job="kith"}') == [1.0], "Prometheus has scraped kithd")
        self.load()
        wait_until(lambda: prometheus.values("sum(kith_block_seconds_count)") > [0.0], "blocks were counted")

        def quick():
            self.load()  # so that two scrapes differ, whenever they come
            return [v for v in prometheus.values(
                "histogram_quantile(0.99, sum by (le) (rate(kith_block_seconds_bucket[1m])))") if 0 < v < math.inf]

        self.assertEqual(len(wait_until(quick, "a percentile of their time")), 1)
        self.assertGreater(prometheus.values('kith_experiment_rows_total{experiment="anna"}'), [0.0])
        self.assertEqual(prometheus.values("kith_stored_rows"), [1200.0])

        for family in set(documented()) - NOT_ALWAYS_THERE:
            suffix = "_count" if documented()[family] == "histogram" else ""
            wait_until(lambda f=family, s=suffix: prometheus.values(f + s), f"there is no {family}")
        for title, expression in expressions():
            prometheus.ask("query", query=expression)  # an error would be no success
            if not families_in(expression) & NOT_ALWAYS_THERE:
                wait_until(lambda e=expression: prometheus.values(e), f"{title}: {expression}")

    def test_the_alerts_are_evaluated_and_a_sound_server_wakes_nobody(self):
        def evaluated():
            rules = [rule for group in self.prometheus.ask("rules")["groups"] for rule in group["rules"]]
            return rules if all(rule["health"] != "unknown" for rule in rules) else None

        rules = wait_until(evaluated, "the rules are evaluated")
        self.assertEqual({rule["health"] for rule in rules}, {"ok"})
        self.assertEqual(len(rules), ALERTS.read_text().count("- alert:"))
        wait_until(lambda: self.prometheus.values('up{job="kith"}') == [1.0], "Prometheus has scraped kithd")
        self.assertEqual(self.prometheus.values('ALERTS{alertstate="firing"}'), [])


if __name__ == "__main__":
    unittest.main()
