"""What a person does on a chat page, and sees there."""

from playwright.sync_api import Locator, Page, expect

LONG = " ".join(f"w{number}" for number in range(900))  # 18 seconds of answer
MEDIUM = " ".join(f"w{number}" for number in range(250))  # five, on a machine with time


def field(page: Page) -> Locator:
    return page.locator("#prompt")


def ask(page: Page, text: str) -> None:
    field(page).fill(text)
    field(page).press("Enter")


def ask_and_wait(page: Page, text: str) -> None:
    number = answers(page).count()
    ask(page, text)
    expect(answers(page)).to_have_count(number + 1)
    done(page)


def questions(page: Page) -> Locator:
    return page.locator('.message[data-role="user"]')


def answers(page: Page) -> Locator:
    return page.locator('.message[data-role="assistant"]')


def answer(page: Page) -> Locator:
    """The last one."""
    return answers(page).last


def text_of(message: Locator) -> Locator:
    return message.locator('.blocks[data-part="text"]')


def uid_of(message: Locator) -> str:
    return message.get_attribute("data-uid") or ""


def begun(page: Page, word: str = "w9 ") -> Locator:
    """The answer under way, once it has come to that word."""
    expect(text_of(answer(page))).to_contain_text(word)
    expect(answer(page)).to_have_attribute("data-status", "running")
    return answer(page)


def done(page: Page, status: str = "complete") -> Locator:
    expect(answer(page)).to_have_attribute("data-status", status)
    return answer(page)


def stop(page: Page) -> Locator:
    page.get_by_role("button", name="Stop", exact=True).click()
    return done(page, "stopped")


def press(message: Locator, name: str) -> None:
    """A button of that message; those of questions wait for the pointer."""
    message.hover()
    message.get_by_role("button", name=name, exact=True).click()
