"""LangChain's client for OpenAI's API, against a running service."""

from typing import Literal

import openai
import pydantic
import pytest
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_openai import ChatOpenAI


class weather(pydantic.BaseModel):
    """The weather of a city."""

    city: Literal["Rome", "Oslo"]


@pytest.fixture
def chat(server):
    return ChatOpenAI(
        base_url=f"{server.url}/v1", api_key="none", model="fake", max_retries=0, max_tokens=300
    )


def test_a_message_is_answered(chat):
    answer = chat.invoke("a b c")
    assert answer.content == "a b c "
    assert answer.usage_metadata["output_tokens"] == 4


def test_an_answer_is_streamed(chat):
    pieces = list(chat.stream("a b c"))
    assert "".join(piece.content for piece in pieces) == "a b c "
    assert len(pieces) > 2


async def test_an_answer_is_streamed_to_coroutines(chat):
    assert "".join([piece.content async for piece in chat.astream("a b c")]) == "a b c "


@pytest.mark.parametrize("choice", ["weather", "required"])
def test_a_tool_is_called_and_its_result_goes_back(chat, choice):
    called = chat.bind_tools([weather], tool_choice=choice).invoke("a")
    (call,) = called.tool_calls
    assert (call["name"], call["args"]["city"] in ("Rome", "Oslo")) == ("weather", True)
    answer = chat.invoke([HumanMessage("a"), called, ToolMessage("rain", tool_call_id=call["id"])])
    assert answer.content.endswith("weather returned: rain ")


def test_a_call_is_streamed(chat):
    pieces = list(chat.bind_tools([weather], tool_choice="weather").stream("a"))
    whole = pieces[0]
    for piece in pieces[1:]:
        whole += piece
    (call,) = whole.tool_calls
    assert call["args"]["city"] in ("Rome", "Oslo")
    assert sum(bool(piece.tool_call_chunks) for piece in pieces) > 2


@pytest.mark.parametrize("method", ["json_schema", "function_calling"])
def test_an_answer_has_a_structure(chat, method):
    made = chat.with_structured_output(weather, method=method).invoke("a")
    assert isinstance(made, weather)


def test_an_error_is_the_clients_exception(chat):
    with pytest.raises(openai.InternalServerError):
        chat.invoke("fail")
