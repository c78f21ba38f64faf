"""GPUs, read through a fake of NVIDIA's library: tests/support/fake_nvml.cpp."""

import json
import os
import subprocess

from program import ENPROF, ProgramTest, enprof, main, model, played, wait_until
from serving import ServeTest

LIBRARY = os.environ["ENPROF_FAKE_NVML_LIBRARY"]


class Nvml(ProgramTest):
    def environment(self, trace):
        path = self.dir / "trace"
        path.write_text(trace, encoding="utf-8")
        return {"ENPROF_NVML_LIBRARY": LIBRARY, "ENPROF_FAKE_NVML": str(path)}

    def test_steady_power(self):
        run = self.profile_json(
            "--power", "nvml", "-n", 10_000, path=played(1),
            env=self.environment("gpu 0 uuid=GPU-a name=NVIDIA_A100\nat 0 gpu 0 watts 150\n"))
        self.assertEqual(run["status"], "completed")
        domain, = run["power"]["domains"]
        self.assertEqual(domain["name"], "gpu-0")
        self.assertEqual(domain["kind"], "gpu")
        self.assertEqual(domain["method"], "measured")
        self.assertIn("NVIDIA A100", run["power"]["sources"][0])
        self.assertIn("GPU-a", run["power"]["sources"][0])
        self.assertAlmostEqual(run["totals"]["mean_power_mw"], 150_000, delta=15_000)

    def test_a_gpu_that_is_lost_leaves_a_run_that_says_so(self):
        lost = self.dir / "lost"
        environment = self.environment(f"gpu 0 lost_when={lost}\nat 0 gpu 0 watts 150\n")
        record = self.dir / "power.jsonl"
        windows = lambda: record.read_bytes().count(b"\n")
        tokens = self.tokens_in(3)  # the run must outlast the GPU
        process = subprocess.Popen(
            [str(ENPROF), "run", "-m", str(model()), "-p", "The quick brown fox", "--db",
             str(self.db), "-v", "--power", "nvml", "--power-interval-ms", "20", "--record-power",
             str(record), "--baseline-s", "0", "-n", str(tokens), "--ctx", "4096", "--ignore-eos"],
            env={**os.environ, **environment}, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, text=True, errors="replace")
        for line in process.stderr:
            if "Starting profiling run" in line:
                break
        enough = windows() + 3
        wait_until(lambda: windows() >= enough or process.poll() is not None,
                   "windows are recorded")
        lost.touch()
        log = process.stderr.read()
        process.stderr.close()
        self.assertEqual(process.wait(timeout=120), 0, log)
        run = json.loads(enprof("export", "last", "--db", self.db).stdout)
        self.assertEqual(run["status"], "completed")
        self.assertEqual(run["totals"]["output_tokens"], tokens)
        self.assertGreater(run["totals"]["energy_mj"], 0)
        self.assertLess(run["quality"]["coverage"], 1)
        gone, = (warning for warning in run["warnings"] if warning["code"] == "sensor_gone")
        self.assertIn("GPU is lost", gone["message"])

    def test_a_gpu_that_may_not_be_read_is_said_on_the_run(self):
        process = self.profile(
            "--power", "auto", "--tdp-watts", 100, "-n", 8, "--json", "-", "--strict",
            env=self.environment("init 4\n") | {"ENPROF_SYSFS_ROOT": str(self.dir / "none")})
        self.assertEqual(process.returncode, 3, process.stderr)
        run = json.loads(process.stdout)
        self.assertEqual([domain["method"] for domain in run["power"]["domains"]], ["estimated"])
        refused, = (warning for warning in run["warnings"] if warning["code"] == "sensor_refused")
        self.assertIn("nvml is not used: ", refused["message"])
        self.assertIn("ls -l /dev/nvidia", refused["hint"])

    def test_doctor(self):
        def line(environment):
            process = enprof("doctor", "--json", "--db", self.db, env=environment)
            self.assertEqual(process.returncode, 0, process.stderr)
            found = {entry["what"]: entry for entry in json.loads(process.stdout)}
            return found["power: nvml"]

        works = line(self.environment("gpu 0 name=NVIDIA_A100\nat 0 gpu 0 watts 150\n"))
        self.assertTrue(works["works"], works)
        self.assertIn("energy counter (NVIDIA A100, whole board", works["detail"])
        missing = line({"ENPROF_NVML_LIBRARY": str(self.dir / "no.so")})
        self.assertFalse(missing["works"])
        self.assertIn("ENPROF_NVML_LIBRARY", missing["fix"])
        mismatch = line(self.environment("init 18\n"))
        self.assertFalse(mismatch["works"])
        self.assertIn("version mismatch", mismatch["detail"])
        self.assertIn("modprobe", mismatch["fix"])


class NvmlServer(ServeTest):
    def test_a_gpu_that_may_be_read_again_is_used(self):
        trace = self.dir / "trace"
        trace.write_text("init 4\n", encoding="utf-8")
        self.serve("--power", "auto", env={
            "ENPROF_NVML_LIBRARY": LIBRARY, "ENPROF_FAKE_NVML": str(trace),
            "ENPROF_SYSFS_ROOT": str(self.dir / "none")})
        self.assertIn("enprof: nvml is not used: ", self.said)
        self.assertIn("ls -l /dev/nvidia", self.said)
        power = lambda: self.ask("/api/power/status")[1]
        codes = lambda answer: [warning["code"] for warning in answer["warnings"]]
        self.assertIn("sensor_refused", codes(power()))
        self.assertIn("sensor_refused", codes(self.wait_for(self.generate())))
        trace.write_text("gpu 0\nat 0 gpu 0 watts 150\n", encoding="utf-8")
        wait_until(lambda: "gpu-0" in [domain["name"] for domain in power()["domains"]],
                   "the GPU is read")
        run = self.wait_for(self.generate(max_tokens=64))
        self.assertIn("gpu-0", [domain["name"] for domain in run["power"]["domains"]])
        self.assertNotIn("sensor_refused", codes(run))


if __name__ == "__main__":
    main()
