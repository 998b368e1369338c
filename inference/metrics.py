"""What Prometheus sees of the engine. The older service's names, and our own.

Durations are seconds. A request is counted when it ends.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple, Protocol

from prometheus_client import Counter, Histogram, Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

LATENCY = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)
INTER_TOKEN = (0.002, 0.005, 0.01, 0.02, 0.035, 0.05, 0.075, 0.1, 0.2, 0.5, 1, 2.5)
SPEED = (1, 2, 5, 10, 20, 35, 50, 75, 100, 150, 250, 500)

# The older service's
CHAT_REQUESTS = Counter("chat_completions_requests_total", "Chat completions asked for")
CHAT_ERRORS = Counter("chat_completions_errors_total", "Chat completions refused or failed")
CHAT_DURATION = Histogram(
    "chat_inference_duration_seconds",
    "From a chat request to the end of its answer",
    buckets=LATENCY,
)
CHAT_TOKENS = Counter("chat_generated_tokens_total", "Tokens of chat answers")
CHAT_SPEED = Histogram("chat_tokens_per_second", "Decode speed of chat answers", buckets=SPEED)
COMPLETIONS_REQUESTS = Counter("completions_requests_total", "Completions asked for")
COMPLETIONS_ERRORS = Counter("completions_errors_total", "Completions refused or failed")
COMPLETIONS_TOKENS = Counter("completions_tokens_total", "Tokens of completions")
COMPLETIONS_DURATION = Histogram(
    "completions_duration_seconds", "From a request to the end of its completion", buckets=LATENCY
)
COMPLETIONS_SPEED = Histogram(
    "completions_tokens_per_second", "Decode speed of completions", buckets=SPEED
)
HEALTH_CHECKS = Counter("health_check_requests_total", "Requests for /health")
READINESS_CHECKS = Counter("readiness_check_requests_total", "Requests for /readiness")
MODELS_LISTS = Counter("models_list_requests_total", "Requests for the list of models")
HISTORY_REQUESTS = Counter("history_requests_total", "Requests for a session's history")
MODEL_INFOS = Counter("model_info_requests_total", "Requests for one model's facts")

# Our own
REQUESTS = Counter("llmsite_requests_total", "Requests by how they ended", ["model", "outcome"])
TOKENS = Counter("llmsite_tokens_total", "Tokens by what they were", ["model", "kind"])
QUEUE_TIME = Histogram(
    "llmsite_queue_time_seconds", "Waiting for a place", ["model"], buckets=LATENCY
)
TIME_TO_FIRST_TOKEN = Histogram(
    "llmsite_time_to_first_token_seconds", "Waiting and prefill", ["model"], buckets=LATENCY
)
INTER_TOKEN_TIME = Histogram(
    "llmsite_inter_token_seconds", "Between two tokens of an answer", ["model"], buckets=INTER_TOKEN
)


class Usage(Protocol):
    """Tokens of one request."""

    @property
    def prompt_tokens(self) -> int: ...
    @property
    def cached_tokens(self) -> int: ...
    @property
    def completion_tokens(self) -> int: ...
    @property
    def drafted_tokens(self) -> int: ...
    @property
    def accepted_tokens(self) -> int: ...


class Timings(Protocol):
    """Seconds of one request."""

    @property
    def queued(self) -> float: ...
    @property
    def prefill(self) -> float: ...
    @property
    def decode(self) -> float: ...


def observe_answer(model: str, outcome: str, usage: Usage, timings: Timings) -> None:
    """Record an answer that has ended, complete or not."""
    REQUESTS.labels(model, outcome).inc()
    TOKENS.labels(model, "prompt").inc(usage.prompt_tokens)
    TOKENS.labels(model, "cached").inc(usage.cached_tokens)
    TOKENS.labels(model, "completion").inc(usage.completion_tokens)
    TOKENS.labels(model, "drafted").inc(usage.drafted_tokens)
    TOKENS.labels(model, "accepted").inc(usage.accepted_tokens)
    QUEUE_TIME.labels(model).observe(timings.queued)
    if usage.completion_tokens:
        TIME_TO_FIRST_TOKEN.labels(model).observe(timings.queued + timings.prefill)


class Gauges(NamedTuple):
    """One engine's state when Prometheus asks, in the order of EngineCollector.FAMILIES."""

    running: int
    waiting: int
    cells: int
    memory_bytes: int
    is_loaded: bool


class EngineCollector(Collector):
    """Gauges read from the engines themselves, so that they cannot drift."""

    FAMILIES = (
        ("llmsite_requests_running", "Requests being computed"),
        ("llmsite_requests_waiting", "Requests waiting for a place, or for the model to load"),
        ("llmsite_kv_cache_cells_used", "Tokens held in the KV cache"),
        ("llmsite_model_memory_bytes", "Memory a loaded model takes, estimated"),
        ("llmsite_model_loaded", "1 while the model is loaded"),
    )

    def __init__(self, engines: Callable[[], dict[str, Gauges]]) -> None:
        self._engines = engines

    def collect(self) -> Iterator[Metric]:
        families = [GaugeMetricFamily(n, text, labels=["model"]) for n, text in self.FAMILIES]
        for model_id, gauges in self._engines().items():
            for family, value in zip(families, gauges, strict=True):
                family.add_metric([model_id], value)
        yield from families
