"""Receipts in the administration: to look at, by superusers."""

import pytest

from accounts.models import User
from inference.models import Receipt

pytestmark = pytest.mark.django_db


@pytest.fixture
def receipt():
    tokens = {"prompt_tokens": [1, 2], "output_tokens": [4321]}
    return Receipt.objects.create(
        owner="local", at="2026-01-01T00:00Z", params={}, options={}, **tokens
    )


def test_a_superuser_sees_it_and_cannot_change_it(admin_client, receipt):
    path = f"/admin/inference/receipt/{receipt.pk}/change/"
    page = admin_client.get(path)

    assert "4321" in page.content.decode()
    assert admin_client.post(path, {"owner": "me"}).status_code == 403
    assert str(receipt) in admin_client.get("/admin/inference/receipt/").content.decode()


def test_other_staff_do_not(client, receipt):
    client.force_login(User.objects.create_user("staff", is_staff=True))
    assert client.get(f"/admin/inference/receipt/{receipt.pk}/change/").status_code == 403
