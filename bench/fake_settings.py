"""The service's settings, with an engine that computes nothing and has room for a crowd."""

import os

from llmsite.settings import *  # noqa: F403

ENGINE_BACKEND = "fake"
ENGINE_OPTIONS = {
    "fake_step_seconds": float(os.environ["FAKE_STEP_SECONDS"]),
    "max_sequences": int(os.environ["FAKE_SEQUENCES"]),
    "batch_tokens": 4096,
    "context_length": 2048,
}
