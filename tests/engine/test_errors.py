import pytest

import inference.engine
from inference.engine import errors
from inference.engine.errors import (
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
    restore_error,
)
from inference.engine.wire import Failure, decode_from_engine, encode

SAMPLES = [
    EngineError("It failed.", param="prompt", retry_after=2.5),
    InvalidParameter("top_p", 3, "is not at most 1"),
    TemplateError("The template refuses the messages."),
    Unsupported("suffix", "needs another model"),
    PromptTooLong(5000, 4096, "messages"),
    InputTooLong(900, 512, "input[3]"),
    UnfitModel("bert", "writes no text"),
    ModelNotFound("gpt"),
    ModelLoadFailed("/m.gguf: there is no such file"),
    OutOfMemory("It does not fit.", retry_after=30),
    BackendUnusable("This build does not run here."),
    QueueFull("256 requests wait.", retry_after=5.0),
    EngineRestarting("It died.", retry_after=1),
    EngineStopped("The service is shutting down."),
    DecodeFailed("llama_decode: 1"),
    GrammarTooComplex("it has too many states"),
]
CLASSES = {value for value in vars(errors).values() if isinstance(value, type)}
ERRORS = {cls for cls in CLASSES if issubclass(cls, EngineError)}


def facts(error):
    return type(error), error.message, str(error), error.param, error.retry_after, error.code


def test_every_error_of_the_engine_is_tried_here():
    assert {type(error) for error in SAMPLES} == ERRORS


def test_every_error_can_be_imported_from_the_engine():
    assert {cls.__name__ for cls in ERRORS} <= set(inference.engine.__all__)


@pytest.mark.parametrize("error", SAMPLES, ids=lambda error: type(error).__name__)
def test_an_error_is_the_same_on_the_other_side_of_the_pipe(error):
    frame = encode(Failure.of(error, id=7))
    failure = decode_from_engine(frame[4:])

    assert failure.id == 7
    assert facts(failure.error()) == facts(error)


@pytest.mark.parametrize("error", SAMPLES, ids=lambda error: type(error).__name__)
def test_a_restored_error_can_be_raised_and_caught_as_its_kind(error):
    with pytest.raises(type(error)) as caught:
        raise Failure.of(error).error()

    assert caught.value.args == (error.message,)


def test_codes_are_distinct():
    assert len({cls.code for cls in ERRORS}) == len(ERRORS)


def test_an_error_of_an_unknown_name_is_an_engine_error():
    error = restore_error("NoSuchError", "It failed.", None, None)

    assert facts(error) == facts(EngineError("It failed."))


def test_an_invalid_parameter_says_which_value_and_why():
    error = InvalidParameter("top_p", 3, "is not at most 1")

    assert str(error) == "top_p: 3 is not at most 1"
    assert error.param == "top_p"


def test_a_long_value_is_shortened():
    message = str(InvalidParameter("stop", "x" * 1000, "is too long"))

    assert len(message) < 150
    assert "…" in message


def test_a_prompt_too_long_says_by_how_much():
    error = PromptTooLong(5000, 4096, "messages")

    assert "5000" in error.message
    assert "4096" in error.message
    assert error.param == "messages"
