"""What mtmd's own helpers write about an image, without an engine, in a process of its own:
`python -m tests.engine.mtmd MODEL PROJECTOR STATE_DIR IMAGE PROMPT`.

Prints the answer's tokens, the likeliest ones but for the ends, as JSON.
"""

import ctypes
import json
import subprocess
import sys
from pathlib import Path

import numpy as np

from inference.engine.config import EngineConfig

ROOT = Path(__file__).resolve().parent.parent.parent
MEDIA = "<__media__>"
NUM_TOKENS = 16


def told(model, projector, state_dir, image, prompt):
    """Of a prompt with MEDIA in it."""
    command = [sys.executable, "-m", "tests.engine.mtmd", model, projector, state_dir, image]
    done = subprocess.run(
        [*map(str, command), prompt], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def answer(model, projector, state_dir, image, prompt):
    from llama_cpp import mtmd_cpp as mtmd

    from inference.engine.llama import LlamaBackend
    from inference.engine.llama.library import llama

    places = {"path": model, "projector": projector, "state_dir": state_dir}
    config = EngineConfig(model_id="m", threads=1, device="cpu", **places)
    backend = LlamaBackend(config, lambda progress: None)
    context, eyes = backend._context, backend._eyes._context
    data = Path(image).read_bytes()
    buffer = (ctypes.c_uint8 * len(data)).from_buffer_copy(data)
    bitmap = mtmd.mtmd_helper_bitmap_init_from_buf(eyes, buffer, len(data), False)
    raw = prompt.encode()
    text = mtmd.mtmd_input_text(raw, len(raw), True, True)
    chunks = mtmd.mtmd_input_chunks_init()
    assert not mtmd.mtmd_tokenize(
        eyes, chunks, ctypes.byref(text), (ctypes.c_void_p * 1)(bitmap), 1
    )
    end = llama.llama_pos()
    assert not mtmd.mtmd_helper_eval_chunks(
        eyes, context, chunks, 0, 0, config.batch_tokens or 256, True, ctypes.byref(end)
    )
    tokens, place = [], end.value
    for _ in range(NUM_TOKENS):
        logits = backend._logits(-1).copy()
        logits[backend._vocabulary.ends] = -np.inf
        tokens.append(int(logits.argmax()))
        token = (llama.llama_token * 1)(tokens[-1])  # the batch only points to it
        batch = llama.llama_batch_get_one(token, 1)
        batch.pos = (llama.llama_pos * 1)(place)
        assert not llama.llama_decode(context, batch)
        place += 1
    return b"".join(map(backend.piece, tokens)).decode(errors="replace")


if __name__ == "__main__":
    print(json.dumps(answer(*sys.argv[1:])))
