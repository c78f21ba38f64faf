"""enprof bench: experiments of repeated runs, and how they go on."""

import csv
import io
import json
import os
import signal
import sqlite3
import subprocess

from program import ENPROF, ProgramTest, enprof, main, model, played, replay, wait_until


class Bench(ProgramTest):
    """With scripts of a fixed length. Whether a run is comparable depends on what else the machine
    does: no test counts on it."""

    def bench(self, *arguments, code=0, power=True, **options):
        sensor = ("--power", f"replay:{replay(50)}") if power else ()
        done = enprof("bench", *arguments, *sensor, "--baseline-s", 0, "--db", self.db, **options)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done

    def runs(self, experiment):
        """The exported runs of an experiment, oldest first."""
        listed = json.loads(enprof("runs", "--experiment", experiment, "--ascending", "--json",
                                   "--limit", 1000, "--db", self.db).stdout)["runs"]
        return [json.loads(enprof("export", run["run_id"], "--format", "json", "--db",
                                  self.db).stdout) for run in listed]

    @staticmethod
    def tag(run, name):
        return next((tag.split("=", 1)[1] for tag in run["tags"] if tag.startswith(f"{name}=")),
                    None)

    def test_runs_of_an_experiment_are_stored_with_their_points(self):
        done = self.bench("-m", f"{played(0.1)},{played(0.2)}", "-n", 10, "-t", "1,2", "-r", 2,
                          "--experiment", "weekly", "--tag", "mine")
        self.assertIn("| model", done.stdout)
        self.assertIn("0.1.playback.json", done.stdout)
        self.assertIn("Experiment weekly: p 512, n 10;", done.stdout)
        runs = self.runs("weekly")
        rounds = {}
        for run in runs:
            rounds.setdefault(self.tag(run, "point"), set()).add(self.tag(run, "round"))
            self.assertIn("mine", run["tags"])
            self.assertTrue(self.tag(run, "machine"))
            self.assertEqual(run["depth"], "minimal")
        self.assertEqual(rounds, {f"{name}.playback.json p512 n10 t{threads}": {"1", "2"}
                                  for name in ("0.1", "0.2") for threads in (1, 2)})
        # What bench measures can be compared.
        compared = enprof("compare", "--experiment", "weekly", "0.1,t1", "0.2,t1", "--json", "--db",
                          self.db)
        self.assertEqual(compared.returncode, 0, compared.stderr)
        again = self.bench("-m", played(0.1), "--experiment", "weekly", code=2)
        self.assert_fails(again, 2, "of experiment weekly already", "--resume weekly")

    def test_forms_of_the_result(self):
        arguments = ("-m", played(0.1), "-n", 10, "-r", 2)
        rows = json.loads(self.bench(*arguments, "-o", "json").stdout)
        self.assertEqual(len(rows), 1)
        self.assertEqual(rows[0]["model"], "played")
        self.assertGreaterEqual(rows[0]["runs"], 2)
        self.assertIn("energy_per_million_output_tokens_wh", rows[0])
        line = json.loads(self.bench(*arguments, "-o", "jsonl").stdout)
        self.assertEqual(list(line), list(rows[0]))
        table = list(csv.DictReader(io.StringIO(self.bench(*arguments, "-o", "csv").stdout)))
        self.assertEqual(list(table[0]), list(rows[0]))
        self.assertEqual(table[0]["point"], "0.1.playback.json p512 n10")
        database = sqlite3.connect(":memory:")
        for _ in range(2):
            database.executescript(self.bench(*arguments, "-o", "sql").stdout)
        self.assertEqual(database.execute("SELECT count(*), min(prompt_tokens) FROM enprof_bench")
                         .fetchone(), (2, 512))
        narrow = self.bench(*arguments, env={"COLUMNS": "80"}).stdout
        self.assertLessEqual(max(map(len, narrow.splitlines())), 80)
        self.assertIn("Not shown: ", narrow)

    def test_a_real_model_with_synthetic_prompts(self):
        path = model(layers=2, embd=128, ff=256)
        rows = json.loads(self.bench("-m", path, "-p", "16,40", "-n", 4, "-t", 1, "-ub", "8", "-b",
                                     "16", "-r", 1, "-ngl", 0, "--experiment", "real", "-o",
                                     "json").stdout)
        self.assertEqual([row["prompt_tokens"] for row in rows], [16, 40])
        for run in self.runs("real"):
            self.assertEqual(run["totals"]["prompt_tokens"],
                             40 if " p40 " in self.tag(run, "point") else 16)
            self.assertEqual(run["totals"]["output_tokens"], 4)
            self.assertEqual(run["model"]["threads"], 1)
            self.assertTrue(self.tag(run, "point").endswith("n4 t1 b16 ub8 ngl0"))

    def test_a_model_that_fails_leaves_the_others(self):
        broken = self.dir / "broken.playback.json"
        broken.write_text("{", encoding="utf-8")
        done = self.bench("-m", f"{broken},{played(0.1)}", "-n", 5, "-r", 2, code=3)
        self.assertIn("broken.playback.json p512 n5 is missing: ", " ".join(done.stdout.split()))
        self.assertIn("broken.playback.json p512 n5 is left out: ", done.stderr)
        self.assertIn("0.1.playback.json", done.stdout)
        alone = self.bench("-m", broken, "-r", 2, code=1)
        self.assertIn("| failed", alone.stdout)

    def test_a_dry_run_lists_the_points_and_measures_nothing(self):
        unknown = self.bench("-m", f"{played(0.1)},{played(0.2)}", "-t", "1,2", "--dry-run")
        self.assertIn("0.2.playback.json p512 n128 t2", unknown.stdout)
        self.assertIn("4 points", unknown.stdout)
        self.assertIn("20 runs", unknown.stdout)
        self.assertIn("is not known", unknown.stdout)
        self.assertFalse(self.db.exists())
        self.bench("-m", played(0.1), "-n", 10, "-r", 1)
        known = self.bench("-m", played(0.1), "-n", 11, "-r", 10, "--dry-run").stdout
        self.assertRegex(known, r"p512 n11 +\d")
        self.assertIn("10 runs; about", known)

    def test_an_experiment_that_is_interrupted_is_resumed(self):
        command = [str(ENPROF), "bench", "-m", f"{played(1)},{played(1.1)}", "-n", "10000", "-r",
                   "3", "--experiment", "long", "--power", "none", "--db", str(self.db)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              stdin=subprocess.DEVNULL) as process:
            def stored():
                self.assertIsNone(process.poll(), "it ended by itself")
                if not self.db.exists():
                    return 0
                listed = enprof("runs", "--experiment", "long", "--json", "--db", self.db)
                return listed.returncode == 0 and json.loads(listed.stdout)["total"] >= 2
            wait_until(stored, "two runs are stored")
            os.kill(process.pid, signal.SIGINT)
            out, err = process.communicate(timeout=120)
        self.assertEqual(process.returncode, 130, err)
        self.assertIn("| model", out)
        self.assertIn("enprof bench --resume long", err)
        before = [run["run_id"] for run in self.runs("long")]
        done = self.bench("--resume", "long", "--power", "none", power=False)
        after = self.runs("long")
        self.assertEqual([run["run_id"] for run in after][:len(before)], before)
        rounds = {}
        for run in after:
            if run["status"] == "completed":
                rounds.setdefault(self.tag(run, "point"), set()).add(self.tag(run, "round"))
        self.assertEqual(list(rounds.values()), [{"1", "2", "3"}] * 2, done.stdout)
        more = self.bench("--resume", "long", "-r", 4, "--power", "none", "-o", "json", power=False)
        self.assertGreaterEqual(min(row["runs"] for row in json.loads(more.stdout)), 4)
        self.assert_fails(self.bench("--resume", "long", "-t", 2, code=2), 2,
                          "cannot be changed by --resume")
        self.assert_fails(self.bench("--resume", "short", code=1), 1,
                          "There is no experiment short")

    def test_a_budget_ends_it(self):
        done = self.bench("-m", played(0.1), "-n", 5, "-r", 10_000, "--budget", 1)
        self.assertIn("the budget of 1 s is spent", done.stderr)

    def test_bad_input(self):
        self.assert_fails(self.bench(code=2), 2, "No model is named")
        self.assert_fails(self.bench("-m", "a", "-t", "one", code=2), 2, "-t: ", "one")
        self.assert_fails(self.bench("-m", "a", "-n", "0", code=2), 2, "-n: 0 is out of range")
        self.assert_fails(self.bench("-m", "a", "-r", "0", code=2), 2, "0 is out of range")
        self.assert_fails(self.bench("-m", "a", "-o", "xml", code=2), 2, "xml")
        self.assert_fails(self.bench("-m", "a", "--resume", "x", "--experiment", "y", code=2), 2,
                          "--resume")
        # A run that bench did not make says nothing of how it goes on.
        self.profile_json("--power", "none", "-n", 1, "--experiment", "single", path=played(0.1))
        self.assert_fails(self.bench("--resume", "single", code=1), 1,
                          "do not say how the experiment goes on")


if __name__ == "__main__":
    main()
