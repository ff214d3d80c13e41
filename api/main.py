"""The application."""

import base64
import hashlib
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path

import fastapi_offline
from anyio import to_thread
from fastapi import FastAPI
from fastapi.middleware import Middleware
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

from api.http import errors, fair_queue, openapi, rate_limits, write_transaction
from api.http.clients import Held
from api.http.compression import CompressionMiddleware
from api.http.event_stream import Streams
from api.http.fair_queue import FairQueue
from api.http.fair_share import FairShare
from api.http.file_reading import FileReaders
from api.http.middleware import (
    AccessLogMiddleware,
    AddressMiddleware,
    BodyMiddleware,
    HeadMiddleware,
    ProblemCORSMiddleware,
    RequestIdMiddleware,
    ServerErrorMiddleware,
    StandingHeadersMiddleware,
    StateHeadersMiddleware,
)
from api.http.rate_limits import Limit, Limits
from api.http.read_route import ReadRoute
from api.http.readiness import Checks
from api.http.response_cache import Cache
from api.http.route_index import RouteIndex
from api.http.settling import SettlingMiddleware
from api.http.text_model import TextModel
from api.http.webhooks import Deliveries
from api.mcp import door
from api.routes import (
    api_keys,
    changes,
    citation_styles,
    claim_parts,
    claims,
    collections,
    curate,
    data_package,
    discussion,
    evidence,
    export,
    health,
    history,
    id_lookup,
    index,
    match,
    matrix,
    parse,
    pictures,
    relations,
    review,
    source_lookup,
    source_text,
    sources,
    suggest,
    topics,
    vocabularies,
    webhooks,
)
from api.settings import Settings, installed_version
from api.site import about, articles, check, curating, embed, feeds, home, lists, pages, search
from api.site import claims as claim_pages
from api.site import sources as source_pages
from api.site import topics as topic_pages
from models.core.notice import NOTICE
from models.database.connections import POOL_SIZE, SHORT_POOL_SIZE, connect
from models.search.synonyms import read_abbreviations, read_synonyms

# The first route that fits answers, so the most frequent ones come first.
MODULES = (
    claims,
    index,
    health,
    relations,
    history,
    pictures,
    evidence,
    matrix,
    claim_parts,
    match,
    parse,
    source_lookup,
    id_lookup,
    source_text,
    sources,
    suggest,
    collections,
    topics,
    changes,
    vocabularies,
    citation_styles,
    export,
    data_package,
    review,
    discussion,
    curate,
    api_keys,
    webhooks,
)
# Pages for people, which no document of the API names.
SITE = (
    home,
    articles,
    claim_pages,
    lists,
    search,
    check,
    topic_pages,
    source_pages,
    about,
    curating,
    embed,
    feeds,
    pages,
)
ROUTERS = (
    # Before the route of one claim, whose slug would be `sources`.
    sources.of_claims,
    *(module.router for module in MODULES),
    *(module.router for module in SITE),
    history.worded,
    changes.streamed,
    source_text.writes,
    review.reads,
    discussion.reads,
    api_keys.reads,
    api_keys.own,
    api_keys.declaring,
    webhooks.reads,
    check.pasted,
)
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]
SENT_HEADERS = [
    "Authorization",
    "Content-Type",
    "Idempotency-Key",
    "If-Match",
    "If-None-Match",
    "Last-Event-ID",
    # What agents in a browser send.
    "Mcp-Method",
    "Mcp-Name",
    "Mcp-Protocol-Version",
    "X-Request-ID",
]
SHOWN_HEADERS = [
    "Citation-Style",
    "ETag",
    "Idempotency-Replayed",
    "Link",
    "Location",
    "RateLimit",
    "RateLimit-Policy",
    "Retry-After",
    "X-Request-ID",
    "X-Serial",
]


def middleware(settings: Settings) -> list[Middleware]:
    """Return the middleware of every request, the outermost first."""
    cors = Middleware(
        ProblemCORSMiddleware,
        allow_origins=settings.cors_origins,
        allow_methods=METHODS,
        allow_headers=SENT_HEADERS,
        expose_headers=SHOWN_HEADERS,
    )
    return [
        Middleware(StandingHeadersMiddleware),
        cors,  # Outside all that refuses, so that the browser may read errors too.
        Middleware(RequestIdMiddleware),
        Middleware(AccessLogMiddleware),
        Middleware(StateHeadersMiddleware),
        Middleware(SettlingMiddleware),
        Middleware(HeadMiddleware),
        Middleware(ServerErrorMiddleware),
        Middleware(AddressMiddleware),
        Middleware(BodyMiddleware),
        Middleware(CompressionMiddleware),
    ]


class Application(FastAPI):
    """The application behind its cache, whose responses alone bypass the middleware."""

    cache: Cache
    # What stands in front of the cache: shares of the event loop, and a count of requests.
    entry: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.entry(scope, receive, send)


def create_app(settings: Settings) -> Application:
    """Return the application; its database must be migrated (see `claimbase serve`)."""
    database = connect(settings.database_url, settings.read_seconds, settings.read_database_url)
    streams = Streams(database, settings.stream_limit)
    deliveries = Deliveries(database, private=settings.webhook_private)
    work = Limit(rate_limits.WORK_SECONDS_PER_MINUTE)
    files = FileReaders(work)
    abbreviations = read_abbreviations(settings.seed_dir)
    text_model = TextModel(database, abbreviations, wanted=settings.match_model)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        files.open()
        text_model.start()
        app.state.readers.stopping = False
        metrics = app.state.metrics
        app.state.door = door.Door()
        watching = metrics.watching(app) if metrics else nullcontext()
        async with streams.polling(), deliveries.delivering(), watching:
            yield
        await app.state.door.close()
        await to_thread.run_sync(text_model.stop)
        files.close()
        database.close()

    def is_crowded() -> bool:
        # What stands in front of the application knows, and comes after it.
        return bool(app.state.fair_share.is_crowded())

    app = Application(
        title="Claimbase",
        summary="Claims, their evidence and its strength, as JSON.",
        description=f"{NOTICE} Every list is paged by `cursor`;"
        " every error is `application/problem+json`.",
        version=installed_version(),
        license_info={
            "name": "MIT (code) and CC0 1.0 (content)",
            "identifier": "MIT AND CC0-1.0",
        },
        contact={"name": "The maintainers of Claimbase"},
        servers=[{"url": "/", "description": "This server."}],
        openapi_url=None,  # `openapi.install` serves it.
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        # Our own log tells of each request, without any key; other telemetry takes time for each of
        # them.
        telemetry={"tracing": False, "metrics": False, "logs": False},
        lifespan=lifespan,
        middleware=middleware(settings),
        # A list of routes, since FastAPI searches included routers one by one for each request.
        routes=[
            route
            for router in (*ROUTERS, *([door.router] if door.is_installed() else []))
            for route in router.routes
        ],
    )
    app.state.settings = settings
    app.state.database = database
    app.state.writers = write_transaction.WriterThreads()
    # As many readers have a thread as there are connections; the others wait without a thread.
    app.state.readers = FairQueue(POOL_SIZE, fair_queue.MOST_LONG_READS, work, is_crowded)
    app.state.short_readers = FairQueue(SHORT_POOL_SIZE, SHORT_POOL_SIZE, work)
    app.state.checks = Checks(database)
    # How many connections each address has, which the server counts.
    app.state.connections = Held()
    # The clients to which an export is being sent.
    app.state.exports = set()
    app.state.streams = streams
    app.state.webhooks = deliveries
    app.state.files = files
    app.state.text_model = text_model
    app.state.error_page = pages.error_page
    app.state.synonyms = read_synonyms(settings.seed_dir)
    app.state.limits = Limits(
        Limit(settings.key_writes_per_minute),
        Limit(settings.address_writes_per_minute),
        Limit(rate_limits.FAILED_KEYS_PER_MINUTE),
        Limit(rate_limits.FILE_BYTES_PER_MINUTE),
        work,
    )
    errors.install(app)
    _offline_docs(app)
    openapi.install(app)
    app.router.middleware_stack = RouteIndex(app.router)
    app.cache = Cache(super(Application, app).__call__, database, settings.cache_mb * 2**20)
    app.entry = app.state.fair_share = FairShare(app.cache)
    app.state.metrics = None
    if settings.metrics_port is not None:
        # Imported here, since most run without.
        from api.http.metrics import CountingRequests, Metrics

        app.state.metrics = Metrics()
        app.entry = CountingRequests(app.entry, app.state.metrics)
    return app


def _offline_docs(app: FastAPI) -> None:
    """Serve the docs page from files of a package, so that it works without internet."""
    static = Path(fastapi_offline.__file__).parent / "static"
    app.mount("/docs/static", StaticFiles(directory=static), name="docs-static")

    page = get_swagger_ui_html(
        openapi_url="/openapi.json",
        title="Claimbase API",
        swagger_js_url="/docs/static/swagger-ui-bundle.js",
        swagger_css_url="/docs/static/swagger-ui.css",
        swagger_favicon_url="/docs/static/favicon.png",
    )
    # The page may run its own script and no other, and talk to this server alone. The script sets
    # inline styles.
    scripts = re.findall(rb"<script>(.*?)</script>", bytes(page.body), flags=re.DOTALL)
    hashes = [
        f"'sha256-{base64.b64encode(hashlib.sha256(script).digest()).decode()}'"
        for script in scripts
    ]
    page.headers["Content-Security-Policy"] = "; ".join(
        (
            "default-src 'none'",
            f"script-src 'self' {' '.join(hashes)}",
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data:",
            "connect-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
    )

    app.router.routes.append(ReadRoute("/docs", lambda: page, name="docs", include_in_schema=False))
