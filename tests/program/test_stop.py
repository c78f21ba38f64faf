"""A stopped and continued program: its run says so, and no token gets energy of that time."""

import json
import os
import pathlib
import re
import signal
import subprocess
import time

from program import ENPROF, FakeMachine, ProgramTest, enprof, main, model, replay, wait_until

STOP_S = 1.5  # the time itself is tested


def state_and_cpu_ticks(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return fields[0], int(fields[11]) + int(fields[12])


class Stop(ProgramTest):
    def stopped_run(self, *arguments, env=None):
        """A run that is stopped for a while, as JSON."""
        command = [str(ENPROF), "run", "-v", "-m", str(model()), "-p", "The quick brown fox", "-n",
                   str(self.tokens_in(4)), "--ignore-eos", "--baseline-s", "0", "--db",
                   str(self.db), "--json", "-", *map(str, arguments)]
        process = subprocess.Popen(command, env={**os.environ, **(env or {})},
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(process.kill)
        log = []
        while not log or "Starting profiling run" not in log[-1]:
            log.append(process.stderr.readline())
            self.assertTrue(log[-1], f"it ended before its run began: {log}")
        _, begun = state_and_cpu_ticks(process.pid)
        wait_until(lambda: process.poll() is not None
                   or state_and_cpu_ticks(process.pid)[1] - begun >= 50, "it has come to its tokens")
        self.assertIsNone(process.poll(), "it has ended already")
        process.send_signal(signal.SIGSTOP)
        wait_until(lambda: state_and_cpu_ticks(process.pid)[0] == "T", "it is stopped")
        time.sleep(STOP_S)
        process.send_signal(signal.SIGCONT)
        out, err = process.communicate(timeout=120)
        self.assertEqual(process.returncode, 0, err)
        return json.loads(out)

    def check_times(self, run):
        """Checks what every stopped run reports; returns the token that was stopped."""
        warnings = {warning["code"]: warning for warning in run["warnings"]}
        self.assertIn("stood_still", warnings)
        warning = re.search(r"stood still for ([\d.]+) s of the run", warnings["stood_still"]["message"])
        self.assertGreaterEqual(float(warning[1]), STOP_S - 0.1)
        self.assertTrue(warnings["stood_still"]["hint"])
        self.assertNotIn("rate_deviation", warnings)
        longest = max(run["tokens"], key=lambda token: token["duration_ms"])
        self.assertGreaterEqual(longest["duration_ms"], 1e3 * STOP_S, "its time is the run's")
        self.assertIn(f"token {longest['index']};", warnings["stood_still"]["message"])
        return longest

    def check_energies(self, run, watts):
        longest = self.check_times(run)
        most = watts * (longest["duration_ms"] - 1e3 * STOP_S)
        self.assertLessEqual(longest["energy_mj"] or 0, most * 1.01 + 1e-6)
        if run["power"]["peak"]:  # there is no peak if windows are longer than the undisturbed time
            self.assertLessEqual(run["power"]["peak"]["power_mw"], 1e3 * watts * 1.01)
        totals = run["totals"]
        ran = totals["duration_ms"] - 1e3 * STOP_S
        self.assertLessEqual(totals["energy_mj"], watts * ran * 1.01)
        self.assertAlmostEqual(totals["mean_power_mw"], 1e3 * watts, delta=10 * watts)
        decode = next(phase for phase in run["phases"] if phase["phase"] == "decode")
        self.assertLessEqual(totals["energy_per_output_token_mj"],
                             watts * (decode["duration_ms"] - 1e3 * STOP_S)
                             / (totals["output_tokens"] - 1) * 1.01)

    def test_windows_that_are_known_beforehand(self):
        for step in (100, 20_000):
            with self.subTest(step_ms=step):
                path = replay(50, step_ms=step)
                self.check_energies(self.stopped_run("--power", f"replay:{path}"), 50)

    def test_an_estimate(self):
        with FakeMachine(self.dir / "proc", busy=0.0) as environment:
            run = self.stopped_run("--power", "estimate", "--tdp-watts", 100, "--idle-watts", 20,
                                   env=environment)
        self.check_energies(run, 20)

    def test_without_power(self):
        self.check_times(self.stopped_run("--power", "none"))

    def test_a_run_that_goes_on_all_the_time_says_nothing(self):
        run = self.profile_json("--power", "none")
        self.assertNotIn("stood_still", [warning["code"] for warning in run["warnings"]])

    def test_it_is_part_of_what_is_missing(self):
        run = self.stopped_run("--power", "none", "--tag", "stopped")
        shown = enprof("show", run["run_id"], "--db", self.db)
        self.assertIn("stood still for", shown.stdout)


if __name__ == "__main__":
    main()
