"""enprof compare: two runs, two sets, two experiments; its exit codes."""

import copy
import json

from program import ProgramTest, enprof, main, played, replay


class Compare(ProgramTest):
    """Runs with given figures, made from one real run and imported."""

    def setUp(self):
        super().setUp()
        self.template = self.profile_json("--power", f"replay:{replay(50)}", "-n", 10_000,
                                          "--no-save", path=played(0.2))
        self.template |= {"verdict": "quotable", "verdict_reasons": [], "warnings": []}
        # How sure a run of 0.2 s is depends on the machine.
        for figure in (self.template["totals"], *self.template["phases"]):
            for error in ("standard_error_mj", "dynamic_standard_error_mj"):
                if figure["quality"][error] is not None:
                    figure["quality"][error] = 1e-3 * figure["energy_mj"]
        self.count = 0

    def made(self, mj_per_token, **changes):
        """A file of a run with that energy per output token."""
        run = copy.deepcopy(self.template)
        self.count += 1
        run["run_id"] = f"{self.count:016x}"
        run["totals"]["energy_per_output_token_mj"] = mj_per_token
        run |= changes
        path = self.dir / f"{run['run_id']}.json"
        path.write_text(json.dumps(run), encoding="utf-8")
        return path

    def experiment(self, name, values, **changes):
        """Imports a run of the experiment for each value."""
        files = [self.made(value, experiment=name, **changes) for value in values]
        done = enprof("import", *files, "--db", self.db)
        self.assertEqual(done.returncode, 0, done.stderr)

    def compare(self, *arguments, code=0):
        done = enprof("compare", *arguments, "--db", self.db, env={"COLUMNS": "120"})
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done

    def test_two_runs_are_told_apart_but_not_judged(self):
        self.experiment("", [100.0, 150.0])
        said = self.compare(f"{1:016x}", "last").stdout
        self.assertRegex(said, r"energy per output token +100\.0 mJ +150\.0 mJ +\+50\.0 %")
        self.assertIn("1 run", said)
        self.assertIn("the spread between runs is not in it", said)
        self.assertIn("Different: nothing", said)
        judged = self.compare(f"{1:016x}", f"{2:016x}", "--fail-above", "2%", code=5).stdout
        self.assertIn("No verdict: one run on a side", judged)

    def test_experiments_pass_fail_or_are_undecided(self):
        self.experiment("main", [100.0, 100.1, 99.9, 100.0, 100.05])
        self.experiment("same", [100.0, 100.1, 99.9, 100.0, 100.05])
        self.experiment("worse", [105.0, 105.1, 104.9, 105.0, 105.05])
        self.experiment("wild", [90.0, 112.0, 101.0])
        self.assertIn("Passed: ", self.compare("main", "same", "--fail-above", "2%").stdout)
        self.assertIn("Failed: ", self.compare("main", "worse", "--fail-above", "2 %",
                                               code=4).stdout)
        self.assertEqual(self.compare("worse", "main", "--fail-above", "2").returncode, 0)
        self.assertIn("too few repeats for 2 %",
                      self.compare("main", "wild", "--fail-above", "2%", code=5).stdout)
        self.compare("main", "worse")  # nothing was asked for
        found = json.loads(self.compare("main", "worse", "--json", "--fail-above", "2%",
                                        code=4).stdout)["comparisons"][0]
        self.assertEqual(found["ruling"]["judgement"], "worse")
        self.assertEqual(found["a"]["runs"], 5)
        energy = found["changes"][0]
        self.assertEqual(energy["measure"], "energy_per_output_token")
        self.assertAlmostEqual(energy["change_pct"], 5.0, delta=0.01)
        self.assertEqual(energy["basis"], "repeats")
        markdown = self.compare("main", "worse", "--markdown", "--fail-above", "2%", code=4).stdout
        self.assertIn("| energy per output token | 100.0 mJ | 105.0 mJ | +5.00 %", markdown)
        self.assertIn("❌ Failed", markdown)

    def test_points_of_an_experiment(self):
        for model, value in (("a-q8.gguf", 100.0), ("a-q4.gguf", 70.0)):
            for number in range(1, 5):
                self.experiment("weekly", [value * (1 + number / 10)],
                                tags=[f"point={model} p512 n128 t2", f"round={number}"])
        said = self.compare("--experiment", "weekly", "q8", "q4").stdout
        self.assertIn("from the differences in 4 rounds", said)
        self.assertRegex(said, r"energy per output token .*−30\.0 %")
        unknown = self.compare("--experiment", "weekly", "q8", "q5", code=2)
        self.assert_fails(unknown, 2, "q5 names no point of experiment weekly", "a-q4.gguf p512")
        self.assert_fails(self.compare("--experiment", "weekly", "q8", "t2", code=2), 2,
                          "t2 names 2 points of experiment weekly")
        self.assert_fails(self.compare("--experiment", "monthly", "q8", "q4", code=1), 1,
                          "There is no experiment monthly in the history")
        # Two experiments with several points: each point with itself.
        for model, value in (("a-q8.gguf", 100.0), ("a-q4.gguf", 91.0)):
            self.experiment("branch", [value, value, value],
                            tags=[f"point={model} p512 n128 t2"])
        both = json.loads(self.compare("weekly", "branch", "--json").stdout)["comparisons"]
        self.assertEqual(len(both), 2)
        self.assertAlmostEqual(both[0]["confidence"], 0.975)
        other = self.experiment("other", [1.0], tags=["point=b.gguf p1 n1 t1"])
        self.assertIsNone(other)
        self.assert_fails(self.compare("weekly", "other", code=2), 2, "no point in common")

    def test_what_is_not_comparable_is_refused(self):
        reason = {"level": "not_comparable", "code": "foreign_load",
                  "message": "other processes used 40.0 % of the busy CPU time"}
        self.experiment("main", [100.0, 100.1, 99.9])
        self.experiment("loaded", [130.0, 130.1, 129.9], verdict="not_comparable",
                        verdict_reasons=[reason])
        done = self.compare("main", "loaded", "--fail-above", "2%", code=5)
        self.assertIn("No verdict: energy per output token cannot be compared: other processes",
                      done.stdout)
        self.assertIn("0 of 3 runs", done.stdout)
        self.assertIn("not comparable", done.stdout)

    def test_files_need_no_database(self):
        a = [self.made(value) for value in (100.0, 100.1, 99.9)]
        b = [self.made(value) for value in (105.0, 105.1, 104.9)]
        sets = [",".join(map(str, files)) for files in (a, b)]
        said = self.compare(*sets, "--fail-above", "2%", code=5).stdout
        self.assertIn("files do not say on which machine they were made", said)
        self.compare(*sets, "--fail-above", "2%", "--same-machine", code=4)
        self.assertIn("1 run", self.compare(a[0], b[0]).stdout)
        self.assertFalse(self.db.exists())

    def test_bad_input(self):
        self.assert_fails(self.compare("a", "b", code=1), 1, "There is no database")
        self.assert_fails(self.compare("missing.json", "other.json", code=1), 1,
                          "Cannot read missing.json")
        broken = self.dir / "broken.json"
        broken.write_text("{", encoding="utf-8")
        self.assert_fails(self.compare(broken, broken, code=1), 1, broken)
        self.assert_fails(self.compare("a", code=2), 2, "B")
        self.assert_fails(self.compare("a", "b", "--markdown", "--json", code=2), 2,
                          "--markdown and --json")
        self.assert_fails(self.compare("a", "b", "--fail-above", "much", code=2), 2, "much")
        self.assert_fails(self.compare("a", "b", "--measure", "mean-power", code=2), 2,
                          "mean-power")
        self.experiment("main", [100.0])
        self.assert_fails(self.compare("main", "zzz", code=1), 1, "zzz")


if __name__ == "__main__":
    main()
