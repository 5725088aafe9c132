"""The contract: names, parameters and defaults that users rely on. More keyword options are welcome; renaming is not.

A signature is written as Python writes it. ``...`` as a default means: there is one, and leaving the parameter out means the same as the
plain value that the test of meanings below passes for it. What is planned is written down too, so that it comes under its name.
"""

from __future__ import annotations

import ast
import importlib
import inspect
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any

import pytest

from msgtrack import Delivery, Keyring, LinkRules, Policy, Tracker, collect, open_store
from msgtrack.errors import NotSupported
from msgtrack.links import CompiledMessage, MemoryRegistry
from msgtrack.metrics import catalogue, indicators
from msgtrack.model import PeoplePolicy
from msgtrack.redirect import RedirectHandler, Request
from msgtrack.reports import delivery_report, recipient_report

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
KEYS = Keyring.from_secrets("k" * 32)
TRACKER = Tracker(base_url="https://t.example.com", keyring=KEYS)
HTML = '<a href="https://shop.example/">Shop</a>'

BUILT: dict[str, str] = {
    "msgtrack:Keyring.from_secrets": "(sign_secret, *, verify_only=())",
    "msgtrack:Tracker": "(base_url, keyring, registry=None, link_style='stateless', url_format='compact', realm='')",
    "msgtrack:Tracker.compile": (
        "(self, *, html=None, text=None, delivery_id, variant='', rules=..., syntax='none', loaders=..., pixel='bottom', "
        "expires_at=None, kind='normal')"
    ),
    "msgtrack:Tracker.resolve": "(self, url)",
    "msgtrack:Tracker.track": (
        "(self, email_message, *, delivery_id, message_id, values=..., rules=..., policy=..., unsubscribe=None)"
    ),
    "msgtrack:Tracker.correlation": "(self, provider, *, delivery_id, message_id)",
    "msgtrack:Tracker.opt_out_url": "(self, *, delivery_id, message_id, variant='', policy=..., seed=False, kind='normal')",
    "msgtrack:Tracker.mirror_url": "(self, *, delivery_id, message_id, variant='', policy=..., seed=False, kind='normal')",
    "msgtrack:Tracker.preferences_url": "(self, *, delivery_id, message_id, variant='', policy=..., seed=False, kind='normal')",
    "msgtrack:LinkRules": "(*, rules=())",
    "msgtrack:Rule": "()",
    "msgtrack:Policy": "(*, opens=..., clicks=...)",
    "msgtrack:open_store": "(url)",
    "msgtrack.storage.sql:SqlStore": "(url=None, *, engine=None, schema=None, prefix='msgtrack_', busy_seconds=30.0)",
    "msgtrack.bulk:collect_logs": "(sources, store, *, tracker, now, people=None, tags=None, clients=None, progress=None)",
    "msgtrack:collect": "(sources, store, *, tracker, judge=None, consent=None, now, tags=None, clients=None)",
    "msgtrack.batch:tally_logs": (
        "(logs, *, tracker, format='combined', people=None, tags=None, clients=None, executor=None, rotated=False)"
    ),
    "msgtrack.links:CompiledMessage.render": "(self, *, message_id, values=..., policy=..., seed=False, unsubscribe=None)",
    "msgtrack.links:CompiledMessage.restore": "(self, text)",
    "msgtrack.links:MemoryRegistry": "()",
    "msgtrack.links:MemoryRegistry.publish": "(self, compiled)",
    "msgtrack.links:CompiledMessage.slots": "(self, *, message_id, values=..., policy=...)",
    "msgtrack.links:CompiledMessage.source": "(self, syntax)",
    "msgtrack.links:CompiledMessage.to_bytes": "(self)",
    "msgtrack.links:CompiledMessage.from_bytes": "(data)",
    "msgtrack.links:ManifestRegistry": "(folder, *, keep=256, make=True)",
    "msgtrack.links:ManifestRegistry.publish": "(self, compiled)",
    "msgtrack.redirect:RedirectHandler": (
        "(tracker, links=None, deliveries=None, mirror=None, preferences=None, people=..., fallback_url=None, new_source_id=..., *, "
        "check=None, block_unsigned=False, tags=None, texts=..., language=None, proxies=None, health=None, app_links=None, favicon=None)"
    ),
    "msgtrack.redirect:RedirectHandler.handle": "(self, request)",
    "msgtrack.redirect:Request": "(*, method, url, headers=(), body=b'', client_ip='', received_at)",
    "msgtrack.redirect:PeoplePolicy": "(*, key='cookie', cookie_domain='', gpc='no-key', client_ip='none')",
    "msgtrack.redirect:PageTexts": "(*, language='en', direction='ltr')",
    "msgtrack.redirect:TrustedProxies": "(*, networks=(), header='x-forwarded-for', local=False)",
    "msgtrack.redirect:TrustedProxies.client_of": "(self, request)",
    "msgtrack.redirect:AppLinks": "(*, apple=(), android=...)",
    "msgtrack.webtags:WebTag": "(*, identifier, type=..., label='', source_url='', folder='', expires_at=None)",
    "msgtrack.webtags:WebTags": (
        "(*, tags=..., mode=..., on_the_fly=True, track_visitors=False, hex_job_ids=True, identify=None)"
    ),
    "msgtrack.webtags:WebTags.read": "(self, url)",
    "msgtrack.webtags:WebTags.learnt": "(self, url)",
    "msgtrack.webtags:tag_code": "(base_url, tag, parameters=())",
    "msgtrack.visits:completed": "(visits, clicks)",
    "msgtrack.visits:complete_visits": "(store, *, since=None)",
    "msgtrack.links:StoreRegistry": "(store)",
    "msgtrack.links:StoreRegistry.publish": "(self, compiled)",
    "msgtrack.links:StoreRegistry.retarget": "(self, key, url, *, at, by='')",
    "msgtrack.links:ManifestRegistry.retarget": "(self, key, url, *, at, by='')",
    "msgtrack.links:MemoryRegistry.retarget": "(self, key, url, *, at, by='')",
    "msgtrack.links:check_links": "(links, *, tracker, at=None)",
    "msgtrack.links:SentLink": "(*, url, destination='', delivery_id=None, message_id=None)",
    "msgtrack.clients:ClientReader": "(*, remembered=10_000)",
    "msgtrack.logs:parse": "(lines, format='combined', tracker=None, judge=None, *, clients=None)",
    "msgtrack.logs:formats.names": "()",
    "msgtrack.logs:formats.get": "(name)",
    "msgtrack.logs:formats.detect": "(lines)",
    "msgtrack.logs:formats.nginx": "(log_format, *, escape='default', roles=None)",
    "msgtrack.logs:formats.apache": "(log_format, *, roles=None, zone=...)",
    "msgtrack.logs:formats.haproxy": "(*, captures=(), zone=...)",
    "msgtrack.logs:formats.json_lines": "(fields, *, name='json', description='', zone=...)",
    "msgtrack.logs:formats.reference_page": "()",
    "msgtrack.logs:formats.LogFormat.reader": "(self, state='')",
    "msgtrack.logs:formats.LogFormat": "(*, name, description, parse_line=None, begin=None, reads=())",
    "msgtrack.logs:formats.Reads": "(*, field, becomes, note='')",
    "msgtrack.logs:formats.Detection": "(*, name, reason, lines, read)",
    "msgtrack.metrics:indicators.__call__": (
        "(store, delivery_id, *, audience='all', since=None, until=None, zone='UTC', now=None)"
    ),
    "msgtrack.metrics:indicators.from_events": "(delivery, messages, links, events, *, audience='all', zone='UTC')",
    "msgtrack.metrics:Table.__getitem__": "(self, key)",
    "msgtrack.metrics:Table.series": "(self, key, by)",
    "msgtrack.reports:delivery_report": "(store, *, delivery_id, zone='UTC', now, language='en', content=None, audience='all')",
    "msgtrack.reports:Report.html": "(self)",
    "msgtrack.reports:Report.csv": "(self)",
    "msgtrack.reports:Report.json": "(self)",
    "msgtrack.reports:Report.text": "(self)",
    "msgtrack.reports:Report.fragment": "(self, name)",
    "msgtrack.web.asgi:TrackingApp": "(handler, *, record=None, on_shutdown=None, clock=..., observe=None)",
    "msgtrack.web.wsgi:TrackingApp": "(handler, *, record=None, clock=..., observe=None)",
    "msgtrack.web.django:tracking_urls": "(handler, *, record=None, clock=..., observe=None)",
    "msgtrack.web.django:tracking_view": "(handler, *, record=None, clock=..., observe=None)",
    "msgtrack.web.flask:tracking_blueprint": "(handler, *, record=None, clock=..., observe=None, name='msgtrack')",
    "msgtrack.web.starlette:tracking_mount": "(path, handler, *, record=None, clock=..., observe=None, name='msgtrack')",
    "msgtrack.web.metrics:RequestMetrics": "(registry)",
    "msgtrack.web.nginx:keys_module": "(keyring, realm='')",
    "msgtrack.web.nginx:script": "()",
    "msgtrack.web.metrics:RequestMetrics.observe": "(self, reason, seconds)",
    "msgtrack.io:SegmentWriter": (
        "(folder, *, max_bytes=67108864, max_age_seconds=86400.0, sync_seconds=0.05, sync_hits=1000, compress=False, clock=...)"
    ),
    "msgtrack.io:SegmentWriter.write": "(self, hit)",
    "msgtrack.io:SegmentWriter.health": "(self)",
    "msgtrack.io:SegmentFolder.read": "(self, position)",
    "msgtrack.io:compress_segments": "(folder)",
    "msgtrack.storage:BaseStore.counts": "(self, query=...)",
    "msgtrack.storage:BaseStore.slots": "(self, query=...)",
    "msgtrack.storage:BaseStore.rebuild": "(self, delivery_ids=None)",
    "msgtrack.storage:BaseStore.revise": "(self, *, records=(), events=(), remove=(), remove_events=())",
    "msgtrack.storage:BaseStore.export": "(self, recipient_id)",
    "msgtrack.storage:BaseStore.erase": "(self, recipient_id, *, now=None, anonymise=True)",
    "msgtrack.storage:BaseStore.purge": "(self, before, *, now=None, zones=...)",
    "msgtrack.storage:MemoryStore.save": "(self, path)",
    "msgtrack.storage:MemoryStore.load": "(path)",
    "msgtrack.upkeep:Retention.before": "(self, now)",
    "msgtrack.testing:StoreSuite": "()",
    "msgtrack.testing:StoreAgreement": "()",
    "msgtrack.testing:FrontendSuite": "()",
    "msgtrack.testing:LogFormatSuite": "()",
}

# Names that are to come, by the signature they will have.
PLANNED: dict[str, str] = {
    "msgtrack.logs:webhooks.receive": "(provider, *, headers, body, credentials, url=None, received_at, identify=None)",
    "msgtrack.logs:bounces.parse": "(raw_message, *, received_at, identify=None)",
    "msgtrack.verdicts:Judge": "()",
    "msgtrack.reports:recipient_report": "(store, *, recipient_id, zone='UTC', now)",
}


def _compiled() -> CompiledMessage:
    return TRACKER.compile(html=HTML, delivery_id="spring")


# Options and calls that are there by name and refuse; the call shows how they will be used.
REFUSED: dict[str, Callable[[], object]] = {
    "recipient_report": lambda: recipient_report(open_store("memory:"), recipient_id="r7", now=NOON),
    "parse(judge=)": lambda: list(_parse()([], judge=object())),
    "collect(judge=)": lambda: collect({}, open_store("memory:"), tracker=TRACKER, now=NOON, judge=object()),  # type: ignore[arg-type]
    "collect(consent=)": lambda: collect({}, open_store("memory:"), tracker=TRACKER, now=NOON, consent=object()),  # type: ignore[arg-type]
    "delivery_report(content=)": lambda: delivery_report(
        _small_store(), delivery_id="1", now=NOON, content=_compiled()
    ),
}


def _parse() -> Callable[..., Any]:
    return getattr(importlib.import_module("msgtrack.logs"), "parse")  # noqa: B009  # its judge is typed None for now


def _small_store() -> Any:
    store = open_store("memory:")
    store.put([Delivery(id="1")])
    return store


def _find(name: str) -> Any:
    module, _, path = name.partition(":")
    return attrgetter(path)(importlib.import_module(module))


def _frozen(text: str) -> list[tuple[str, bool, str | None]]:
    """Of each parameter: its name, whether it is keyword-only, and its default as text."""
    function = ast.parse(f"def f{text}: ...").body[0]
    assert isinstance(function, ast.FunctionDef)
    arguments = function.args
    defaults = [None] * (len(arguments.args) - len(arguments.defaults)) + [
        ast.unparse(item) for item in arguments.defaults
    ]
    positional = [(item.arg, False, default) for item, default in zip(arguments.args, defaults, strict=True)]
    keyword = [
        (item.arg, True, None if default is None else ast.unparse(default))
        for item, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    ]
    return positional + keyword


def _check(name: str, text: str, function: Any = None) -> None:
    """The parameters of ``name`` are those of ``text``; it may have more, as long as nobody needs to give them."""
    actual = inspect.signature(_find(name) if function is None else function).parameters
    frozen = _frozen(text)
    order = [parameter.name for parameter in actual.values() if parameter.kind is not parameter.KEYWORD_ONLY]
    for place, (parameter, is_keyword_only, default) in enumerate(frozen):
        assert parameter in actual, f"{name} has no parameter {parameter!r}; the contract says {text}"
        found = actual[parameter]
        assert found.kind in (found.POSITIONAL_OR_KEYWORD, found.KEYWORD_ONLY), f"{name}: {parameter} cannot be named"
        if not is_keyword_only:
            assert order[place : place + 1] == [parameter], (
                f"{name}: {parameter} is not at place {place}; the contract says {text}"
            )
        if default is None:
            assert found.default is found.empty, f"{name}: {parameter} has a default, the contract has none"
        else:
            assert found.default is not found.empty, f"{name}: {parameter} has no default; the contract says {default}"
            assert default == "..." or repr(found.default) == default, (
                f"{name}: {parameter}={found.default!r}, not {default}"
            )
    known = {parameter for parameter, _, _ in frozen}
    for parameter in actual.values():
        is_free = (
            parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
            or parameter.default is not parameter.empty
        )
        assert parameter.name in known or is_free, (
            f"{name} asks for {parameter.name!r}, which the contract does not know"
        )


def _sample(first: str, *, second: int = 2, third: object = None, **more: object) -> None: ...


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("(first, *, second=2, third=None)", ""),
        ("(first, *, second=2)", ""),
        ("(first, *, third=...)", ""),
        ("(frist, *, second=2)", "no parameter 'frist'"),
        ("(first, *, second=3)", "second=2, not 3"),
        ("(first, *, second)", "has a default"),
        ("(first=1)", "has no default"),
        ("(*, second=2)", "asks for 'first'"),
        ("(first, second=2)", "not at place 1"),
    ],
)
def test_the_check_notices(text: str, complaint: str) -> None:
    if not complaint:
        _check("sample", text, _sample)
        return
    with pytest.raises(AssertionError, match=complaint):
        _check("sample", text, _sample)


@pytest.mark.parametrize("name", BUILT)
def test_what_is_built_keeps_its_signature(name: str) -> None:
    _check(name, BUILT[name])


@pytest.mark.parametrize("name", PLANNED)
def test_what_is_planned_comes_under_its_name(name: str) -> None:
    """Either it is not there (an import or a look-up that fails, or says that it is not supported), or it is as written here."""
    try:
        found = _find(name)
    except (ImportError, AttributeError, NotSupported):
        return
    if PLANNED[name]:
        _check(name, PLANNED[name])
    short = name.partition(":")[2]
    assert short in REFUSED, f"{name} is there now ({found!r:.60}): move its row from PLANNED to BUILT"


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_there_yet_says_so(name: str) -> None:
    said = ""
    try:
        REFUSED[name]()
    except NotSupported as error:
        said = str(error)
    assert said, (
        f"{name} is built now: drop its row from REFUSED, and move its signature from PLANNED to BUILT if it has one"
    )
    assert " yet" in said, f"{name}: say that it is not there yet, so that people know it is planned: {said}"


@pytest.mark.parametrize("name", ["msgtrack.logs:webhooks", "msgtrack.logs:bounces"])
def test_a_planned_module_says_so_by_attribute(name: str) -> None:
    with pytest.raises(NotSupported, match="not there yet"):
        _find(name)


def test_the_root_has_these_names() -> None:
    module = importlib.import_module("msgtrack")
    names = {
        "Tracker",
        "Keyring",
        "LinkRules",
        "Rule",
        "Policy",
        "Delivery",
        "Message",
        "TrackedLink",
        "open_store",
        "collect",
    }
    assert names <= set(module.__all__)


MODULES: Mapping[str, str] = {
    "msgtrack.links": "MemoryRegistry ManifestRegistry CompiledMessage Edit Finding LinkDecision Placeholder RenderedMessage UrlFormat",
    "msgtrack.redirect": "RedirectHandler Request Outcome Response PeoplePolicy",
    "msgtrack.logs": "parse formats",
    "msgtrack.events": (
        "Event Open Click MirrorPageView OptOutClick PageVisit Transaction Sent Delivered Deferred Bounced Complained Unsubscribed "
        "Subscribed Unknown"
    ),
    "msgtrack.hits": "Hit Rejected",
    "msgtrack.metrics": "indicators catalogue Table Value",
    "msgtrack.reports": "delivery_report recipient_report Report",
    "msgtrack.web.asgi": "TrackingApp",
    "msgtrack.web.wsgi": "TrackingApp",
    "msgtrack.io": "AccessLogFile ManifestRegistry SegmentFolder SegmentHealth SegmentWriter compress_segments",
    "msgtrack.testing": "FrontendSuite StoreSuite StoreAgreement gateways strategies",
    "msgtrack.protocols": "Store Resolver Source Query Checkpoint WorkflowRun Capabilities AuditEntry FrozenCounts ColumnStore LineSource",
    "msgtrack.storage": "BaseStore MemoryStore open_store",
}


@pytest.mark.parametrize("name", MODULES)
def test_modules_have_these_names(name: str) -> None:
    module = importlib.import_module(name)
    assert set(MODULES[name].split()) <= set(module.__all__)


def test_leaving_out_means_the_plain_value() -> None:
    """What ``...`` stands for in the signatures above."""
    short = TRACKER.compile(html=HTML, text="see https://shop.example/", delivery_id="spring")
    long = TRACKER.compile(
        html=HTML, text="see https://shop.example/", delivery_id="spring", rules=LinkRules(), loaders={}
    )
    assert (short.links, short.decisions, short.edits) == (long.links, long.decisions, long.edits)
    assert short.render(message_id="7") == long.render(message_id="7", values={}, policy=Policy())
    assert Policy() == Policy(opens="identified", clicks="identified")
    request = Request(method="GET", url="/no/such-link", received_at=NOON)
    assert RedirectHandler(TRACKER).handle(request) == RedirectHandler(TRACKER, people=PeoplePolicy()).handle(request)


def test_registered_links_work_as_written() -> None:
    registry = MemoryRegistry()
    tracker = Tracker(base_url="https://t.example.com", keyring=KEYS, registry=registry, link_style="registered")
    compiled = tracker.compile(html=HTML, delivery_id="spring")
    registry.publish(compiled)
    registry.publish(compiled)
    assert compiled.render(message_id="7").html


def test_the_hosted_opt_out_works_as_written() -> None:
    compiled = _compiled()
    headers = compiled.render(message_id="7", unsubscribe="hosted").headers
    url = TRACKER.opt_out_url(delivery_id="spring", message_id="7")
    assert url == TRACKER.opt_out_url(delivery_id="spring", message_id="7", policy=Policy())
    assert headers == {"List-Unsubscribe": f"<{url}>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}
    two = compiled.render(message_id="7", unsubscribe=("hosted", "mailto:leave@shop.example")).headers
    assert two["List-Unsubscribe"] == f"<{url}>, <mailto:leave@shop.example>"
    handler = RedirectHandler(TRACKER)
    asked = handler.handle(Request(method="GET", url=url, received_at=NOON))
    left = handler.handle(Request(method="POST", url=url, body=b"List-Unsubscribe=One-Click", received_at=NOON))
    assert (asked.response.status, asked.reason) == (200, "opt-out-page")
    assert (left.response.status, left.reason) == (200, "opt-out")
    assert TRACKER.resolve(url).hosted == "opt-out"


def test_indicators_work_as_written() -> None:
    table = indicators.from_events(Delivery(id="1", to_deliver=4), [], [], [])
    assert table["raw_reactivity"].value is None
    assert catalogue["url_clicks"].shape != "scalar"
    assert "label" in catalogue["url_clicks"].shape
    assert dict(table.series("url_clicks", by="label")) == {}
