"""The service's settings, with the engine's options that a comparison holds equal."""

import json
import os

from llmsite.settings import *  # noqa: F403

ENGINE_OPTIONS = json.loads(os.environ["BENCH_ENGINE_OPTIONS"])
