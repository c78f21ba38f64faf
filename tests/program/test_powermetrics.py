"""powermetrics as a macOS user has it, with fake `powermetrics` and `sudo` on PATH."""

import json
import os
import pathlib
import signal
import subprocess
import time

from program import ENPROF, INSTALLED, ProgramTest, enprof, main, played, wait_until

TOKENS = 500

# 5 W, in samples as long as the time between its writes, like the real one. Each process appends
# its process id to `started`; `samples` counts the samples written.
FAKE = """#!/usr/bin/python3 -SE
import os, sys, time
here = os.path.dirname(os.path.abspath(__file__))
if sys.argv[1:] != "-f plist -i 50 --samplers cpu_power,gpu_power,thermal".split():
    sys.exit(f"unexpected arguments: {sys.argv[1:]}")
with open(here + "/started", "a") as out:
    out.write(f"{os.getpid()}\\n")
before = time.monotonic_ns()
for number in range(1, 10**9):
    time.sleep(0.05)
    now = time.monotonic_ns()
    sys.stdout.write(f'''<?xml version="1.0" encoding="UTF-8"?>
<plist version="1.0"><dict>
<key>elapsed_ns</key><integer>{now - before}</integer>
<key>thermal_pressure</key><string>Nominal</string>
<key>processor</key><dict>
<key>cpu_power</key><real>4000.0</real><key>gpu_power</key><real>900.0</real>
<key>ane_power</key><real>100.0</real><key>combined_power</key><real>5000.0</real>
</dict></dict></plist>
\\0''')
    sys.stdout.flush()
    before = now
    with open(here + "/samples", "w") as out:
        out.write(str(number))
"""
SUDO = """#!/bin/sh
[ "$1" = -n ] || { echo "sudo: would ask" >&2; exit 64; }
shift
exec "$@"
"""
NO_PASSWORD = """#!/bin/sh
echo "sudo: a password is required" >&2
exit 1
"""


def is_running(pid):
    """False for a zombie, too, which its adopter reaps."""
    try:
        text = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="ascii")
    except (FileNotFoundError, ProcessLookupError):
        return False
    return text.rsplit(")", 1)[1].split()[0] != "Z"


class Powermetrics(ProgramTest):
    def setUp(self):
        super().setUp()
        self.bin = self.dir / "bin"
        self.bin.mkdir()
        self.program("powermetrics", FAKE)
        self.program("sudo", SUDO)
        self.env = {
            "PATH": f"{self.bin}{os.pathsep}{os.environ['PATH']}",
            "ENPROF_POWERMETRICS_COMMAND":
                "sudo -n powermetrics -f plist -i 50 --samplers cpu_power,gpu_power,thermal"}

    def program(self, name, text):
        path = self.bin / name
        path.write_text(text, encoding="utf-8")
        path.chmod(0o755)

    def started(self):
        path = self.bin / "started"
        return [int(line) for line in path.read_text().split()] if path.exists() else []

    def start(self, *arguments):
        """Starts `enprof run` without waiting; the run lasts five seconds on any machine."""
        command = [str(ENPROF), "run", "-m", str(played(TOKENS / 100)), "-p", "The quick brown fox",
                   "-n", str(TOKENS), "--baseline-s", "0", "--db", str(self.db),
                   "--power", "powermetrics", *arguments]
        process = subprocess.Popen(command, env={**os.environ, **self.env}, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True)
        self.addCleanup(process.kill)
        return process

    def wait_for_samples(self, process, count):
        """Waits until the run's own process, the second after the probe's, has written so many
        samples."""
        path = self.bin / "samples"

        def written():
            if process.poll() is not None:
                self.fail(f"the run is over already: {process.communicate()}")
            samples = int(path.read_text() or 0) if path.exists() else 0
            return len(self.started()) >= 2 and samples >= count
        wait_until(written, f"{count} samples are written")

    def assert_none_left(self):
        for pid in self.started():
            with self.assertRaises(ProcessLookupError, msg=f"{pid} is left"):
                os.kill(pid, 0)

    def test_a_run(self):
        run = self.profile_json("--power", "powermetrics", "-n", TOKENS, path=played(1),
                                env=self.env)
        self.assertEqual([domain["name"] for domain in run["power"]["domains"]],
                         ["soc", "cpu", "gpu", "ane"])
        self.assertEqual({domain["within"] for domain in run["power"]["domains"]}, {None, "soc"})
        self.assertGreater(run["totals"]["quality"]["coverage"], 0.99)
        # The total is the chip's, without its parts a second time. Windows that a late first
        # estimate shortened are denser, so the mean is only near.
        self.assertAlmostEqual(run["totals"]["mean_power_mw"], 5000, delta=500)
        # A poll that waits for its sample does not count as late.
        self.assertNotIn("rate_deviation", [warning["code"] for warning in run["warnings"]
                                            if "powermetrics" in warning["message"]])
        self.assert_none_left()

    def test_killing_it_in_mid_run_leaves_a_completed_run_with_a_warning(self):
        process = self.start("--json", "-")  # it is restarted after a second
        self.wait_for_samples(process, 5)
        os.kill(self.started()[-1], signal.SIGKILL)
        out, err = process.communicate(timeout=120)
        self.assertEqual(process.returncode, 0, err)
        run = json.loads(out)
        self.assertEqual(run["status"], "completed")
        self.assertEqual(run["totals"]["output_tokens"], TOKENS)
        self.assertEqual(len(run["tokens"]), TOKENS)
        self.assertTrue(all(token["duration_ms"] > 0 for token in run["tokens"]))
        coverage = run["totals"]["quality"]["coverage"]
        self.assertGreater(coverage, 0)
        self.assertLess(coverage, 1)
        warnings = [warning for warning in run["warnings"] if warning["component"] == "power"]
        self.assertTrue(any("signal 9" in warning["message"] for warning in warnings), warnings)
        self.assertEqual(len(self.started()), 3, "it was not restarted")
        self.assert_none_left()

    def test_stopped_and_continued_it_shows_no_peak(self):
        """Stops both processes, as Ctrl-Z does, or only one."""
        for who in ("both", "enprof", "powermetrics"):
            with self.subTest(who=who):
                process = self.start("--json", "-")
                before = len(self.started())
                self.wait_for_samples(process, 10)
                pids = ([process.pid] if who != "powermetrics" else []) + (
                    [self.started()[-1]] if who != "enprof" else [])
                for pid in pids:
                    os.kill(pid, signal.SIGSTOP)
                time.sleep(0.7 if who == "powermetrics" else 1.5)  # the time itself is tested
                for pid in pids:
                    os.kill(pid, signal.SIGCONT)
                out, err = process.communicate(timeout=120)
                self.assertEqual(process.returncode, 0, err)
                run = json.loads(out)
                self.assertLessEqual(run["power"]["peak"]["power_mw"], 5050)
                warnings = {warning["code"]: warning["message"] for warning in run["warnings"]}
                if who == "powermetrics":
                    self.assertIn("has written no sample for", warnings["sensor_retried"])
                else:
                    self.assertIn("stood still for", warnings["stood_still"])
                    longest = max(run["tokens"], key=lambda token: token["duration_ms"])
                    self.assertLessEqual(longest["energy_mj"] or 0,
                                         5 * (longest["duration_ms"] - 1500) * 1.01)
                self.assertLessEqual(len(self.started()), before + 2, "it was restarted")
                self.assert_none_left()
                (self.bin / "started").unlink()
                (self.bin / "samples").unlink()

    def test_a_run_that_is_killed_takes_it_with_it(self):
        process = self.start()
        self.wait_for_samples(process, 3)
        process.kill()
        process.communicate(timeout=60)
        pid = self.started()[-1]
        wait_until(lambda: not is_running(pid), "it has ended")

    def test_ctrl_c_ends_it_in_order(self):
        process = self.start("--json", "-")
        self.wait_for_samples(process, 5)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=120)
        self.assertEqual(process.returncode, 130, err)
        run = json.loads(out)
        self.assertEqual(run["status"], "cancelled")
        self.assertIsNotNone(run["totals"]["energy_mj"])
        self.assert_none_left()

    def test_a_password_is_said_with_the_line_that_helps(self):
        self.program("sudo", NO_PASSWORD)
        line = (f"ALL=(root) NOPASSWD: {self.bin}/powermetrics -f plist -i 50 "
                "--samplers cpu_power\\,gpu_power\\,thermal")
        said = ("password-free sudo", line,
                f"{INSTALLED}/libexec/enprof/setup-power-access --apply")
        process = self.profile("--power", "powermetrics", "--json", "-", env=self.env)
        self.assertEqual(process.returncode, 0, process.stderr)
        run = json.loads(process.stdout)
        self.assertEqual(run["status"], "completed")
        self.assertIsNone(run["totals"]["energy_mj"])
        warning = next(each for each in run["warnings"] if each["code"] == "power_failed")
        for text in said:
            self.assertIn(text, process.stderr)
            self.assertIn(text, warning["message"] + warning["hint"])
        strict = self.profile("--power", "powermetrics", "--strict", env=self.env)
        self.assert_fails(strict, 1, *said)
        self.assertEqual(self.started(), [])

    def test_where_there_is_none_it_says_what_to_use(self):
        process = self.profile("--power", "powermetrics", "--strict",
                               env={"ENPROF_POWERMETRICS_COMMAND": ""})
        self.assert_fails(process, 1, "There is no /usr/bin/powermetrics", "macOS only",
                          "--power estimate")

    def test_doctor_tells_of_it(self):
        def look():
            process = enprof("doctor", "--json", "--db", self.db, env=self.env)
            self.assertEqual(process.returncode, 0, process.stderr)
            return {entry["what"]: entry for entry in json.loads(process.stdout)}[
                "power: powermetrics"]
        self.assertTrue(look()["works"])
        self.assertIn("soc, cpu, gpu, ane", look()["detail"])
        self.assert_none_left()
        self.program("sudo", NO_PASSWORD)
        self.assertFalse(look()["works"])
        self.assertIn("NOPASSWD", look()["fix"])


if __name__ == "__main__":
    main()
