"""What the model writes alone: one sequence, nothing cached, nothing beside it.

    python -m bench.serving.reference < questions.json > answers.json

In a process of its own, which does not share the machine with a server. It uses llama.cpp
directly, so that no mistake of the engine's is in both texts: of the engine only what
opens a file, and what makes tokens of messages.
"""

import base64
import json
import sys
import tempfile
from typing import Any

import numpy as np

from inference.engine.config import EngineConfig
from inference.engine.llama.library import llama
from inference.engine.llama.loading import context_params, load_model
from inference.engine.llama.vocabulary import Vocabulary
from inference.engine.template import CHATML, ChatTemplate

NUM_RIVALS = 5


class Alone:
    """A model that writes one text at a time."""

    def __init__(self, config: EngineConfig) -> None:
        self._model = load_model(config, lambda progress: None)
        self._vocabulary = Vocabulary(self._model)
        words = self._vocabulary
        source = llama.llama_model_chat_template(self._model, None)
        self._template = ChatTemplate(source.decode() if source else CHATML, words.bos, words.eos)
        self._config = config

    def write(self, messages: list[dict[str, Any]], max_tokens: int) -> list[dict[str, Any]]:
        """The likeliest tokens, never one that ends the answer; see `comparison.Step`."""
        tokens = self._vocabulary.tokenize(self._template.render(messages))
        cells = len(tokens) + max_tokens + 1
        context = llama.llama_init_from_model(self._model, context_params(self._config, cells))
        try:
            steps = []
            for _ in range(max_tokens):
                self._decode(context, tokens)
                best, step = self._step(context)
                steps.append(step)
                tokens = [best]
            return steps
        finally:
            llama.llama_free(context)

    def _decode(self, context: Any, tokens: list[int]) -> None:
        size = self._config.batch_tokens
        for start in range(0, len(tokens), size):
            chunk = tokens[start : start + size]
            array = (llama.llama_token * len(chunk))(*chunk)
            if llama.llama_decode(context, llama.llama_batch_get_one(array, len(chunk))):
                raise RuntimeError("llama.cpp could not compute a step")

    def _step(self, context: Any) -> tuple[int, dict[str, Any]]:
        pointer = llama.llama_get_logits_ith(context, -1)
        logits = np.ctypeslib.as_array(pointer, (self._vocabulary.size,)).copy()
        logits[self._vocabulary.ends] = -np.inf
        best, *rivals = map(int, np.argsort(logits)[: -NUM_RIVALS - 2 : -1])
        step = {
            "piece": self._encoded(best),
            "rivals": [(self._encoded(r), float(logits[best] - logits[r])) for r in rivals],
        }
        return best, step

    def _encoded(self, token: int) -> str:
        return base64.b64encode(self._vocabulary.piece(token)).decode()


def main() -> None:
    asked = json.load(sys.stdin)
    config = EngineConfig(
        model_id="alone",
        path=asked["model"],
        device=asked["device"],
        threads=asked["threads"],
        max_sequences=1,
        batch_tokens=256,
        state_dir=tempfile.gettempdir(),
    )
    alone = Alone(config)
    answers = [alone.write(q["messages"], q["max_tokens"]) for q in asked["questions"]]
    json.dump(answers, sys.stdout)


if __name__ == "__main__":
    main()
