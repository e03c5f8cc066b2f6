"""Report JSON: what a report was made of, in the shapes of the API."""

import json
from typing import Any

from budget.cli.report_sections import Gathered
from budget.domain.windows import to_rfc3339
from budget.domain.wire.alerts import alert
from budget.domain.wire.usage import figures, standing, usage_summary


def as_json(found: Gathered) -> str:
    """The report for a program."""
    told: dict[str, Any] = {
        "usage": usage_summary(found.usage),
        "before": None if found.before is None else figures(found.before),
        "by": {key: usage_summary(one)["groups"] for key, one in found.by.items()},
        "limits": [standing(one) for one in found.standings],
        "refusals": [
            {
                "at": to_rfc3339(one.at_us),
                "policy_id": one.policy_id,
                "count": one.times,
                "attributes": one.attributes,
                "why": one.why,
            }
            for one in found.refusals
        ],
        "alerts": [alert(one) for one in found.alerts],
    }
    return json.dumps(told, indent=2, ensure_ascii=False)
