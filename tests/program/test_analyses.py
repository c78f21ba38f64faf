"""enprof report: what an experiment says, in the terminal, as JSON, and as a page."""

import json
import pathlib
import re

from program import ProgramTest, enprof, main, model, played, replay

NAMES = ["pareto", "scaling", "quantization", "batch", "context", "architecture", "mixtures",
         "prediction"]


class Analyses(ProgramTest):
    """Real models, measured by a recording of constant power. Whether a run is comparable depends on
    what else the machine does, so runs are exported, judged as a test needs it, and imported."""

    def setUp(self):
        super().setUp()
        self.measured = self.dir / "measured.db"

    def exported(self):
        listed = json.loads(enprof("runs", "--experiment", "real", "--ascending", "--json", "--limit",
                                   1000, "--db", self.measured).stdout)["runs"]
        return [json.loads(enprof("export", run["run_id"], "--format", "json", "--db",
                                  self.measured).stdout) for run in listed]

    def measure(self, *models, rounds=2, depth="minimal"):
        """One run of each in each round, as bench tags them, but without doing any of them again."""
        for turn in range(1, rounds + 1):
            for path in models:
                done = enprof("run", "-m", path, "-p", "The quick brown fox", "-n", 6, "--threads", 1,
                              "--depth", depth, "--experiment", "real", "--tag",
                              f"point={pathlib.Path(path).name} p16 n6 t1", "--tag", f"round={turn}",
                              "--power", f"replay:{replay(50)}", "--baseline-s", 0, "--db",
                              self.measured)
                self.assertEqual(done.returncode, 0, done.stderr)
        return self.exported()

    def keep(self, runs, reasons=(), experiment="real"):
        """Stores the runs with this verdict."""
        for run in runs:
            run["experiment"] = experiment
            run["verdict"] = "not_comparable" if reasons else "quotable"
            run["verdict_reasons"] = [{"level": "not_comparable", "code": code,
                                       "message": f"because of {code}"} for code in reasons]
            path = self.dir / f"{run['run_id']}.json"
            path.write_text(json.dumps(run), encoding="utf-8")
            done = enprof("import", path, "--db", self.db)
            self.assertEqual(done.returncode, 0, done.stderr)

    def report(self, *arguments, code=0, **options):
        done = enprof("report", *arguments, "--db", self.db, **options)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done

    def analyses(self, *arguments):
        document = json.loads(self.report("real", "--json", *arguments).stdout)
        return document, {analysis["name"]: analysis for analysis in document["analyses"]}

    def test_a_real_experiment_is_analysed(self):
        models = [model(layers=layers, embd=128, ff=256) for layers in (2, 4, 6)]
        mixture = self.dir / "moe.gguf"
        made = enprof("model", "synth", "-o", mixture, "--arch", "qwen3moe", "--layers", 2, "--embd",
                      128, "--ff", 128, "--heads", 8, "--kv-heads", 4, "--experts", 4)
        self.assertEqual(made.returncode, 0, made.stderr)
        self.keep(self.measure(*models, mixture, depth="module"))
        document, found = self.analyses()
        self.assertEqual(list(found), NAMES)
        self.assertEqual(len(document["points"]), 4)
        for point in document["points"]:
            self.assertGreater(point["energy_per_output_token_mj"], 0)
            self.assertGreater(point["active_parameters"], 0)
            self.assertEqual(len(point["run_ids"]), 2)
        for analysis in found.values():
            self.assertTrue(analysis["answers"] or analysis["lacks"], analysis["name"])
        self.assertEqual(len(found["pareto"]["tables"][0]["rows"]), 4)
        self.assertIn("no three points differ", found["scaling"]["lacks"][1])
        self.assertIn("uses 2 of 4 experts", " ".join(found["mixtures"]["answers"]))
        components = found["architecture"]["tables"][1]["rows"]
        self.assertLessEqual({"attention", "lm_head"}, {row["component"] for row in components})
        # Parts are parts of one whole.
        for row in found["architecture"]["tables"][1]["rows"]:
            self.assertLessEqual(row["share_pct"], 100)
        self.assertIn("left out and predicted", " ".join(found["prediction"]["answers"]))

        text = self.report("real", env={"COLUMNS": "60"}).stdout
        for name in NAMES:
            self.assertIn(f"\n{name}: ", text)
        self.assertLessEqual(max(map(len, text.splitlines())), 60)
        one = self.report("real", "--analysis", "Mixtures").stdout
        self.assertIn("\nmixtures: ", one)
        self.assertNotIn("\npareto: ", one)

        # A model that did not run: no number without its interval.
        unknown = model(layers=8, embd=128, ff=256)
        _, told = self.analyses("--predict", unknown)
        rows = next(table["rows"] for table in told["prediction"]["tables"]
                    if table["title"] == "Predicted")
        self.assertGreater(rows[0]["predicted_energy_mj"], 0)
        self.assertGreater(rows[0]["predicted_energy_half_interval_mj"], 0)
        self.assertIn("p16 n6", rows[0]["point"])

        page = self.dir / "report.html"
        self.report("real", "-o", page)
        html = page.read_text(encoding="utf-8")
        self.assertGreater(html.count("<svg "), 3)
        for word in ("Uncertainty budget", "To repeat it", "enprof bench", "replay"):
            self.assertIn(word, html)
        self.assertIsNone(re.search(r"<script|<link|<img|https?://|url\(", html))
        self.assert_fails(self.report("real", "-o", page, code=2), 2, "exists", "--force")
        self.report("real", "-o", page, "--force")
        self.assertEqual(self.report("real", "-o", "-").stdout, html)

    def test_a_trend_is_shown_where_there_is_one(self):
        runs = self.measure(model(layers=2, embd=128, ff=256), rounds=2)
        self.keep(runs, experiment="real")
        _, found = self.analyses()
        self.assertNotIn("trend", found)
        _, found = self.analyses("--analysis", "trend")
        self.assertEqual(list(found), ["trend"])
        self.assertIn("two experiments", found["trend"]["lacks"][0])
        for run in runs:
            run["run_id"] = run["run_id"][::-1]
            run["started_at"] = "2036" + run["started_at"][4:]  # later than all others
        self.keep(runs, experiment="next day")
        _, found = self.analyses()
        self.assertEqual([row["experiment"] for row in found["trend"]["tables"][0]["rows"]],
                         ["real", "next day"])
        self.assertIn("next day is not shown to differ from real", found["trend"]["answers"][0])
        self.assertIn("\ntrend: ", self.report("real").stdout)
        self.assertIn("Energy per output token over time", self.report("real", "-o", "-").stdout)

    def test_what_cannot_be_compared_is_no_number(self):
        self.keep(self.measure(model(layers=2, embd=128, ff=256), model(layers=4, embd=128, ff=256)),
                  reasons=["estimate"])
        _, found = self.analyses()
        for analysis in found.values():
            self.assertEqual(analysis["answers"], [], analysis["name"])
            self.assertEqual(analysis["tables"], [], analysis["name"])
            self.assertIn("because of estimate", analysis["lacks"][0])
        self.assertIn("No answer: no point has an energy", " ".join(self.report("real").stdout.split()))
        document, found = self.analyses("--estimates")
        self.assertTrue(document["has_estimates"])
        self.assertTrue(found["pareto"]["answers"])
        self.assertIn("--depth module", " ".join(found["architecture"]["lacks"]))
        self.assertIn("energies are estimates", " ".join(self.report("real", "--estimates").stdout.split()))

    def test_an_unfinished_experiment_says_what_it_lacks(self):
        done = enprof("bench", "-m", f"{played(0.1)},{played(0.2)}", "-n", 5, "-r", 1, "--experiment",
                      "real", "--power", f"replay:{replay(50)}", "--baseline-s", 0, "--db",
                      self.measured)
        self.assertIn(done.returncode, (0, 1, 3), done.stderr)  # as the machine lets it
        run = self.exported()[0]  # a run of the first round holds the design
        run["tags"] = [tag.replace('"repeats":1', '"repeats":2') for tag in run["tags"]]
        self.keep([run])
        document, found = self.analyses()
        self.assertEqual(len(document["points"]), 1)
        self.assertEqual(len(document["missing"]), 1)
        self.assertIn("bench --resume real", document["notes"][0])
        self.assertEqual(found["pareto"]["answers"], [])
        self.assertIn("only 1 point has", found["pareto"]["lacks"][0])

    def test_bad_input(self):
        self.keep(self.measure(model(layers=2, embd=128, ff=256), rounds=1))
        self.assert_fails(self.report("reel", code=1), 1, "There is no experiment reel",
                          "Did you mean real?")
        self.assert_fails(self.report("real", "--analysis", "pareta", code=2), 2, "pareto")
        self.assert_fails(self.report("real", "--json", "-o", "x.html", code=2), 2, "two forms")
        self.assert_fails(self.report("real", "--predict", self.dir / "none.gguf", code=1), 1,
                          "none.gguf")
        self.assert_fails(self.report("real", "-o", self.dir / "none" / "x.html", code=1), 1, "none")
        broken = self.dir / "broken.gguf"
        broken.write_text("GGUF", encoding="utf-8")
        self.assert_fails(self.report("real", "--predict", broken, code=1), 1, "broken.gguf")
        self.assertIn("1 point", self.report("real").stdout)


if __name__ == "__main__":
    main()
