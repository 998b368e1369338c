"""The page that shows the API's schema, within the policy for scripts that all pages have."""

from playwright.sync_api import expect

PATH = "/api/docs/"


def operation(page, name):
    return page.locator(f"#operations-OpenAI-{name}")


def test_it_lists_what_the_api_can_do(alice):
    page = alice.open(PATH)

    expect(operation(page, "post_v1_chat_completions")).to_contain_text("Answer a conversation")
    expect(page.locator(".errors-wrapper")).to_have_count(0)


def test_a_request_can_be_tried(alice):
    alice.may_complain("401")  # a page's session is no key
    page = alice.open(PATH)
    models = operation(page, "get_v1_models")
    models.click()
    models.get_by_role("button", name="Try it out").click()
    models.get_by_role("button", name="Execute").click()

    expect(models.locator(".live-responses-table").first).to_contain_text("invalid_api_key")


def test_the_page_for_programs_leads_there(alice):
    page = alice.open("/connect/")
    page.get_by_role("link", name="All that the API can do").click()

    expect(operation(page, "get_v1_models")).to_be_visible()
