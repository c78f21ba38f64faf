"""Shared by the program tests: the installed program, a small model, and a work directory."""

import atexit
import json
import os
import pathlib
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import unittest

INSTALLED = pathlib.Path(os.environ["ENPROF_INSTALLED"])
SOURCE = pathlib.Path(os.environ["ENPROF_SOURCE"])
ENPROF = INSTALLED / "bin" / "enprof"

# So long a test waits for what should come soon, on the slowest of machines.
PATIENCE_S = 120

_work = pathlib.Path(tempfile.mkdtemp(prefix="enprof-program-"))
atexit.register(shutil.rmtree, _work, ignore_errors=True)


def enprof(*arguments, env=None, stdin=None, timeout=300, **options):
    """Runs the installed program and returns the finished process, output as text."""
    environment = {**os.environ, "XDG_DATA_HOME": str(_work / "data"), **(env or {})}
    return subprocess.run(
        [str(ENPROF), *map(str, arguments)], env=environment, input=stdin,
        stdin=subprocess.DEVNULL if stdin is None else None,
        capture_output=True, text=True, errors="replace", timeout=timeout, **options)


def needs_dev(is_there, what):
    """For tests of what `tools/setup --dev` installs. tools/run-tests knows the reason by its form."""
    return unittest.skipUnless(is_there, f"needs {what} (tools/setup --dev)")


def wait_until(condition, what, patience=PATIENCE_S):
    """Waits until `condition()` is true, and gives what it gave: for an effect that can be seen,
    and never for time to pass. Says what it waited for where that does not come."""
    end = time.monotonic() + patience
    while not (result := condition()):
        if time.monotonic() > end:
            raise AssertionError(f"waited {patience} s, but it is not so: {what}")
        time.sleep(0.02)
    return result


def changed_script(script, path, change):
    """Writes what `change` makes of a script beside this file, which finds its modules; gives `path`."""
    path.write_text(change(f"import sys\nsys.path.insert(0, {str(script.parent)!r})\n"
                           + script.read_text()))
    return path


def model(layers=8, embd=512, ff=1024):
    """A synthesized model of that shape, created once."""
    path = _work / f"model-{layers}x{embd}.gguf"
    if not path.exists():
        made = enprof("model", "synth", "-o", path, "--layers", layers, "--embd", embd, "--ff", ff,
                      "--heads", 8, "--kv-heads", 4)
        if made.returncode != 0:
            raise AssertionError(f"model synth failed: {made.stderr}")
    return path


def played(seconds):
    """A script of one prompt and tokens of 10 ms: a run of it takes that long on each machine,
    however fast, and hardly any CPU time. Ask for 10000 tokens."""
    path = _work / f"{seconds}.playback.json"
    path.write_text(json.dumps({
        "playback": 1, "model": {"name": "played"}, "prompt_tokens": 4,
        "steps": [{"phase": "prefill", "sections": [{"name": "forward", "us": 10_000}]},
                  {"phase": "decode", "token": " x", "repeat": int(seconds * 100),
                   "sections": [{"name": "forward", "us": 10_000}]}]}), encoding="utf-8")
    return path


def replay(watts, seconds=600, step_ms=100, domains=("cpu",)):
    """A replay file of constant power."""
    path = _work / f"replay-{watts}-{seconds}-{step_ms}-{'-'.join(domains)}.jsonl"
    with open(path, "w", encoding="utf-8") as out:
        for begin in range(0, seconds * 1000, step_ms):
            for domain in domains:
                out.write(json.dumps({"domain": domain, "begin_ms": begin,
                                      "end_ms": begin + step_ms,
                                      "energy_mj": watts * step_ms}) + "\n")
    return path


def recorded_passes(path, seconds=60):
    """Passes of a program for `exec --passes`: a request of 10 tokens from 30 to 230 ms, and one from
    300 ms on that goes on for so long, a token each 20 ms."""
    def tokens(begin_ms, count):
        return [{"begin_ms": begin_ms + 20 * step, "end_ms": begin_ms + 20 * step + 18,
                 "sequences": [[0, 11 + step if step else 0, 1 if step else 12, 1]]}
                for step in range(count)]
    path.write_text(json.dumps({
        "recorded_passes": 1, "models": [{"name": "toy", "begin_ms": 2, "loaded_ms": 20}],
        "contexts": [{"model": 0, "positions": 100_000}],
        "passes": tokens(30, 10) + tokens(300, int(50 * seconds))}), encoding="utf-8")
    return path


class FakeMachine:
    """A procfs whose CPUs are busy for this share of the time, while the context is open."""

    def __init__(self, root, busy=0.5):
        self.root = root
        self.busy = busy
        self.done = threading.Event()

    def __enter__(self):
        self.root.mkdir()
        (self.root / "cpuinfo").write_text("")
        stat = os.open(self.root / "stat", os.O_RDWR | os.O_CREAT)

        def write(ticks):  # one write of constant length, since it may be read at any time
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
    """A test with its own directory and database."""

    def setUp(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(dir=_work))
        self.db = self.dir / "profiles.db"

    def profile(self, *arguments, path=None, **options):
        """`enprof run` of a short prompt, without a baseline; extra arguments come last. What is at
        `path` is the model, or one that is made."""
        return enprof("run", "-m", path or model(), "-p", "The quick brown fox", "-n", 8,
                      "--baseline-s", 0, "--db", self.db, *arguments, **options)

    def profile_json(self, *arguments, **options):
        """The same, as the object that --json prints."""
        process = self.profile("--json", "-", *arguments, **options)
        self.assertEqual(process.returncode, 0, process.stderr)
        return json.loads(process.stdout)

    def saved_steps(self, content=""):
        """How many steps of runs in the making the database has, that hold this text."""
        if not self.db.exists():
            return 0
        with sqlite3.connect(self.db, timeout=10) as database:
            try:
                return database.execute("SELECT count(*) FROM run_steps WHERE instr(content, ?)",
                                        (content,)).fetchone()[0]
            except sqlite3.OperationalError:  # the tables are being made
                return 0

    def wait_for_steps(self, process, count, content=""):
        """Until so many such steps of a run in the making are saved."""
        def enough():
            self.assertIsNone(process.poll(), "the run ended by itself")
            return self.saved_steps(content) >= count
        wait_until(enough, f"{count} steps with {content!r} are saved")

    def wait_for_a_token(self, process):
        """Until a token of a run in the making is saved, however slow the machine is."""
        self.wait_for_steps(process, 1, '"texts"')

    def tokens_in(self, seconds):
        """As many tokens as this machine makes in that time: at least 250, at most a context."""
        run = self.profile_json("--power", "none", "-n", 100)
        return min(max(250, int(seconds * run["totals"]["decode_tokens_per_second"])), 3900)

    def assert_fails(self, process, code, *texts):
        """Expects one message on stderr with these texts, this exit code, and nothing on stdout."""
        self.assertEqual(process.returncode, code, process.stderr)
        self.assertEqual(process.stdout, "")
        self.assertEqual(process.stderr.count("error:"), 1, process.stderr)
        for text in texts:
            self.assertIn(str(text), process.stderr)
        for noise in ("terminate called", "Assertion", "backtrace", "what():"):
            self.assertNotIn(noise, process.stderr)


def main():
    """Runs a file's tests. Reports skipped tests to ctest through SKIP_RETURN_CODE."""
    result = unittest.main(module="__main__", exit=False).result
    if not result.wasSuccessful():
        sys.exit(1)
    if result.skipped:
        for test, reason in result.skipped:
            print(f"skipped: {test.id()}: {reason}")
        sys.exit(77)
