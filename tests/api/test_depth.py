"""Bodies that are nested deeply, to every depth at which something may give up."""

import pytest

pytestmark = pytest.mark.usefixtures("fake_model")


@pytest.mark.parametrize("headers", [{}, {"Idempotency-Key": "k"}])
async def test_no_depth_breaks_the_server(api, headers):
    for depth in [*range(20, 500, 60), *range(500, 1010, 7)]:
        body = b'{"model":"fake","messages":[{"role":"user","content":"a","x":%s}]}'
        body = body % (b"[" * depth + b"]" * depth)
        response = await api.send("/v1/chat/completions", body, **headers)
        assert response.status_code in (200, 400, 409), depth
