"""llama.cpp by ctypes, which calls dlopen and dlsym: for programs that open it late.

Sizes, and the fields that are set here, are those of release 0.5.0 (tools/fetch-llama).
"""

import ctypes

CONTEXT = 512


class Batch(ctypes.Structure):
    _fields_ = [("n_tokens", ctypes.c_int32), ("token", ctypes.POINTER(ctypes.c_int32)),
                ("embd", ctypes.c_void_p), ("pos", ctypes.POINTER(ctypes.c_int32)),
                ("n_seq_id", ctypes.POINTER(ctypes.c_int32)),
                ("seq_id", ctypes.POINTER(ctypes.POINTER(ctypes.c_int32))),
                ("logits", ctypes.POINTER(ctypes.c_int8))]


class ModelParams(ctypes.Structure):
    _fields_ = [("all", ctypes.c_int64 * 10)]


class ContextParams(ctypes.Structure):
    _fields_ = [("n_ctx", ctypes.c_uint32), ("n_batch", ctypes.c_uint32),
                ("n_ubatch", ctypes.c_uint32), ("n_seq_max", ctypes.c_uint32),
                ("unused", ctypes.c_uint32 * 3), ("n_threads", ctypes.c_int32),
                ("n_threads_batch", ctypes.c_int32), ("rest", ctypes.c_uint32 * 31)]


class Llama:
    """A model and a context of it, with CONTEXT tokens for each sequence."""

    def __init__(self, library, model, sequences=1, threads=1):
        self.library = ctypes.CDLL(library)
        self.be_silent = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)(
            lambda *_: None)
        self.function("llama_log_set", None, ctypes.c_void_p, ctypes.c_void_p)(self.be_silent, None)
        self.library.llama_backend_init()
        load = self.function("llama_model_load_from_file", ctypes.c_void_p, ctypes.c_char_p,
                             ModelParams)
        make = self.function("llama_init_from_model", ctypes.c_void_p, ctypes.c_void_p,
                             ContextParams)
        self.decode = self.function("llama_decode", ctypes.c_int32, ctypes.c_void_p, Batch)
        self.logits = self.function("llama_get_logits_ith", ctypes.POINTER(ctypes.c_float),
                                    ctypes.c_void_p, ctypes.c_int32)
        self.model = load(model.encode(), self.function("llama_model_default_params", ModelParams)())
        assert self.model, "no model"
        params = self.function("llama_context_default_params", ContextParams)()
        params.n_ctx = CONTEXT * sequences
        params.n_batch = params.n_ubatch = CONTEXT
        params.n_seq_max = sequences
        params.n_threads = params.n_threads_batch = threads
        self.context = make(self.model, params)
        assert self.context, "no context"

    def function(self, name, result, *arguments):
        found = getattr(self.library, name)
        found.restype = result
        found.argtypes = arguments
        return found

    def batch(self, rows):
        """`rows`: sequence, position and token of each; the last of each sequence is wanted."""
        count = len(rows)
        last = {sequence: index for index, (sequence, _, _) in enumerate(rows)}
        ids = [(ctypes.c_int32 * 1)(sequence) for sequence, _, _ in rows]
        return Batch(
            count, (ctypes.c_int32 * count)(*(token for _, _, token in rows)), None,
            (ctypes.c_int32 * count)(*(position for _, position, _ in rows)),
            (ctypes.c_int32 * count)(*[1] * count),
            (ctypes.POINTER(ctypes.c_int32) * count)(
                *(ctypes.cast(one, ctypes.POINTER(ctypes.c_int32)) for one in ids)),
            (ctypes.c_int8 * count)(*(int(last[row[0]] == index)
                                      for index, row in enumerate(rows)))), last

    def compute(self, rows):
        """The best next token of each sequence."""
        batch, last = self.batch(rows)
        result = self.decode(self.context, batch)
        assert result == 0, result
        best = {}
        for sequence, index in last.items():
            row = self.logits(self.context, index)
            best[sequence] = max(range(300), key=lambda token, row=row: row[token])
        return best

    def memory(self):
        return self.function("llama_get_memory", ctypes.c_void_p, ctypes.c_void_p)(self.context)

    def clear(self):
        self.function("llama_memory_clear", None, ctypes.c_void_p, ctypes.c_bool)(self.memory(), False)

    def cut(self, sequence, position):
        """Takes what is from this position on out of the cache; returns whether that can be."""
        cut = self.function("llama_memory_seq_rm", ctypes.c_bool, ctypes.c_void_p, ctypes.c_int32,
                            ctypes.c_int32, ctypes.c_int32)
        return cut(self.memory(), sequence, position, -1)

    def close(self):
        self.function("llama_free", None, ctypes.c_void_p)(self.context)
        self.function("llama_model_free", None, ctypes.c_void_p)(self.model)
