"""The power of a model's components, each measured alone, and how runs use it."""

import json
import os
import signal
import subprocess

from program import ENPROF, FakeMachine, ProgramTest, enprof, main, model, replay
from serving import ServeTest


def write_script(path):
    """A model whose decode step is two operations, of 5 ms each."""
    path.write_text(json.dumps({
        "playback": 1, "model": {"name": "scripted"}, "prompt_tokens": 4,
        "plans": [{"name": "step", "operations": [
            {"component": "a", "op": "MUL_MAT", "layer": 0, "us": 5000},
            {"component": "b", "op": "MUL_MAT", "layer": 0, "us": 5000}]}],
        "steps": [{"phase": "decode", "token": " x", "repeat": 60,
                   "sections": [{"name": "forward", "pass": "step"}]}]}), encoding="utf-8")
    return path


class Calibrate(ProgramTest):
    def setUp(self):
        super().setUp()
        self.env = {"XDG_DATA_HOME": str(self.dir / "data")}
        self.folder = self.dir / "data" / "enprof" / "calibration"

    def script(self):
        return write_script(self.dir / "scripted.playback.json")

    def calibrate(self, *arguments, path=None, power=None, time_s=1):
        return enprof("calibrate", path or self.script(), "--power",
                      f"replay:{power or replay(50)}", "--seconds", time_s, "--baseline-force",
                      *arguments, env=self.env)

    def kept(self):
        return sorted(self.folder.glob("*.json")) if self.folder.exists() else []

    def run_with(self, *arguments, path=None):
        return self.profile("--power", f"replay:{replay(50)}", "--json", "-", "-n", 60, *arguments,
                            path=path or self.script(), env=self.env)

    def test_a_run_uses_the_calibration_that_fits(self):
        process = self.calibrate()
        self.assertEqual(process.returncode, 0, process.stderr)
        self.assertIn("Calibrated: 2 kinds of work, in ", process.stdout)
        kept = json.loads(self.kept()[0].read_text(encoding="utf-8"))
        self.assertEqual([one["component"] for one in kept["classes"]], ["a", "b"])
        for one in kept["classes"]:
            self.assertAlmostEqual(one["powers"][0]["power_w"], 50, delta=0.5)
        run = json.loads(self.run_with().stdout)
        self.assertEqual(run["calibration"]["classes"], 2)
        self.assertGreater(run["calibration"]["time_share"], 0.5)  # less on a busy machine
        self.assertAlmostEqual(run["calibration"]["power_ratio"], 1, delta=0.02)
        shown = enprof("show", "last", "--db", self.db).stdout
        self.assertRegex(shown, r"Calibrated +\d{4}-\d\d-\d\d .* · with cpu · 2 kinds of work")
        exported = json.loads(enprof("export", "last", "--db", self.db).stdout)
        self.assertEqual(exported["calibration"], run["calibration"])

    def test_without_one_that_fits_there_is_none(self):
        self.assertIsNone(json.loads(self.run_with().stdout)["calibration"])
        self.calibrate()
        other = self.run_with("--threads", 3)
        self.assertIsNone(json.loads(other.stdout)["calibration"])
        self.assertIn("was made with 0 threads, not 3", other.stderr)
        self.assertIsNone(json.loads(self.run_with("--no-calibration").stdout)["calibration"])
        self.assertIsNone(json.loads(self.run_with("--depth", "minimal").stdout)["calibration"])

    def test_a_damaged_file_is_ignored_with_a_message(self):
        self.calibrate()
        self.kept()[0].write_text("{", encoding="utf-8")
        process = self.run_with()
        self.assertIsNone(json.loads(process.stdout)["calibration"])
        self.assertIn("no calibration is used", process.stderr)
        self.assertIn("is no calibration", process.stderr)

    def test_run_calibrates_first_if_asked(self):
        process = self.run_with("--calibrate", "--calibrate-seconds", 1, "--baseline-force")
        self.assertEqual(process.returncode, 0, process.stderr)
        self.assertEqual(json.loads(process.stdout)["calibration"]["classes"], 2)
        self.assertEqual(len(self.kept()), 1)

    def test_a_busy_machine_is_refused(self):
        with FakeMachine(self.dir / "proc") as busy:
            process = enprof("calibrate", self.script(), "--power", f"replay:{replay(50)}",
                             "--seconds", 1, env={**self.env, **busy})
        self.assert_fails(process, 1, "The machine is busy: a calibration would measure what else")
        self.assertEqual(self.kept(), [])

    def test_without_a_sensor_it_is_refused(self):
        process = enprof("calibrate", self.script(), "--power", "none", env=self.env)
        self.assert_fails(process, 1, "A calibration needs a sensor")

    def test_ctrl_c_keeps_nothing(self):
        process = subprocess.Popen(
            [str(ENPROF), "calibrate", str(self.script()), "--power", f"replay:{replay(50)}",
             "--seconds", "300", "--baseline-force", "-v"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env={**os.environ, **self.env})
        for line in process.stderr:
            if "PowerMonitor started successfully" in line:
                break
        process.send_signal(signal.SIGINT)
        _, rest = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 130, rest)
        self.assertIn("cancelled; nothing was kept", rest)
        self.assertEqual(self.kept(), [])

    def test_a_llama_model_runs_its_components_alone(self):
        process = self.calibrate(path=model(), power=replay(50, seconds=60, step_ms=10), time_s=8)
        self.assertEqual(process.returncode, 0, process.stderr)
        self.assertNotIn("Left out", process.stdout)
        kept = json.loads(self.kept()[0].read_text(encoding="utf-8"))
        components = {(one["phase"], one["component"]) for one in kept["classes"]}
        for phase in ("prefill", "decode"):
            for component in ("q_proj", "down_proj", "lm_head", "kv_cache_store"):
                self.assertIn((phase, component), components)
        self.assertTrue(all(one["replayed_time_ns"] > 0 for one in kept["classes"]))
        run = json.loads(self.run_with("-n", 8, path=model()).stdout)
        self.assertGreater(run["calibration"]["time_share"], 0.5)  # not of (self)

    def test_kinds_of_work_for_which_time_is_too_short_are_left_out(self):
        process = self.calibrate(path=model(), time_s=2)  # turns of 0.4 s
        self.assertEqual(process.returncode, 0, process.stderr)
        self.assertRegex(process.stdout, r"Calibrated: 5 kinds of work, in .* s\n"
                                         r"Left out: \d+ kinds of work, which take .* % of the "
                                         r"passes' time; to measure them, pass a longer --seconds\n")
        kept = json.loads(self.kept()[0].read_text(encoding="utf-8"))
        measured = [one for one in kept["classes"] if one["powers"][0]]
        self.assertEqual(len(measured), 5)
        use = json.loads(self.run_with("-n", 8, path=model()).stdout)["calibration"]
        self.assertGreater(use["classes"], 0)

    def test_a_sensor_that_is_too_slow_is_refused(self):
        process = self.calibrate(power=replay(50, step_ms=1000), time_s=2)
        self.assert_fails(process, 1, "The sensor is too slow to calibrate within 2.0 s: a reading "
                                      "takes 1.0 s, and each kind of work needs 4", "8 s for all")
        self.assertEqual(self.kept(), [])


class Serve(ServeTest):
    """A server uses calibrations as `run` does."""

    def setUp(self):
        super().setUp()
        self.env = {"XDG_DATA_HOME": str(self.dir / "data")}
        self.script = write_script(self.models / "scripted.playback.json")

    def calibrate(self):
        process = enprof("calibrate", self.script, "--power", f"replay:{replay(50)}", "--seconds", 1,
                         "--baseline-force", env=self.env)
        self.assertEqual(process.returncode, 0, process.stderr)

    def calibration_of_a_run(self, **order):
        run = self.generate(model=self.script.name, max_tokens=60, **order)
        answer = self.wait_for(run)
        self.assertEqual(answer["status"], "completed", answer["warnings"])
        return answer["calibration"]

    def test_its_runs_use_a_calibration_that_fits_even_if_it_is_made_later(self):
        self.serve(env=self.env)
        self.assertIsNone(self.calibration_of_a_run())
        self.calibrate()
        use = self.calibration_of_a_run()
        self.assertEqual(use["classes"], 2)
        self.assertAlmostEqual(use["power_ratio"], 1, delta=0.02)
        self.assertIsNone(self.calibration_of_a_run(depth="minimal"))
        shown = enprof("show", "last", "--db", self.db).stdout
        self.assertNotIn("Calibrated", shown)

    def test_without_calibration_if_asked(self):
        self.calibrate()
        self.serve("--no-calibration", env=self.env)
        self.assertIsNone(self.calibration_of_a_run())

    def test_one_that_cannot_be_used_is_reported_once(self):
        self.calibrate()
        for kept in (self.dir / "data" / "enprof" / "calibration").iterdir():
            kept.write_text("{", encoding="utf-8")
        self.serve(env=self.env)
        self.assertIsNone(self.calibration_of_a_run())
        self.assertIsNone(self.calibration_of_a_run())
        self.server.send_signal(signal.SIGTERM)
        _, said = self.server.communicate(timeout=60)
        self.server = None
        self.assertEqual(said.count("no calibration is used"), 1, said)


if __name__ == "__main__":
    main()
