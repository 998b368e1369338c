"""Runs `llama_cpp.server` as the comparison needs it. Run by the rivals' own Python.

No answer ends before `max_tokens`, as `ignore_eos` does elsewhere; with `--no-repack`
weights stay as they are in the file: the server has no option for either.
"""

import sys

import llama_cpp
import numpy as np
from llama_cpp import llama_cpp as low_level

if "--no-repack" in sys.argv:
    sys.argv.remove("--no-repack")
    make_params = low_level.llama_model_default_params

    def without_repacking() -> "low_level.llama_model_params":
        params = make_params()
        params.use_extra_bufts = False
        return params

    low_level.llama_model_default_params = without_repacking

create = llama_cpp.Llama.create_completion


def never_ending(self: llama_cpp.Llama, *args: object, **options: object) -> object:
    vocabulary = low_level.llama_model_get_vocab(self.model)
    ends = [t for t in range(self.n_vocab()) if low_level.llama_vocab_is_eog(vocabulary, t)]

    def forbid(tokens: object, scores: "np.ndarray") -> "np.ndarray":
        scores[ends] = -np.inf
        return scores

    options["logits_processor"] = llama_cpp.LogitsProcessorList([forbid])
    options.pop("stopping_criteria", None)
    options["stop"] = []
    return create(self, *args, **options)


llama_cpp.Llama.create_completion = never_ending

from llama_cpp.server.__main__ import main  # noqa: E402

main()
