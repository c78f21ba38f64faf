"""tools/check-hardware, on simulated sensors: the real reading, loads and judgements, and a page."""

import json
import os
import pathlib
import subprocess
import sys

from program import SOURCE, ProgramTest, main

BUILD = pathlib.Path(os.environ["ENPROF_BUILD"])
NVML = os.environ["ENPROF_FAKE_NVML_LIBRARY"]
CUDA = os.environ["ENPROF_FAKE_CUDA_LIBRARY"]
NO_SENSORS = {"ENPROF_SYSFS_ROOT": "/none", "ENPROF_NVML_LIBRARY": "/none/nvml.so", "ENPROF_CUDA_LIBRARY": "/none/cuda.so"}
# The real minimum of a GPU: an energy counter that steps every 20 ms, and power.
GPU = "gpu 0 uuid=GPU-a name=NVIDIA_FAKE arch=9 cc=9.0 counter=20 fields=1 usage=1 update=20\nat 0 gpu 0 watts 70\n"


class Hardware(ProgramTest):
    def check(self, *arguments, script=SOURCE / "tools" / "check-hardware", build=BUILD, env=None, expect=0):
        """What it found, by the names of its checks."""
        where = ["--build", str(build)] if build else []
        done = subprocess.run([sys.executable, str(script), *where, "--out", str(self.dir), "--short", *arguments],
                              env={**os.environ, **NO_SENSORS, **(env or {})}, capture_output=True, text=True,
                              timeout=300, check=False)
        if expect is not None:
            self.assertEqual(done.returncode, expect, done.stdout + done.stderr)
        document = json.loads((self.dir / "check-hardware.json").read_text(encoding="utf-8"))
        self.assertEqual(document["exit_code"], done.returncode)
        return {each["name"]: each for each in document["checks"]}

    def gpu(self):
        trace = self.dir / "trace"
        trace.write_text(GPU, encoding="utf-8")
        return {"ENPROF_NVML_LIBRARY": NVML, "ENPROF_FAKE_NVML": str(trace), "ENPROF_CUDA_LIBRARY": CUDA}

    def test_a_whole_check_on_a_simulated_cpu_and_gpu(self):
        """On a machine where other programs have the CPUs, it must say that. What is read too late then, it judges as
        it should; the figure of overhead is the machine's, its judgement is not."""
        checks = self.check("--fake", env=self.gpu(), expect=None)
        ratios = checks["overhead"]["facts"]["ratios"]
        self.assertEqual(list(ratios), ["minimal", "module", "deep"])
        for depth, ratio in ratios.items():
            self.assertEqual(ratio["rounds"], 2)
            self.assertGreater(ratio["standard_error"], 0)
            slow = ratio["median"] - 6.31 * ratio["standard_error"] > 1.02
            self.assertEqual(f"{depth}: decode takes" in checks["overhead"]["reason"], slow, ratio)
        for name, check in checks.items():
            if name == "overhead":
                continue
            if check["state"] == "failed" and name not in ("machine", "sources", "steps", "counter"):
                self.assertRegex(check["reason"], "other programs used [2-9]", name)
                continue
            self.assertEqual(check["state"], "skipped" if name == "cuda" else "passed", check["reason"])

        steps = {each["name"]: each for each in checks["steps"]["facts"]["values"]}
        self.assertAlmostEqual(steps["package-0"]["period_ms"], 0.977, delta=0.1)
        self.assertAlmostEqual(steps["gpu-0 energy"]["period_ms"], 20, delta=2)
        idle = {each["name"]: each["power_mw"] for each in checks["idle"]["facts"]["domains"]}
        self.assertGreaterEqual(idle["package-0"], 19_000)
        for wave in checks["cpu_wave"]["facts"]["waves"] + checks["gpu_wave"]["facts"]["waves"]:
            self.assertLessEqual(wave["conservation"] or 0, 1e-9)
            self.assertGreater(wave["contrast"], 0.5)
            self.assertLess(wave["contrast"], 1.2)
        gpu_wave = checks["gpu_wave"]["facts"]["waves"][0]
        self.assertAlmostEqual(gpu_wave["off_windows_mw"], 70_000, delta=2_000)
        self.assertGreater(gpu_wave["on_windows_mw"], 200_000)
        self.assertEqual([run["depth"] for run in checks["profiles"]["facts"]["runs"]], ["minimal", "module", "deep"])
        page = (self.dir / "check-hardware.html").read_text(encoding="utf-8")
        self.assertIn("These are simulated sensors", page)
        self.assertGreater(page.count("<svg"), 6)
        self.assertNotIn("cannot be drawn", page)
        self.assertNotIn("http", page.replace("http-equiv", ""), "it needs nothing from elsewhere")

    def test_without_sensors_it_says_so_and_checks_the_rest(self):
        checks = self.check(expect=3)
        states = {name: check["state"] for name, check in checks.items()}
        self.assertEqual(states.pop("machine"), "passed")
        self.assertEqual(set(states.values()), {"skipped"}, states)
        self.assertIn("no sensor can be read", checks["sources"]["reason"])

    def test_a_check_that_fails_does_not_end_the_others(self):
        """A CUDA driver that is none."""
        checks = self.check("--fake", "--only", "gpu_wave,idle", env=self.gpu() | {"ENPROF_CUDA_LIBRARY": NVML},
                            expect=1)
        self.assertEqual(checks["gpu_wave"]["state"], "failed")
        self.assertIn("lacks cuInit", checks["gpu_wave"]["reason"])
        self.assertEqual(checks["idle"]["state"], "passed")

    def test_a_counter_that_differs_from_power_fails(self):
        """The counter stands still when the power rises."""
        trace = GPU + "at 2000 gpu 0 watts 400\nat 2000 gpu 0 counter_frozen 1\n"
        (self.dir / "frozen").write_text(trace, encoding="utf-8")
        checks = self.check("--fake", "--only", "counter", expect=1,
                            env=self.gpu() | {"ENPROF_FAKE_NVML": str(self.dir / "frozen"),
                                              "ENPROF_CUDA_LIBRARY": "/none"})
        self.assertEqual(checks["counter"]["state"], "failed")
        self.assertRegex(checks["counter"]["reason"], r"integrated power / energy counter = [1-9]")

    def test_a_power_that_does_not_follow_the_load_fails(self):
        (self.dir / "constant").write_text(GPU, encoding="utf-8")
        checks = self.check("--only", "gpu_wave", env=self.gpu() | {"ENPROF_FAKE_NVML": str(self.dir / "constant"),
                                                                    "ENPROF_CUDA_LIBRARY": CUDA,
                                                                    "ENPROF_FAKE_CUDA_WATTS": "70"}, expect=1)
        self.assertIn("the power follows the load", checks["gpu_wave"]["reason"])

    def test_time_that_is_over_is_said(self):
        checks = self.check("--fake", "--minutes", "0.01", "--only", "idle,profiles", expect=0)
        self.assertEqual({check["state"] for check in checks.values()}, {"skipped"})
        self.assertIn("--minutes", checks["idle"]["reason"])

    def test_a_pack_has_all_that_it_needs(self):
        folder = self.dir / "pack"
        made = subprocess.run([sys.executable, str(SOURCE / "tools" / "check-hardware"), "--pack", str(folder),
                               "--build", str(BUILD)], capture_output=True, text=True, timeout=300, check=False)
        self.assertEqual(made.returncode, 0, made.stdout + made.stderr)
        manifest = json.loads((folder / "MANIFEST.json").read_text(encoding="utf-8"))
        self.assertLessEqual(manifest["bytes"], 60e6)
        files = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
        self.assertTrue(any(name.endswith(".xz") for name in files), "large libraries are compressed")
        self.assertEqual(files - {"MANIFEST.json"}, set(manifest["sha256"]))
        checks = self.check("--fake", "--only", "machine,steps", script=folder / "check-hardware", build=None)
        self.assertEqual({check["state"] for check in checks.values()}, {"passed"})
        # A machine with an older C library starts the programs through the pack's own.
        loader, = (folder / "lib" / "glibc").glob("ld-linux*")
        done = subprocess.run([str(loader), "--library-path", f"{folder}/lib/glibc:{folder}/lib",
                               str(folder / "bin" / "enprof"), "--version"], capture_output=True, text=True, timeout=60,
                              check=False)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_what_does_not_exist_is_a_usage_error(self):
        done = subprocess.run([sys.executable, str(SOURCE / "tools" / "check-hardware"), "--only", "idle,nonsense"],
                              capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, 2)
        self.assertIn("there is no check nonsense", done.stderr)


if __name__ == "__main__":
    main()
