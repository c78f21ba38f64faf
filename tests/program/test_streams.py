"""Failing to print messages changes nothing; failing to write a result is an error."""

import json
import os
import resource
import signal
import subprocess

from program import ENPROF, PATIENCE_S, ProgramTest, enprof, main, model, replay, wait_until
from serving import ServeTest


def shell(script, **options):
    """A shell that runs a script, with the program as $E."""
    return subprocess.run(["bash", "-c", script], env={**os.environ, "E": str(ENPROF)},
                          stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          errors="replace", timeout=300, **options)


class DeadStderr(ProgramTest):
    def run_with(self, redirection, *more):
        return shell(f"$E run -m {model()} -p Hi -n 4 --power none --no-save --json - "
                     f"{' '.join(more)} {redirection}")

    def test_a_run_is_as_ever(self):
        for redirection in ("2>/dev/full", "2>&-", "2> >(true)", "2>&- 0>&-"):
            for more in ((), ("-vv",)):
                with self.subTest(redirection=redirection, more=more):
                    process = self.run_with(redirection, *more)
                    self.assertEqual(process.returncode, 0, process.stderr)
                    self.assertEqual(json.loads(process.stdout)["status"], "completed")

    def test_an_error_keeps_its_exit_code(self):
        for redirection in ("2>/dev/full", "2>&-", "2> >(true)"):
            with self.subTest(redirection=redirection):
                self.assertEqual(shell(f"$E show nothing --db {self.dir}/no.db {redirection}")
                                 .returncode, 1)
                self.assertEqual(shell(f"$E run --no-such-option {redirection}").returncode, 2)

    def interrupt(self, number, *arguments, stdout=subprocess.PIPE, **options):
        """Starts a long run whose stderr is lost, then interrupts it."""
        reader, writer = os.pipe()
        process = subprocess.Popen(
            [str(ENPROF), "run", "-m", str(model()), "-p", "Hi", "-n", "3900", "--ctx", "4000",
             "--ignore-eos", "-v", "--power", f"replay:{replay(50)}", "--baseline-s", "0", "--db",
             str(self.db), *arguments],
            stdin=subprocess.DEVNULL, stdout=stdout, stderr=writer, **options)
        os.close(writer)
        said = b""
        while b"Starting profiling run" not in said:
            piece = os.read(reader, 4096)
            self.assertTrue(piece, said)  # empty when the program has ended
            said += piece
        os.close(reader)
        self.wait_for_a_token(process)  # by then it has said more
        process.send_signal(number)
        output = process.communicate(timeout=PATIENCE_S)[0]
        return process.returncode, output

    def last_status(self):
        return json.loads(enprof("export", "last", "--db", self.db).stdout)["status"]

    def test_ctrl_c_is_told_by_the_exit_code(self):
        code, output = self.interrupt(signal.SIGINT)
        self.assertEqual(code, 130)
        self.assertIn(b"prefill", output)
        self.assertEqual(self.last_status(), "cancelled")

    def test_a_terminal_that_is_closed_is_as_sigterm(self):
        code, _ = self.interrupt(signal.SIGHUP)
        self.assertEqual(code, 129)
        self.assertEqual(self.last_status(), "cancelled")
        with open("/dev/full", "wb") as full:  # the report cannot be written either
            code, _ = self.interrupt(signal.SIGHUP, stdout=full)
        self.assertEqual(code, 129)

    def test_nohup_is_respected(self):
        code = None
        process = subprocess.Popen(
            [str(ENPROF), "run", "-m", str(model()), "-p", "Hi", "-n", "200", "--ignore-eos",
             "--power", "none", "--no-save", "-v"], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
        for line in process.stderr:
            if "Starting profiling run" in line:
                process.send_signal(signal.SIGHUP)
                break
        process.communicate(timeout=120)
        code = process.returncode
        self.assertEqual(code, 0)

    def test_one_who_does_not_read_holds_up_nothing(self):
        """A full pipe: the log is written there at the finest level, and the run still ends."""
        reader, writer = os.pipe()
        os.set_blocking(writer, False)
        try:
            while True:
                os.write(writer, b"x" * 4096)
        except BlockingIOError:
            pass
        os.set_blocking(writer, True)
        process = subprocess.run(
            [str(ENPROF), "run", "-m", str(model()), "-p", "Hi", "-n", "4", "-vv", "--power",
             "none", "--no-save", "--json", "-"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=writer, timeout=120)
        os.close(reader)
        os.close(writer)
        self.assertEqual(process.returncode, 0)
        self.assertEqual(json.loads(process.stdout)["status"], "completed")


class ClosedStdout(ProgramTest):
    def test_a_report_is_not_written_into_another_file(self):
        log = self.dir / "x.log"
        process = shell(f"$E run -m {model()} -p Hi -n 2 --power none --db {self.db} "
                        f"--log-file {log} >&-")
        self.assertEqual(process.returncode, 1, process.stderr)
        self.assertIn("Cannot write standard output: it is closed", process.stderr)
        self.assertNotIn("Where it went", log.read_text())
        check = enprof("db", "check", "--db", self.db)
        self.assertEqual(check.returncode, 0, check.stderr)
        self.assertIn("is good", check.stdout)

    def test_all_results_say_that_they_cannot_be_written(self):
        self.profile("--power", "none")
        exported = self.dir / "run.json"
        exported.write_text(enprof("export", "last", "--db", self.db).stdout)
        commands = {
            "--help": "", "--version": "", "run --help": "", "runs": "--db", "show last": "--db",
            "export last": "--db", "doctor": "--db", "db stats": "--db", "db check": "--db",
            "rm last": "--db", f"import {exported}": "--db",
            f"model synth -o {self.dir}/n.gguf --layers 1 --embd 64 --ff 64 --heads 2 --kv-heads 2": ""}
        for command, option in commands.items():
            for redirection, why in ((">&-", "it is closed"),
                                     (">/dev/full", "No space left on device")):
                with self.subTest(command=command, redirection=redirection):
                    (self.dir / "n.gguf").unlink(missing_ok=True)
                    if command.startswith("rm"):
                        self.profile("--power", "none")
                    place = f"--db {self.db}" if option else ""
                    if command.startswith("import"):
                        enprof("rm", "last", "--db", self.db)
                        place = f"--db {self.dir}/other-{why[:2]}.db"
                    process = shell(f"$E {command} {place} {redirection}")
                    self.assertEqual(process.returncode, 1, process.stderr)
                    self.assertIn(f"Cannot write standard output: {why}", process.stderr)

    def test_closed_stdin_is_no_empty_prompt(self):
        process = shell(f"$E run -m {model()} -f - --power none --no-save <&-")
        self.assertEqual(process.returncode in (1, 2), True, process.stderr)
        self.assertIn("error:", process.stderr)


class Limits(ProgramTest):
    def test_a_limit_on_file_sizes_is_an_error_with_a_remedy(self):
        target = self.dir / "big.gguf"
        process = shell(f"ulimit -f 64; $E model synth -o {target} --layers 2 --embd 256 --ff 512")
        self.assertEqual(process.returncode, 1, process.stderr)
        self.assertIn("A file may have at most 64.0 KiB here", process.stderr)
        self.assertEqual(list(self.dir.iterdir()), [])

    def test_an_export_beyond_the_limit_leaves_no_part_of_a_file(self):
        self.profile("--power", "none", "-n", 64, "--ignore-eos", "--depth", "deep")
        process = shell(f"ulimit -f 64; $E export last --format json -o {self.dir}/run.json "
                        f"--db {self.db}")
        self.assertEqual(process.returncode, 1, process.stderr)
        self.assertEqual(list(self.dir.glob("run.json*")), [])
        self.assertIn("File too large", process.stderr)

    def test_a_limit_on_file_sizes_leaves_the_database_to_be_read(self):
        run_id = self.profile_json("--power", "none", "-n", 1)["run_id"]
        for limit, size in ((1, "1.0 KiB"), (64, "64.0 KiB")):
            with self.subTest(limit=limit):
                listed = shell(f"ulimit -f {limit}; $E runs --json --db {self.db}")
                self.assertEqual(listed.returncode, 0, listed.stderr)
                self.assertIn(run_id, listed.stdout)
                run = shell(f"ulimit -f {limit}; $E run -m {model()} -p Hi -n 300 --ignore-eos "
                            f"--depth deep --power none --db {self.db}")
                self.assertIn(run.returncode, (1, 3), run.stderr)
                self.assertIn(f"A file may have at most {size} here", run.stderr)
                self.assertNotIn("dmesg", run.stderr)
                self.assertNotIn("df -h", run.stderr)
                self.assertEqual(enprof("db", "check", "--db", self.db).returncode, 0)

    def test_a_run_beyond_the_limit_is_told(self):
        process = shell(f"ulimit -f 200; $E run -m {model()} -p Hi -n 300 --ignore-eos --depth deep "
                        f"--power none --db {self.db}")
        self.assertIn(process.returncode, (0, 1, 3), process.stderr)
        if process.returncode != 0:
            self.assertIn("A file may have at most 200.0 KiB here", process.stderr)

    def test_too_little_memory_is_said(self):
        """At any limit: success, or a message. With the lowest ones the program cannot load."""
        path = model(layers=2, embd=64, ff=64)

        def outcome(mebibytes):
            def limit():
                resource.setrlimit(resource.RLIMIT_AS, (mebibytes << 20, mebibytes << 20))
                resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            return enprof("run", "-m", path, "-p", "Hi", "-n", 4, "--threads", 2, "--db", self.db,
                          "--power", f"replay:{replay(50)}", "--baseline-s", 0, preexec_fn=limit)

        for mebibytes in (*range(40, 400, 24), 512, 768, 1024):
            with self.subTest(mebibytes=mebibytes):
                process = outcome(mebibytes)
                self.assertIn(process.returncode, (0, 1, 3, 127), process.stderr)
                if process.returncode != 0:
                    self.assertTrue(process.stderr.strip())
                self.assertNotIn("terminate called", process.stderr)


class DeadServer(ServeTest):
    def start(self, redirection):
        """A server with that stderr, found by its port."""
        port = self.free_port()
        self.server = subprocess.Popen(
            ["bash", "-c", f"exec $E serve --port {port} --models-dir {self.models} --db {self.db} "
                           f"--power none {redirection}"],
            env={**os.environ, "E": str(ENPROF)}, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL)
        self.port = port

        def answers():
            try:
                return self.ask("/healthz")[0] == 200
            except OSError:
                self.assertIsNone(self.server.poll(), "it does not start")
                return False
        wait_until(answers, "the server answers")

    @staticmethod
    def free_port():
        import socket
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            return probe.getsockname()[1]

    def test_it_serves_and_ends_in_order(self):
        for redirection in ("2>/dev/full", "2>&-", "2> >(true)", ">&- 2>&- <&-"):
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                with self.subTest(redirection=redirection, signal=number):
                    self.start(redirection)
                    run = self.generate(max_tokens=3000)
                    self.wait_until_it_runs(run)
                    self.server.send_signal(number)
                    self.assertEqual(self.server.wait(60), 0)
                    self.server = None
                    shown = json.loads(enprof("export", run, "--db", self.db).stdout)
                    self.assertEqual(shown["status"], "cancelled")

    def die_amid_a_run(self, number):
        self.serve()
        run = self.generate(max_tokens=3000)
        wait_until(self.saved_steps, "the run's first step is saved")  # nothing of it is kept before
        self.server.send_signal(number)
        _, said = self.server.communicate(timeout=60)
        self.server = None
        self.serve()
        return run, said, self.ask(f"/api/profiling/run/{run}")[1]

    def test_one_that_crashes_says_which_run_and_model_did_it(self):
        run, said, kept = self.die_amid_a_run(signal.SIGSEGV)
        self.assertIn("SIGSEGV", said)
        self.assertIn(f"the model m.gguf, in run {run}", said)
        self.assertEqual(kept["status"], "failed")
        reasons = [warning["message"] for warning in kept["warnings"]]
        self.assertTrue(any("with the model m.gguf: " in reason and
                            "SIGSEGV" in reason for reason in reasons), reasons)

    def test_one_that_is_killed_leaves_the_models_name(self):
        run, _, kept = self.die_amid_a_run(signal.SIGKILL)
        self.assertEqual(kept["status"], "interrupted")
        reasons = [warning["message"] for warning in kept["warnings"]]
        self.assertTrue(any("while it worked with the model m.gguf" in reason
                            for reason in reasons), reasons)


if __name__ == "__main__":
    main()
