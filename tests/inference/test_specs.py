"""Rows of the registry in the engine's terms."""

import pytest

from inference import specs
from inference.engine import EngineError

pytestmark = pytest.mark.django_db(transaction=True)


async def test_a_row_becomes_what_the_engine_is_told(fake_row, settings):
    fake_row.tensor_split, fake_row.device, fake_row.pinned = "3,1", "cuda", True
    spec = await specs.spec(fake_row)
    assert spec.config.tensor_split == (3.0, 1.0)
    assert (spec.config.device, spec.config.model_id) == ("cuda", "fake")
    assert spec.is_pinned
    assert spec.idle_timeout == settings.CONFIG.models.idle_timeout_seconds


async def test_a_row_that_no_engine_can_run_is_a_clear_refusal(fake_row):
    fake_row.batch_tokens = 1  # past the form, and past full_clean
    with pytest.raises(EngineError, match="batch_tokens must give each of 10 sequences"):
        await specs.spec(fake_row)
