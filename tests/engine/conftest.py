import asyncio
import gc

import pytest


@pytest.fixture
async def quiet_loop():
    """Nothing that failed in the background went unheard."""
    complaints = []
    asyncio.get_running_loop().set_exception_handler(
        lambda loop, context: complaints.append(context)
    )
    yield
    gc.collect(1)
    await asyncio.sleep(0)
    assert complaints == []
