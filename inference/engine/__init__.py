"""The inference engine: no Django, no llama.cpp in this process. Import from here."""

from .config import EngineConfig, EngineInfo
from .errors import (
    BackendUnusable,
    DecodeFailed,
    EngineError,
    EngineRestarting,
    EngineStopped,
    InvalidParameter,
    ModelLoadFailed,
    ModelNotFound,
    OutOfMemory,
    PromptTooLong,
    QueueFull,
    TemplateError,
    Unsupported,
)
from .logprobs import TokenLogprob
from .machine import total_memory
from .managed import EngineStatus, ModelSpec
from .pool import EnginePool, PoolLimits
from .progress import Progress
from .request import ContextPolicy, FinishReason
from .sampling import SamplingParams
from .stats import Load, Timings, Usage
from .stream import Admit, Outcome, Piece, TokenStream
from .wire import Finish

__all__ = [
    "Admit",
    "BackendUnusable",
    "ContextPolicy",
    "DecodeFailed",
    "EngineConfig",
    "EngineError",
    "EngineInfo",
    "EnginePool",
    "EngineRestarting",
    "EngineStatus",
    "EngineStopped",
    "Finish",
    "FinishReason",
    "InvalidParameter",
    "Load",
    "ModelLoadFailed",
    "ModelNotFound",
    "ModelSpec",
    "OutOfMemory",
    "Outcome",
    "Piece",
    "PoolLimits",
    "Progress",
    "PromptTooLong",
    "QueueFull",
    "SamplingParams",
    "TemplateError",
    "Timings",
    "TokenLogprob",
    "TokenStream",
    "Unsupported",
    "Usage",
    "total_memory",
]
