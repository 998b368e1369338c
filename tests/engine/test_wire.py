import socket
import struct
import threading

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.engine import wire
from inference.engine.config import EngineConfig, EngineInfo
from inference.engine.embedding import EmbedRequest
from inference.engine.progress import Progress
from inference.engine.request import ContextPolicy, FinishReason, Request
from inference.engine.sampling import SamplingParams
from inference.engine.stats import Load, Timings, Usage
from inference.engine.wire import (
    HEADER,
    Accepted,
    Cancel,
    Channel,
    Count,
    Counted,
    Delta,
    Embed,
    Embedded,
    Failure,
    Finish,
    Go,
    Loading,
    LogLine,
    Part,
    Ready,
    Start,
    Step,
    Stop,
    Submit,
    decode_from_engine,
    encode,
)

counts = st.integers(0, 2**31)
ids = st.integers(1, 2**63 - 1)
seconds = st.floats(0, 1e9)
texts = st.text(max_size=20)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
objects = st.dictionaries(texts, json_values, max_size=3)

params = st.builds(
    SamplingParams,
    temperature=st.floats(0, 2),
    top_p=st.floats(0.01, 1),
    top_k=counts.filter(lambda k: k < 2**31),
    logit_bias=st.dictionaries(st.integers(0, 10**6), st.floats(-100, 100), max_size=3),
    seed=st.none() | st.integers(-(2**63), 2**63 - 1),
    stop=st.lists(st.text(min_size=1, max_size=5), max_size=3).map(tuple),
    stop_token_ids=st.lists(st.integers(0, 10**6), max_size=3).map(tuple),
    max_tokens=st.none() | st.integers(10, 10**6),
    min_tokens=st.integers(0, 10),
    ignore_eos=st.booleans(),
)
requests = st.builds(
    Request,
    id=ids,
    request_id=texts,
    text=st.none() | texts,
    tokens=st.none() | st.lists(st.integers(-1, 2**40), max_size=5),
    messages=st.none() | st.lists(objects, max_size=3),
    template_options=objects,
    params=params,
    context_policy=st.sampled_from(ContextPolicy),
    with_progress=st.booleans(),
)
embed_requests = st.builds(
    EmbedRequest,
    id=ids,
    request_id=texts,
    texts=st.none() | st.lists(texts, max_size=3),
    tokens=st.none() | st.lists(st.lists(counts, max_size=3), max_size=3),
    query=st.none() | texts,
    dimensions=counts,
)
configs = st.builds(
    EngineConfig,
    model_id=texts,
    path=texts,
    tensor_split=st.lists(seconds, max_size=3).map(tuple),
    context_length=counts,
)
infos = st.builds(
    EngineInfo,
    context_length=counts,
    cache_tokens=counts,
    max_sequences=counts,
    batch_tokens=counts,
    prefill_chunk_tokens=counts,
    memory_bytes=ids,
    has_chat_template=st.booleans(),
    device=texts,
    build=texts,
    load_seconds=seconds,
)
finishes = st.builds(
    Finish,
    ids,
    st.sampled_from(FinishReason),
    st.builds(Usage, counts, counts, counts),
    st.builds(Timings, seconds, seconds, seconds),
)
progresses = st.builds(
    Progress,
    st.sampled_from(["queued", "prefill"]),
    counts,
    st.none() | seconds,
    counts,
    counts,
)
to_engine = st.one_of(
    st.builds(Start, configs, st.integers(0, 50)),
    st.builds(Submit, requests),
    st.builds(Embed, embed_requests),
    st.builds(Cancel, ids),
    st.builds(Go, ids, counts),
    st.builds(Count, ids, st.lists(texts, max_size=3), st.none() | st.lists(objects), objects),
    st.builds(Stop),
)
from_engine = st.one_of(
    st.builds(Loading, st.floats(0, 1)),
    st.builds(Ready, infos),
    st.builds(Failure, ids, texts, texts, st.none() | texts, st.none() | seconds),
    st.builds(Accepted, ids, counts, counts, st.lists(counts, max_size=3)),
    st.builds(Counted, ids, st.lists(counts, max_size=3)),
    st.builds(
        Step,
        st.lists(st.builds(Delta, ids, texts, counts), max_size=3),
        st.lists(finishes, max_size=3),
        st.none() | st.builds(Load, counts, counts, counts),
        st.none() | st.dictionaries(ids, progresses, max_size=3),
    ),
    st.builds(
        Embedded,
        st.lists(st.builds(Part, ids, st.lists(st.binary(max_size=8), max_size=3)), max_size=3),
    ),
    st.builds(LogLine, st.integers(0, 50), texts, texts, texts),
)


@pytest.fixture
def pair():
    """The web process's socket, and the engine's channel."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        channel = Channel(theirs)
        yield ours, channel
        channel._file.close()


def body_of(frame):
    (size,) = HEADER.unpack(frame[: HEADER.size])
    assert size == len(frame) - HEADER.size
    return frame[HEADER.size :]


@settings(deadline=None)
@given(st.lists(to_engine, max_size=3))
def test_the_engine_receives_what_was_sent(messages):
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.sendall(b"".join(map(encode, messages)))
        ours.shutdown(socket.SHUT_WR)
        channel = Channel(theirs)
        with channel._file:
            assert [channel.receive() for _ in messages] == messages
            assert channel.receive() is None


@settings(deadline=None)
@given(from_engine)
def test_the_web_process_receives_what_was_sent(message):
    assert decode_from_engine(body_of(encode(message))) == message


def test_every_message_is_tried_here():
    kinds = set(wire.ToEngine.__args__) | set(wire.FromEngine.__args__)
    tried = {Start, Submit, Embed, Go, Cancel, Count, Stop}
    tried |= {Loading, Ready, Failure, Accepted, Counted, Step, Embedded, LogLine}

    assert kinds == set(wire.Message.__subclasses__()) == tried


def test_a_channel_sends_whole_frames(pair):
    ours, channel = pair
    message = Step([Delta(1, "Hé", 1)], [], Load(1, 2, 3))

    channel.send(message)

    assert decode_from_engine(body_of(ours.recv(1000))) == message


def test_a_frame_is_its_length_and_its_body():
    assert HEADER.format == "!I"
    assert encode(Cancel(1))[:4] == struct.pack(">I", len(encode(Cancel(1))) - 4)


def test_a_frame_too_large_is_refused(monkeypatch):
    monkeypatch.setattr(wire, "MAX_FRAME_BYTES", 100)
    encode(LogLine(20, "engine", "x" * 50))

    with pytest.raises(ValueError, match="too large"):
        encode(LogLine(20, "engine", "x" * 100))


def test_messages_may_arrive_in_pieces(pair):
    ours, channel = pair
    message = Submit(Request(id=1, text="Hello"))
    pieces = [bytes([byte]) for byte in encode(message)]
    sender = threading.Thread(target=lambda: [ours.sendall(piece) for piece in pieces])
    sender.start()

    assert channel.receive() == message
    sender.join()


@pytest.mark.parametrize("kept", [0, 1, 3, 4, 5, -1])
def test_a_frame_that_was_cut_is_the_end(pair, kept):
    ours, channel = pair
    ours.sendall(encode(Cancel(1)) + encode(Submit(Request(id=2, text="Hello")))[:kept])
    ours.shutdown(socket.SHUT_WR)

    assert channel.receive() == Cancel(1)
    assert channel.receive() is None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xc1",  # a byte that MessagePack does not have
        msgspec.msgpack.encode(["NoSuchMessage", 1]),
        msgspec.msgpack.encode(["Cancel", "one"]),
        msgspec.msgpack.encode({"id": 1}),
        msgspec.msgpack.encode(["Accepted", 1, 2, 3]),  # not in this direction
    ],
)
def test_an_unknown_body_is_an_error_and_no_message(pair, body):
    ours, channel = pair
    ours.sendall(HEADER.pack(len(body)) + body)

    with pytest.raises(msgspec.DecodeError):
        channel.receive()


def test_the_web_process_takes_no_message_of_its_own():
    with pytest.raises(msgspec.DecodeError):
        decode_from_engine(body_of(encode(Stop())))
