"""`manage.py replay`: a receipt put to the test, with a model that computes."""

import asyncio
import io

import pytest
from asgiref.sync import sync_to_async
from django.core.management import CommandError, call_command
from django.db import connections

from inference import admission, registry, runtime
from inference.admission import Asker
from inference.models import LanguageModel, Receipt
from inference.runtime import SamplingParams
from tests.tiny_gguf import make_tiny_gguf

pytestmark = pytest.mark.django_db(transaction=True)

PARAMS = {"temperature": 1.0, "max_tokens": 20, "ignore_eos": True, "logit_bias": {5: 1.0}}


@pytest.fixture
def asker():
    from accounts.callers import Caller

    return Asker(Caller("local", "local"), "completions")


@pytest.fixture
async def row(transactional_db, tmp_path):
    """A tiny model, whose file is known."""
    path = make_tiny_gguf(tmp_path / "tiny.gguf")
    row = await sync_to_async(registry.add)(path.as_uri(), slug="tiny", threads=1)
    await sync_to_async(registry.fetch_model)(row, lambda done, total: None)
    yield row
    await runtime.shutdown()


@pytest.fixture
async def receipt(row, asker) -> Receipt:
    params = SamplingParams(seed=3, **PARAMS)
    others = [
        await admission.generate(asker, "tiny", SamplingParams(**PARAMS), text=f"and {n}")
        for n in range(3)
    ]
    reading = [asyncio.create_task(read(other)) for other in others]
    reply = await admission.generate(
        asker, "tiny", params, deterministic=True, text="the hello " * 20
    )
    await read(reply)
    await asyncio.gather(*reading)
    await runtime.shutdown()
    return await Receipt.objects.aget(uid=reply.receipt)


async def on_a_terminal(*args, **options):
    """Call the command where no loop runs, as it is meant to be."""

    def call():
        try:
            call_command(*args, **options)
        finally:
            connections.close_all()

    await asyncio.to_thread(call)


async def read(reply):
    return [piece async for piece in reply]


async def replay(receipt) -> str:
    out = io.StringIO()
    await on_a_terminal("replay", str(receipt), stdout=out)
    return out.getvalue()


async def test_it_makes_the_same_tokens_again(receipt):
    assert await replay(receipt) == f"{receipt}: the same 20 tokens\n"


async def test_it_does_whatever_the_row_says_by_now(receipt):
    await LanguageModel.objects.aupdate(batch_tokens=16, context_length=128, max_sequences=2)
    assert "the same 20 tokens" in await replay(receipt)


async def test_it_says_where_they_differ(receipt):
    receipt.output_tokens[7] += 1
    await receipt.asave()
    with pytest.raises(CommandError, match=r"token 7 of 20 is another: the receipt has \d+"):
        await replay(receipt)


async def test_it_says_where_one_is_missing(receipt):
    receipt.finish_reason = "stop"
    receipt.output_tokens = receipt.output_tokens[:5]
    await receipt.asave()
    with pytest.raises(CommandError, match=r"token 5 of 5 .* the receipt has none"):
        await replay(receipt)


@pytest.mark.parametrize(
    ("column", "what"),
    [
        ("build", "engine's build"),
        ("device", "device"),
        ("system", "machine"),
        ("model_sha256", "model's SHA-256"),
    ],
)
async def test_it_refuses_where_something_is_another_and_names_it(receipt, column, what):
    setattr(receipt, column, "other")
    await receipt.asave()
    with pytest.raises(CommandError, match=f"the {what} is another: the receipt has 'other'"):
        await replay(receipt)


async def test_it_refuses_a_file_that_has_changed(receipt, row):
    make_tiny_gguf(row.path, seed=1)
    with pytest.raises(CommandError, match="expected sha256"):
        await replay(receipt)


async def test_it_refuses_without_the_model(receipt, row):
    await row.adelete()
    with pytest.raises(CommandError, match="there is no model 'tiny' any more"):
        await replay(receipt)


@pytest.mark.parametrize("name", ["nothing", "00000000-0000-0000-0000-000000000000"])
def test_a_receipt_that_there_is_not_is_named(name):
    with pytest.raises(CommandError, match=name):
        call_command("replay", name)
