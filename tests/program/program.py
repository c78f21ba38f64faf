"""What the program tests share: the installed program, a small model, and a place to work in."""

import atexit
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import threading
import unittest

INSTALLED = pathlib.Path(os.environ["ENPROF_INSTALLED"])
SOURCE = pathlib.Path(os.environ["ENPROF_SOURCE"])
ENPROF = INSTALLED / "bin" / "enprof"

_work = pathlib.Path(tempfile.mkdtemp(prefix="enprof-program-"))
atexit.register(shutil.rmtree, _work, ignore_errors=True)


def enprof(*arguments, env=None, stdin=None, timeout=300, **options):
    """Runs the installed program and returns the finished process, output as text."""
    environment = {**os.environ, "XDG_DATA_HOME": str(_work / "data"), **(env or {})}
    return subprocess.run(
        [str(ENPROF), *map(str, arguments)], env=environment, input=stdin,
        stdin=subprocess.DEVNULL if stdin is None else None,
        capture_output=True, text=True, errors="replace", timeout=timeout, **options)


def model(layers=8, embd=512, ff=1024):
    """A synthesized model of that shape, made once."""
    path = _work / f"model-{layers}x{embd}.gguf"
    if not path.exists():
        made = enprof("model", "synth", "-o", path, "--layers", layers, "--embd", embd, "--ff", ff,
                      "--heads", 8, "--kv-heads", 4)
        if made.returncode != 0:
            raise AssertionError(f"model synth failed: {made.stderr}")
    return path


def replay(watts, seconds=120, step_ms=100, domains=("cpu",)):
    """A replay file of constant power."""
    path = _work / f"replay-{watts}-{seconds}-{step_ms}-{'-'.join(domains)}.jsonl"
    with open(path, "w", encoding="utf-8") as out:
        for begin in range(0, seconds * 1000, step_ms):
            for domain in domains:
                out.write(json.dumps({"domain": domain, "begin_ms": begin,
                                      "end_ms": begin + step_ms,
                                      "energy_mj": watts * step_ms}) + "\n")
    return path


class FakeMachine:
    """A procfs whose CPUs are busy for a share of the time, as long as it is open."""

    def __init__(self, root, busy=0.5):
        self.root = root
        self.busy = busy
        self.done = threading.Event()

    def __enter__(self):
        self.root.mkdir()
        (self.root / "cpuinfo").write_text("")
        stat = os.open(self.root / "stat", os.O_RDWR | os.O_CREAT)

        def write(ticks):  # in one write and of one length: it may be read at any time
            busy = int(ticks * self.busy)
            os.pwrite(stat, f"cpu  {busy:010} 0 0 {ticks - busy:010} 0 0 0 0 0 0\n"
                            f"cpu0 1 0 0 1 0 0 0 0 0 0\n".encode(), 0)

        def work():
            ticks = 20
            while not self.done.wait(0.01):
                ticks += 20
                write(ticks)
            os.close(stat)

        write(20)
        self.worker = threading.Thread(target=work)
        self.worker.start()
        return {"ENPROF_PROCFS_ROOT": str(self.root)}

    def __exit__(self, *_):
        self.done.set()
        self.worker.join()


class ProgramTest(unittest.TestCase):
    """A test with a directory and a database of its own."""

    def setUp(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(dir=_work))
        self.db = self.dir / "profiles.db"

    def profile(self, *arguments, **options):
        """`enprof run` of a short prompt, without a baseline; extra arguments come last."""
        return enprof("run", "-m", model(), "-p", "The quick brown fox", "-n", 8, "--baseline-s", 0,
                      "--db", self.db, *arguments, **options)

    def profile_json(self, *arguments, **options):
        """The same, as the object that --json prints."""
        process = self.profile("--json", "-", *arguments, **options)
        self.assertEqual(process.returncode, 0, process.stderr)
        return json.loads(process.stdout)

    def tokens_in(self, seconds):
        """As many as this machine makes in that time, 250 at least, and what a context holds."""
        run = self.profile_json("--power", "none", "-n", 100)
        return min(max(250, int(seconds * run["totals"]["decode_tokens_per_second"])), 3900)

    def assert_fails(self, process, code, *texts):
        """One clear message on stderr with these texts, this exit code, nothing on stdout."""
        self.assertEqual(process.returncode, code, process.stderr)
        self.assertEqual(process.stdout, "")
        self.assertEqual(process.stderr.count("error:"), 1, process.stderr)
        for text in texts:
            self.assertIn(str(text), process.stderr)
        for noise in ("terminate called", "Assertion", "backtrace", "what():"):
            self.assertNotIn(noise, process.stderr)


def main():
    """Runs a file's tests; tells ctest, by SKIP_RETURN_CODE, where some of them had to be skipped."""
    result = unittest.main(module="__main__", exit=False).result
    if not result.wasSuccessful():
        sys.exit(1)
    if result.skipped:
        for test, reason in result.skipped:
            print(f"skipped: {test.id()}: {reason}")
        sys.exit(77)
