"""The page of the API in a real browser: it shows every operation, asks nobody else, tries one."""

from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from budget.http.routes import ROUTES
from tests.http.running import Running

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


@pytest.fixture
def page(browser: "Browser", service: Running) -> "Iterator[Page]":
    """The page, opened; afterwards it has asked this service alone and said no word of an error."""
    asked: list[str] = []
    errors: list[str] = []
    opened = browser.new_page(viewport={"width": 1200, "height": 900})
    opened.on("request", lambda request: asked.append(request.url))
    opened.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
    opened.on("pageerror", lambda error: errors.append(str(error)))
    opened.goto(f"{service.url}/docs")
    opened.wait_for_selector("details.operation")
    yield opened
    opened.close()
    assert {urlsplit(url).netloc for url in asked} == {urlsplit(service.url).netloc}
    assert errors == []


def test_the_page_shows_every_operation_with_its_right(page: "Page") -> None:
    assert page.locator("details.operation").count() == len(ROUTES)
    shown = page.locator("#post_allocations .right").inner_text()
    assert shown == "spend"


def test_an_operation_shows_its_fields_its_example_and_its_problems(page: "Page") -> None:
    page.locator("#post_budgets > summary").click()
    inside = page.locator("#post_budgets .inside")
    inside.wait_for()
    words = inside.inner_text()
    assert "policies" in words
    assert "Europe/Berlin" in words
    assert "422" in words
    inside.locator("details", has_text="201").locator("summary").first.click()
    inside.get_by_text("budget_id").first.wait_for()  # the answer is shown a moment after the click


def test_the_operations_are_found_by_words(page: "Page") -> None:
    page.fill("#find", "openapi.json")
    shown = page.locator("details.operation:visible")
    assert 1 <= shown.count() < len(ROUTES)
    assert page.locator("#get_openapi_json").is_visible()


def test_an_operation_is_tried_with_the_key_of_the_page(page: "Page", service: Running) -> None:
    page.fill("#key", service.key)
    page.locator("#post_budgets > summary").click()
    form = page.locator("#post_budgets form.try")
    form.locator("button").click()
    form.locator(".status").wait_for()
    assert form.locator(".status").inner_text().startswith("201")
    (made,) = service.get("/budgets")["items"]
    form.get_by_text(made["budget_id"]).first.wait_for()
