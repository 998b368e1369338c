"""The service's settings, but for engines that need no weights and take their time."""

import os

from llmsite.settings import *  # noqa: F403

ENGINE_BACKEND = "fake"
# Small steps: a prompt of 4,000 words is prefilled in 63 of them.
ENGINE_OPTIONS = {
    "fake_step_seconds": float(os.environ.get("FAKE_STEP_SECONDS", "0.02")),
    "batch_tokens": 64,
}
