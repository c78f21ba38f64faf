"""Generates a token for each line of its input, and prints how many nanoseconds that took.

    llama_steps.py LIBRARY MODEL THREADS

Where the context is full it is cleared, so two such programs that got as many lines compute the same.
"""

import sys
import time

from llama_library import CONTEXT, Llama

LIBRARY, MODEL, THREADS = sys.argv[1:4]

llama = Llama(LIBRARY, MODEL, threads=int(THREADS))
print("ready", flush=True)
position = 0
for _ in sys.stdin:
    if position == CONTEXT:
        llama.clear()
        position = 0
    batch, _ = llama.batch([(0, position, 5 + position % 200)])
    before = time.monotonic_ns()
    result = llama.decode(llama.context, batch)
    after = time.monotonic_ns()
    assert result == 0, result
    position += 1
    print(after - before, flush=True)
llama.close()
