"""`enprof exec`: the energy of any command."""

import json
import os
import pathlib
import pty
import re
import select
import signal
import subprocess
import sys
import time

from program import (ENPROF, PATIENCE_S, FakeMachine, ProgramTest, enprof, main, replay,
                     wait_until)

STEADY = f"replay:{replay(50)}"
PYTHON = [sys.executable, "-S", "-c"]


class Exec(ProgramTest):
    def exec_words(self, *options, power=STEADY):
        """The words of a command line up to the command."""
        return ["exec", "--baseline-s", 0, "--power", power, "--db", self.db, *options, "--"]

    def run_exec(self, *command, options=(), power=STEADY, **others):
        return enprof(*self.exec_words(*options, power=power), *command, **others)

    def start_exec(self, *command, options=(), power=STEADY, **others):
        return subprocess.Popen(
            [str(ENPROF), *map(str, self.exec_words(*options, power=power)), *map(str, command)],
            **{"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE,
               "text": True, **others})

    def runs(self):
        return json.loads(enprof("runs", "--json", "--db", self.db).stdout)["runs"]

    def last(self):
        return json.loads(enprof("export", "last", "--db", self.db).stdout)

    def script(self, name, text, mode=0o755):
        path = self.dir / name
        path.write_text(text)
        path.chmod(mode)
        return path


class OfACommand(Exec):
    def test_the_report_is_on_stderr_and_the_output_its_own(self):
        process = self.run_exec("sh", "-c", "cat; echo to stderr >&2; exit 0", stdin="to stdout\n")
        self.assertEqual(process.returncode, 0, process.stderr)
        self.assertEqual(process.stdout, "to stdout\n")
        self.assertIn("to stderr\n", process.stderr)
        for part in ("Command    sh -c 'cat; echo", "exit code 0", "total", "mean power",
                     "peak power", "time", "Verdict", "Power      replay", "CPU time"):
            self.assertIn(part, process.stderr)
        for nonsense in ("token", "Prompt", "Model", "prefill", "decode"):
            self.assertNotIn(nonsense, process.stderr)

    def test_energy_is_power_times_duration(self):
        process = self.run_exec("sleep", 0.3, options=("--json", "-"))
        self.assertEqual(process.returncode, 0, process.stderr)
        run = json.loads(process.stdout)
        totals = run["totals"]
        self.assertGreaterEqual(totals["duration_ms"], 300)
        self.assertAlmostEqual(totals["energy_mj"] / (50 * totals["duration_ms"]), 1.0, delta=1e-3)
        self.assertAlmostEqual(totals["mean_power_mw"], 50_000, delta=50)
        self.assertAlmostEqual(run["power"]["peak"]["power_mw"], 50_000, delta=50)
        self.assertEqual(run["status"], "completed")
        self.assertEqual(run["finish_reason"], "exit code 0")
        self.assertEqual((run["phases"], run["tokens"], run["response"]), ([], [], ""))
        self.assertEqual(run["model"]["engine"], "exec")
        self.assertEqual(run["model"]["name"], "sleep")
        self.assertEqual(run["prompt"], "sleep 0.3")
        self.assertIsNone(totals["energy_per_output_token_mj"])
        self.assertNotIn("Energy", process.stderr, "--json - is instead of the report")

    def test_the_baseline_is_subtracted(self):
        run = json.loads(self.run_exec(
            "sleep", 0.3, options=("--json", "-", "--baseline-s", 0.3, "--baseline-force")).stdout)
        totals = run["totals"]
        self.assertAlmostEqual(run["power"]["baseline"]["power_mw"], 50_000, delta=1)
        self.assertAlmostEqual(totals["baseline_energy_mj"] + totals["dynamic_energy_mj"],
                               totals["energy_mj"], places=6)

    def test_the_share_of_its_processes(self):
        """Of the command and its children, also of one whose parent left it."""
        burn = self.script("burn.py", "import time\nwhile time.process_time() < 0.3:\n    pass\n")
        burn = f"{sys.executable} -S {burn}"
        script = f"mkfifo done; ( ({burn}; : > done) & ) ; {burn}; cat done; exit 0"
        process = self.run_exec("sh", "-c", script, cwd=self.dir)
        self.assertEqual(process.returncode, 0, process.stderr)
        cpu, unit = re.search(r"CPU time +([\d.]+) (m?)s of its processes, [\d.]+ CPUs",
                              process.stderr).groups()
        cpu = float(cpu) / (1000 if unit else 1)
        self.assertGreaterEqual(cpu, 0.6)
        self.assertIn("of busy CPU time", " ".join(process.stderr.split()))
        self.assertIsNotNone(self.last()["totals"]["quality"]["foreign_cpu_share"])

    def test_an_estimate_is_marked(self):
        with FakeMachine(self.dir / "proc") as environment:
            process = self.run_exec("sleep", 0.5, power="estimate", env=environment,
                                    options=("--tdp-watts", 100, "--idle-watts", 20,
                                             "--baseline-s", 0.3))
        self.assertRegex(process.stderr, r"total +~[\d.]+ J")
        self.assertIn("not comparable: an estimate", " ".join(process.stderr.split()))

    def test_it_is_listed_shown_exported_and_imported(self):
        self.assertEqual(self.run_exec("sh", "-c", "exit 0", options=("--tag", "a", "--experiment",
                                                                      "shells")).returncode, 0)
        (summary,) = self.runs()
        self.assertEqual(summary["engine"], "exec")
        self.assertEqual(summary["prompt"], "sh -c 'exit 0'")
        self.assertEqual(summary["tags"], ["a"])
        listed = enprof("runs", "--db", self.db, env={"COLUMNS": "160"}).stdout.splitlines()
        self.assertRegex(listed[1], r" sh +– +– .*\"sh -c 'exit 0'\"")
        for filters in (("--engine", "exec"), ("--model", "sh"), ("--text", "exit"), ("--tag", "a"),
                        ("--experiment", "shells")):
            found = json.loads(enprof("runs", "--json", "--db", self.db, *filters).stdout)
            self.assertEqual(found["total"], 1, filters)
        shown = enprof("show", "last", "--db", self.db).stdout
        self.assertIn("Command    sh -c 'exit 0'", shown)
        self.assertNotIn("token", shown)
        exported = self.dir / "run.json"
        self.assertEqual(enprof("export", "last", "-o", exported, "--db", self.db).returncode, 0)
        tables = self.dir / "tables"
        self.assertEqual(enprof("export", "last", "--format", "csv", "-o", tables, "--db",
                                self.db).returncode, 0)
        self.assertIn("engine,exec", (tables / "run.csv").read_text())
        other = self.dir / "other.db"
        self.assertEqual(enprof("import", exported, "--db", other).returncode, 0)
        again = json.loads(enprof("export", "last", "--db", other).stdout)
        self.assertEqual(again, json.loads(exported.read_text()))

    def test_words_are_quoted_as_one_would_type_them(self):
        self.run_exec("printf", "%s", "two words", "it's", "a\nb", options=("-r", 1))
        self.assertEqual(self.last()["prompt"], "printf %s 'two words' 'it'\\''s' 'a\nb'")

    def test_without_a_sensor_there_are_times(self):
        process = self.run_exec("true", power="none")
        self.assertEqual(process.returncode, 0, process.stderr)
        self.assertIn("Power      not measured", process.stderr)
        self.assertIsNone(self.last()["totals"]["energy_mj"])

    def test_one_that_is_too_short_says_so(self):
        slow = f"replay:{replay(50, step_ms=1000)}"
        process = self.run_exec("true", power=slow)
        self.assertEqual(process.returncode, 0, process.stderr)
        reasons = {reason["code"] for reason in self.last()["verdict_reasons"]}
        self.assertTrue(reasons & {"too_short", "no_energy"}, reasons)
        self.assertIn("not comparable", process.stderr)

    def test_not_saved(self):
        process = self.run_exec("true", options=("--no-save",))
        self.assertEqual(process.returncode, 0, process.stderr)
        self.assertFalse(self.db.exists())

    def test_power_can_be_recorded_and_replayed(self):
        recording = self.dir / "power.jsonl"
        self.assertEqual(self.run_exec("sleep", 0.3, options=("--record-power", recording)).returncode, 0)
        self.assertIn('"domain"', recording.read_text())


class ItsOwn(Exec):
    """What belongs to the command is untouched."""

    def test_descriptors_environment_and_directory(self):
        look = ("import json, os, sys; fds = os.listdir('/proc/self/fd'); "
                "json.dump([sorted(int(x) for x in fds), dict(os.environ), os.getcwd(), "
                "os.getpgrp(), os.getsid(0)], sys.stdout)")
        end_read, end_write = os.pipe()
        plain = subprocess.run([*PYTHON, look], pass_fds=(end_read,), cwd=self.dir, text=True,
                               stdout=subprocess.PIPE, stdin=subprocess.DEVNULL,
                               stderr=subprocess.PIPE, check=True, env={"A": "1"})

        def measure(*options):
            process = subprocess.run(
                [str(ENPROF), *map(str, self.exec_words("--log-file", self.dir / "log", "-v",
                                                        "--record-power",
                                                        self.dir / "power.jsonl", *options)),
                 *PYTHON, look], pass_fds=(end_read,), cwd=self.dir, text=True,
                stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE,
                check=True, env={"A": "1"})
            return json.loads(process.stdout)

        whole = measure("--no-probe")
        looked_into = measure()
        os.close(end_read)
        os.close(end_write)
        self.assertEqual(whole, json.loads(plain.stdout))
        for variable in ("LD_AUDIT", "ENPROF_PROBE_ARENA"):  # how the probe gets in: docs/probe.md
            looked_into[1].pop(variable, None)
        self.assertEqual(looked_into, whole)

    def test_it_clears_its_environment(self):
        process = self.run_exec("env", "-i", "/usr/bin/env")
        self.assertEqual((process.returncode, process.stdout), (0, ""), process.stderr)

    def test_closed_streams_stay_closed(self):
        look = "for fd in 0 1 2; do [ -e /proc/self/fd/$fd ] || printf $fd >> found; done"
        words = " ".join(f"'{word}'" for word in
                         [ENPROF, *map(str, self.exec_words()), "sh", "-c", look])
        subprocess.run(["sh", "-c", f"{words} <&- >&- 2>&-"], cwd=self.dir, check=True)
        self.assertEqual((self.dir / "found").read_text(), "012")

    def test_a_command_that_closes_all_its_streams(self):
        process = self.run_exec("sh", "-c", "exec <&- >&- 2>&-; sleep 0.1; exit 4")
        self.assertEqual(process.returncode, 4, process.stderr)
        self.assertIn("exit code 4", process.stderr)

    def test_a_flood_of_output(self):
        process = self.run_exec("sh", "-c", "yes | head -c 20000000; yes | head -c 3000000 >&2")
        self.assertEqual(process.returncode, 0, process.stderr[-2000:])
        self.assertEqual(len(process.stdout), 20_000_000)
        self.assertGreaterEqual(process.stderr.count("y\n"), 1_500_000)
        self.assertIn("mean power", process.stderr[-5000:])

    def test_a_broken_pipe_ends_it_as_usual(self):
        words = " ".join(f"'{word}'" for word in [ENPROF, *map(str, self.exec_words())])
        process = subprocess.run(["sh", "-c", f"({words} yes; echo $? >&2) | head -n 1"], text=True,
                                 capture_output=True, timeout=PATIENCE_S)
        self.assertEqual(process.stdout, "y\n")
        self.assertTrue(process.stderr.endswith("141\n"), process.stderr)

    def test_what_is_ignored_stays_ignored(self):
        """SIGHUP under nohup; SIGINT in the background of a script."""
        look = "import signal; print([signal.getsignal(s) == signal.SIG_IGN for s in (1, 2, 13, 15)])"

        def ignore():
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        # Python itself ignores SIGPIPE and takes SIGINT, if that is not ignored.
        process = self.run_exec(*PYTHON, look, preexec_fn=ignore)
        self.assertEqual(process.stdout, "[True, True, True, False]\n", process.stderr)

    def test_a_script_without_a_first_line(self):
        script = self.script("script", "echo $1; exit 3\n")
        process = self.run_exec(script, "x")
        self.assertEqual((process.returncode, process.stdout), (3, "x\n"), process.stderr)


class ExitCodes(Exec):
    def test_that_of_the_command(self):
        process = self.run_exec("sh", "-c", "exit 42")
        self.assertEqual(process.returncode, 42)
        run = self.last()
        self.assertEqual((run["status"], run["finish_reason"]), ("failed", "exit code 42"))
        self.assertIn("the command ended with exit code 42",
                      [reason["message"] for reason in run["verdict_reasons"]])

    def test_that_of_a_signal(self):
        process = self.run_exec("sh", "-c", "kill -SEGV $$")
        self.assertEqual(process.returncode, 128 + signal.SIGSEGV)
        self.assertRegex(self.last()["finish_reason"], r"^signal 11 \(")

    def test_not_found(self):
        bin_dir = self.dir / "bin"
        bin_dir.mkdir()
        (bin_dir / "measure").write_text("#!/bin/sh\n")
        (bin_dir / "measure").chmod(0o755)
        environment = {"PATH": f"{bin_dir}:{os.environ['PATH']}"}
        self.assert_fails(self.run_exec("mesaure", env=environment), 127,
                          "There is no program mesaure; did you mean measure?")
        self.assert_fails(self.run_exec(self.dir / "gone"), 127, "There is no program", "gone")
        self.assertFalse(self.db.exists(), "found before anything begins")

    def test_not_executable(self):
        text = self.script("text", "hello", mode=0o644)
        self.assert_fails(self.run_exec(text), 126, "may not be executed", "chmod +x")
        self.assert_fails(self.run_exec(self.dir), 126, "is a directory")

    def test_an_interpreter_that_is_missing(self):
        script = self.script("script", "#!/no/such/interpreter\n")
        self.assert_fails(self.run_exec(script), 127, "Cannot start", "interpreter")
        self.assertEqual(self.runs(), [])

    def test_enprof_itself_fails(self):
        self.assert_fails(enprof("exec", "--db", self.dir / "no" / "db", "--power", "none", "--baseline-s", 0,
                                 "--json", self.dir / "gone" / "x.json", "--", "true"), 125, "Cannot write")
        self.assert_fails(self.run_exec("true", power=f"replay:{self.dir / 'gone'}"), 125)


class BadInput(Exec):
    def test_no_command(self):
        self.assert_fails(enprof("exec"), 2, "No command is given", "enprof exec -- make")
        self.assert_fails(enprof("exec", "--"), 2, "No command is given")
        self.assert_fails(enprof("exec", "--", ""), 2, "is empty")

    def test_bad_options(self):
        for options, text in ((("-r", 0), "-r"), (("-r", "x"), "x"), (("--interval", 0), "--interval"),
                              (("--timeout", 0), "--timeout"), (("--timeout", -1), "--timeout"),
                              (("--kill-after", "soon"), "soon"), (("--power", "nonsense"), "nonsense"),
                              (("--intervall", 1), "--interval"), (("--prompt", "x"), "--prompt"),
                              (("--record-power", "x", "--power", "none"), "--record-power")):
            with self.subTest(options=options):
                self.assert_fails(self.run_exec("true", options=options), 2, text)

    def test_the_two_dashes_may_be_left_out(self):
        process = enprof("exec", "-r1", "--power", STEADY, "--baseline-s=0", "--db", self.db, "sh", "-c",
                         "printf '%s ' \"$@\"", "x", "-ngl", "help", "--", "--json")
        self.assertEqual((process.returncode, process.stdout), (0, "-ngl help -- --json "),
                         process.stderr)

    def test_a_file_of_another_is_not_overwritten(self):
        mine = self.dir / "mine.txt"
        mine.write_text("precious")
        self.assert_fails(self.run_exec("true", options=("--json", mine)), 125, "not written by enprof")
        self.assertEqual(mine.read_text(), "precious")


class Repeats(Exec):
    def test_mean_spread_and_all_runs(self):
        file = self.dir / "all.json"
        for _ in range(2):  # it may replace what it wrote
            process = self.run_exec("sleep", 0.1, options=("-r", 3, "--json", file))
            self.assertEqual(process.returncode, 0, process.stderr)
        self.assertIn("enprof: run 2 of 3: ", process.stderr)
        self.assertRegex(process.stderr, r"mean +± 95 % +std dev")
        for name in ("time", "total", "mean power"):
            self.assertRegex(process.stderr, rf"{name} +[\d.]+ [mk]?[sJW] ")
        self.assertEqual(len(self.runs()), 6)
        result = json.loads(file.read_text())
        self.assertEqual(result["command"], ["sleep", "0.1"])
        self.assertEqual(len(result["runs"]), 3)
        energy = result["statistics"]["energy_mj"]
        values = [run["energy_mj"] for run in result["runs"]]
        mean = sum(values) / 3
        deviation = (sum((value - mean) ** 2 for value in values) / 2) ** 0.5
        self.assertAlmostEqual(energy["mean"], mean)
        self.assertAlmostEqual(energy["standard_deviation"], deviation, places=6)
        self.assertAlmostEqual(energy["half_interval_95"], 4.3027 * deviation / 3 ** 0.5, delta=1e-3 * mean)
        self.assertEqual(energy["count"], 3)

    def test_an_outlier_is_named(self):
        script = self.script("work", "#!/bin/sh\nn=$(cat n 2>/dev/null || echo 0)\necho $((n + 1)) > n\n"
                                     "[ $n = 3 ] && sleep 3\nsleep 0.2\n")
        process = self.run_exec(script, options=("-r", 6), cwd=self.dir)
        self.assertEqual(process.returncode, 0, process.stderr)
        self.assertRegex(process.stderr, r"(?s)Outliers.* run 4 \([0-9a-f]{8}\): time 3\.")

    def test_failures_are_named_and_left_out(self):
        script = self.script("work", "#!/bin/sh\nn=$(cat n 2>/dev/null || echo 0)\necho $((n + 1)) > n\n"
                                     "exit $((n == 1 ? 9 : 0))\n")
        process = self.run_exec(script, options=("-r", 3, "--json", "-"), cwd=self.dir)
        self.assertEqual(process.returncode, 9, process.stderr)
        result = json.loads(process.stdout)
        self.assertEqual([run["exit_code"] for run in result["runs"]], [0, 9, 0])
        self.assertEqual(result["statistics"]["duration_ms"]["count"], 2)
        (self.dir / "n").unlink()
        spoken = self.run_exec(script, options=("-r", 3), cwd=self.dir)
        self.assertRegex(spoken.stderr, r"3 of 3; 2 completed")
        self.assertRegex(spoken.stderr, r"run 2 \([0-9a-f]{8}\): exit code 9")


class Passes(Exec):
    """A capture: the passes come from a file."""

    OPERATIONS = [{"layer": 0, "component": "q_proj", "op": "MUL_MAT", "us": 3000, "flops": 1e6, "bytes": 1e5},
                  {"layer": 0, "component": "softmax", "op": "SOFT_MAX", "us": 2000},
                  {"component": "lm_head", "op": "MUL_MAT", "us": 1000}]

    def recorded(self, name="passes.json", **changes):
        """Two requests: the first alone, then both in each pass."""
        passes = [{"begin_ms": 30, "end_ms": 37, "plan": 0, "sequences": [[0, 0, 12, 1]]}]
        passes += [{"begin_ms": 40 + 10 * step, "end_ms": 47 + 10 * step, "plan": 0,
                    "sequences": [[0, 12 + step, 1, 1], [1, 9 * bool(step) + max(0, step - 1), 1 if step else 9, 1]]}
                   for step in range(5)]
        document = {"recorded_passes": 1, "models": [{"name": "toy", "begin_ms": 2, "loaded_ms": 20}],
                    "contexts": [{"model": 0, "positions": 512}],
                    "plans": [{"operations": self.OPERATIONS}], "passes": passes, **changes}
        path = self.dir / name
        path.write_text(json.dumps(document))
        return path

    def capture(self, *options, path=None, command=("sleep", "0.4")):
        return self.run_exec(*command, options=("--passes", path or self.recorded(), *options))

    def requests(self):
        return json.loads(enprof("runs", "--capture", "last", "--json", "--db", self.db).stdout)["runs"]

    def test_requests_and_the_rest_add_up_to_the_capture(self):
        process = self.capture()
        self.assertEqual(process.returncode, 0, process.stderr)
        capture = self.last()
        whole = capture["totals"]["energy_mj"]
        parts = {part["part"]: part["energy_mj"] for part in capture["capture"]["parts"]}
        self.assertAlmostEqual(sum(parts.values()), whole, delta=1e-9 * whole)
        requests = self.requests()
        self.assertEqual([run["request"]["number"] for run in requests], [1, 2])
        self.assertEqual([(run["prompt_tokens"], run["output_tokens"]) for run in requests],
                         [(12, 6), (9, 5)])
        self.assertEqual({run["model"] for run in requests}, {"toy"})
        shares = sum(run["energy_mj"] for run in requests)
        self.assertAlmostEqual(shares, parts["requests"], delta=1e-9 * whole)
        self.assertLess(sum(run["request"]["marginal_energy_mj"] for run in requests), shares)
        self.assertAlmostEqual(sum(run["request"]["idle_share_energy_mj"] for run in requests),
                               parts["idle_while_loaded"], delta=1e-9 * whole)
        self.assertIsNone(requests[0]["request"]["waiting_ms"])
        # 50 W: five passes of 7 ms and their pauses, and one pass alone.
        self.assertAlmostEqual(parts["requests"], 50 * 57, delta=50 * 57 * 0.02)

    def test_a_request_is_a_run_of_its_own(self):
        self.capture()
        first = self.requests()[0]["run_id"]
        run = json.loads(enprof("export", first, "--db", self.db).stdout)
        self.assertEqual(run["capture_id"], self.last()["run_id"])
        self.assertEqual(len(run["tokens"]), 6)
        self.assertEqual({row["component"] for row in run["components"]},
                         {"q_proj", "softmax", "lm_head", "(self)"})
        total = run["totals"]["energy_mj"]
        self.assertAlmostEqual(sum(phase["energy_mj"] for phase in run["phases"]), total, delta=1e-9 * total)
        self.assertIn("prefill", enprof("show", first, "--db", self.db).stdout)

    def test_the_report_lists_them(self):
        process = self.capture()
        shown = enprof("show", "last", "--db", self.db)
        self.assertEqual(shown.returncode, 0, shown.stderr)
        for text in (process.stderr, shown.stdout):
            for part in ("idle while loaded", "2 requests", "at most 2 in flight", "shared by operations",
                         "Sequences in a pass", "added"):
                self.assertIn(part, text)
        narrow = enprof("show", "last", "--db", self.db, env={"COLUMNS": "50"})
        # A path is one word, which is not broken.
        lines = [line for line in narrow.stdout.split("\n") if " " in line.strip()]
        self.assertLessEqual(max(map(len, lines)), 50)

    def test_requests_are_not_in_the_list_and_go_with_their_capture(self):
        self.capture()
        self.assertEqual(len(self.runs()), 1)
        self.assertEqual(self.runs()[0]["requests"], 2)
        first = self.requests()[0]["run_id"]
        capture = self.runs()[0]["run_id"]
        listed = enprof("runs", "--capture", capture[:8], "--db", self.db).stdout
        self.assertIn(first[:8], listed)
        self.assertEqual(enprof("rm", capture, "--db", self.db).returncode, 0)
        self.assertNotEqual(enprof("show", first, "--db", self.db).returncode, 0)

    def test_passes_after_the_end_are_left_out(self):
        late = [{"begin_ms": 100_000, "end_ms": 100_007, "plan": 0, "sequences": [[0, 0, 12, 1]]}]
        process = self.capture(path=self.recorded(passes=late))
        self.assertEqual(process.returncode, 0, process.stderr)
        self.assertEqual(self.last()["capture"]["requests"], 0)

    def test_passes_that_cannot_be_read(self):
        missing = self.capture(path=self.dir / "missing.json")
        self.assertEqual(missing.returncode, 125)
        self.assertIn("Recorded passes cannot be read from", missing.stderr)
        wrong = self.recorded("wrong.json", passes=[{"begin_ms": 30, "plan": 7, "sequences": []}])
        process = self.capture(path=wrong)
        self.assertEqual(process.returncode, 125)
        self.assertIn("passes[0].plan is 7", process.stderr)
        self.assertEqual(self.runs() if self.db.exists() else [], [])


class Limits(Exec):
    def test_a_timeout(self):
        process = self.run_exec("sh", "-c", "sleep 1000; exit 0", options=("--timeout", 0.3))
        self.assertEqual(process.returncode, 124, process.stderr)
        self.assertIn("ended after 0.3 s (--timeout)", process.stderr)
        run = self.last()
        self.assertEqual((run["status"], run["finish_reason"]), ("cancelled", "timeout"))
        self.assertGreater(run["totals"]["energy_mj"], 0)

    def test_who_ignores_sigterm_is_killed(self):
        process = self.run_exec("sh", "-c", "trap '' TERM; while :; do sleep 1000; done",
                                options=("--timeout", 0.3, "--kill-after", 0.2))
        self.assertEqual(process.returncode, 124, process.stderr)

    def test_a_line_each_interval(self):
        process = self.start_exec("sh", "-c", "read line; echo $line", options=("--interval", 0.05))
        lines = [process.stderr.readline() for _ in range(20)]
        told = 0
        for line in lines:
            self.assertRegex(line, r"^enprof: \d+\.\d{3} s · ([\d.]+ W · [\d.]+ [mk]?J|– · –)$")
            if match := re.search(r"· ([\d.]+) W", line):
                self.assertAlmostEqual(float(match[1]), 50, delta=0.1)
                told += 1
        self.assertGreater(told, 0)
        out, rest = process.communicate("done\n", timeout=PATIENCE_S)
        self.assertEqual((process.returncode, out), (0, "done\n"), rest)

    def test_children_that_are_left(self):
        process = self.run_exec("sh", "-c", "sleep 1000 >&- 2>&- <&- & echo $!; exit 0")
        pid = int(process.stdout)
        self.addCleanup(os.kill, pid, signal.SIGKILL)
        self.assertEqual(process.returncode, 0, process.stderr)
        os.kill(pid, 0)  # it still runs
        codes = [warning["code"] for warning in self.last()["warnings"]]
        self.assertIn("processes_left", codes)
        self.assertIn("The command ended before a process that it started", " ".join(process.stderr.split()))


    def test_enprof_is_killed(self):
        process = self.start_exec("sh", "-c", "read line", options=("--tag", "a"))
        self.wait_for_steps(process, 2)
        process.kill()
        process.communicate(timeout=PATIENCE_S)  # the command's input ends, and so does it
        listed = enprof("runs", "--db", self.db)
        self.assertIn("was interrupted; its data so far is kept", listed.stderr)
        (summary,) = self.runs()
        self.assertEqual((summary["status"], summary["engine"], summary["prompt"], summary["tags"]),
                         ("interrupted", "exec", "sh -c 'read line'", ["a"]))
        run = self.last()
        totals = run["totals"]
        self.assertAlmostEqual(totals["energy_mj"] / (50 * totals["duration_ms"]), 1.0, delta=1e-3)
        (warning,) = (x for x in run["warnings"] if x["code"] == "interrupted")
        self.assertRegex(warning["message"], "^enprof ended before the command did: these are its first ")
        self.assertEqual(enprof("runs", "--db", self.db).stderr, "", "it is reported once")


class Signals(Exec):
    READY = "trap 'echo got INT' INT; trap 'echo got TERM; exit 7' TERM; trap 'echo got HUP; exit 8' HUP; " \
            "trap 'echo got USR1' USR1; echo ready; while :; do sleep 0.02; done"

    def start_ready(self, script=READY, **options):
        process = self.start_exec("sh", "-c", script, **options)
        self.assertEqual(process.stdout.readline(), "ready\n")
        return process

    def finish(self, process):
        out, rest = process.communicate(timeout=PATIENCE_S)
        return out, rest

    def test_signals_are_passed_on_and_the_run_is_kept(self):
        for number, code in ((signal.SIGTERM, 7), (signal.SIGHUP, 8)):
            with self.subTest(number=number):
                process = self.start_ready()
                process.send_signal(signal.SIGUSR1)
                self.assertEqual(process.stdout.readline(), "got USR1\n")
                process.send_signal(number)
                out, rest = self.finish(process)
                self.assertEqual(out, f"got {number.name[3:]}\n")
                self.assertEqual(process.returncode, code, rest)
                self.assertIn("mean power", rest)
                self.assertEqual(self.last()["status"], "failed")

    def test_a_command_that_a_signal_ends_was_cancelled(self):
        process = self.start_ready("echo ready; exec sleep 1000")
        process.send_signal(signal.SIGTERM)
        _, rest = self.finish(process)
        self.assertEqual(process.returncode, 143, rest)
        self.assertEqual(self.last()["status"], "cancelled")

    def test_no_more_runs_after_a_signal(self):
        process = self.start_ready("echo ready; exec sleep 1000", options=("-r", 5))
        process.send_signal(signal.SIGINT)
        _, rest = self.finish(process)
        self.assertEqual(process.returncode, 130, rest)
        self.assertEqual(len(self.runs()), 1)
        self.assertIn("1 of 5", rest)

    def test_before_the_command_nothing_is_kept(self):
        process = self.start_exec("touch", self.dir / "started", options=("--baseline-s", 600, "-v"))
        for line in process.stderr:
            if "PowerMonitor started" in line:
                break
        process.send_signal(signal.SIGINT)
        _, rest = self.finish(process)
        self.assertEqual(process.returncode, 130, rest)
        self.assertIn("before the command was started", rest)
        self.assertFalse((self.dir / "started").exists())
        self.assertEqual(self.runs(), [])

    def test_stopped_and_continued_together(self):
        # Its own group: one whose parents are all in it or in other sessions ignores SIGTSTP.
        process = self.start_ready(process_group=0)
        process.send_signal(signal.SIGTSTP)

        def state(pid):
            return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        tasks = pathlib.Path(f"/proc/{process.pid}/task").iterdir()
        (child,) = {int(word) for task in tasks for word in (task / "children").read_text().split()}
        wait_until(lambda: state(process.pid) == "T" and state(child) == "T", "both are stopped")
        process.send_signal(signal.SIGCONT)
        wait_until(lambda: state(process.pid) != "T" and state(child) != "T", "both go on")
        process.send_signal(signal.SIGTERM)
        _, rest = self.finish(process)
        self.assertEqual(process.returncode, 7, rest)

    def on_terminal(self, *command, options=()):
        """Runs it as the foreground job of a terminal of its own. Gives its pid and the terminal."""
        pid, terminal = pty.fork()
        if pid == 0:
            os.execve(str(ENPROF), [str(ENPROF), *map(str, self.exec_words(*options)), *command],
                      {**os.environ, "TERM": "xterm", "NO_COLOR": "1"})
        self.addCleanup(os.close, terminal)
        return pid, terminal

    def read_until(self, terminal, text):
        """What the terminal shows, up to this text, or to the end of its programs if it is None."""
        seen = ""
        end = time.monotonic() + PATIENCE_S
        while text is None or text not in seen:
            self.assertLess(time.monotonic(), end, f"waited for {text!r}: {seen}")
            if select.select([terminal], [], [], 0.1)[0]:
                try:
                    seen += os.read(terminal, 65536).decode(errors="replace")
                except OSError:  # all programs on it have ended
                    break
        return seen

    def test_ctrl_c_at_a_terminal_reaches_the_command_once(self):
        pid, terminal = self.on_terminal(
            "sh", "-c", "n=0; trap 'n=$((n + 1)); echo got $n' INT; trap 'exit 5' USR1; echo ready; "
                        "while :; do sleep 0.02; done")
        self.read_until(terminal, "ready")
        os.write(terminal, b"\x03")
        self.read_until(terminal, "got 1")
        os.kill(pid, signal.SIGUSR1)
        seen = self.read_until(terminal, None)
        _, status = os.waitpid(pid, 0)
        self.assertEqual(os.waitstatus_to_exitcode(status), 5, seen)
        self.assertNotIn("got 2", seen)
        self.assertIn("mean power", seen)

    def test_ctrl_c_twice_in_a_row_kills(self):
        pid, terminal = self.on_terminal("sh", "-c", "trap '' INT; echo ready; while :; do sleep 1000; done")
        self.read_until(terminal, "ready")

        def press_and_look():
            try:
                os.write(terminal, b"\x03")
                if select.select([terminal], [], [], 0)[0]:
                    os.read(terminal, 65536)  # else it would wait at its end
            except OSError:  # all programs on it have ended
                pass
            found, status = os.waitpid(pid, os.WNOHANG)
            return (status,) if found else None
        (status,) = wait_until(press_and_look, "the command is killed")
        self.assertEqual(os.waitstatus_to_exitcode(status), 137)
        self.assertEqual(self.last()["status"], "cancelled")

    def test_the_terminal_is_its_own(self):
        pid, terminal = self.on_terminal(*PYTHON,
                                         "import os; print(os.isatty(0), os.isatty(1), os.isatty(2), "
                                         "os.tcgetpgrp(0) == os.getpgrp()); print(input())")
        self.read_until(terminal, "True True True True")
        os.write(terminal, b"typed\n")
        seen = self.read_until(terminal, None)
        _, status = os.waitpid(pid, 0)
        self.assertEqual(os.waitstatus_to_exitcode(status), 0, seen)
        self.assertIn("mean power", seen)


if __name__ == "__main__":
    main()
