"""Models with unexpected values for llama.cpp: each is refused with a message, or computed."""

import os
import struct
import subprocess

from gguf_file import ARRAY, BOOL, F32, STRING, U32, GgufFile
from program import ENPROF, ProgramTest, enprof, main

# With ENPROF_HOSTILE=all every value on every architecture, which takes minutes; else a part.
ALL = os.environ.get("ENPROF_HOSTILE") == "all"
ARCHITECTURES = ("llama", "qwen2", "qwen3", "phi3", "phi2", "gemma", "gemma2", "qwen2moe",
                 "qwen3moe", "falcon", "gpt2", "mamba")
NAN, INFINITY = float("nan"), float("inf")
REALS = (-1.0, 0.0, NAN, INFINITY, 3e38)
WHOLE = (0, 1, 3, 2**31, 2**32 - 1)
# Keys that most models do not have, but llama.cpp reads.
MORE_WHOLE = ("attention.key_length", "attention.value_length", "attention.sliding_window",
              "attention.group_norm_groups", "rope.dimension_count",
              "rope.scaling.original_context_length", "expert_count", "expert_used_count",
              "expert_group_count", "expert_group_used_count", "expert_gating_func",
              "leading_dense_block_count", "nextn_predict_layers", "pooling_type",
              "embedding_length_out", "full_attention_interval", "interleave_moe_layer_step",
              "ssm.group_count", "feed_forward_length", "expert_feed_forward_length")
MORE_REALS = ("rope.freq_base", "rope.scaling.factor", "rope.scaling.attn_factor",
              "attention.max_alibi_bias", "attention.clamp_kqv", "attention.scale", "logit_scale",
              "attn_logit_softcapping", "final_logit_softcapping", "expert_weights_scale",
              "attention.layer_norm_epsilon", "attention.layer_norm_rms_epsilon")
TOKEN_IDS = ("bos", "eos", "unknown", "padding", "eot")


class HostileModels(ProgramTest):
    def synthesized(self, architecture):
        path = self.dir / f"{architecture}.gguf"
        heads = ("--heads", 4, "--kv-heads", 4 if architecture in ("gpt2", "phi2") else 2)
        experts = ("--experts", 4, "--experts-used", 2) if architecture.endswith("moe") else ()
        made = enprof("model", "synth", "-o", path, "--arch", architecture, "--layers", 2, "--embd",
                      64, "--ff", 128, *heads, *experts, "--ctx", 64, "--type", "q8_0")
        self.assertEqual(made.returncode, 0, made.stderr)
        return GgufFile(path)

    def assert_ends_in_order(self, path, what, *arguments):
        """Expects success or an error message: the program must not die."""
        try:
            process = enprof("run", "-m", path, "-p", "Hello world", "-n", 3, "--threads", 2,
                             "--power", "none", "--no-save", *arguments, timeout=120)
        except subprocess.TimeoutExpired:
            self.fail(f"{what}: it hangs")
        said = f"{what}: exit code {process.returncode}: {process.stderr}"
        self.assertIn(process.returncode, (0, 1, 2), said)
        self.assertNotIn("cannot go on", process.stderr, said)
        if process.returncode != 0:
            self.assertEqual(process.stderr.count("error:"), 1, said)
            self.assertIn(path.name, process.stderr + str(path), said)

    def changes(self, model, architecture):
        """The models to try, each with a name."""
        own = [key for key in model.keys if key.startswith(architecture + ".")]
        for key in own:
            kind = model.keys[key][0]
            yield f"{key} is missing", {key: None}
            if kind == F32:
                for value in REALS:
                    yield f"{key} is {value}", {key: (F32, value)}
            elif kind == U32:
                for value in (*WHOLE, model.number(key) + 1, 2 * model.number(key)):
                    yield f"{key} is {value}", {key: (U32, value)}
                yield f"{key} is a list", {key: (ARRAY, (U32, [model.number(key), 0]))}
            yield f"{key} is a text", {key: (STRING, "none")}
        for name in MORE_WHOLE:
            for value in WHOLE:
                yield f"{name} is {value}", {f"{architecture}.{name}": (U32, value)}
        for name in MORE_REALS:
            for value in REALS:
                yield f"{name} is {value}", {f"{architecture}.{name}": (F32, value)}
        for scaling in ("nonsense", "yarn", "longrope", ""):
            yield f"scaling {scaling}", {f"{architecture}.rope.scaling.type": (STRING, scaling)}
        yield "not causal", {f"{architecture}.attention.causal": (BOOL, False)}
        for name in TOKEN_IDS:
            yield f"{name} beyond all tokens", {f"tokenizer.ggml.{name}_token_id": (U32, 2**32 - 1)}
        yield "no tokens", {"tokenizer.ggml.tokens": (ARRAY, (STRING, []))}
        yield "one token", {"tokenizer.ggml.tokens": (ARRAY, (STRING, ["a"]))}
        yield "another tokenizer", {"tokenizer.ggml.model": (STRING, "bert")}
        yield "no tokenizer", {"tokenizer.ggml.model": (STRING, "none")}

    def test_values(self):
        tried = 0
        for place, architecture in enumerate(ARCHITECTURES):
            model = self.synthesized(architecture)
            for number, (what, keys) in enumerate(self.changes(model, architecture)):
                # By default each value is tried once, on one of the architectures.
                if not ALL and number % len(ARCHITECTURES) != place:
                    continue
                tried += 1
                path = model.save(self.dir / "hostile.gguf", keys)
                with self.subTest(architecture=architecture, what=what):
                    self.assert_ends_in_order(path, f"{architecture}, {what}")
        self.assertGreater(tried, 150)

    def test_weights(self):
        for architecture in ARCHITECTURES if ALL else ("llama", "phi2", "qwen2moe", "mamba"):
            model = self.synthesized(architecture)
            for name, (shape, kind, data) in model.tensors.items():
                if not ALL and ".1." in name:
                    continue  # the second layer is like the first
                changes = [("swapped", [shape[::-1], kind, data])] if len(shape) > 1 else []
                if kind == 0:
                    half = struct.pack("<e", 1.0) * (len(data) // 4)
                    changes += [("as F16", [shape, 1, half]),
                                ("as NaN", [shape, 0, struct.pack("<f", NAN) * (len(data) // 4)])]
                else:
                    changes += [("as NaN", [shape, kind, b"\xff" * len(data)])]
                for what, tensor in changes:
                    path = model.save(self.dir / "hostile.gguf", tensors={name: tensor})
                    with self.subTest(architecture=architecture, tensor=name, what=what):
                        self.assert_ends_in_order(path, f"{architecture}, {name} {what}")

    def test_a_value_is_named(self):
        path = self.synthesized("llama").save(
            self.dir / "bad.gguf", {"llama.attention.layer_norm_rms_epsilon": (F32, -1e-5)})
        process = enprof("run", "-m", path, "-p", "Hi", "--power", "none", "--no-save")
        self.assert_fails(process, 1, "bad.gguf cannot be computed",
                          "llama.attention.layer_norm_rms_epsilon is -1e-05")

    def test_what_only_computing_shows_is_an_error_too(self):
        model = self.synthesized("llama")
        shape, _, data = model.tensors["blk.0.attn_norm.weight"]
        path = model.save(self.dir / "half.gguf", tensors={
            "blk.0.attn_norm.weight": [shape, 1, bytes(len(data) // 2)]})
        process = enprof("run", "-m", path, "-p", "Hi", "--power", "none", "--no-save")
        self.assert_fails(process, 1, "llama.cpp cannot compute", "half.gguf", "unsupported types")
        # Without the first attempt on one thread, the computing threads end the program, with a
        # message.
        process = enprof("run", "-m", path, "-p", "Hi", "--power", "none", "--no-save",
                         "--no-warmup", "--threads", 2)
        self.assert_fails(process, 1, "llama.cpp gave up", "half.gguf. The program cannot go on")

    def test_a_run_that_ended_its_program_is_kept_as_failed(self):
        model = self.synthesized("llama")
        shape, _, data = model.tensors["blk.0.attn_norm.weight"]
        path = model.save(self.dir / "half.gguf", tensors={
            "blk.0.attn_norm.weight": [shape, 1, bytes(len(data) // 2)]})
        process = enprof("run", "-m", path, "-p", "Hi", "--power", "none", "--no-warmup",
                         "--threads", 2, "--db", self.db)
        self.assert_fails(process, 1, "llama.cpp gave up", "in run ", "is kept, as failed")
        shown = enprof("runs", "--json", "--db", self.db)
        self.assertIn("failed: it ended the program: llama.cpp gave up", shown.stderr)
        run = enprof("export", "last", "--db", self.db)
        self.assertIn('"failed"', run.stdout)
        self.assertIn("The program ended during this run, with the model half.gguf: llama.cpp gave up", run.stdout)
        self.assertEqual(list(self.dir.glob("profiles.db.journal/*")), [])

    def test_positions_that_a_model_has_not_learned(self):
        self.synthesized("gpt2")  # 64 positions
        path = self.dir / "gpt2.gguf"
        run = ("run", "-m", path, "-p", "Once upon a time", "--ignore-eos", "--power", "none",
               "--no-save")
        self.assert_fails(enprof(*run, "-n", 100, "--ctx", 256), 1,
                          "A context of 256 positions is not possible", "has learned 64",
                          "--ctx 64")
        self.assert_fails(enprof(*run, "-n", 100), 2, "trained with 64 positions")
        process = enprof(*run)  # exactly as many as it has
        self.assertEqual(process.returncode, 0, process.stderr)
        long = ("run", "-m", path, "-p", "word " * 100, "--power", "none", "--no-save")
        self.assert_fails(enprof(*long), 1, "The prompt has ", "has learned 64 positions")


if __name__ == "__main__":
    main()
