"""The inference engine: no Django, no llama.cpp in this process. Import from here."""

from .config import Adapter, Draft, EngineConfig, EngineInfo, Setup
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
from .image import Image
from .logprobs import TokenLogprob
from .machine import total_memory
from .managed import EngineStatus, ModelSpec
from .pool import EnginePool, PoolLimits
from .progress import Progress
from .request import ContextPolicy, FinishReason, Trace
from .sampling import SamplingParams
from .scores import PromptLogprob
from .stats import Load, SoFar, Timings, Usage
from .stream import Admit, Outcome, Piece, TokenStream
from .upkeep import FOLDER as SNAPSHOTS
from .upkeep import expire as expire_snapshots
from .upkeep import forget as forget_snapshots
from .vectors import Vectors
from .wire import Detokenize, Finish, Render, Tokenize, Tokenized, Written

__all__ = [
    "SNAPSHOTS",
    "Adapter",
    "Admit",
    "BackendUnusable",
    "ContextPolicy",
    "DecodeFailed",
    "Detokenize",
    "Draft",
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
    "Image",
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
    "PromptLogprob",
    "PromptTooLong",
    "QueueFull",
    "Render",
    "SamplingParams",
    "Setup",
    "SoFar",
    "TemplateError",
    "Timings",
    "TokenLogprob",
    "TokenStream",
    "Tokenize",
    "Tokenized",
    "Trace",
    "UnfitModel",
    "Unsupported",
    "Usage",
    "Vectors",
    "Written",
    "expire_snapshots",
    "forget_snapshots",
    "total_memory",
]
