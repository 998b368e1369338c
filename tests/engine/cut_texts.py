"""Texts with control tokens in them, read by llama.cpp whole and in pieces.

In a process of its own: python -m tests.engine.cut_texts MODEL. Prints the number of texts, of
those that were cut, and one whose tokens differ.
"""

import json
import random
import sys
from types import SimpleNamespace

from inference.engine.llama.library import llama
from inference.engine.llama.vocabulary import Vocabulary
from inference.engine.pieces import Pieces

NUM_TEXTS = 2000
BETWEEN = (
    *(
        "once upon a time ",
        "hello",
        " the",
        "  ",
        "\n",
        "\n\n\t ",
        "é",
        "日本",
        "a<b> ",
        "<|",
        "|>",
        "</s",
        "0 1.5",
    ),
    "a tale that is long enough to be kept by itself, and to be found again later ",
    " which begins with a blank, ends with some, and is long enough as well as that   ",
)


def part(rng: random.Random, special: list[str]) -> str:
    """A text, a control token, or what is left of one."""
    match rng.randrange(3):
        case 0:
            return rng.choice(BETWEEN)
        case 1:
            return rng.choice(special)
        case _:
            token = rng.choice(special)
            return token[rng.randrange(len(token)) :] if rng.random() < 0.5 else token[:-1]


def main(path: str) -> None:
    params = llama.llama_model_default_params()
    params.vocab_only = True
    vocabulary = Vocabulary(llama.llama_model_load_from_file(path.encode(), params))
    special = [
        vocabulary._text(token)
        for token in range(vocabulary.size)
        if vocabulary.is_special(token) and vocabulary._text(token)
    ]
    pieces = Pieces(SimpleNamespace(seams=vocabulary.seams, tokenize=vocabulary.tokenize))
    rng, num_cut, wrong = random.Random(0), 0, None
    for _ in range(NUM_TEXTS):
        parts = [part(rng, special) for _ in range(rng.randrange(1, 12))]
        text, add_special = "".join(parts), rng.random() < 0.5
        num_cut += len(pieces._cut(text)) > 1
        whole = vocabulary.tokenize(text, add_special)
        if pieces.tokenize(text, add_special, "alice") != whole:
            wrong = wrong or [text, add_special]
    print(json.dumps([NUM_TEXTS, num_cut, wrong]))


if __name__ == "__main__":
    main(sys.argv[1])
