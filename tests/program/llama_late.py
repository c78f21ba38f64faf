"""Generates tokens with llama.cpp, as a program that opens it late.

    llama_late.py LIBRARY MODEL PROMPT_TOKENS OUTPUT_TOKENS [SEQUENCES]

Prints the tokens. With SEQUENCES, as many prompts are computed in one batch, and each step has a
token of each.
"""

import sys

from llama_library import Llama

LIBRARY, MODEL = sys.argv[1:3]
PROMPT, OUTPUT, SEQUENCES = (int(word) for word in [*sys.argv[3:], "1"][:3])

llama = Llama(LIBRARY, MODEL, SEQUENCES)
outputs = {sequence: [] for sequence in range(SEQUENCES)}
chosen = llama.compute([(sequence, position, 5 + position) for sequence in range(SEQUENCES)
                        for position in range(PROMPT)])
for step in range(OUTPUT):
    for sequence, token in chosen.items():
        outputs[sequence].append(token)
    chosen = llama.compute([(sequence, PROMPT + step, token)
                            for sequence, token in chosen.items()])
llama.close()
for tokens in outputs.values():
    print(*tokens)
