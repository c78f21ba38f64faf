"""Every wrong input gives one clear message, the right exit code, and leaves nothing behind."""

import os
import pathlib
import struct
import unittest

from program import ProgramTest, enprof, main, model, replay

FAILED, USAGE = 1, 2


class BadModel(ProgramTest):
    def run_model(self, path):
        return enprof("run", "-m", path, "-p", "x", "--power", "none", "--baseline-s", 0, "--db",
                      self.db)

    def test_missing(self):
        self.assert_fails(self.run_model(self.dir / "none.gguf"), FAILED, self.dir / "none.gguf")

    def test_a_directory(self):
        self.assert_fails(self.run_model(self.dir), FAILED, self.dir)

    def test_empty(self):
        path = self.dir / "empty.gguf"
        path.touch()
        self.assert_fails(self.run_model(path), FAILED, path)

    def test_not_gguf(self):
        path = self.dir / "text.gguf"
        path.write_text("this is not a model " * 100, encoding="utf-8")
        self.assert_fails(self.run_model(path), FAILED, path, "GGUF")

    def test_truncated_anywhere(self):
        whole = model().read_bytes()
        for size in (3, 8, 20, 1000, 100_000, len(whole) // 2, len(whole) - 1):
            path = self.dir / f"cut-{size}.gguf"
            path.write_bytes(whole[:size])
            with self.subTest(size=size):
                self.assert_fails(self.run_model(path), FAILED, path)

    @unittest.skipIf(os.geteuid() == 0, "root may read everything")
    def test_unreadable(self):
        path = self.dir / "secret.gguf"
        path.write_bytes(model().read_bytes())
        path.chmod(0)
        self.assert_fails(self.run_model(path), FAILED, path, "ermission")

    def test_larger_than_memory(self):
        # A header that promises one tensor of 64 TiB, in a file that is as long but has no blocks.
        def string(text):
            return struct.pack("<Q", len(text)) + text.encode()
        rows = 1 << 32
        header = (b"GGUF" + struct.pack("<IQQ", 3, 1, 1) +
                  string("general.architecture") + struct.pack("<I", 8) + string("llama") +
                  string("blk.0.ffn_up.weight") + struct.pack("<IQQIQ", 2, 4096, rows, 0, 0))
        path = self.dir / "huge.gguf"
        with open(path, "wb") as out:
            out.write(header)
            try:
                out.truncate(4096 + 4096 * rows * 4)
            except OSError as error:
                self.skipTest(f"this file system holds no file of 64 TiB: {error}")
        self.assert_fails(self.run_model(path), FAILED, path, "memory")


class BadPrompt(ProgramTest):
    def run_prompt(self, prompt, *arguments):
        return enprof("run", "-m", model(), "-p", prompt, "--power", "none", "--baseline-s", 0,
                      "--db", self.db, *arguments)

    def test_none_and_empty(self):
        self.assert_fails(self.run_prompt(""), USAGE, "empty")
        self.assert_fails(enprof("run", "-m", model(), "--db", self.db), USAGE, "-p")

    def test_not_utf8(self):
        path = self.dir / "latin1.txt"
        path.write_bytes(b"caf\xe9 au lait")
        process = enprof("run", "-m", model(), "-f", path, "--power", "none", "--db", self.db)
        self.assert_fails(process, USAGE, "UTF-8", "3")

    def test_longer_than_the_context(self):
        process = self.run_prompt("word " * 500, "--ctx", 64)
        self.assert_fails(process, FAILED, "64", "--ctx")
        self.assertEqual(enprof("runs", "--db", self.db).stdout, "No runs.\n")

    def test_missing_prompt_file(self):
        process = enprof("run", "-m", model(), "-f", self.dir / "none.txt", "--db", self.db)
        self.assert_fails(process, FAILED, self.dir / "none.txt")


class BadNumbers(ProgramTest):
    def test_out_of_range(self):
        for flag, value in (("-n", 0), ("-n", -5), ("-n", "1e99"), ("-n", "many"), ("--temp", -1),
                            ("--top-p", 2), ("--top-p", 0), ("--ctx", -1), ("--threads", -2),
                            ("--power-interval-ms", 0), ("--baseline-s", -1), ("--seed", "x"),
                            ("--price", -1), ("--tdp-watts", "nan")):
            with self.subTest(flag=flag, value=value):
                self.assert_fails(self.profile(flag, value), USAGE, flag, value)
        self.assertFalse(self.db.exists())


class BadPower(ProgramTest):
    def test_unknown_source(self):
        self.assert_fails(self.profile("--power", "fusion"), USAGE, "fusion", "estimate")

    def test_missing_replay_file(self):
        path = self.dir / "none.jsonl"
        self.assert_fails(self.profile("--power", f"replay:{path}"), FAILED, path)

    def test_malformed_replay_names_the_line(self):
        good = '{"domain":"cpu","begin_ms":0,"end_ms":100,"energy_mj":5000}\n'
        for bad in ("{", '{"domain":"cpu"}', "[]",
                    '{"domain":"cpu","begin_ms":200,"end_ms":100,"energy_mj":5000}',
                    '{"domain":"cpu","begin_ms":100,"end_ms":200,"energy_mj":-1}',
                    '{"domain":"cpu","begin_ms":100,"end_ms":200,"energy_mj":"5"}'):
            path = self.dir / "bad.jsonl"
            path.write_text(good + bad + "\n", encoding="utf-8")
            with self.subTest(bad=bad):
                process = self.profile("--power", f"replay:{path}")
                self.assertIn(process.returncode, (FAILED, USAGE))
                self.assert_fails(process, process.returncode, "line 2")


class BadDatabase(ProgramTest):
    def test_a_directory(self):
        self.db.mkdir()
        self.assert_fails(self.profile("--power", "none"), FAILED, self.db, "--no-save")

    def test_not_a_database(self):
        self.db.write_text("hello " * 1000, encoding="utf-8")
        self.assert_fails(self.profile("--power", "none"), FAILED, self.db)
        self.assertEqual(self.db.read_text(encoding="utf-8"), "hello " * 1000)

    def test_below_a_file(self):
        (self.dir / "file").touch()
        path = self.dir / "file" / "profiles.db"
        process = enprof("run", "-m", model(), "-p", "x", "--power", "none", "--db", path)
        self.assert_fails(process, FAILED, path.parent)

    def test_not_writable(self):
        path = pathlib.Path("/proc/enprof/profiles.db")
        process = enprof("run", "-m", model(), "-p", "x", "--power", "none", "--db", path)
        self.assert_fails(process, FAILED, path.parent)


class BadOutput(ProgramTest):
    def test_json_to_nowhere_is_said_before_the_run(self):
        path = self.dir / "no" / "such" / "out.json"
        self.assert_fails(self.profile("--power", "none", "--json", path), FAILED, path)
        self.assertFalse(self.db.exists())

    def test_a_full_disk(self):
        process = self.profile("--power", "none", "--json", "/dev/full")
        self.assertEqual(process.returncode, FAILED)
        self.assertIn("/dev/full", process.stderr)

    def test_a_reader_that_went_away(self):
        read, write = os.pipe()
        os.close(read)
        process = enprof_to(write, "--help")
        self.assertIn(process.returncode, (0, 1))
        self.assertNotIn("terminate", process.stderr)


def enprof_to(descriptor, *arguments):
    import subprocess
    from program import ENPROF
    process = subprocess.run([str(ENPROF), *arguments], stdout=descriptor, stderr=subprocess.PIPE,
                             text=True, timeout=60)
    os.close(descriptor)
    return process


class Usage(ProgramTest):
    def test_wrong_commands(self):
        self.assert_fails(enprof(), USAGE, "--help")
        self.assert_fails(enprof("fly"), USAGE, "fly")
        self.assert_fails(enprof("run"), USAGE, "--model", "enprof run --help")
        self.assert_fails(enprof("show"), USAGE, "RUN")
        self.assert_fails(self.profile("--no-such-flag"), USAGE, "--no-such-flag")
        self.assert_fails(self.profile("--depth", "abyss"), USAGE, "abyss", "minimal")

    def test_help_and_version(self):
        for command in ((), ("run",), ("runs",), ("show",), ("export",), ("rm",), ("doctor",),
                        ("model",), ("model", "synth")):
            process = enprof(*command, "--help")
            self.assertEqual(process.returncode, 0, command)
            self.assertIn("Usage:", process.stdout)
        self.assertRegex(enprof("--version").stdout, r"^enprof \d+\.\d+\.\d+\n$")


if __name__ == "__main__":
    main()
