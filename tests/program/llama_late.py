"""Generates tokens with llama.cpp, as a program that opens it late: by ctypes, which calls dlopen and
dlsym.

    llama_late.py LIBRARY MODEL PROMPT_TOKENS OUTPUT_TOKENS [SEQUENCES]

Prints the tokens. With SEQUENCES, as many prompts are computed in one batch, and each step has a
token of each.
"""

import ctypes
import sys

LIBRARY, MODEL = sys.argv[1:3]
PROMPT, OUTPUT, SEQUENCES = (int(word) for word in [*sys.argv[3:], "1"][:3])
CONTEXT = 512


class Batch(ctypes.Structure):
    _fields_ = [("n_tokens", ctypes.c_int32), ("token", ctypes.POINTER(ctypes.c_int32)),
                ("embd", ctypes.c_void_p), ("pos", ctypes.POINTER(ctypes.c_int32)),
                ("n_seq_id", ctypes.POINTER(ctypes.c_int32)),
                ("seq_id", ctypes.POINTER(ctypes.POINTER(ctypes.c_int32))),
                ("logits", ctypes.POINTER(ctypes.c_int8))]


# Of release 0.5.0 (tools/fetch-llama): sizes, and the fields that are set here.
class ModelParams(ctypes.Structure):
    _fields_ = [("all", ctypes.c_int64 * 10)]


class ContextParams(ctypes.Structure):
    _fields_ = [("n_ctx", ctypes.c_uint32), ("n_batch", ctypes.c_uint32),
                ("n_ubatch", ctypes.c_uint32), ("n_seq_max", ctypes.c_uint32),
                ("unused", ctypes.c_uint32 * 3), ("n_threads", ctypes.c_int32),
                ("n_threads_batch", ctypes.c_int32), ("rest", ctypes.c_uint32 * 31)]


def function(name, result, *arguments):
    found = getattr(library, name)
    found.restype = result
    found.argtypes = arguments
    return found


library = ctypes.CDLL(LIBRARY)
be_silent = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)(lambda *_: None)
function("llama_log_set", None, ctypes.c_void_p, ctypes.c_void_p)(be_silent, None)
library.llama_backend_init()
load = function("llama_model_load_from_file", ctypes.c_void_p, ctypes.c_char_p, ModelParams)
make = function("llama_init_from_model", ctypes.c_void_p, ctypes.c_void_p, ContextParams)
decode = function("llama_decode", ctypes.c_int32, ctypes.c_void_p, Batch)
logits = function("llama_get_logits_ith", ctypes.POINTER(ctypes.c_float), ctypes.c_void_p,
                  ctypes.c_int32)

model = load(MODEL.encode(), function("llama_model_default_params", ModelParams)())
params = function("llama_context_default_params", ContextParams)()
params.n_ctx = CONTEXT * SEQUENCES
params.n_batch = params.n_ubatch = CONTEXT
params.n_seq_max = SEQUENCES
params.n_threads = params.n_threads_batch = 1
context = make(model, params)
assert context, "no context"


def compute(rows):
    """`rows`: sequence, position and token of each; the last of each sequence is wanted."""
    count = len(rows)
    last = {sequence: index for index, (sequence, _, _) in enumerate(rows)}
    ids = [(ctypes.c_int32 * 1)(sequence) for sequence, _, _ in rows]
    batch = Batch(
        count, (ctypes.c_int32 * count)(*(token for _, _, token in rows)), None,
        (ctypes.c_int32 * count)(*(position for _, position, _ in rows)),
        (ctypes.c_int32 * count)(*[1] * count),
        (ctypes.POINTER(ctypes.c_int32) * count)(
            *(ctypes.cast(one, ctypes.POINTER(ctypes.c_int32)) for one in ids)),
        (ctypes.c_int8 * count)(*(int(last[row[0]] == index) for index, row in enumerate(rows))))
    result = decode(context, batch)
    assert result == 0, result
    best = {}
    for sequence, index in last.items():
        row = logits(context, index)
        best[sequence] = max(range(300), key=lambda token, row=row: row[token])
    return best


outputs = {sequence: [] for sequence in range(SEQUENCES)}
chosen = compute([(sequence, position, 5 + position) for sequence in range(SEQUENCES)
                  for position in range(PROMPT)])
for step in range(OUTPUT):
    for sequence, token in chosen.items():
        outputs[sequence].append(token)
    chosen = compute([(sequence, PROMPT + step, token) for sequence, token in chosen.items()])
function("llama_free", None, ctypes.c_void_p)(context)
function("llama_model_free", None, ctypes.c_void_p)(model)
for tokens in outputs.values():
    print(*tokens)
