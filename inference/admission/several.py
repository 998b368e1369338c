"""Several answers to one prompt."""

import asyncio
from collections.abc import Sequence
from itertools import count
from typing import Any

from inference.runtime import SamplingParams

from .asker import Asker
from .generating import Together, generate
from .reply import Reply

_ids = count(1)


async def generate_several(
    asker: Asker, name: str, several: Sequence[SamplingParams], **fields: Any
) -> list[Reply]:
    """Queue a request with each of the params, or none. The fields are those of `generate`.

    The prompt is computed once, if the model allows that, and paid for once.

    Raises:
        EngineError, Refusal: as `generate` does.
    """
    if len(several) == 1:
        return [await generate(asker, name, several[0], **fields)]
    group, gate = next(_ids), asyncio.Barrier(len(several))

    async def one(index: int) -> Reply:
        try:
            among = Together(group, gate, is_billed=index == 0)
            return await generate(asker, name, several[index], among=among, **fields)
        except BaseException:
            await gate.abort()  # without this one the others are not computed
            raise

    made = await asyncio.gather(*map(one, range(len(several))), return_exceptions=True)
    replies = [reply for reply in made if isinstance(reply, Reply)]
    errors = [error for error in made if isinstance(error, BaseException)]
    if errors:
        for reply in replies:
            reply.cancel()
        raise _cause(errors)
    return replies


def _cause(errors: Sequence[BaseException]) -> BaseException:
    """What broke the gate, rather than that it is broken."""
    causes = (error for error in errors if not isinstance(error, asyncio.BrokenBarrierError))
    return next(causes, errors[0])
