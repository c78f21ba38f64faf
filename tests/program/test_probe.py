"""`enprof exec` of programs with llama.cpp inside, which know nothing of enprof."""

import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import unittest

from program import ENPROF, INSTALLED, ProgramTest, enprof, main, model, replay, wait_until

HERE = pathlib.Path(__file__).resolve().parent
LIBRARY = pathlib.Path(os.environ["ENPROF_BUILD"]) / "shared-llama" / "libllama.so"
LATE = HERE / "llama_late.py"
STEADY = f"replay:{replay(50)}"
LAYERS = 4


def tiny():
    return model(layers=LAYERS, embd=256, ff=512)


@unittest.skipUnless(sys.platform == "linux" and LIBRARY.exists(), "needs the shared llama.cpp")
class Probe(ProgramTest):
    """Of a Python script that opens llama.cpp by ctypes."""

    def words(self, *options, power=STEADY):
        return ["exec", "--baseline-s", 0, "--power", power, "--db", self.db, *options, "--"]

    def late(self, prompt=8, output=5, *more):
        return [sys.executable, LATE, LIBRARY, tiny(), prompt, output, *more]

    def run_exec(self, *command, options=(), **others):
        return enprof(*self.words(*options), *command, **others)

    def run_json(self, *command, options=(), **others):
        file = self.dir / "run.json"
        process = self.run_exec(*command, options=("--json", file, *options), **others)
        self.assertEqual(process.returncode, 0, process.stderr)
        return json.loads(file.read_text()), process

    def codes(self, run):
        return {warning["code"] for warning in run["warnings"]}


class Layers(Probe):
    def test_layers_and_tokens_of_an_unmodified_program(self):
        run, process = self.run_json(*self.late(prompt=8, output=5))
        plain = subprocess.run([str(word) for word in self.late(prompt=8, output=5)],
                               capture_output=True, text=True, check=True)
        self.assertEqual(process.stdout, plain.stdout, "its output is its own")
        self.assertEqual([phase["phase"] for phase in run["phases"]],
                         ["pre_inference", "prefill", "decode", "post_inference"])
        self.assertEqual(run["totals"]["prompt_tokens"], 8)
        self.assertEqual(run["totals"]["output_tokens"], 5)
        self.assertEqual(len(run["tokens"]), 5)
        self.assertEqual({token["phase"] for token in run["tokens"]}, {"decode"})
        for phase in ("prefill", "decode"):
            layers = {layer["layer"] for layer in run["layers"] if layer["phase"] == phase}
            self.assertEqual(layers - {-1, None}, set(range(LAYERS)), phase)
        components = {component["component"] for component in run["components"]}
        for wanted in ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj",
                       "lm_head", "embedding"):
            self.assertIn(wanted, components)
        self.assertFalse({code for code in self.codes(run) if code.startswith("pass")}, run["warnings"])
        self.assertNotIn("graphs_unknown", self.codes(run))
        self.assertEqual(run["model"]["architecture"], "llama")
        self.assertEqual(run["model"]["layers"], LAYERS)
        self.assertEqual(run["model"]["engine"], "exec")

    def test_energy_is_conserved_at_each_level(self):
        run, _ = self.run_json(*self.late(prompt=16, output=8), options=("--depth", "deep"))
        total = run["totals"]["energy_mj"]
        self.assertAlmostEqual(sum(p["energy_mj"] for p in run["phases"]) / total, 1.0, delta=1e-9)
        for phase in ("prefill", "decode"):
            whole = next(p for p in run["phases"] if p["phase"] == phase)["energy_mj"]
            sections = sum(s["energy_mj"] for s in run["sections"]
                           if s["phase"] == phase and "/" not in s["name"])
            self.assertAlmostEqual(sections / whole, 1.0, delta=1e-9)
            layers = sum(x["energy_mj"] for x in run["layers"] if x["phase"] == phase)
            components = sum(x["energy_mj"] for x in run["components"] if x["phase"] == phase)
            operations = sum(x["energy_mj"] for x in run["operations"] if x["phase"] == phase)
            self.assertAlmostEqual(layers / components, 1.0, delta=1e-9)
            self.assertLessEqual(operations, components * (1 + 1e-9))

    def test_the_operations_are_those_of_our_own_engine(self):
        """The same model, once inside a program and once in enprof run: the same components."""
        run, _ = self.run_json(*self.late(prompt=8, output=3), options=("--depth", "deep"))
        own = self.profile_json("--power", STEADY, "--depth", "deep", "--values-every", 0, path=tiny())

        def of(profile):
            return {(c["layer"], c["component"]) for c in profile["components"]
                    if c["phase"] == "decode" and not c["component"].startswith("(")}

        self.assertEqual(of(run), of(own))

        def work(profile):
            return {(o["component"], o["op"]) for o in profile["operations"]
                    if o["phase"] == "decode"}

        self.assertEqual(work(run), work(own))

    def test_minimal_depth_has_tokens_and_no_layers(self):
        run, _ = self.run_json(*self.late(), options=("--depth", "minimal"))
        self.assertEqual(run["totals"]["output_tokens"], 5)
        self.assertEqual(run["layers"], [])

    def test_a_batch_of_several_sequences_is_one_step(self):
        run, process = self.run_json(*self.late(8, 5, 3))
        self.assertEqual(len(process.stdout.splitlines()), 3)
        self.assertEqual(run["totals"]["prompt_tokens"], 3 * 8)
        self.assertEqual(len(run["tokens"]), 5, "steps")

    def test_without_the_probe_it_is_any_command(self):
        run, _ = self.run_json(*self.late(), options=("--no-probe",))
        self.assertEqual((run["phases"], run["tokens"]), ([], []))

    def test_each_run_of_several_has_its_own(self):
        process = self.run_exec(*self.late(8, 2), options=("-r", 2))
        self.assertEqual(process.returncode, 0, process.stderr)
        runs = json.loads(enprof("runs", "--json", "--db", self.db).stdout)["runs"]
        self.assertEqual([run["output_tokens"] for run in runs], [2, 2])

    def test_it_is_shown(self):
        self.run_json(*self.late())
        shown = enprof("show", "last", "--db", self.db).stdout
        self.assertIn("Command    ", shown)
        self.assertIn("decode", shown)


class Helpers(Probe):
    def test_what_the_command_starts_is_followed(self):
        script = " ".join(f"'{word}'" for word in self.late(8, 2))
        run, _ = self.run_json("sh", "-c", f"{script}; {script}")
        self.assertEqual(run["totals"]["output_tokens"], 4)
        self.assertEqual(run["totals"]["prompt_tokens"], 16)

    def test_two_at_a_time_are_told_apart_as_far_as_that_goes(self):
        script = " ".join(f"'{word}'" for word in self.late(8, 40))
        run, _ = self.run_json("sh", "-c", f"{script} & {script}; wait")
        self.assertIn("passes_overlapped", self.codes(run))
        self.assertAlmostEqual(sum(p["energy_mj"] for p in run["phases"]),
                               run["totals"]["energy_mj"], delta=1e-6)

    def test_the_environment_of_the_command(self):
        """It keeps what the user had for the dynamic linker, and enprof's own is beside it."""
        process = self.run_exec("sh", "-c", "echo $LD_AUDIT", env={"LD_AUDIT": ""})
        self.assertEqual(pathlib.Path(process.stdout.strip()).name, "libenprof-probe.so")
        self.assertEqual(process.returncode, 0, process.stderr)

    def test_one_that_clears_its_environment(self):
        process = self.run_exec("env", "-i", *self.late(8, 2))
        self.assertEqual(process.returncode, 0, process.stderr)
        self.assertEqual(self.export()["tokens"], [])

    def export(self):
        return json.loads(enprof("export", "last", "--db", self.db).stdout)

    def test_a_second_enprof_inside(self):
        other = self.dir / "inner.db"
        process = self.run_exec(ENPROF, "exec", "--baseline-s", 0, "--power", "none", "--db", other,
                                "--", *self.late(8, 2))
        self.assertEqual(process.returncode, 0, process.stderr)
        inner = json.loads(enprof("export", "last", "--db", other).stdout)
        self.assertEqual(len(inner["tokens"]), 2)


class Faults(Probe):
    def test_killed_in_mid_run_it_keeps_what_came(self):
        script = self.dir / "killed.py"
        text = LATE.read_text().replace("for step in range(OUTPUT):",
                                        "for step in range(OUTPUT):\n    if step == 4:\n"
                                        "        import os, signal\n"
                                        "        os.kill(os.getpid(), signal.SIGKILL)")
        script.write_text(text)
        command = self.late(8, 10)
        command[1] = script
        process = self.run_exec(*command)
        self.assertEqual(process.returncode, 128 + signal.SIGKILL)
        run = json.loads(enprof("export", "last", "--db", self.db).stdout)
        self.assertEqual(run["status"], "failed")
        self.assertEqual(len(run["tokens"]), 4)

    def test_enprof_killed_the_program_goes_on(self):
        done = self.dir / "done"
        text = LATE.read_text().replace(
            "for step in range(OUTPUT):",
            "import os, time\n"
            f"open({str(self.dir / 'begun')!r}, 'w').close()\n"
            "parent = os.getppid()\n"
            "while os.getppid() == parent:\n    time.sleep(0.01)\n"
            "for step in range(OUTPUT):") + f"\nopen({str(done)!r}, 'w').write('whole')\n"
        script = self.dir / "orphan.py"
        script.write_text(text)
        command = self.late(8, 5)
        command[1] = script
        process = subprocess.Popen([str(word) for word in (ENPROF, *self.words(), *command)],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until((self.dir / "begun").exists, "the program has its prompt")
        process.kill()
        process.wait()
        wait_until(lambda: done.exists() and done.read_text() == "whole", "the program has ended")
        leftovers = [name for name in os.listdir("/dev/shm") if "enprof" in name]
        self.assertEqual(leftovers, [])

    def test_a_program_that_ends_at_once(self):
        run, _ = self.run_json("true")
        self.assertEqual(run["tokens"], [])
        self.assertEqual(self.codes(run) & {"probe_failed", "records_damaged"}, set())

    def test_one_that_closes_its_descriptors(self):
        script = self.dir / "closes.py"
        script.write_text("import os\nos.closerange(3, 1000)\n" + LATE.read_text())
        command = self.late(8, 3)
        command[1] = script
        run, _ = self.run_json(*command)
        self.assertEqual(len(run["tokens"]), 3)

    def test_without_its_library_it_measures_the_command(self):
        prefix = self.dir / "moved"
        shutil.copytree(INSTALLED / "bin", prefix / "bin")
        process = subprocess.run(
            [str(word) for word in (prefix / "bin" / "enprof", *self.words(), *self.late(8, 2))],
            capture_output=True, text=True, check=False)
        self.assertEqual(process.returncode, 0, process.stderr)
        self.assertRegex(" ".join(process.stderr.split()), "libenprof-probe.so")


if __name__ == "__main__":
    main()
