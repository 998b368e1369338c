"""The inference engine: no Django, no llama.cpp in this process. Import from here."""

from .config import EngineConfig, EngineInfo
from .errors import (
    BackendUnusable,
    DecodeFailed,
    EngineError,
    EngineRestarting,
    EngineStopped,
    GrammarTooComplex,
    InputTooLong,
    InvalidParameter,
    ModelLoadFailed,
    ModelNotFound,
    OutOfMemory,
    PromptTooLong,
    QueueFull,
    TemplateError,
    UnfitModel,
    Unsupported,
)
from .grammar import Grammar
from .logprobs import TokenLogprob
from .machine import total_memory
from .managed import EngineStatus, ModelSpec
from .pool import EnginePool, PoolLimits
from .progress import Progress
from .request import ContextPolicy, FinishReason
from .sampling import SamplingParams
from .stats import Load, Timings, Usage
from .stream import Admit, Outcome, Piece, TokenStream
from .vectors import Vectors
from .wire import Detokenize, Finish, Render, Tokenize, Tokenized, Written

__all__ = [
    "Admit",
    "BackendUnusable",
    "ContextPolicy",
    "DecodeFailed",
    "Detokenize",
    "EngineConfig",
    "EngineError",
    "EngineInfo",
    "EnginePool",
    "EngineRestarting",
    "EngineStatus",
    "EngineStopped",
    "Finish",
    "FinishReason",
    "Grammar",
    "GrammarTooComplex",
    "InputTooLong",
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
    "Render",
    "SamplingParams",
    "TemplateError",
    "Timings",
    "TokenLogprob",
    "TokenStream",
    "Tokenize",
    "Tokenized",
    "UnfitModel",
    "Unsupported",
    "Usage",
    "Vectors",
    "Written",
    "total_memory",
]
