"""The Prometheus rules of deploy/ use only metrics that enprof serve has."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import unittest
import urllib.request

from program import ENPROF, SOURCE, ProgramTest, main, model, needs_dev, replay, wait_until

DEPLOY = SOURCE / "deploy" / "prometheus"
RULES = DEPLOY / "enprof.rules.yml"
# Created by Prometheus itself.
FOREIGN = {"up"}


def promtool():
    """The promtool on PATH, else that of tools/fetch-promtool; None if neither exists."""
    cache = os.environ.get("ENPROF_CACHE_DIR") or os.path.join(
        os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache", "enprof")
    kept = os.path.join(cache, "promtool", "promtool")
    return shutil.which("promtool") or (kept if os.access(kept, os.X_OK) else None)


needs_promtool = needs_dev(promtool(), "promtool")


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

    @needs_promtool
    def test_what_is_served_is_well_formed(self):
        process = subprocess.run([promtool(), "check", "metrics"], input=self.metrics(), text=True,
                                 capture_output=True, timeout=60, check=False)
        self.assertEqual((process.returncode, process.stdout + process.stderr), (0, ""))


if __name__ == "__main__":
    main()
