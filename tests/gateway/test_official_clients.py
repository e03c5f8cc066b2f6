"""Every official client, sync and async, whole and streamed; providers know their bill."""

from itertools import product

import pytest

from tests.gateway.sdks import SDKS
from tests.gateway.through import Through

WAYS = list(product(SDKS, (False, True)))
NAMES = [f"{name}{' stream' if streamed else ''}" for name, streamed in WAYS]
PRICE = {"input": "2.50", "output": "10.00"}
"""USD per million tokens where a model has no price of its own: Ollama's."""
FOR_300_WORDS = {
    "gpt-4o": "0.0031", "claude-haiku-4-5": "0.0016", "gemini-2.5-flash": "0.0008",
    "llama3.2": "0.0031",
}  # fmt: skip
"""USD for about so much output, at 10, 5, 2.50 and 10 USD a million tokens."""


@pytest.mark.parametrize(("name", "streamed"), WAYS, ids=NAMES)
def test_what_is_booked_is_what_the_provider_bills(
    gateway: Through, name: str, streamed: bool
) -> None:
    gateway.limit("1", unpriced=PRICE)
    heard = SDKS[name].ask(gateway.url, gateway.key, "words=30", streamed, None)
    assert heard.text.split() == ["word"] * 30
    (record,), (billed,) = gateway.records(), gateway.providers.billed()
    assert (record.usage.input_tokens, record.usage.output_tokens) == (
        billed.input_tokens, billed.output_tokens,
    )  # fmt: skip
    assert '"usage_source":"provider"' in record.metadata
    assert gateway.open_holds() == 0


@pytest.mark.parametrize(("name", "streamed"), WAYS, ids=NAMES)
def test_a_refusal_is_the_clients_own_error_with_our_words_in_it(
    gateway: Through, name: str, streamed: bool
) -> None:
    gateway.limit("0.0000001", unpriced=PRICE)
    with pytest.raises(SDKS[name].error, match="Everything") as raised:
        SDKS[name].ask(gateway.url, gateway.key, "", streamed, None)
    status = getattr(raised.value, "status_code", getattr(raised.value, "code", None))
    assert status == 402
    assert not gateway.providers.requests()


@pytest.mark.parametrize(("name", "streamed"), WAYS, ids=NAMES)
def test_an_answer_is_cut_properly_where_the_money_ends(
    gateway: Through, name: str, streamed: bool
) -> None:
    """A provider would write 900 words; there is money for a third of them.

    Those whose requests need no limit keep to none either, and are cut by the gateway.
    """
    keeps = "" if name.startswith("anthropic") else " unlimited"
    policy_id = gateway.limit(FOR_300_WORDS[SDKS[name].model], unpriced=PRICE)
    how = f"words=900 delay_ms=1{keeps}"
    heard = SDKS[name].ask(gateway.url, gateway.key, how, streamed, None)
    assert heard.finish == SDKS[name].cut
    assert 100 < len(heard.text.split()) < 900
    (balance,) = gateway.books.balances(policy_id=policy_id).items
    assert balance.spent <= balance.limit
    assert balance.reserved == 0
    assert gateway.open_holds() == 0
