"""BudgetClient: the client that components of Tekton know, on a service of today.

Its methods have the names, parameters and keys of the original; amounts of money are decimal texts,
never floats, and what the books refuse is refused. Not here: everything else (`client.Client`).
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal
from functools import wraps
from types import TracebackType
from typing import Any, Concatenate, Final, ParamSpec, Self, TypeVar

from budget.client import legacy_answers as answers
from budget.client.client import Client
from budget.domain import wire
from budget.domain.answers import Refusal
from budget.domain.answers_usage import Standing
from budget.domain.errors import BudgetRefused, InvalidInput
from budget.domain.wire.limits import limit_set
from budget.domain.wire.recommendations import recommendations
from budget.domain.wire.usage import usage_summary

P = ParamSpec("P")
T = TypeVar("T")

PORT: Final = 8013
Told = dict[str, Any]


class BudgetClient:
    """The books behind a service, under Tekton's names. Any thread may call any method."""

    def __init__(
        self,
        host: str = "localhost",
        port: int = PORT,
        component: str = "",
        api_key: str | None = None,
    ) -> None:
        if type(port) is not int or not 1 <= port <= 65535:
            raise InvalidInput("port", "must be a port: 1 to 65535.")
        url = host if "://" in host else f"http://{host}:{port}"
        self.component = component
        self.client = Client(url, api_key)

    def close(self) -> None:
        """Close the connections."""
        self.client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def allocate_budget(
        self, context_id: str, amount: int, component: str = "", tier: str | None = None,
        provider: str | None = None, model: str | None = None, task_type: str = "default",
        priority: int = 5,
    ) -> Told:  # fmt: skip
        """Hold `amount` tokens for a context. BudgetRefused where a limit says no."""
        asked = self._who(component, task_type, context_id, tier=tier)
        asked |= _given(provider=provider, model=model)
        held = self.client.allocate(tokens=amount, priority=priority, **asked)
        if isinstance(held, Refusal):
            raise BudgetRefused(held)
        return {
            "allocation_id": held.allocation_id,
            "context_id": context_id,
            "amount": held.reserved.tokens,
            "remaining": held.remaining.tokens,
            "tier": held.attributes.get("tier"),
            "provider": held.provider,
            "model": held.model,
        }

    def check_budget(
        self, provider: str, model: str, input_text: str = "", component: str = "",
        task_type: str = "default", context_id: str | None = None,
    ) -> tuple[bool, Told]:  # fmt: skip
        """Whether a call may go now, and why: what it would hold, or each limit that refuses."""
        asked = self._who(component, task_type, context_id)
        asked |= {"request": input_text} if input_text else {"input_tokens": 0}
        told = self.client.check(provider=provider, model=model, **asked)
        if isinstance(told, Refusal):
            return False, {"reason": told.detail, **wire.refusal(told)}
        return True, {"reason": "Within budget", **wire.check(told)}

    def record_usage(
        self, provider: str, model: str, input_tokens: int | None = None,
        output_tokens: int | None = None, component: str = "", task_type: str = "default",
        context_id: str | None = None, allocation_id: str | None = None,
        request_id: str | None = None, metadata: Mapping[str, Any] | None = None, *,
        input_text: str | None = None, output_text: str | None = None,
    ) -> Told:  # fmt: skip
        """Book what a call used: on an allocation, on that of its context, or as unreserved.

        Of texts in place of counts the tokens are bounded, which the record's metadata tell. The
        same `request_id` books once.
        """
        by_text = input_tokens is None and output_tokens is None
        if by_text:
            counted = self._bounds(provider, model, input_text, output_text)
        else:
            counted = self._counts(provider, model, input_tokens, output_tokens)
        said = {**(metadata or {}), "counted": "by_text"} if by_text else dict(metadata or {})
        receipt = self.client.record_in_context(
            **counted, metadata=said, **self._who(component, task_type, context_id),
            **_given(allocation_id=allocation_id, request_id=request_id),
        )  # fmt: skip
        left = receipt.remaining
        return {
            "context_id": context_id,
            "allocation_id": receipt.allocation_id,
            "recorded_tokens": counted["input_tokens"] + counted["output_tokens"],
            "remaining": None if left is None else left.tokens,
            "success": True,
            "record_id": receipt.usage_id,
            "total_cost": answers.usd(receipt.cost_nanos),
        }

    @staticmethod
    def _counts(provider: str, model: str, given: int | None, output: int | None) -> Told:
        return {
            "provider": provider, "model": model,
            "input_tokens": given or 0, "output_tokens": output or 0,
        }  # fmt: skip

    def _bounds(self, provider: str, model: str, given: str | None, output: str | None) -> Told:
        if given is None and output is None:
            raise InvalidInput("input_tokens", "is required, or an input_text.")
        counts = (
            self.client.estimate(provider=provider, model=model, request=text).input_tokens
            if text
            else 0
            for text in (given, output)
        )
        return self._counts(provider, model, *counts)

    def get_budget_status(
        self, period: str = "daily", tier: str | None = None, provider: str | None = None,
        component: str | None = None,
    ) -> Told:  # fmt: skip
        """How each limit of a period stands; of a tier, provider or component those alone."""
        wanted = _given(tier=tier, provider=provider, component=component)
        summaries = []
        for standing in self._standings(period):
            scope = wire.budget(self.client.budget(standing.policy.budget_id))["scope"]
            if all(scope.get(name) == value for name, value in wanted.items()):
                summaries.append(answers.summary(standing, scope))
        return {"period": period, "success": True, "summaries": summaries}

    def _standings(self, period: str) -> list[Standing]:
        found: list[Standing] = []
        cursor: str | None = None
        while True:
            page = self.client.standings(period=period, cursor=cursor)
            found += page.items
            cursor = page.next_cursor
            if cursor is None:
                return found

    def get_model_recommendations(
        self, provider: str | None = None, model: str | None = None, task_type: str = "default",
        context_size: int = 4000,
    ) -> Told:  # fmt: skip
        """Which models would do for a call of a size, the cheapest first."""
        asked = _given(provider=provider, model=model)
        told = self.client.recommend(task_type=task_type, context_size=context_size, **asked)
        return {
            "provider": provider,
            "model": model,
            "task_type": task_type,
            "context_size": context_size,
            "recommendations": recommendations(told)["items"],
        }

    def route_with_budget_awareness(
        self, input_text: str, task_type: str = "default", default_provider: str | None = None,
        default_model: str | None = None, component: str = "",
    ) -> Told:  # fmt: skip
        """The model asked for where it may be called, else a cheaper one that may; none where none
        may, which `allowed` says.
        """
        if not default_model:
            raise InvalidInput("default_model", "is required: the model to begin with.")
        asked = self._who(component, task_type, None) | _given(provider=default_provider)
        told = self.client.route_model(model=default_model, input_text=input_text, **asked)
        return answers.routed(told)

    def get_usage_analytics(
        self, period: str = "daily", provider: str | None = None, model: str | None = None,
        component: str | None = None, task_type: str | None = None,
        start_date: str | None = None, end_date: str | None = None,
    ) -> Told:  # fmt: skip
        """What usage adds up to: in all, by provider, component and task type, and by hour or day.

        With a `start_date` or an `end_date` the period is not looked at.
        """
        asked = _given(provider=provider, model=model, component=component, task_type=task_type)
        if start_date is None and end_date is None:
            asked["period"] = period
        else:
            asked |= _given(since=start_date, until=end_date)
        bucket = "hour" if period in ("hourly", "daily") and "period" in asked else "day"
        told = self.client.usage_summary(bucket=bucket, **asked)
        models = self.client.usage_summary(group_by=["provider", "model"], **asked)
        return answers.analytics(period, told, models)

    def get_usage(
        self, period: str = "daily", provider: str | None = None, model: str | None = None,
        component: str | None = None, task_type: str | None = None,
    ) -> Told:  # fmt: skip
        """What usage of a period adds up to, as `POST /usage/summary` answers it."""
        asked = _given(provider=provider, model=model, component=component, task_type=task_type)
        return {**usage_summary(self.client.usage_summary(period=period, **asked))}

    def release(self, allocation_id: str, reason: str | None = None) -> Told:
        """Give back the rest of an allocation."""
        left = self.client.allocation(allocation_id).remaining
        ended = self.client.release(allocation_id, reason=reason)
        return {
            "allocation_id": ended.allocation_id,
            "status": ended.status,
            "tokens_released": left.tokens,
            "cost_released": answers.usd(left.usd),
        }

    def set_limit(
        self, period: str, limit: str | int | Decimal, provider: str | None = None,
        tier: str | None = None, component: str | None = None, enforcement: str | None = None,
    ) -> Told:  # fmt: skip
        """Set how much may be spent in a period, in USD, as `POST /limits` answers it."""
        asked = _given(provider=provider, tier=tier, component=component, enforcement=enforcement)
        return {**limit_set(self.client.set_limit(period=period, limit=limit, **asked))}

    def get_prices(self, provider: str | None = None, model: str | None = None) -> list[Told]:
        """The prices in force, as `GET /prices` lists them."""
        found: list[Told] = []
        cursor: str | None = None
        while True:
            page = self.client.prices(provider=provider, model=model, cursor=cursor)
            found += ({**wire.price(one)} for one in page.items)
            cursor = page.next_cursor
            if cursor is None:
                return found

    def calculate_cost(
        self, provider: str, model: str, input_tokens: int, output_tokens: int = 0
    ) -> Told:
        """What a call of these counts costs."""
        total = self.client.calculate(
            provider=provider, model=model, input_tokens=input_tokens, output_tokens=output_tokens
        )
        return {**wire.calculation(total)}

    def _who(
        self, component: str, task_type: str, context_id: str | None, tier: str | None = None
    ) -> Told:
        return _given(
            component=component or self.component or None, task_type=task_type,
            context_id=context_id, tier=tier,
        )  # fmt: skip


def _given(**asked: Any) -> Told:
    return {name: value for name, value in asked.items() if value is not None}


class AsyncBudgetClient:
    """`BudgetClient` for event loops: the same methods, awaited, which wait in threads."""

    def __init__(
        self,
        host: str = "localhost",
        port: int = PORT,
        component: str = "",
        api_key: str | None = None,
    ) -> None:
        self._waiting = BudgetClient(host, port, component, api_key)

    async def close(self) -> None:
        """Close the connections."""
        await asyncio.to_thread(self._waiting.close)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    @staticmethod
    def _awaits(
        method: Callable[Concatenate[BudgetClient, P], T],
    ) -> "Callable[Concatenate[AsyncBudgetClient, P], Awaitable[T]]":
        @wraps(method)
        def awaiting(
            self: "AsyncBudgetClient", /, *args: P.args, **kwargs: P.kwargs
        ) -> Awaitable[T]:
            return asyncio.to_thread(method, self._waiting, *args, **kwargs)

        return awaiting

    # methods: _awaits
    allocate_budget = _awaits(BudgetClient.allocate_budget)
    check_budget = _awaits(BudgetClient.check_budget)
    record_usage = _awaits(BudgetClient.record_usage)
    get_budget_status = _awaits(BudgetClient.get_budget_status)
    get_model_recommendations = _awaits(BudgetClient.get_model_recommendations)
    route_with_budget_awareness = _awaits(BudgetClient.route_with_budget_awareness)
    get_usage_analytics = _awaits(BudgetClient.get_usage_analytics)
    get_usage = _awaits(BudgetClient.get_usage)
    release = _awaits(BudgetClient.release)
    set_limit = _awaits(BudgetClient.set_limit)
    get_prices = _awaits(BudgetClient.get_prices)
    calculate_cost = _awaits(BudgetClient.calculate_cost)
