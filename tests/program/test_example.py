"""The examples build against the installed package, like programs of its users, and work."""

import re
import shlex
import subprocess

from program import INSTALLED, SOURCE, ProgramTest, enprof, main, replay


def run(*command):
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=300)


class Example(ProgramTest):
    def build(self, example):
        build = self.dir / "build"
        for command in (
                ["cmake", "-G", "Ninja", "-S", SOURCE / "examples" / example, "-B", build,
                 f"-DCMAKE_PREFIX_PATH={INSTALLED}"],
                ["cmake", "--build", build]):
            process = run(*command)
            self.assertEqual(process.returncode, 0, process.stdout + process.stderr)
        return build / example

    def check_attribution(self, program):
        process = run(program)
        self.assertEqual(process.returncode, 0, process.stderr)
        joules = {line[:8].strip(): float(line[8:].split()[0])
                  for line in process.stdout.splitlines()}
        self.assertAlmostEqual(joules["request"], 68.0)
        self.assertAlmostEqual(joules["prefill"], 20.0)
        self.assertAlmostEqual(joules["token 0"] + joules["token 1"], joules["decode"])

    def test_profile_any_engine(self):
        program = self.build("profile_any_engine")
        process = run(program, self.db, f"replay:{replay(50)}")
        self.assertEqual(process.returncode, 0, process.stderr)
        self.assertIn("word 0 word 1 word 2 word 3 word 4 \n", process.stdout)
        decode = re.search(r"^decode +([\d.]+) ms +([\d.]+) J$", process.stdout, re.MULTILINE)
        self.assertIsNotNone(decode, process.stdout)
        self.assertAlmostEqual(float(decode[2]), 50 * float(decode[1]) / 1000, delta=0.02)
        self.assertIn("my-model", enprof("runs", "--db", self.db).stdout)

    def test_attribute_own_windows(self):
        self.check_attribution(self.build("attribute_own_windows"))

    def test_without_cmake(self):
        folder, = INSTALLED.glob("lib*/**/pkgconfig")
        flags = run("env", f"PKG_CONFIG_PATH={folder}", "pkg-config", "--cflags", "--libs", "enprof")
        self.assertEqual(flags.returncode, 0, flags.stderr)
        words = shlex.split(flags.stdout)
        library, = (word[2:] for word in words if word.startswith("-L"))
        program = self.dir / "program"
        built = run("c++", "-std=c++23", SOURCE / "examples/attribute_own_windows/main.cpp",
                    "-o", program, *words, f"-Wl,-rpath,{library}")
        self.assertEqual(built.returncode, 0, built.stderr)
        self.check_attribution(program)


if __name__ == "__main__":
    main()
