"""Naming: what the name of a model says by its form: who sells it, and what else it is called.

    read_name(None, "bedrock/us.anthropic.claude-3-haiku-20240307-v1:0", known)

Pure, and without any list of models. Not here: which of the names is listed, and at what price
(`resolving`).
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final, NamedTuple

from budget.domain.models import BEDROCK_NAME

LITELLM: Final = "litellm"
"""It sells nothing: behind its name stands the provider before the slash."""
AWS: Final = "aws"
AZURE: Final = "azure"
AZURE_REGIONS: Final[Mapping[str, str]] = {
    "apac": "apac",
    "eu": "eu",
    "global": "global",
    "global-standard": "global",
    "us": "us",
}
"""The regions of deployments that LiteLLM writes before a model's name."""
FIREWORKS: Final = "fireworks"
GOOGLE: Final = "google"

LOCAL: Final[Mapping[str, str]] = {
    "hosted_vllm": "vllm",
    "llamafile": "llamafile",
    "lm_studio": "lm_studio",
    "ollama": "ollama",
    "ollama_chat": "ollama",
    "vllm": "vllm",
}
"""Servers of one's own, by what stands before the slash. Nobody sells what they answer."""
OLLAMA: Final = "ollama"

_PROXIES: Final = (LITELLM, "litellm_proxy")
_ROUTES: Final[Mapping[str, str]] = {
    "azure_text": "azure",
    "codestral": "mistral",
    "dashscope": "alibaba",
    "jina_ai": "jina",
    "lambda_ai": "lambda",
    "moonshot": "moonshotai",
    "nvidia_nim": "nvidia",
    "vercel_ai_gateway": "vercel",
    "voyage": "voyageai",
    "xai": "x-ai",
}
"""What LiteLLM and others write before the slash for a provider that sources call otherwise."""

_AUTHORS: Final = ("mistralai",)
"""Who publishes open weights by a name that could be taken for a provider's: anybody may run them.
"""

_ARN: Final = re.compile(r"arn:aws[a-z-]*:bedrock:([a-z0-9-]*):[0-9]*:([a-z-]+)/(.+)")
_ARNS_OF_MODELS: Final = ("foundation-model", "inference-profile")
_BEDROCK_PATH: Final = re.compile(
    r"(?:converse|converse_like|invoke|(?P<region>[a-z]{2}(?:-[a-z]+)+-[0-9]))/"
)
_COMMITTED: Final = re.compile(r"[0-9]+-month-commitment/")
_BEDROCK_VERSION: Final = re.compile(r"-v[0-9]+(?::[0-9]+)?(?::[0-9a-z]+)?$")
_PUBLISHED: Final = re.compile(r"(?:projects/[^/]+/locations/[^/]+/)?publishers/([^/]+)/models/")
_ENDPOINT: Final = re.compile(r"(?:projects/[^/]+/locations/[^/]+/)?(?:endpoints|tunedmodels)/")
_FIREWORKS: Final = "accounts/fireworks/models/"
_DATE: Final = re.compile(r"[-@](?:20[0-9]{6}|20[0-9]{2}-[0-9]{2}-[0-9]{2})$")
_VERSION: Final = re.compile(r"(?:-0[0-9]{2}|@0[0-9]{2}|@default)$")
_DASHED: Final = re.compile(r"(gemini-[0-9])-(?=[0-9](?:-|$))")
_LATEST: Final = re.compile(r"[-@]latest$")

Known = Callable[[str], str | None]
"""The one id of a provider, however it is spelled; None if nobody knows it."""


class Other(NamedTuple):
    """What else a model may be listed as, and the step that leads there, in words."""

    name: str
    step: str


class Spelled(NamedTuple):
    """A name, read."""

    given: str | None
    """The provider as it was named, in lower case."""
    seller: str | None
    """Our id of who sells it; None: not said, or (with `given`) nobody that is known."""
    names: tuple[str, ...]
    """Its whole names, in lower case: as it was given first, then without what stood before."""
    steps: tuple[str, ...] = ()
    """What was read, in words."""
    others: tuple[Other, ...] = ()
    """What it may be listed as where none of its whole names is."""
    family: str | None = None
    """Of `claude-sonnet-latest` the part before `latest`."""
    tuned: str | None = None
    """The base model of a fine-tuned one, which is not sold at the base's price."""
    region: str | None = None
    """The region that it names, as in `azure/eu/gpt-4o` or `bedrock/eu-west-1/…`."""
    opaque: str = ""
    """Why the name alone cannot tell a price; empty: it may."""

    @property
    def name(self) -> str:
        """The name without what stood before it."""
        return self.names[-1]

    @property
    def is_local(self) -> bool:
        """Whether a server of one's own answers, so that no source has its price."""
        return self.seller in LOCAL.values()

    @property
    def may_be_tagged(self) -> bool:
        """Whether it may be a model in Ollama: that was named, or nobody was."""
        return self.seller == OLLAMA or (self.seller is None and self.given is None)

    @property
    def is_sold(self) -> bool:
        """Whether a source may be asked: a provider was named and nobody knows it else."""
        known = self.seller is not None or self.given is None or self.given in _PROXIES
        return known and not self.is_local and not self.opaque


def read_name(provider: str | None, model: str, known: Known) -> Spelled:
    """A name as it was given, read from the outside to the inside."""
    given = (provider or "").strip().lower() or None
    name = model.strip().lower()
    seller = None if given is None or given in _PROXIES else _seller_of(given, known)
    spelled = Spelled(given, seller, (name,))
    spelled = _without_routes(spelled, known)
    for read in (_read_arn, _read_bedrock, _read_azure, _read_google, _read_fireworks):
        spelled = read(spelled)
    return spelled._replace(
        others=(*spelled.others, *_undated(spelled)), family=_family(spelled.name),
        tuned=_tuned(spelled.name),
    )  # fmt: skip


def _seller_of(spelled: str, known: Known) -> str | None:
    if spelled in LOCAL:
        return LOCAL[spelled]
    found = known(spelled)
    if found is None:
        found = known(_ROUTES.get(spelled) or spelled.replace("_", "-"))
    return found


def _may_be(spelled: Spelled, seller: str) -> bool:
    """Whether it may be this provider's: that was named, or none was."""
    return spelled.seller == seller or (
        spelled.seller is None and spelled.given in (None, *_PROXIES)
    )


def _inside(spelled: Spelled, inner: str, step: str, seller: str | None = None) -> Spelled:
    """What is left when the outer part of a name is read."""
    return spelled._replace(
        names=(*spelled.names, inner), steps=(*spelled.steps, step),
        seller=spelled.seller or seller,
    )  # fmt: skip


def _without_routes(spelled: Spelled, known: Known) -> Spelled:
    """Without `litellm_proxy/`, then without the one provider before a slash."""
    before, _, after = spelled.name.partition("/")
    if after and before in _PROXIES:
        spelled = _inside(spelled, after, f"prefix {before}/")
        before, _, after = after.partition("/")
    if not after or before.startswith("arn:"):
        return spelled
    if before == "huggingface" and "/" in after:
        through, _, rest = after.partition("/")
        hosted = known(f"huggingface_{through}")
        if hosted is not None and _may_be(spelled, hosted):
            return _inside(spelled, rest, f"prefix {before}/{through}/", hosted)
    named = _seller_of(before, known)
    if named is None or not _may_be(spelled, named):
        return spelled
    if spelled.seller is None and before in _AUTHORS:
        return spelled
    return _inside(spelled, after, f"prefix {before}/", named)


def _read_arn(spelled: Spelled) -> Spelled:
    found = _ARN.fullmatch(spelled.name)
    if found is None or not _may_be(spelled, AWS):
        return spelled
    region, kind, inner = found.groups()
    if kind in _ARNS_OF_MODELS:
        return _inside(spelled, inner, f"ARN of type {kind} in {region or 'any region'}", AWS)
    return spelled._replace(
        seller=AWS,
        opaque=f"An ARN of type {kind} does not tell its model: name it under `deployments` in "
        "the file of own prices.",
    )


def _read_bedrock(spelled: Spelled) -> Spelled:
    if not _may_be(spelled, AWS):
        return spelled
    if spelled.seller == AWS:
        while found := _BEDROCK_PATH.match(spelled.name):
            inner = spelled.name[found.end() :]
            region = found["region"] or spelled.region
            spelled = _inside(spelled, inner, f"bedrock path {found[0]}")._replace(region=region)
        if _COMMITTED.match(spelled.name):
            return spelled._replace(opaque="Committed throughput is not sold by the token.")
    found = BEDROCK_NAME.match(spelled.name)
    if found is None or found.end() == len(spelled.name):
        return spelled
    region = "" if found["region"] is None else f"region {found['region']}, "
    step = f"bedrock {region}vendor {found['vendor']}"
    others = list(_bedrock_others(spelled.name, found["region"]))
    return spelled._replace(
        seller=AWS, steps=(*spelled.steps, step), others=(*spelled.others, *others)
    )


def _bedrock_others(name: str, region: str | None) -> Iterator[Other]:
    """Without the version; and without a region's name, but for the world's, a price of its own."""
    forms = [name]
    if region is not None and region != "global":
        forms.append(name[len(region) + 1 :])
        yield Other(forms[1], f"as answered from any region of {region}")
    for form in forms:
        bare = _BEDROCK_VERSION.sub("", form)
        if bare != form:
            yield Other(bare, f"version {form[len(bare) + 1 :]}")


def _read_azure(spelled: Spelled) -> Spelled:
    place, _, inner = spelled.name.partition("/")
    if spelled.seller != AZURE or place not in AZURE_REGIONS or not inner:
        return spelled
    return _inside(spelled, inner, f"azure region {place}")._replace(region=AZURE_REGIONS[place])


def _read_google(spelled: Spelled) -> Spelled:
    if not _may_be(spelled, GOOGLE):
        return spelled
    if found := _PUBLISHED.match(spelled.name):
        inner = spelled.name[found.end() :]
        spelled = _inside(spelled, inner, f"vertex publisher {found[1]}", GOOGLE)
    elif spelled.name.startswith("models/"):
        spelled = _inside(spelled, spelled.name.removeprefix("models/"), "path models/", GOOGLE)
    elif _ENDPOINT.match(spelled.name):
        return spelled._replace(
            seller=GOOGLE,
            opaque="An endpoint of one's own does not tell its model: name it under `deployments` "
            "in the file of own prices.",
        )
    return spelled


def _read_fireworks(spelled: Spelled) -> Spelled:
    if not spelled.name.startswith(_FIREWORKS) or not _may_be(spelled, FIREWORKS):
        return spelled
    return _inside(spelled, spelled.name.removeprefix(_FIREWORKS), f"path {_FIREWORKS}", FIREWORKS)


def _undated(spelled: Spelled) -> Iterator[Other]:
    """The names without a date, a version of Google's or `latest` at their end."""
    of_google = spelled.seller == GOOGLE or spelled.name.startswith("gemini")
    forms = [spelled.name, *(other.name for other in spelled.others)]
    if of_google and (found := _DASHED.match(spelled.name)):
        forms.append(f"{found[1]}.{spelled.name[found.end() :]}")
        yield Other(forms[-1], f"{spelled.name} with a dot in its version")
    for form in dict.fromkeys(forms):
        for pattern, word in ((_DATE, "dated id"), (_VERSION, "version"), (_LATEST, "alias")):
            found = pattern.search(form)
            if found is None or not found.start() or (word == "version" and not of_google):
                continue  # elsewhere -001 and -002 are models of their own
            if form[found.start()] == "@" and word == "dated id":
                yield Other(form.replace("@", "-"), f"dated id {form}")
            yield Other(form[: found.start()], f"{word} {form}")


def _family(name: str) -> str | None:
    found = _LATEST.search(name)
    return name[: found.start()] if found is not None and found.start() else None


def _tuned(name: str) -> str | None:
    if name.startswith("ft:"):
        return name.split(":")[1] or None
    before, _, after = name.partition(".ft-")
    return before if before and after else None


def is_tuned(name: str) -> bool:
    """Whether a name is that of a fine-tuned model."""
    return _tuned(name.lower()) is not None or ".ft-" in name.lower()


def tuned_names(base: str) -> tuple[Other, ...]:
    """What sources list fine-tuned models of a base as."""
    undated = _DATE.sub("", base)
    listed = dict.fromkeys((f"ft:{base}", f"ft:{undated}"))
    return tuple(Other(name, f"fine-tuned {base}") for name in listed)


def how_named(spelled: Spelled, listed: str) -> str:
    """The step from a name to the other one that a source matched it with, in words."""
    if spelled.seller == AWS:
        return f"listed as {listed}"
    for pattern, word in ((_DATE, "dated id"), (_VERSION, "version")):
        found = pattern.search(spelled.name)
        if found is not None and spelled.name[: found.start()] == listed:
            return f"{word} {spelled.name}"
    return f"alias {spelled.name} of {listed}"
