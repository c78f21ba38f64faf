"""The power of a model's components, each measured alone, and how runs use it."""

import json
import os
import signal
import subprocess

from program import ENPROF, FakeMachine, ProgramTest, enprof, main, model, replay


class Calibrate(ProgramTest):
    def setUp(self):
        super().setUp()
        self.env = {"XDG_DATA_HOME": str(self.dir / "data")}
        self.folder = self.dir / "data" / "enprof" / "calibration"

    def script(self, name="scripted"):
        """A model whose decode step is two operations, of 5 ms each."""
        path = self.dir / f"{name}.playback.json"
        path.write_text(json.dumps({
            "playback": 1, "model": {"name": name}, "prompt_tokens": 4,
            "plans": [{"name": "step", "operations": [
                {"component": "a", "op": "MUL_MAT", "layer": 0, "us": 5000},
                {"component": "b", "op": "MUL_MAT", "layer": 0, "us": 5000}]}],
            "steps": [{"phase": "decode", "token": " x", "repeat": 60,
                       "sections": [{"name": "forward", "pass": "step"}]}]}), encoding="utf-8")
        return path

    def calibrate(self, *arguments, path=None):
        return enprof("calibrate", path or self.script(), "--power", f"replay:{replay(50)}",
                      "--seconds", 1, "--baseline-force", *arguments, env=self.env)

    def kept(self):
        return sorted(self.folder.glob("*.json")) if self.folder.exists() else []

    def run_with(self, *arguments, path=None):
        return self.profile("--power", f"replay:{replay(50)}", "--json", "-", "-n", 60, *arguments,
                            path=path or self.script(), env=self.env)

    def test_a_run_uses_the_calibration_that_fits(self):
        process = self.calibrate()
        self.assertEqual(process.returncode, 0, process.stderr)
        self.assertIn("2 kinds of work were calibrated", process.stdout)
        kept = json.loads(self.kept()[0].read_text(encoding="utf-8"))
        self.assertEqual([one["component"] for one in kept["classes"]], ["a", "b"])
        for one in kept["classes"]:
            self.assertAlmostEqual(one["powers"][0]["power_w"], 50, delta=0.5)
        run = json.loads(self.run_with().stdout)
        self.assertEqual(run["calibration"]["classes"], 2)
        self.assertGreater(run["calibration"]["time_share"], 0.5)  # less on a busy machine
        self.assertAlmostEqual(run["calibration"]["power_ratio"], 1, delta=0.02)
        shown = enprof("show", "last", "--db", self.db).stdout
        self.assertRegex(shown, r"Calibrated +\d{4}-\d\d-\d\d .* · 2 kinds of work")
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
        process = self.calibrate(path=model())
        self.assertEqual(process.returncode, 0, process.stderr)
        kept = json.loads(self.kept()[0].read_text(encoding="utf-8"))
        components = {(one["phase"], one["component"]) for one in kept["classes"]}
        for phase in ("prefill", "decode"):
            for component in ("q_proj", "down_proj", "lm_head", "kv_cache_store"):
                self.assertIn((phase, component), components)
        self.assertTrue(all(one["replayed_time_ns"] > 0 for one in kept["classes"]))
        run = json.loads(self.run_with("-n", 8, path=model()).stdout)
        self.assertGreater(run["calibration"]["time_share"], 0.5)  # not of (self)


if __name__ == "__main__":
    main()
