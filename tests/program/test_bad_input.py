"""Every wrong input gives one clear message and the right exit code, and leaves no files."""

import json
import os
import pathlib
import struct
import subprocess
import unittest

from program import ENPROF, ProgramTest, enprof, main, model, replay

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
        # The header promises a tensor of 64 TiB, in a sparse file of that size.
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


class SplitModel(ProgramTest):
    """A part of a split model: only the first part has the keys."""

    def part(self, name, number, count, tensor="w"):
        def string(text):
            return struct.pack("<Q", len(text)) + text.encode()
        keys = [string("split.no") + struct.pack("<IH", 2, number),
                string("split.count") + struct.pack("<IH", 2, count),
                string("split.tensors.count") + struct.pack("<Ii", 5, count)]
        if number == 0:
            keys.append(string("general.architecture") + struct.pack("<I", 8) + string("llama"))
        header = (b"GGUF" + struct.pack("<IQQ", 3, 1, len(keys)) + b"".join(keys) +
                  string(tensor) + struct.pack("<IQIQ", 1, 64, 0, 0))
        path = self.dir / name
        path.write_bytes(header + b"\0" * (-len(header) % 32) + b"w" * 256)
        return path

    def run_model(self, path):
        return enprof("run", path, "x", "--power", "none", "--no-save")

    def test_a_later_part_names_the_first(self):
        second = self.part("my m-00002-of-00002.gguf", 1, 2)
        first = self.dir / "my m-00001-of-00002.gguf"
        self.assert_fails(self.run_model(second), FAILED, "part 2 of 2", "Download", f"'{first}'")
        self.part(first.name, 0, 2, "a")
        self.assert_fails(self.run_model(second), FAILED, f"Pass the first part: -m '{first}'")

    def test_parts_of_other_models_are_refused(self):
        first = self.part("m-00001-of-00002.gguf", 0, 2, "a")
        second = self.part("m-00002-of-00002.gguf", 1, 3, "b")
        self.assert_fails(self.run_model(first), FAILED, second, "it says part 2 of 3")
        second.unlink()
        self.assert_fails(self.run_model(first), FAILED, second, "missing")


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

    def test_a_byte_order_mark_is_no_part_of_it(self):
        for mark in (b"", b"\xef\xbb\xbf"):
            path = self.dir / "prompt.txt"
            path.write_bytes(mark + "Grüße".encode())
            process = enprof("run", model(), "-f", path, "-n", 1, "--power", "none", "--no-save",
                             "--json", "-")
            self.assertEqual(json.loads(process.stdout)["prompt"], "Grüße")

    def test_other_encodings_are_named_with_the_command_that_helps(self):
        path = self.dir / "my prompt.txt"
        for codec in ("utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"):
            for mark in ("", "\ufeff"):
                with self.subTest(codec=codec, mark=mark):
                    path.write_bytes((mark + "Hello, world\n").encode(codec))
                    process = enprof("run", model(), "-f", path, "--power", "none", "--db", self.db)
                    command = f"iconv -f {codec[:6]}{codec[7:]} -t utf-8"
                    self.assert_fails(process, USAGE, "UTF-", f"{command} '{path}'")
                    converted = subprocess.run(f"{command} '{path}'", shell=True, check=True,
                                               capture_output=True).stdout
                    ran = subprocess.run([ENPROF, "run", model(), "-f", "-", "-n", "1", "--power",
                                          "none", "--no-save", "--json", "-"], input=converted,
                                         capture_output=True, check=True)
                    self.assertEqual(json.loads(ran.stdout)["prompt"], "Hello, world\n")
        process = subprocess.run([ENPROF, "run", model(), "-f", "-", "--no-save"],
                                 input="Hello".encode("utf-16"), capture_output=True)
        self.assertEqual(process.returncode, USAGE)
        self.assertIn("| iconv -f utf-16le -t utf-8 | enprof run", process.stderr.decode())

    def test_bytes_that_are_no_text(self):
        path = self.dir / "zero.txt"
        path.write_bytes(b"Hello\0, world")
        process = enprof("run", model(), "-f", path, "--power", "none", "--db", self.db)
        self.assert_fails(process, USAGE, "byte 5 is zero", "tr -d")

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

    def test_what_a_run_cannot_have_written_is_not_written_over(self):
        for flag in ("--json", "--record-power"):
            path = self.dir / "notes.txt"
            path.write_text("mine", encoding="utf-8")
            self.assert_fails(self.profile("--power", "estimate", flag, path), FAILED, path)
            self.assertEqual(path.read_text(encoding="utf-8"), "mine")
        path = self.dir / "run.json"
        for _ in range(2):  # the same command again
            self.assertEqual(self.profile("--power", "none", "--json", path).returncode, 0)
        # JSON of another program, and a run file where the recording is to be written.
        package = self.dir / "package.json"
        package.write_text('{"name": "mine"}', encoding="utf-8")
        for flag, file in (("--json", package), ("--record-power", package),
                           ("--record-power", path)):
            before = file.read_bytes()
            self.assert_fails(self.profile("--power", "estimate", flag, file), FAILED, file)
            self.assertEqual(file.read_bytes(), before)

    def test_export_asks_before_it_writes_over_a_file(self):
        self.profile_json("--power", "none", "-n", 1)
        path = self.dir / "run.json"
        tables = self.dir / "tables"
        for arguments, file in ((("-o", path), path),
                                (("--format", "csv", "-o", tables), tables / "run.csv")):
            export = ("export", "last", "--db", self.db, *arguments)
            self.assertEqual(enprof(*export).returncode, 0)
            self.assertTrue(file.exists(), list(self.dir.rglob("*.csv")))
            file.write_text("{}", encoding="utf-8")
            self.assert_fails(enprof(*export), FAILED, file.parent if file != path else path, "--force")
            self.assertEqual(file.read_text(encoding="utf-8"), "{}")
            self.assertEqual(enprof(*export, "--force").returncode, 0)
            self.assertNotEqual(file.read_text(encoding="utf-8"), "{}")

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
    process = subprocess.run([str(ENPROF), *arguments], stdout=descriptor, stderr=subprocess.PIPE,
                             text=True, timeout=60)
    os.close(descriptor)
    return process


class Usage(ProgramTest):
    def test_wrong_commands(self):
        self.assert_fails(enprof("fly"), USAGE, "fly")
        self.assert_fails(enprof("run"), USAGE, "--model", "enprof run --help")
        self.assert_fails(enprof("show"), USAGE, "RUN")
        self.assert_fails(self.profile("--no-such-flag"), USAGE, "--no-such-flag")
        self.assert_fails(self.profile("--depth", "abyss"), USAGE, "abyss", "minimal")

    def test_typos_get_a_suggestion(self):
        for arguments, meant in ((("rnu",), "run"), (("Runs",), "runs"), (("shwo", "last"), "show"),
                                 (("list",), "runs"), (("delete", "last"), "rm"),
                                 (("db", "chekc"), "check"), (("model", "synt"), "synth"),
                                 (("run", "--detph", "deep"), "--depth"),
                                 (("run", "m.gguf", "x", "--ntokens=3"), "--help"),
                                 (("runs", "--sotr", "energy"), "--sort"),
                                 (("runs", "--sort", "enregy"), "energy"),
                                 (("db", "prune", "--max-run", "3"), "--max-runs"),
                                 (("export", "last", "--format", "jsno"), "json"),
                                 (("model", "synth", "-o", "m", "--arch", "lama"), "llama"),
                                 (("help", "rnu"), "run"), (("rnu", "--help"), "run")):
            with self.subTest(arguments=arguments):
                self.assert_fails(enprof(*arguments), USAGE, meant)
        self.assert_fails(self.profile("--depth", "depe"), USAGE, "did you mean deep?")
        self.assert_fails(self.profile("--power", "rpal"), USAGE, "did you mean rapl?")
        self.assert_fails(self.profile("--power", "replay"), USAGE, "replay:FILE")
        self.assert_fails(self.profile("--power", "none,estimate"), USAGE,
                          '"none" is named with others: none,estimate', "none alone")
        self.assert_fails(self.profile("--power", "rapl,"), USAGE, "has an empty name")
        self.assert_fails(self.profile("--power", "none", "--record-power", self.dir / "r.jsonl"),
                          USAGE, "--power is none")

    def test_a_run_that_is_not_there_may_be_the_last_one(self):
        self.profile_json("--power", "none", "-n", 1)
        for name in ("lsat", "LAST", "latest"):
            self.assert_fails(enprof("show", name, "--db", self.db), FAILED, name, "last?")

    def test_an_option_in_the_wrong_place_is_told_where_it_belongs(self):
        self.assert_fails(enprof("--db", self.db, "runs"), USAGE, "enprof runs --db")
        self.assert_fails(enprof("-p", "hi", "-m", model()), USAGE, "enprof run -p")
        self.assert_fails(enprof(model(), "hi"), USAGE, f"enprof run {model()}")

    def test_upper_case_is_no_fault(self):
        self.assertEqual(self.profile_json("--power", "none", "--depth", "Deep", "-n", 1)["depth"],
                         "deep")
        self.assertEqual(self.profile_json("--power", "None", "-n", 1)["power"]["domains"], [])

    def test_what_is_empty_is_not_the_default(self):
        for arguments in (("run", "-m", "", "-p", "x"), ("run", "-m", model(), "-f", ""),
                          ("runs", "--db", ""), ("export", "last", "-o", ""),
                          ("runs", "--tag", ""), ("model", "synth", "-o", ""),
                          ("db", "backup", "")):
            with self.subTest(arguments=arguments):
                self.assert_fails(enprof(*arguments), USAGE, "empty")

    def test_help_and_version(self):
        commands = ((), ("run",), ("exec",), ("runs",), ("show",), ("export",), ("import",), ("rm",),
                    ("serve",), ("watch",), ("doctor",), ("model",), ("model", "synth"), ("db",),
                    ("db", "stats"), ("db", "check"), ("db", "vacuum"), ("db", "prune"),
                    ("db", "backup"), ("db", "restore"), ("db", "import"))
        for command in commands:
            with self.subTest(command=command):
                process = enprof(*command, "--help")
                self.assertEqual(process.returncode, 0)
                self.assertIn(" ".join(("Usage: enprof", *command)), process.stdout)
                for jargon in ("INT", "UINT", "FLOAT", "TEXT:", "e-06", "e+", "REQUIRED"):
                    self.assertNotIn(jargon, process.stdout)
                for line in process.stdout.splitlines():
                    self.assertLessEqual(len(line), 100)
                    if line.startswith("  enprof ") and command:  # examples belong to the command
                        self.assertIn(" ".join(("enprof", *command)), line)
                self.assertEqual(enprof("help", *command).stdout, process.stdout)
                self.assertEqual(enprof(*command, "-h").stdout, process.stdout)
        self.assertRegex(enprof("--version").stdout, r"^enprof \d+\.\d+\.\d+\n$")
        self.assertEqual(enprof("-V").stdout, enprof("--version").stdout)
        self.assertIn("Maximum number of output tokens (1 to 1,000,000) [128]", enprof("run", "-h").stdout)
        shape = enprof("model", "synth", "--help").stdout
        self.assertIn("Layers (1 to 512) [16]", shape)
        self.assertIn("(32 to 131,072)", shape)

    def test_without_a_command_there_is_help(self):
        for command in ((), ("db",), ("model",)):
            process = enprof(*command)
            self.assertEqual(process.returncode, USAGE)
            self.assertEqual(process.stdout, enprof(*command, "--help").stdout)


class WordsOfRun(ProgramTest):
    """Errors of `enprof run MODEL PROMPT`."""

    def run_words(self, *words, **options):
        return enprof("run", "-n", 1, "--power", "none", "--no-warmup", "--db", self.db, *words,
                      **options)

    def prompt_of(self, *words, **options):
        process = self.run_words("--json", "-", *words, **options)
        self.assertEqual(process.returncode, 0, process.stderr)
        return json.loads(process.stdout)["prompt"]

    def test_model_and_prompt(self):
        self.assertEqual(self.prompt_of(model(), "hi there"), "hi there")
        self.assertEqual(self.prompt_of("-m", model(), "hi"), "hi")
        self.assertEqual(self.prompt_of(model(), "-p", "hi"), "hi")
        self.assertEqual(self.prompt_of("--tag", "a", model(), "hi"), "hi")
        self.assertEqual(self.prompt_of(model(), "-p", "-5 degrees"), "-5 degrees")
        self.assertEqual(self.prompt_of(model(), "--", "--hi"), "--hi")
        self.assertEqual(self.prompt_of(model(), "-", stdin="from a pipe"), "from a pipe")

    def test_conflicts(self):
        self.assert_fails(self.run_words(model(), "hi", "there"), USAGE, "there", "is an unexpected word")
        self.assert_fails(self.run_words(model(), "hi", "-p", "ho"), USAGE, "given twice", "hi")
        self.assert_fails(self.run_words(model(), "hi", "-f", "p.txt"), USAGE, "given twice")
        self.assert_fails(self.run_words("-m", model(), model(), "hi"), USAGE, "named twice")
        self.assert_fails(self.run_words(model()), USAGE, "No prompt is given", "-f FILE")
        self.assert_fails(self.run_words(model(), "-p", "hi", "-p", "ho there"), USAGE,
                          "given twice: hi and 'ho there'")
        self.assert_fails(self.run_words("-m", model(), "-m", "other.gguf", "hi"), USAGE,
                          "named twice", "other.gguf")
        self.assert_fails(self.run_words(model(), "-f", "a.txt", "-f", "b.txt"), USAGE,
                          "named twice: a.txt and b.txt")

    def test_swapped_words_are_told(self):
        for words in (("hi you", model()), ("-m", "hi you", model()), ("hi", "none.gguf")):
            self.assert_fails(self.run_words(*words), USAGE, "looks like the model",
                              "Did you mean: enprof run " + str(words[-1]))
        # A prompt that contains a model's name, or is one, after a model is accepted.
        self.assertEqual(self.prompt_of(model(), "What is in m.gguf"), "What is in m.gguf")
        self.assertEqual(self.prompt_of(model(), "m.gguf"), "m.gguf")

    def test_a_link_that_leads_nowhere_says_where_to(self):
        (self.dir / "m.gguf").symlink_to("blobs/1234")
        for name in ("m.gguf", "./m.gguf", self.dir / "m.gguf"):
            self.assert_fails(self.run_words(name, "hi", cwd=self.dir), FAILED,
                              f"{name} is a link to ", "blobs/1234, which does not exist")

    def test_a_model_is_found_by_a_part_of_its_name(self):
        models = self.dir / "models of mine"
        models.mkdir()
        (models / "Gemma-3-1b-it-Q8_0.gguf").symlink_to(model())
        env = {"ENPROF_MODELS_DIR": str(models), "HOME": str(self.dir)}
        process = self.run_words("gemma", "hi", env=env, cwd=self.dir)
        self.assertEqual(process.returncode, 0, process.stderr)
        self.assertIn("Gemma-3-1b-it-Q8_0.gguf", process.stderr)
        self.assert_fails(self.run_words("gmema", "hi", env=env, cwd=self.dir), FAILED, "gmema")
        (self.dir / "gemma-2.gguf").write_bytes(model().read_bytes())
        self.assert_fails(self.run_words("gemma", "hi", env=env, cwd=self.dir), USAGE,
                          "-m gemma-2.gguf", "-m '" + str(models))
        self.assertEqual(self.run_words("gemma-2", "hi", env=env, cwd=self.dir).returncode, 0)

    def test_more_output_than_the_context_holds_is_told_at_once(self):
        for words in (("-n", 65, "--ctx", 64), ("-n", 4097)):
            process = enprof("run", model(), "hi", *words, "--db", self.db)
            self.assert_fails(process, USAGE, f"-n {words[1]}", "context")
            self.assertFalse(self.db.exists())


if __name__ == "__main__":
    main()
