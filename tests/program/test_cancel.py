"""Ctrl-C at any moment: the run is saved as cancelled."""

import json
import os
import signal
import subprocess
import time

from program import ENPROF, ProgramTest, enprof, main, model, replay


class Cancel(ProgramTest):
    def start(self, *arguments):
        return subprocess.Popen(
            [str(ENPROF), "run", "-m", str(model()), "-p", "The quick brown fox", "--db",
             str(self.db), "-v", "--power", f"replay:{replay(50)}", *map(str, arguments)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            errors="replace")

    def wait_for(self, process, text):
        """Reads the log up to a line that contains this text."""
        for line in process.stderr:
            if text in line:
                return
        self.fail(f"the program ended before it said {text!r}")

    def assert_ends(self, process, code=130):
        """Expects an orderly end that reports the cancellation; returns the other messages."""
        process.stdout.read()
        rest = process.stderr.read()
        self.assertEqual(process.wait(timeout=60), code, rest)
        self.assertIn("cancelled", rest)
        process.stdout.close()
        process.stderr.close()
        return rest

    def assert_cancelled(self, process, code=130):
        self.assert_ends(process, code)
        run = json.loads(enprof("export", "last", "--db", self.db).stdout)
        self.assertEqual(run["status"], "cancelled")
        return run

    def test_while_decoding(self):
        process = self.start("-n", 3900, "--ctx", 4000, "--baseline-s", 0, "--ignore-eos")
        self.wait_for(process, "Starting profiling run")
        self.wait_for_a_token(process)
        process.send_signal(signal.SIGINT)
        run = self.assert_cancelled(process)
        self.assertEqual(run["finish_reason"], "cancelled")
        self.assertGreater(run["totals"]["output_tokens"], 0)
        self.assertAlmostEqual(run["totals"]["mean_power_mw"], 50_000, delta=50)
        total = sum(phase["energy_mj"] for phase in run["phases"])
        self.assertAlmostEqual(total / run["totals"]["energy_mj"], 1, delta=1e-9)

    def test_before_the_run_began_nothing_is_kept(self):
        """A cancelled baseline or loading is not a run: `last` stays the previous one."""
        before = self.profile_json("--power", "none", "-n", 1)["run_id"]
        for arguments, moment in ((("--baseline-s", 60), "PowerMonitor started successfully"),
                                  (("--baseline-s", 0), "Connected to profiling database")):
            with self.subTest(moment=moment):
                process = self.start("-n", 2048, "--ctx", 2048, "--ignore-eos", *arguments)
                self.wait_for(process, moment)
                process.send_signal(signal.SIGINT)
                said = self.assert_ends(process)
                listed = json.loads(enprof("runs", "--json", "--db", self.db).stdout)["runs"]
                for run in listed:  # a run may have begun meanwhile
                    self.assertTrue(run["status"] == "completed" or run["duration_ms"] > 0, said)
                if moment.startswith("PowerMonitor"):
                    self.assertEqual([run["run_id"] for run in listed], [before])
                    self.assertIn("before the run began", said)

    def test_sigterm_too(self):
        process = self.start("-n", 2048, "--ctx", 2048, "--baseline-s", 0, "--ignore-eos")
        self.wait_for(process, "Starting profiling run")
        process.send_signal(signal.SIGTERM)
        self.assert_cancelled(process, code=143)

    def test_at_any_moment(self):
        """At any moment the program ends in an orderly way: cancelled, or finished before the
        signal, or not yet able to handle it."""
        for delay in (0.0, 0.01, 0.03, 0.06, 0.1, 0.2, 0.4, 0.8):
            with self.subTest(delay=delay):
                process = self.start("-n", 64, "--baseline-s", 0.2)
                time.sleep(delay)  # the time is what is tested
                process.send_signal(signal.SIGINT)
                _, errors = process.communicate(timeout=60)
                self.assertIn(process.returncode, (130, -signal.SIGINT, 0), errors)
                if process.returncode == 130:
                    self.assertIn("cancelled", errors)
                self.assertFalse(os.path.exists(f"{self.db}-journal"))
        listed = json.loads(enprof("runs", "--json", "--db", self.db).stdout)
        for run in listed["runs"]:
            self.assertIn(run["status"], ("cancelled", "completed"))


if __name__ == "__main__":
    main()
