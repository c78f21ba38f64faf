"""The programs that measure, and how they are started on a machine that may lack their libraries."""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import time


class Failed(Exception):
    """A check could not be finished; its text says why."""


class Skipped(Exception):
    """A check cannot run here; its text says why."""


class Programs:
    """enprof and enprof_hardware, of a pack or of a build. `env` is for all that is started."""

    def __init__(self, here, build, fake):
        root = here if (here / "bin" / "enprof").exists() else None
        if root is None:
            root = build or here.parent / "build" / "release"
        self.root = pathlib.Path(root).resolve()
        self.is_pack = (self.root / "MANIFEST.json").exists()
        self.fake = fake
        self.env = dict(os.environ)
        if fake:
            self.env.pop("ENPROF_SYSFS_ROOT", None)  # enprof_hardware sets it
        self.loader = []
        self.libraries = [str(self.root / "lib")] if self.is_pack else []
        for name in ("enprof", "enprof_hardware"):
            if not self.path(name).exists():
                raise Failed(f"there is no {self.path(name)}: make build, and cmake --build --preset program-tests")
        self.unpack()
        self.choose_loader()

    def unpack(self):
        """Large libraries are carried compressed."""
        for packed in sorted((self.root / "lib").rglob("*.xz") if self.is_pack else ()):
            library = packed.with_suffix("")
            if library.exists():
                continue
            import lzma  # only packs need it, and some Pythons lack it
            half = library.with_name(library.name + ".part")
            try:
                with lzma.open(packed) as source, open(half, "wb") as target:
                    shutil.copyfileobj(source, target)
                half.chmod(0o755)
                half.rename(library)
            except OSError as error:
                raise Failed(f"{library} cannot be unpacked: {error}") from None

    def path(self, name):
        return self.root / "bin" / name

    def choose_loader(self):
        """A C library that is older than the program's cannot run it: the pack has its own."""
        if not self.is_pack:
            return
        reasons = []
        for loader, libraries in self.ways():
            self.loader, self.libraries = loader, libraries
            try:
                done = subprocess.run(self.command("enprof", "--version"), env=self.environment(), capture_output=True,
                                      text=True, timeout=30, check=False)
            except OSError as error:
                reasons.append(str(error))
                continue
            if done.returncode == 0:
                return
            reasons.append(done.stderr.strip().split("\n")[0] or f"exit code {done.returncode}")
        raise Failed("enprof does not start on this machine: " + "; ".join(reasons))

    def ways(self):
        own = str(self.root / "lib")
        yield [], [own]
        c_library = self.root / "lib" / "glibc"
        for loader in sorted(c_library.glob("ld-linux*")):
            yield [str(loader), "--library-path", f"{c_library}:{own}"], [str(c_library), own]

    def command(self, name, *arguments):
        return [*self.loader, str(self.path(name)), *map(str, arguments)]

    def environment(self, more=None, libraries=()):
        environment = {**self.env, **(more or {})}
        paths = [*libraries, *(self.libraries if not self.loader else [])]
        if paths:
            environment["LD_LIBRARY_PATH"] = ":".join(paths)
        if self.is_pack:
            environment["ENPROF_VOCAB_DIR"] = str(self.root / "share" / "enprof" / "vocab")
        return environment

    def enprof(self, *arguments, limit_s=60, more=None, libraries=()):
        """Runs it; on simulated counters that count the CPU time that it uses, if that is asked for."""
        command = self.command("enprof", *arguments)
        if libraries and self.loader:
            command[2] = ":".join([*libraries, command[2]])
        if self.fake:
            command = [*self.command("enprof_hardware", "exec", "--"), *command]
        return self.run(command, limit_s, self.environment(more, libraries))

    def measure(self, what, *arguments, limit_s=60):
        """What enprof_hardware answers to one question."""
        command = self.command("enprof_hardware", *(["--fake-rapl"] if self.fake else []), *arguments, what)
        done = self.run(command, limit_s, self.environment())
        try:
            answer = json.loads(done.stdout)
        except ValueError:
            raise Failed(f"enprof_hardware {what} gave no answer (exit code {done.returncode}): "
                         f"{last_line(done.stderr)}") from None
        if "error" in answer:
            raise Failed(answer["error"]["message"])
        return answer

    @staticmethod
    def run(command, limit_s, environment, cwd=None):
        """The finished process. One that takes too long is ended with all that it started."""
        process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True, errors="replace", start_new_session=True,
                                   cwd=cwd)
        try:
            out, err = process.communicate(timeout=limit_s)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.communicate(timeout=5)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.communicate()
            raise Failed(f"{pathlib.Path(command[0]).name} took longer than {limit_s:.0f} s") from None
        return subprocess.CompletedProcess(command, process.returncode, out, err)


def last_line(text):
    lines = text.strip().split("\n")
    return lines[-1] or "it said nothing"


class Budget:
    """The time that is left for everything together."""

    def __init__(self, minutes):
        self.end = time.monotonic() + minutes * 60

    def left_s(self):
        return self.end - time.monotonic()

    def need(self, seconds):
        if self.left_s() < seconds:
            raise Skipped(f"it takes up to {seconds:.0f} s, and {max(self.left_s(), 0):.0f} s are left: --minutes")
