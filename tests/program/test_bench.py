"""enprof bench: experiments of repeated runs, and how they go on."""

import csv
import io
import json
import os
import signal
import sqlite3
import subprocess
import sys
import unittest

from program import (ENPROF, FakeMachine, ProgramTest, enprof, main, model, played, replay,
                     wait_until)


class Bench(ProgramTest):
    """With scripts of a fixed length. Whether a run can be used depends on what else the machine
    does: no test counts on it."""

    def bench(self, *arguments, code=0, power=True, **options):
        sensor = ("--power", f"replay:{replay(50)}") if power else ()
        done = enprof("bench", *arguments, *sensor, "--baseline-s", 0, "--db", self.db, **options)
        # Where others used the machine, points have no figures.
        is_disturbed = "has no figure" in done.stderr or "No point has a figure" in done.stderr
        allowed = {code, 1, 3} if is_disturbed and code in (0, 3) else {code}
        self.assertIn(done.returncode, allowed, done.stdout + done.stderr)
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
        self.assertRegex(unknown.stdout, r"a difference of [\d.]+ %\s+between two points is found")
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
                          "cannot be given here: --resume goes on")
        self.assert_fails(self.bench("--resume", "short", code=1), 1,
                          "There is no experiment short")

    def test_all_axes_reach_the_engine(self):
        path = model(layers=2, embd=256, ff=256)  # blocks of 32 values divide its heads
        rows = json.loads(self.bench("-m", path, "-p", 16, "-n", 4, "-t", 1, "-d", "0,64", "-np", "1,3",
                                     "-ctk", "f16,q8_0", "-ctv", "q8_0", "-fa", "on", "-ngl", 0, "-r", 1,
                                     "--experiment", "axes", "-o", "json").stdout)
        self.assertEqual(len(rows), 8)
        memory = {}
        for row in rows:
            self.assertEqual(row["cache_type_v"], "q8_0")
            self.assertEqual(row["flash_attention"], "on")
            memory[row["filled_tokens"], row["parallel"], row["cache_type_k"]] = row["memory_bytes"]
            self.assertNotEqual(row["decode_tokens_per_second"], 0)
        self.assertLess(memory[0, 1, "q8_0"], memory[0, 1, "f16"])
        self.assertLess(memory[0, 1, "f16"], memory[0, 3, "f16"])
        for run in self.runs("axes"):
            sequences = 3 if " np3" in self.tag(run, "point") else 1
            self.assertEqual(run["totals"]["prompt_tokens"], 16 * sequences)
            self.assertEqual(run["totals"]["output_tokens"], 4 * sequences)
            self.assertEqual(run["status"], "completed")
            sections = {section["name"] for section in run["sections"]}
            self.assertEqual("context_fill" in sections, " d64" in self.tag(run, "point"))

    def test_pairs_of_prompt_and_output(self):
        listed = self.bench("-m", "a.gguf", "-pg", "512,128", "-pg", "64,8", "--dry-run", power=False)
        self.assertIn("a.gguf p512 n128", listed.stdout)
        self.assertIn("a.gguf p64 n8", listed.stdout)
        self.assertIn("2 points", listed.stdout)
        both = self.bench("-m", "a.gguf", "-pg", "512,128", "-p", "32", "--dry-run", power=False)
        self.assertIn("a.gguf p32 n128", both.stdout)
        self.assert_fails(self.bench("-m", "a", "-pg", "512", code=2), 2, '-pg: "512" is not a pair')

    def plan(self, text):
        path = self.dir / "plan.toml"
        path.write_text(text, encoding="utf-8")
        return path

    def test_a_plan(self):
        (self.dir / "story.txt").write_text("Once upon a time", encoding="utf-8")
        path = model(layers=2, embd=128, ff=256)
        plan = self.plan(f"""
name = "planned"
repeats = 1
tags = ["from-plan"]
price_usd_per_kwh = 0.5
[settings]
threads = 1
gpu_layers = 0
output_tokens = 4
[[points]]
model = "{path}"
prompt_tokens = [8, 16]
[[points]]
name = "story"
model = "{path}"
prompt_file = "story.txt"
[[exclude]]
prompt_tokens = 16
""")
        listed = self.bench(plan, "--dry-run", power=False)
        self.assertIn("2 points of planned, 1 run each", listed.stdout)
        self.assertFalse(self.db.exists())
        rows = json.loads(self.bench(plan, "-o", "json", "--tag", "mine").stdout)
        self.assertEqual([row["point"].split()[-1] for row in rows], ["ngl0", "story"])
        self.assertEqual([row["price_usd_per_kwh"] for row in rows], [0.5, 0.5])
        for run in self.runs("planned"):
            self.assertIn("from-plan", run["tags"])
            self.assertIn("mine", run["tags"])
            if self.tag(run, "point") == "story":
                self.assertEqual(run["prompt"], "Once upon a time")
        again = self.bench("--resume", "planned", "-r", 2, "-o", "json")
        self.assertEqual([row["runs"] >= 2 for row in json.loads(again.stdout)], [True, True])

    def test_a_plan_with_mistakes(self):
        typo = self.plan("repeats = 3\n\n[[points]]\nmodel = \"a\"\nthread = 2\n")
        self.assert_fails(self.bench(typo, code=2), 2, 'plan.toml:5:1: "thread" is not known',
                          "Did you mean 'threads'?")
        self.assert_fails(self.bench(self.plan("seed = = 3"), code=2), 2, "plan.toml:1:8: ")
        self.assert_fails(self.bench(self.dir / "missing.toml", code=1), 1, "missing.toml cannot be read")
        good = self.plan("[settings]\nmodel = \"a\"\n")
        self.assert_fails(self.bench(good, "-t", 2, code=2), 2, "the plan names the points")
        lost = self.plan(f"[settings]\nmodel = \"{played(0.1)}\"\nprompt_file = \"gone.txt\"\n")
        done = self.bench(lost, "-r", 1, code=1)
        self.assertIn("gone.txt", " ".join(done.stdout.split()))

    def test_settings_that_contradict_each_other_leave_the_others(self):
        done = self.bench("-m", played(0.1), "-n", 5, "-b", 8, "-ub", "4,16", "-r", 1, code=3)
        text = " ".join(done.stdout.split())
        self.assertIn("0.1.playback.json p512 n5 b8 ub16 is missing: -ub 16 is more than -b 8", text)
        listed = self.bench("-m", "a", "-b", 8, "-ub", "4,16", "--dry-run", power=False)
        self.assertIn("b8 ub16 cannot be measured", listed.stdout)

    def test_a_point_that_does_not_fit_into_memory_leaves_the_others(self):
        path = self.dir / "long.gguf"
        made = enprof("model", "synth", "-o", path, "--layers", 2, "--embd", 128, "--ff", 256, "--heads", 8,
                      "--kv-heads", 4, "--ctx", 1_000_000)
        self.assertEqual(made.returncode, 0, made.stderr)
        plan = self.plan(f"""
repeats = 1
[settings]
model = "{path}"
prompt_tokens = 8
output_tokens = 2
threads = 1
gpu_layers = 0
[[points]]
name = "small"
[[points]]
name = "huge"
filled_tokens = 900_000
parallel = 256
""")
        done = self.bench(plan, "-o", "json", code=3)
        small, huge = json.loads(done.stdout)
        self.assertIsNone(small["error"])
        self.assertGreaterEqual(small["runs"], 1)
        self.assertIn("The weights and the KV cache of", huge["error"])

    def test_nothing_that_can_be_used_is_a_failure(self):
        """On a machine that others keep busy, each run is disturbed: the table is empty."""
        with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as other:
            done = self.bench("-m", played(0.5), "-n", 10000, "-r", 1, code=1)
            other.kill()
        self.assertIn("No point has a figure", done.stderr)
        self.assertIn("no run can be used", " ".join(done.stdout.split()))

    def test_estimates_are_shown_and_marked(self):
        path = model(layers=2, embd=128, ff=256)
        with FakeMachine(self.dir / "proc", busy=0.5) as machine:
            done = enprof("bench", "-m", path, "-p", 32, "-n", 16, "-t", 1, "-ngl", 0, "-r", 2, "--power",
                          "estimate", "--baseline-s", 0, "-o", "json", "--db", self.db, env=machine)
        (row,) = json.loads(done.stdout)
        if row["energy_per_output_token_mj"] is not None:  # else other programs used too much
            self.assertEqual(row["energy_method"], "estimated")
            self.assertEqual(row["verdict"], "not_comparable")
            self.assertEqual(done.returncode, 0, done.stderr)
        else:
            self.assertEqual(done.returncode, 1, done.stderr)

    def test_the_quality_of_answers(self):
        text = self.dir / "text.txt"
        text.write_text("The quick brown fox jumps over the lazy dog. " * 60, encoding="utf-8")
        path = model(layers=2, embd=128, ff=256)
        other = self.dir / "other.gguf"
        made = enprof("model", "synth", "-o", other, "--layers", 2, "--embd", 128, "--ff", 256, "--heads", 8,
                      "--kv-heads", 4, "--type", "q4_0")
        self.assertEqual(made.returncode, 0, made.stderr)
        plan = self.plan(f"""
[settings]
model = ["{path}", "{other}"]
prompt_tokens = 8
output_tokens = 2
threads = 1
gpu_layers = 0
[quality]
text = "text.txt"
chunks = 3
context = 64
reference = "{path}"
""")
        cache = {"XDG_CACHE_HOME": str(self.dir / "cache")}
        done = self.bench(plan, "-r", 1, "-o", "json", "--experiment", "quality", env=cache)
        self.assertIn("judging the answers of", done.stderr)
        first, second = json.loads(done.stdout)
        for row in (first, second):
            self.assertGreater(row["perplexity"], 1)
            self.assertGreater(row["perplexity_standard_error"], 0)
        self.assertIsNone(first["kl_divergence"])
        self.assertGreater(second["kl_divergence"], 0)
        self.assertEqual(second["quality_reference"], path.name)
        self.assertTrue(self.tag(self.runs("quality")[0], "quality"))
        again = self.bench(plan, "-r", 1, "-o", "json", env=cache)
        self.assertNotIn("judging", again.stderr)
        self.assertEqual(json.loads(again.stdout)[1]["kl_divergence"], second["kl_divergence"])
        missing = self.bench("-m", path, "-p", 8, "-n", 2, "-t", 1, "-r", 1, "--quality",
                             self.dir / "no.txt", env=cache)
        self.assertIn("are not judged: The text", missing.stderr)

    def machine_with_limits(self):
        """A sysfs with a CPU package whose limits can be set."""
        zone = self.dir / "sys" / "class" / "powercap" / "intel-rapl:0"
        zone.mkdir(parents=True)
        for name, value in (("name", "package-0"), ("enabled", "1"), ("constraint_0_name", "long_term"),
                            ("constraint_0_power_limit_uw", "65000000"),
                            ("constraint_0_max_power_uw", "95000000")):
            (zone / name).write_text(f"{value}\n", encoding="utf-8")
        limit = zone / "constraint_0_power_limit_uw"
        return {"ENPROF_SYSFS_ROOT": str(self.dir / "sys")}, lambda: limit.read_text(encoding="utf-8").strip()

    def test_limits_of_the_machine_are_set_and_restored(self):
        environment, limit = self.machine_with_limits()
        done = self.bench("-m", played(0.1), "-n", 5, "-r", 2, "--cpu-power-limit", "0,40,200", "-o", "json",
                          env=environment, code=3)
        rows = json.loads(done.stdout)
        self.assertEqual([row["cpu_power_limit_w"] for row in rows], [None, 40, 200])
        self.assertIn("it may be 0 to 95 W", rows[2]["error"])
        self.assertEqual([row["runs"] >= 2 for row in rows[:2]], [True, True])
        self.assertEqual(limit(), "65000000")
        none = self.bench("-m", played(0.1), "--cpu-frequency", 2000, env=environment, code=1)
        self.assertIn("no CPU frequency that can be set", none.stderr)

    def test_limits_are_restored_when_enprof_is_killed(self):
        environment, limit = self.machine_with_limits()
        command = [str(ENPROF), "bench", "-m", str(played(30)), "-n", "10000", "-r", "3",
                   "--cpu-power-limit", "40", "--power", "none", "--db", str(self.db)]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                              stdin=subprocess.DEVNULL, env={**os.environ, **environment},
                              start_new_session=True) as process:
            wait_until(lambda: limit() == "40000000", "the limit is set")
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            wait_until(lambda: limit() == "65000000", "the guard restores the limit")
            self.assertIn("they are restored", process.stderr.read())

    @unittest.skipIf(os.geteuid() != 0 or sys.platform != "linux", "mounts a small disk")
    def test_a_full_disk_leaves_the_table(self):
        """What cannot be saved is in the table all the same, and in files; the exit code says so."""
        disk = self.dir / "disk"
        disk.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "none", disk], check=True)
        self.addCleanup(subprocess.run, ["umount", "-l", disk], check=True)
        self.db = disk / "profiles.db"
        self.bench("-m", played(0.1), "-n", 5, "-r", 1, "--experiment", "before")
        with open(disk / "filler", "wb", buffering=0) as filler:
            try:
                while filler.write(b"x" * 4096):
                    pass
            except OSError:
                filler.truncate(filler.tell() - (32 << 10))
        work = self.dir / "work"
        work.mkdir()
        done = self.bench("-m", played(0.5), "-n", 10000, "-r", 2, "-o", "json", cwd=work,
                          env={"TMPDIR": "/nowhere"}, code=3)
        (row,) = json.loads(done.stdout)
        self.assertGreaterEqual(row["runs"], 2)
        self.assertTrue(list(work.glob("enprof-*.json")), done.stderr)

    def test_the_harness_says_what_it_took(self):
        done = self.bench("-m", played(0.1), "-n", 5, "-r", 2)
        self.assertRegex(done.stderr, r"runs took .*, warm-up .*; everything else .* %\)")

    def test_a_budget_ends_it(self):
        done = self.bench("-m", played(0.1), "-n", 5, "-r", 10_000, "--budget", 1)
        self.assertIn("the budget of 1 s is spent", done.stderr)

    def test_bad_input(self):
        self.assert_fails(self.bench(code=2), 2, "No model is named")
        self.assert_fails(self.bench("-m", "a", "-t", "one", code=2), 2, "-t: ", "one")
        self.assert_fails(self.bench("-m", "a", "-n", "0", code=2), 2, "-n: 0 is out of range",
                          "-n 1 leaves the prompt")
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
