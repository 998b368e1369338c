"""Everything the engine can refuse or fail to do."""

from typing import ClassVar, Self


class EngineError(Exception):
    """Base of every error the engine raises on purpose.

    `code` is for programs and never changes; the message is for people.

    Attributes:
        param: the request's field at fault, if one is.
        retry_after: seconds after which trying again may help, if it may.
    """

    code: ClassVar[str] = "engine_error"

    def __init__(
        self,
        message: str,
        *,
        param: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.retry_after = retry_after

    @classmethod
    def restored(cls, message: str, param: str | None, retry_after: float | None) -> Self:
        """The error again on this side of a pipe, whatever its constructor asks for."""
        error = cls.__new__(cls, message)
        EngineError.__init__(error, message, param=param, retry_after=retry_after)
        return error


class InvalidParameter(EngineError):
    """A value of the request that cannot be used."""

    code = "invalid_request_error"

    def __init__(self, param: str, value: object, why: str) -> None:
        super().__init__(f"{param}: {_shortened(value)} {why}", param=param)


class Unsupported(EngineError):
    """What this model, or this site, cannot do."""

    code = "unsupported_parameter"

    def __init__(self, param: str, why: str) -> None:
        super().__init__(f"{param} {why}.", param=param)


class TemplateError(EngineError):
    """The model's chat template refused the messages, or is broken itself."""

    code = "template_error"

    def __init__(self, message: str) -> None:
        super().__init__(message, param="messages")


class PromptTooLong(EngineError):
    """The prompt leaves no room for an answer in the context."""

    code = "context_length_exceeded"

    def __init__(self, prompt_tokens: int, context_length: int, param: str = "prompt") -> None:
        super().__init__(
            f"This model's maximum context length is {context_length} tokens, and the prompt"
            f" has {prompt_tokens}. An answer needs one token at least.",
            param=param,
        )


class InputTooLong(EngineError):
    """One of the inputs has more tokens than the model reads at once."""

    code = "input_too_long"

    def __init__(self, num_tokens: int, context_length: int, param: str) -> None:
        super().__init__(
            f"{param}: it has {num_tokens} tokens, and this model reads {context_length} at most.",
            param=param,
        )


class UnfitModel(EngineError):
    """The model is there, but it does something else."""

    code = "unfit_model"

    def __init__(self, name: str, why: str) -> None:
        super().__init__(f"The model {_shortened(name)} {why}.", param="model")


class ModelNotFound(EngineError):
    """No model that requests may use has that name."""

    code = "model_not_found"

    def __init__(self, name: str, why: str = "does not exist") -> None:
        super().__init__(f"The model {_shortened(name)} {why}.", param="model")


class ModelLoadFailed(EngineError):
    """The model could not be loaded."""

    code = "model_load_failed"


class OutOfMemory(ModelLoadFailed):
    """The model does not fit into the memory that is free."""

    code = "overloaded"


class BackendUnusable(EngineError):
    """This build of llama.cpp does not run on this machine."""

    code = "engine_unusable"


class QueueFull(EngineError):
    """Too many requests wait already."""

    code = "queue_full"


class EngineRestarting(EngineError):
    """The engine's process died; another takes its place."""

    code = "engine_restarting"


class EngineStopped(EngineError):
    """The engine was shut down before the request finished."""

    code = "engine_stopped"


class DecodeFailed(EngineError):
    """llama.cpp could not compute a step."""

    code = "decode_failed"


class GrammarTooComplex(EngineError):
    """The form that the answer must have takes too long to follow."""

    code = "grammar_too_complex"

    def __init__(self, why: str) -> None:
        super().__init__(f"The answer's grammar is too complex to go on with: {why}")


def _shortened(value: object, limit: int = 100) -> str:
    text = repr(value)
    return text if len(text) <= limit else f"{text[:limit]}…"


def _with_subclasses(cls: type[EngineError]) -> list[type[EngineError]]:
    return [cls, *(c for sub in cls.__subclasses__() for c in _with_subclasses(sub))]


_BY_NAME = {cls.__name__: cls for cls in _with_subclasses(EngineError)}


def restore_error(
    name: str, message: str, param: str | None, retry_after: float | None
) -> EngineError:
    """The error whose class has that name; an EngineError if none has."""
    return _BY_NAME.get(name, EngineError).restored(message, param, retry_after)
