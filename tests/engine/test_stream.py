import asyncio
import gc

import pytest

from inference.engine import stream
from inference.engine.errors import DecodeFailed, QueueFull
from inference.engine.logprobs import TokenLogprob
from inference.engine.progress import Progress
from inference.engine.request import FinishReason
from inference.engine.stats import Timings, Usage
from inference.engine.stream import Mailbox, Piece, TokenStream
from inference.engine.wire import Accepted, Finish

FINISH = Finish(1, FinishReason.STOP, Usage(3, 2), Timings(0, 0, 0))
CANCELLED = Finish(1, FinishReason.CANCELLED, Usage(3, 0), Timings(0, 0, 0))
NEXT = Progress("queued", position=0, eta=2.0)
FAILURE = DecodeFailed("llama_decode: 1")


class Desk:
    """An accepted request: its mailbox, what its end was, and how often it was cancelled."""

    def __init__(self):
        self.outcomes = []
        self.cancels = 0
        self.mailbox = Mailbox(self.outcomes.append)
        self.accepted = Accepted(1, 3, 100, [1, 2])
        self.mailbox.accept(self.accepted)

    def cancel(self):
        """Like an engine that is quick: the request has ended at once."""
        self.cancels += 1
        self.mailbox.close(CANCELLED)

    def open(self):
        return TokenStream(self.mailbox, self.accepted, 4096, self.cancel)


@pytest.fixture
async def desk():
    return Desk()


async def next_turn():
    """Let what was scheduled run, and what that schedules."""
    for _ in range(5):
        await asyncio.sleep(0)


# Mailbox


async def test_what_waits_is_merged(desk):
    desk.mailbox.put("Hel", 1, now=0)
    desk.mailbox.put("", 1, now=0)
    desk.mailbox.put("lo", 2, now=0)

    assert await desk.mailbox.take() == Piece("Hello", 4)


async def test_logprobs_that_wait_are_joined_and_taken_once(desk):
    one, two = (TokenLogprob(text, -1.0, 0, []) for text in (b"a", b"b"))
    desk.mailbox.put("a", 1, 0, [one])
    desk.mailbox.put("", 1, 0, [])
    desk.mailbox.put("b", 1, 0, [two])

    assert await desk.mailbox.take() == Piece("ab", 3, None, [one, two])
    desk.mailbox.put("c", 1, 0)
    assert await desk.mailbox.take() == Piece("c", 1, None, None)


async def test_what_was_taken_does_not_come_again(desk):
    desk.mailbox.put("a", 1, now=0)
    await desk.mailbox.take()
    desk.mailbox.put("b", 1, now=0)

    assert await desk.mailbox.take() == Piece("b", 1)


async def test_tokens_that_made_no_text_yet_are_a_piece(desk):
    desk.mailbox.put("", 1, now=0)

    assert await desk.mailbox.take() == Piece("", 1)


async def test_progress_is_a_piece_without_text(desk):
    taking = asyncio.create_task(desk.mailbox.take())
    await next_turn()

    desk.mailbox.put_progress(NEXT)

    assert await taking == Piece("", 0, NEXT)
    assert desk.open().progress == NEXT


async def test_only_the_newest_progress_is_taken_and_only_once(desk):
    desk.mailbox.put_progress(Progress("queued", position=1))
    desk.mailbox.put_progress(NEXT)
    await desk.mailbox.take()
    desk.mailbox.put("a", 1, now=0)

    assert await desk.mailbox.take() == Piece("a", 1)


async def test_text_makes_progress_before_it_stale(desk):
    desk.mailbox.put_progress(NEXT)
    desk.mailbox.put("a", 1, now=0)

    assert await desk.mailbox.take() == Piece("a", 1)
    assert desk.open().progress is None


async def test_progress_after_text_comes_after_it(desk):
    desk.mailbox.put("a", 1, now=0)
    desk.mailbox.put_progress(NEXT)

    assert await desk.mailbox.take() == Piece("a", 1)
    assert await desk.mailbox.take() == Piece("", 0, NEXT)


async def test_progress_that_nobody_took_does_not_delay_the_end(desk):
    desk.mailbox.put_progress(NEXT)
    desk.mailbox.close(FINISH)

    assert await desk.mailbox.take() is None


async def test_taking_waits_for_a_piece(desk):
    taking = asyncio.create_task(desk.mailbox.take())
    await next_turn()
    assert not taking.done()

    desk.mailbox.put("a", 1, now=0)

    assert await taking == Piece("a", 1)


async def test_taking_waits_for_the_end(desk):
    taking = asyncio.create_task(desk.mailbox.take())
    await next_turn()

    desk.mailbox.close(FINISH)

    assert await taking is None


async def test_silence_is_a_heartbeat(monkeypatch):
    monkeypatch.setattr(stream, "HEARTBEAT_SECONDS", 0.001)
    desk = Desk()

    assert await desk.mailbox.take() == Piece("", 0)
    assert await desk.mailbox.take() == Piece("", 0)
    desk.mailbox.put("a", 1, now=0)
    assert await desk.mailbox.take() == Piece("a", 1)


async def test_no_heartbeat_before_its_time(monkeypatch):
    monkeypatch.setattr(stream, "HEARTBEAT_SECONDS", 1000)
    desk = Desk()
    taking = asyncio.create_task(desk.mailbox.take())

    done, _ = await asyncio.wait([taking], timeout=0.02)

    assert not done
    taking.cancel()


async def test_text_before_the_end_is_delivered_before_it(desk):
    desk.mailbox.put("a", 1, now=0)
    desk.mailbox.close(FINISH)

    assert await desk.mailbox.take() == Piece("a", 1)
    assert await desk.mailbox.take() is None
    assert await desk.mailbox.take() is None


async def test_text_before_an_error_is_delivered_before_it(desk):
    desk.mailbox.put("a", 1, now=0)
    desk.mailbox.close(FAILURE)

    assert await desk.mailbox.take() == Piece("a", 1)
    with pytest.raises(DecodeFailed):
        await desk.mailbox.take()


async def test_the_end_is_told_exactly_once(desk):
    desk.mailbox.close(FINISH)
    desk.mailbox.close(FAILURE)

    assert desk.outcomes == [FINISH]
    assert desk.mailbox.outcome == FINISH


async def test_a_failure_after_acceptance_is_told(desk):
    desk.mailbox.close(FAILURE)

    assert desk.outcomes == [FAILURE]


async def test_a_refusal_is_raised_to_who_asked_and_told_to_nobody_else():
    outcomes = []
    mailbox = Mailbox(outcomes.append)

    mailbox.close(QueueFull("256 wait."))

    with pytest.raises(QueueFull):
        await mailbox.accepted
    assert outcomes == []


async def test_who_asked_is_told_the_number_of_tokens():
    mailbox = Mailbox()

    mailbox.accept(Accepted(1, 3, 100))

    assert await mailbox.accepted == Accepted(1, 3, 100)


async def test_who_has_gone_can_still_be_accepted():
    outcomes = []
    mailbox = Mailbox(outcomes.append)
    mailbox.accepted.cancel()

    mailbox.accept(Accepted(1, 3, 100))
    mailbox.close(CANCELLED)

    assert outcomes == [CANCELLED]


async def test_a_mailbox_needs_nobody_to_tell():
    mailbox = Mailbox()
    mailbox.accept(Accepted(1, 3, 100))

    mailbox.close(FINISH)

    assert await mailbox.take() is None


async def test_an_observer_that_fails_harms_nobody_else(caplog):
    mailbox = Mailbox({}.__getitem__)
    mailbox.accept(Accepted(1, 3, 100))

    mailbox.close(FINISH)

    assert await mailbox.take() is None
    assert "KeyError" in caplog.text


# TokenStream


async def test_a_stream_is_read_to_its_end(desk):
    answer = desk.open()
    desk.mailbox.put("Hello", 2, now=0)
    desk.mailbox.close(FINISH)

    assert [piece async for piece in answer] == [Piece("Hello", 2)]
    assert answer.finish == FINISH
    assert answer.prompt_tokens == 3


async def test_a_stream_that_fails_gives_what_came_before(desk):
    answer = desk.open()
    desk.mailbox.put("Hello", 2, now=0)
    desk.mailbox.close(FAILURE)
    pieces = aiter(answer)

    assert await anext(pieces) == Piece("Hello", 2)
    with pytest.raises(DecodeFailed):
        await anext(pieces)
    assert desk.cancels == 0


async def test_a_failed_stream_has_no_finish(desk):
    desk.mailbox.close(FAILURE)

    with pytest.raises(AssertionError):
        _ = desk.open().finish


async def test_dropping_a_stream_nobody_read_cancels_it(desk):
    answer = desk.open()

    del answer
    await next_turn()

    assert desk.cancels == 1
    assert desk.outcomes == [CANCELLED]


async def test_a_stream_in_use_is_not_cancelled(desk):
    answer = desk.open()
    gc.collect()
    await next_turn()

    assert desk.cancels == 0
    assert answer.prompt_tokens == 3
    desk.mailbox.close(FINISH)


async def test_leaving_the_iteration_cancels(desk):
    answer = desk.open()
    desk.mailbox.put("Hello", 2, now=0)

    async for _ in answer:
        break
    await next_turn()

    assert desk.cancels == 1


async def test_closing_the_iterator_cancels_at_once(desk):
    answer = desk.open()
    desk.mailbox.put("Hello", 2, now=0)
    pieces = aiter(answer)
    await anext(pieces)

    await pieces.aclose()

    assert desk.cancels == 1


async def test_a_reader_that_is_cancelled_cancels(desk):
    answer = desk.open()
    reading = asyncio.create_task(anext(aiter(answer)))
    await next_turn()

    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)

    assert desk.cancels == 1


async def test_a_cancelled_stream_ends_for_its_reader(desk):
    answer = desk.open()
    desk.mailbox.put("Hello", 2, now=0)

    answer.cancel()

    assert [piece async for piece in answer] == [Piece("Hello", 2)]
    assert answer.finish == CANCELLED
    assert desk.cancels == 1


async def test_cancelling_after_the_end_does_nothing(desk):
    answer = desk.open()
    desk.mailbox.close(FINISH)

    answer.cancel()
    assert [piece async for piece in answer] == []
    del answer
    await next_turn()

    assert desk.cancels == 0
    assert desk.outcomes == [FINISH]


def test_a_stream_may_be_dropped_after_its_loop():
    async def open_desk():
        desk = Desk()
        return desk, desk.open()

    desk, answer = asyncio.run(open_desk())
    del answer

    assert desk.cancels == 0
