"""The pages of topics: their records, searches, and consumer groups."""

from collections.abc import Sequence
from urllib.parse import urlencode

from aiohttp import web

from app.console.api.context import CONTEXT
from app.console.api.problems import Problem, problem_of
from app.console.api.searches import answering
from app.console.api.topics import FOUND_MAX, RecordPage, found_records, group_by_name
from app.console.pages.render import page
from app.console.pages.tables import pretty
from app.host.parameters import path_name, query_of, text_of, texts, whole
from app.operations.search import topic_facts
from app.operations.search.consumer_groups import groups
from app.wire.topics import topic_name
from workflows.shared.errors import PayflowError
from workflows.shared.message import type_name
from workflows.shared.topic import declared

BAD, TOO_MANY, UNAVAILABLE = 400, 429, 503
STARTS = (
    ("latest:20", "the latest 20 of each partition"),
    ("earliest", "the beginning"),
)
EMITTED = "What is produced"
WAITING = "What waits or is dead-lettered"
KEPT = "Changelogs, and Kafka's own"
PARTS = (EMITTED, WAITING, KEPT)


async def every(request: web.Request) -> web.Response:
    """Return all topics."""
    internal = whole(request, "internal", 0, 0, 1) == 1
    async with answering():
        topics = await topic_facts.topics(request.app[CONTEXT].config, internal=internal)
    return await page(
        request, "topics.html", title="Topics", parts=_parts(topics), internal=internal
    )


def _parts(topics: Sequence[topic_facts.TopicFacts]) -> dict[str, list[topic_facts.TopicFacts]]:
    """Return the topics by their role."""
    parts: dict[str, list[topic_facts.TopicFacts]] = {name: [] for name in PARTS}
    for topic in topics:
        own = topic_name(topic.name).kind in ("internal", "changelog")
        waits = topic_name(topic.name).kind in ("dead", "redrive", "retry", "timer")
        parts[KEPT if own else WAITING if waits else EMITTED].append(topic)
    return parts


async def all_groups(request: web.Request) -> web.Response:
    """Return the consumer groups and their lag."""
    async with answering():
        consumer_groups = await groups(request.app[CONTEXT].config)
    return await page(request, "groups.html", title="Consumer groups", groups=consumer_groups)


async def one_group(request: web.Request) -> web.Response:
    """Return one group: its offset in each partition, and its members."""
    name = path_name(request, "name")
    async with answering():
        group = await group_by_name(request.app[CONTEXT].config, name)
    return await page(request, "group.html", title=f"Group {name}", group=group)


async def show(request: web.Request) -> web.Response:
    """Return one topic and the records searched in it; errors are shown beside the form."""
    name = path_name(request, "name")
    async with answering():
        about = await topic_facts.topic_facts(request.app[CONTEXT].config, name)
    form = _form(request)
    record_page: RecordPage | None = None
    trouble: Problem | None = None
    if query_of(request):
        try:
            record_page = await found_records(request)
        except PayflowError as error:
            trouble = problem_of(error)
            if trouble.status not in (BAD, TOO_MANY, UNAVAILABLE):
                raise
    return await page(
        request,
        "topic.html",
        status=trouble.status if trouble else 200,
        title=f"Topic {name}",
        about=about,
        asked=form,
        found=record_page,
        trouble=trouble,
        query=_query(form, "limit"),
        whole_query=_query(form),
        starts=STARTS,
        types=_types(name),
        most=FOUND_MAX,
        json=pretty,
    )


def _types(topic: str) -> list[str]:
    """Return the types of the messages on `topic`; none where it is not declared."""
    declaration = declared.get(topic)
    return [type_name(message) for message in declaration.messages] if declaration else []


def _form(request: web.Request) -> dict[str, str | list[str]]:
    """Return the form as it was filled in: a link to it is a saved search."""
    return {
        "q": list(texts(request, "q")),
        **{
            name: text_of(request, name) for name in ("cel", "from", "partition", "cursor", "limit")
        },
    }


def _query(form: dict[str, str | list[str]], *more: str) -> str:
    """Return the parameters of the search as a query, without the cursor, with `more`."""
    parameters = {name: form[name] for name in ("cel", "from", "partition", *more) if form[name]}
    return urlencode([*(("q", term) for term in form["q"]), *parameters.items()])
