"""doctor reports the truth about this machine, and changes nothing."""

import json
import os
import pathlib
import shutil
import unittest

from program import SOURCE, ProgramTest, enprof, main
from test_terminal import on_terminal


class Doctor(ProgramTest):
    def diagnoses(self, env=None):
        process = enprof("doctor", "--json", "--db", self.db, env=env)
        self.assertEqual(process.returncode, 0, process.stderr)
        return {entry["what"]: entry for entry in json.loads(process.stdout)}

    def test_this_machine(self):
        found = self.diagnoses()
        has_rapl = (any(pathlib.Path("/sys/class/powercap").glob("intel-rapl:*/energy_uj"))
                    or pathlib.Path("/sys/bus/event_source/devices/power").exists())
        if not has_rapl:
            self.assertFalse(found["power: rapl"]["works"])
            self.assertIn("/sys/class/powercap", found["power: rapl"]["detail"])
        self.assertTrue(found["power: estimate"]["works"])
        self.assertTrue(found["database"]["works"])
        self.assertTrue(found["model synth"]["works"])
        self.assertIn("llama.cpp", found)
        self.assertRegex(found["llama.cpp"]["detail"], r"v\d+\.\d+.*logical CPUs; built for \w+")
        self.assertFalse(self.db.exists(), "looking created the database")
        self.assertIn("free of", found["disk space"]["detail"])
        for entry in found.values():
            self.assertEqual(entry["works"], entry["state"] != "no", entry)
            if entry["state"] == "no":
                self.assertTrue(entry["fix"], f"nothing is said to help: {entry}")

    def test_it_agrees_with_the_kernel(self):
        found = self.diagnoses()
        flags = pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8")
        if " hypervisor" in flags:
            self.assertEqual(found["virtualization"]["state"], "limited")
            self.assertIn("a virtual machine", found["virtualization"]["detail"])
            self.assertIn("rarely have RAPL", found["virtualization"]["detail"])
        source = pathlib.Path("/sys/devices/system/clocksource/clocksource0/current_clocksource")
        if source.exists():
            self.assertIn(f"from {source.read_text().strip()}", found["clock"]["detail"])
        paranoid = pathlib.Path("/proc/sys/kernel/perf_event_paranoid")
        if paranoid.exists():
            self.assertIn(f"is {paranoid.read_text().strip()}", found["perf events"]["detail"])
        governor = pathlib.Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
        self.assertIn(governor.read_text().strip() if governor.exists() else "unknown",
                      found["CPU governor"]["detail"])

    def test_strict_fails_where_nothing_measures(self):
        self.add_rapl()
        root = {"ENPROF_SYSFS_ROOT": str(self.dir)}
        nothing = {"ENPROF_SYSFS_ROOT": str(self.dir / "nothing"),
                   "ENPROF_NVML_LIBRARY": "/nowhere/libnvidia-ml.so.1"}
        def code(*arguments, env):
            return enprof("doctor", "--db", self.db, *arguments, env=env).returncode
        self.assertEqual(code("--strict", env=root), 0)
        self.assertEqual(code("--strict", env=nothing), 3)
        self.assertEqual(code(env=nothing), 0)
        self.db.write_text("not a database " * 100, encoding="utf-8")
        self.assertEqual(code("--strict", env=root), 3)
        self.assertEqual(code("--severe", env=root), 2)

    @unittest.skipIf(os.geteuid() == 0, "root writes where it likes")
    def test_a_database_that_cannot_be_written_is_said_to_be(self):
        self.profile("--power", "none")
        self.dir.chmod(0o500)
        try:
            entry = self.diagnoses()["database"]
        finally:
            self.dir.chmod(0o700)
        self.assertFalse(entry["works"])
        self.assertIn("not writable", entry["detail"])

    def test_on_a_narrow_terminal_only_what_is_to_be_copied_is_wider(self):
        fakes = self.dir / "bin"
        fakes.mkdir()
        for name, script in (("sudo", "echo 'sudo: a password is required' >&2; exit 1"),
                             ("powermetrics", "exit 1")):
            (fakes / name).write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
            (fakes / name).chmod(0o755)
        env = {"ENPROF_POWERMETRICS_COMMAND": f"{fakes}/sudo -n {fakes}/powermetrics -f plist -i 100 "
                                              "--samplers cpu_power,gpu_power,thermal"}
        output = on_terminal(["doctor", "--db", self.db], columns=60, env={**env, "NO_COLOR": "1"})
        self.assertNotIn("\x1b", output)
        lines = output.splitlines()
        whole = [line for line in lines if line.endswith("cpu_power\\,gpu_power\\,thermal")]
        self.assertEqual(len(whole), 1, output)
        self.assertIn("ALL=(root) NOPASSWD:", whole[0])
        for line in lines:
            if len(line) > 60 and line != whole[0]:
                last_column = line.split("  ")[-1].removeprefix("→ ")
                self.assertNotIn(" ", last_column, "this could have been broken")
        self.assertIn("\x1b[32mok", on_terminal(["doctor", "--db", self.db], env=env))

    def add_rapl(self):
        zone = self.dir / "class" / "powercap" / "intel-rapl:0"
        zone.mkdir(parents=True)
        (zone / "name").write_text("package-0\n", encoding="utf-8")
        (zone / "energy_uj").write_text("12345\n", encoding="utf-8")
        (zone / "max_energy_range_uj").write_text("262143328850\n", encoding="utf-8")

    def test_a_machine_with_rapl(self):
        self.add_rapl()
        found = self.diagnoses(env={"ENPROF_SYSFS_ROOT": str(self.dir)})
        self.assertTrue(found["power: rapl"]["works"], found)
        self.assertIn("package-0", found["power: rapl"]["detail"])

    def test_an_older_database_stays_as_it_is(self):
        shutil.copyfile(SOURCE / "tests" / "data" / "profiles_v1.db", self.db)
        before = self.db.read_bytes()
        entry = self.diagnoses()["database"]
        self.assertIn("2 runs, schema 1, which will be migrated to", entry["detail"])
        self.assertTrue(entry["works"])
        self.assertEqual(self.db.read_bytes(), before)
        self.assertEqual([path.name for path in self.dir.iterdir()], [self.db.name])

    def test_a_bad_database_is_named(self):
        self.db.write_text("not a database " * 100, encoding="utf-8")
        self.assertFalse(self.diagnoses()["database"]["works"])

    def test_the_table(self):
        process = enprof("doctor", "--db", self.db)
        self.assertEqual(process.returncode, 0)
        self.assertIn("estimate", process.stdout)
        self.assertNotIn("\x1b", process.stdout, "a pipe wants no colours")
        for line in process.stdout.splitlines():
            self.assertEqual(line, line.rstrip())


if __name__ == "__main__":
    main()
