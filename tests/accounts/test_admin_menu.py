"""The administration's menu shows what may be seen, and where one is."""

import re

import pytest

from tests.accounts.administration import browser, root, staff, text_of

INDEX = "/admin/"
ALL = [
    *("/admin/inference/languagemodel/", "/admin/accounts/user/", "/admin/auth/group/"),
    *("/admin/accounts/apikey/", "/admin/mfa/authenticator/", "/admin/accounts/policy/"),
    *("/admin/accounts/usagerecord/report/", "/admin/accounts/usagerecord/"),
    *("/admin/chat/conversation/", "/admin/accounts/promptrecord/"),
    *("/admin/accounts/auditentry/",),
]


def menu(visitor, page):
    html = text_of(visitor.get(page))
    return html[html.index('id="nav-sidebar-apps"') : html.index('id="main"')]


def links(html):
    return re.findall(r'href="(/admin/[a-z]+/[^"]+)"', html)


def test_a_superuser_sees_everything(db):
    visitor = browser(root())

    assert links(menu(visitor, INDEX)) == ALL
    assert {visitor.get(link).status_code for link in ALL} == {200}


def test_others_see_what_they_may_view(db):
    visitor = browser(staff("sam", "view_apikey", "view_usagerecord"))

    assert links(menu(visitor, INDEX)) == [
        *("/admin/accounts/apikey/", "/admin/accounts/usagerecord/report/"),
        "/admin/accounts/usagerecord/",
    ]


@pytest.mark.parametrize("link", ALL)
def test_one_entry_is_marked_and_it_is_where_one_is(db, link):
    marked = re.findall(r'href="([^"]+)" class="[^"]* active"', menu(browser(root()), link))

    assert marked == [link]


def test_the_page_of_a_row_marks_its_list(db):
    boss = root()
    html = menu(browser(boss), f"/admin/accounts/user/{boss.pk}/change/")

    assert re.findall(r'href="([^"]+)" class="[^"]* active"', html) == ["/admin/accounts/user/"]
