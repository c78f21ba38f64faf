"""The Prometheus rules and the Grafana dashboards of deploy/ use only metrics that enprof serve has."""

import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import tempfile
import unittest
import urllib.error
import urllib.parse
import urllib.request

from program import ENPROF, SOURCE, ProgramTest, main, model, needs_dev, replay, wait_until

DEPLOY = SOURCE / "deploy" / "prometheus"
RULES = DEPLOY / "enprof.rules.yml"
# Created by Prometheus itself.
FOREIGN = {"up"}
DASHBOARDS = sorted((SOURCE / "deploy" / "grafana").glob("*.json"))
# Series that a server without failures does not have.
ONLY_AFTER_FAILURES = {"enprof_sensor_read_errors_total"}


def fetched(name):
    """The program on PATH, else that of tools/fetch-promtool; None if neither exists."""
    cache = os.environ.get("ENPROF_CACHE_DIR") or os.path.join(
        os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache", "enprof")
    kept = os.path.join(cache, "promtool", name)
    return shutil.which(name) or (kept if os.access(kept, os.X_OK) else None)


def promtool():
    return fetched("promtool")


needs_promtool = needs_dev(promtool(), "promtool")
needs_prometheus = needs_dev(fetched("prometheus"), "prometheus")


def panels():
    """(dashboard, panel) of all dashboards."""
    for file in DASHBOARDS:
        board = json.loads(file.read_text(encoding="utf-8"))
        for panel in board["panels"]:
            yield board, panel


def queries():
    """(title, expression) of all panels, as Grafana sends them with every machine and model chosen."""
    values = {"$__rate_interval": "10s", "$__range": "30s", "$instance": ".*", "$model": ".*"}
    for _, panel in panels():
        for target in panel["targets"]:
            expression = target["expr"]
            for name, value in values.items():
                expression = expression.replace(name, value)
            yield panel["title"], expression


class Rules(unittest.TestCase):
    def promtool(self, *arguments, text=None):
        process = subprocess.run([promtool(), *map(str, arguments)], input=text, text=True,
                                 capture_output=True, timeout=60, check=False)
        self.assertEqual(process.returncode, 0, process.stdout + process.stderr)

    @needs_promtool
    def test_rules_are_valid(self):
        self.promtool("check", "rules", RULES)
        self.promtool("check", "config", "--syntax-only", DEPLOY / "scrape.yml")

    @needs_promtool
    def test_rules_fire_when_they_should(self):
        self.promtool("test", "rules", DEPLOY / "enprof.test.yml")

    def test_each_rule_is_tested(self):
        tests = (DEPLOY / "enprof.test.yml").read_text(encoding="utf-8")
        rules = RULES.read_text(encoding="utf-8")
        for alert in re.findall(r"alert: (\w+)", rules):
            self.assertRegex(tests, rf"alertname: {alert}\n\s+exp_alerts|{alert}, exp_alerts", alert)
        for record in re.findall(r"record: (\S+)", rules):
            self.assertIn(f"'{record}{{", tests)


class Dashboards(unittest.TestCase):
    def test_each_panel_has_what_a_reader_needs(self):
        self.assertTrue(DASHBOARDS)
        taken, ids = {}, set()
        for board, panel in panels():
            with self.subTest(panel["title"]):
                self.assertNotIn((board["uid"], panel["id"]), ids)
                ids.add((board["uid"], panel["id"]))
                self.assertTrue(panel["description"])
                self.assertTrue(panel["fieldConfig"]["defaults"]["unit"])
                self.assertEqual(panel["datasource"]["uid"], "${datasource}")
                place = panel["gridPos"]
                self.assertLessEqual(place["x"] + place["w"], 24)
                for x in range(place["x"], place["x"] + place["w"]):
                    for y in range(place["y"], place["y"] + place["h"]):
                        other = taken.setdefault((board["uid"], x, y), panel["title"])
                        self.assertEqual(other, panel["title"], "two panels overlap")

    def test_variables_are_defined(self):
        for board, panel in panels():
            known = {variable["name"] for variable in board["templating"]["list"]}
            for target in panel["targets"]:
                for name in re.findall(r"\$\{?(\w+)", json.dumps(target)):
                    self.assertIn(name, known | {"__rate_interval", "__range"}, panel["title"])

    @needs_promtool
    def test_queries_are_valid(self):
        rules = [{"record": f"q:{index}", "expr": expression}
                 for index, (_, expression) in enumerate(queries())]
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            json.dump({"groups": [{"name": "queries", "rules": rules}]}, file)
            file.flush()
            process = subprocess.run([promtool(), "check", "rules", file.name], text=True, capture_output=True,
                                     timeout=60, check=False)
        self.assertEqual(process.returncode, 0, process.stdout + process.stderr)


class Served(ProgramTest):
    """The metrics of a server after successful and failed runs."""

    def setUp(self):
        super().setUp()
        models = self.dir / "models"
        models.mkdir()
        os.link(model(), models / "m.gguf")
        (models / "broken.gguf").write_bytes(b"GGUF")
        server = subprocess.Popen(
            [str(ENPROF), "serve", "--port", "0", "--models-dir", str(models), "--db", str(self.db),
             "--baseline-s", "0", "--power", f"replay:{replay(50)}"],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.addCleanup(server.communicate)
        self.addCleanup(server.kill)
        self.url = "http://127.0.0.1:" + re.search(r":(\d+)/", server.stderr.readline())[1]
        for name in ("m.gguf", "broken.gguf"):
            body = json.dumps({"model": name, "prompt": "Hello", "max_tokens": 8}).encode()
            self.get("/api/profiling/generate", body)
        for status in ("failed", "completed"):
            wait_until(lambda: f'enprof_runs_total{{status="{status}"}} 1' in self.metrics(),
                       f"a run has {status}")

    def get(self, path, body=None):
        with urllib.request.urlopen(self.url + path, body, timeout=60) as answer:
            return answer.read().decode()

    def metrics(self):
        return self.get("/metrics")

    def test_each_metric_of_the_rules_is_served(self):
        text = re.sub(r"^\s*(#|summary|description|- alert|- name|- record).*$", "",
                      RULES.read_text(encoding="utf-8"), flags=re.MULTILINE)
        # Recorded series have colons in their names.
        named = set(re.findall(r"(?<![\w:])enprof_[a-z_]+(?![\w:])", text))
        served = set(re.findall(r"^(enprof_\w+)[{ ]", self.metrics(), flags=re.MULTILINE))
        self.assertGreater(len(named), 8)
        self.assertEqual(named - served, set())
        self.assertEqual(set(re.findall(r"\bup\b", text)), FOREIGN)

    def test_labels_that_the_rules_pick_are_served(self):
        served = self.metrics()
        for label in ('component="store"', 'phase="decode"', 'status="failed"',
                      'method="', 'code="'):
            self.assertIn(label, RULES.read_text(encoding="utf-8"))
            self.assertIn(label, served)

    @needs_prometheus
    def test_each_query_of_the_dashboards_finds_what_is_served(self):
        """With a real Prometheus that reads a real server."""
        config = self.dir / "prometheus.json"  # JSON is YAML
        config.write_text(json.dumps({"scrape_configs": [
            {"job_name": "enprof", "scrape_interval": "1s",
             "static_configs": [{"targets": [self.url.removeprefix("http://")]}]}]}), encoding="utf-8")
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
        prometheus = subprocess.Popen(
            [fetched("prometheus"), f"--config.file={config}", f"--storage.tsdb.path={self.dir / 'tsdb'}",
             f"--web.listen-address=127.0.0.1:{port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(prometheus.communicate)
        self.addCleanup(prometheus.kill)

        def answer(expression):
            query = urllib.parse.urlencode({"query": expression})
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/query?{query}", timeout=10) as found:
                    return json.loads(found.read())
            except urllib.error.HTTPError as error:
                text = error.read().decode()
                self.assertNotEqual(error.code, 400, text)  # the query is wrong
                return None  # it is not ready yet
            except OSError:
                return None  # it is not there yet
        for title, expression in queries():
            with self.subTest(title):
                may_be_empty = bool(ONLY_AFTER_FAILURES & set(re.findall(r"enprof_\w+", expression)))

                def found(query=expression, empty=may_be_empty):
                    got = answer(query)
                    return got is not None and (empty or got["data"]["result"])
                wait_until(found, f"Prometheus has what the panel {title} asks for: {expression}")

    @needs_promtool
    def test_what_is_served_is_well_formed(self):
        process = subprocess.run([promtool(), "check", "metrics"], input=self.metrics(), text=True,
                                 capture_output=True, timeout=60, check=False)
        self.assertEqual((process.returncode, process.stdout + process.stderr), (0, ""))


if __name__ == "__main__":
    main()
