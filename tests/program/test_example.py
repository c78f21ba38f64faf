"""The example builds against the installed package, as a stranger's program would, and works."""

import re
import subprocess

from program import INSTALLED, SOURCE, ProgramTest, enprof, main, replay


class Example(ProgramTest):
    def test_find_package(self):
        build = self.dir / "build"
        for command in (
                ["cmake", "-G", "Ninja", "-S", SOURCE / "examples" / "profile_any_engine", "-B",
                 build, f"-DCMAKE_PREFIX_PATH={INSTALLED}"],
                ["cmake", "--build", build]):
            process = subprocess.run(list(map(str, command)), capture_output=True, text=True,
                                     timeout=300)
            self.assertEqual(process.returncode, 0, process.stdout + process.stderr)

        process = subprocess.run(
            [str(build / "profile_any_engine"), str(self.db), f"replay:{replay(50)}"],
            capture_output=True, text=True, timeout=60)
        self.assertEqual(process.returncode, 0, process.stderr)
        self.assertIn("word 0 word 1 word 2 word 3 word 4 \n", process.stdout)
        decode = re.search(r"^decode +([\d.]+) ms +([\d.]+) J$", process.stdout, re.MULTILINE)
        self.assertIsNotNone(decode, process.stdout)
        self.assertAlmostEqual(float(decode[2]), 50 * float(decode[1]) / 1000, delta=0.02)
        self.assertIn("my-model", enprof("runs", "--db", self.db).stdout)


if __name__ == "__main__":
    main()
