"""Run uvicorn with timeouts for slow clients, errors as problem+json, and a bounded shutdown."""

import asyncio
import errno
import gc
import logging
import math
import re
import socket
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from threading import Thread
from typing import Any

import uvicorn
from fastapi import FastAPI
from pydantic_core import to_json
from pythonjsonlogger.core import RESERVED_ATTRS
from pythonjsonlogger.json import JsonFormatter
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import _TrustedHosts as TrustedHosts
from uvicorn.protocols.http.flow_control import service_unavailable
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.supervisors import Multiprocess

from api.http import request_body
from api.http.clients import Held, address_of_host
from api.http.errors import MEDIA_TYPE, PROBLEM_TYPES, problem_body
from api.http.middleware import DISCLAIMER, SECURITY_HEADERS, StandingHeadersMiddleware
from api.settings import Settings
from models.access.api_keys import redact_keys

# How long the rest of a body is read and discarded after an early response, so that the client
# receives that response.
LINGER_SECONDS = 5
# How many bytes a second of it are read: what was refused must cost less than what is served.
LINGER_PACE = 1_000_000
# How long a client may take to send the headers, and how long an idle connection stays open.
HEADER_SECONDS = 10.0
# How soon a thread that computes lets the event loop go on. Python's own 5 ms are many requests.
SWITCH_SECONDS = 0.0005
KEEP_ALIVE_SECONDS = 5
# The most bytes of a request line, headers and trailers together, and the most header fields. An
# address may have 8 kB and a client's headers rarely have 4 kB; what exceeds this is held in
# memory for nothing.
MOST_HEAD_BYTES = 64 * 1024
MOST_FIELDS = 200
# The most requests of a connection that wait for the response to one before them.
MOST_PIPELINED = 16
# The characters of a host and a port (RFC 3986 section 3.2); a Host header is part of links.
HOST = re.compile(rb"[A-Za-z0-9!$&'()*+,;=._~%:\[\]-]*")
# How long a shutdown waits for open requests. It must be less than the ten seconds after which a
# container runtime kills the process.
SHUTDOWN_SECONDS = 8
# How long a worker process may take to answer its supervisor, which kills it otherwise. A worker
# that is starting does not answer, and on a slow machine a start takes longer than uvicorn's five
# seconds.
WORKER_SECONDS = 60
# What binding an address says that this machine does not have.
NO_SUCH_ADDRESS = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)
# So many scrapes at once have an answer: a Prometheus asks by one connection, and few of them ask.
MOST_SCRAPES = 10
# How long a scrape may take once the server has stopped.
EXPORTER_SHUTDOWN_SECONDS = 1

log = logging.getLogger("claimbase.metrics")
log_of_uvicorn = logging.getLogger("uvicorn.error")


class Clock:
    """Calls a function after some seconds, unless it is stopped or set again before then.

    Each request sets and stops several clocks, so this must be cheap. A timer that is due too early
    is therefore not cancelled: when it fires, it starts again for the remaining time.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0
        self._end = math.inf
        self._then: Callable[[], object] = lambda: None

    def set(self, seconds: float, then: Callable[[], object]) -> None:
        """Call `then` after `seconds`, in place of any call that is pending."""
        self._end, self._then = self._loop.time() + seconds, then
        if self._timer is None or self._due > self._end:
            self._arm()

    def stop(self) -> None:
        """Drop the pending call, if there is one. The clock can be set again."""
        self._end = math.inf

    @property
    def running(self) -> bool:
        """Return whether a call is pending."""
        return self._end < math.inf

    def let_go(self) -> None:
        """Drop the pending call and cancel the timer, because the clock is no longer needed."""
        self.stop()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._due, self._timer = self._end, self._loop.call_at(self._end, self._ring)

    def _ring(self) -> None:
        self._timer = None
        if self._loop.time() < self._end < math.inf:
            self._arm()
        elif self.running:
            self.stop()
            self._then()


class BadHead(Exception):
    """The head of a request, or its trailers, cannot be accepted; `code` says why."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code, self.detail = code, detail


class Impatient(HttpToolsProtocol):
    """One connection, with timeouts for slow headers, slow bodies and slow reading of responses.

    At any time at most one clock runs for what the client sends, and one for what it receives.
    Headers and trailers are bounded.
    """

    config: "Config"
    reading: Clock
    writing: Clock
    address: str
    from_proxy: bool
    # True from the end of a request's headers to the end of its body.
    in_body = False
    # After a refusal all that the client still sends is discarded.
    refused = False
    bad_head: BadHead | None = None
    # Of the request under way: the bytes of its address, headers and trailers, and their fields.
    head_bytes = 0
    fields = 0
    # Bytes since the parser last reported anything: it reports a header once it is complete.
    silent_bytes = 0
    # Set while nothing is read, because enough was discarded for now.
    pause: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        self.reading, self.writing = Clock(self.loop), Clock(self.loop)
        super().connection_made(transport)
        host = self.client[0] if self.client else ""
        self.from_proxy, self.address = host in self.config.proxies, address_of_host(host)
        self.config.connections[self.address] += 1
        if not self.from_proxy and self.config.is_flooded(self.address):
            # It would hold a place until its first request, which may never come.
            self.transport.abort()
            return
        self.reading.set(HEADER_SECONDS, self._headers_too_late)

    def data_received(self, data: bytes) -> None:
        if self.refused or (self.in_body and self.cycle.response_complete):
            self._pause_reading(len(data) / LINGER_PACE)
        if self.refused:
            return
        self.silent_bytes += len(data)
        super().data_received(data)
        if self.head_bytes + self.silent_bytes > MOST_HEAD_BYTES:
            self._refuse("headers_too_large", _too_large())
        # Uvicorn cancels its keep-alive timeout at any byte, even if no request begins. Without
        # this clock, such a connection could stay open for ever.
        if not self.reading.running and self.timeout_keep_alive_task is None and self._idle():
            self.reading.set(HEADER_SECONDS, self._headers_too_late)

    def _pause_reading(self, seconds: float) -> None:
        self.flow.pause_reading()
        self.pause = self.loop.call_later(seconds, self.flow.resume_reading)

    def on_message_begin(self) -> None:
        self.head_bytes = self.fields = self.silent_bytes = 0
        if len(self.pipeline) >= MOST_PIPELINED:
            # A response in the midst of others would be taken for one of theirs.
            self.refused = True
            self.transport.abort()
            self._stop_parsing(BadHead("malformed_request", "Too many requests wait."))
        super().on_message_begin()
        if not self.reading.running and self._idle():
            self.reading.set(HEADER_SECONDS, self._headers_too_late)

    def on_url(self, url: bytes) -> None:
        self._count_head(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self.fields += 1
        self._count_head(len(name) + len(value))
        # Trailers come after the body has been handed on, and nothing here reads any.
        if not self.in_body:
            super().on_header(name, value)

    def on_chunk_header(self) -> None:
        self.silent_bytes = 0

    def on_body(self, body: bytes) -> None:
        self.silent_bytes = 0
        super().on_body(body)

    def _count_head(self, size: int) -> None:
        self.silent_bytes = 0
        self.head_bytes += size
        if self.head_bytes > MOST_HEAD_BYTES or self.fields > MOST_FIELDS:
            self._stop_parsing(BadHead("headers_too_large", _too_large()))

    def _stop_parsing(self, reason: BadHead) -> None:
        """Make the parser fail, which ends in `send_400_response`."""
        self.bad_head = reason
        raise reason

    def on_headers_complete(self) -> None:
        self.silent_bytes = 0
        hosts = [value for name, value in self.headers if name == b"host"]
        if (detail := _fault_of_host(hosts, self.parser.get_http_version())) is not None:
            self._stop_parsing(BadHead("malformed_request", detail))
        self.reading.stop()
        super().on_headers_complete()
        self.in_body = True

    def on_message_complete(self) -> None:
        self.silent_bytes = 0
        self.in_body = False
        super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.transport.is_closing():
            # The transport closes only once the client has received all that was written, which a
            # client could delay for ever.
            self.reading.set(request_body.BODY_SECONDS, self.transport.abort)
        elif self.in_body:
            self._unset_keepalive_if_required()
            self.reading.set(LINGER_SECONDS, self.transport.close)

    def shutdown(self) -> None:
        # Event streams never end by themselves, and uvicorn waits for open responses.
        self.config.stop_work()
        super().shutdown()

    def timeout_keep_alive_handler(self) -> None:
        super().timeout_keep_alive_handler()
        self.reading.set(request_body.BODY_SECONDS, self.transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        self.reading.let_go()
        if self.pause is not None:
            self.pause.cancel()
        self.resume_writing()
        self.writing.let_go()
        self.pipeline.clear()
        super().connection_lost(exc)
        self.config.connections.release(self.address)

    def pause_writing(self) -> None:
        super().pause_writing()
        # This aborts because `close` would wait until the client has received all that was written.
        self.writing.set(request_body.BODY_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        self.writing.stop()
        super().resume_writing()

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:
        # Behind a proxy are many clients, so it may have all connections.
        shared = not self.from_proxy and self.config.is_crowded(self.address)
        crowded = shared or app is service_unavailable
        if crowded:
            self.config.count_problem("unavailable")
        ours: Any = _busy if crowded else app
        super()._start_asgi_task(cycle, ours)

    def send_400_response(self, msg: str) -> None:
        reason = self.bad_head or BadHead("malformed_request", msg)
        self._refuse(reason.code, reason.detail)

    def _idle(self) -> bool:
        return not self.in_body and (self.cycle is None or self.cycle.response_complete)

    def _headers_too_late(self) -> None:
        detail = f"The headers were not complete within {HEADER_SECONDS:g} seconds."
        self._refuse("request_timeout", detail)

    def _refuse(self, code: str, detail: str) -> None:
        """Send a problem for bytes that are not a valid request, and close the connection.

        What the client still sends is discarded for a while, since to close a connection with
        unread bytes would take the answer from the client.
        """
        if self.refused or self.transport.is_closing():
            return
        self.refused = True
        self.config.count_problem(code)
        if self.cycle is not None and not self.cycle.response_complete:
            # These are trailers, and the request that they end gets no answer of its own.
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if self.in_body and self.cycle.response_started:
            self.transport.close()
            return
        content = to_json(problem_body(code, detail))
        headers = {
            **SECURITY_HEADERS,
            "Link": DISCLAIMER,
            "Content-Type": MEDIA_TYPE,
            "Content-Length": str(len(content)),
            "Connection": "close",
        }
        lines = [*(f"{name}: {value}".encode() for name, value in headers.items()), b"", content]
        self.transport.write(STATUS_LINE[PROBLEM_TYPES[code].status] + b"\r\n".join(lines))
        if not self.transport.can_write_eof():
            self.transport.close()
            return
        self.transport.write_eof()
        self.reading.set(LINGER_SECONDS, self.transport.abort)


def _too_large() -> str:
    return (
        f"The address, headers and trailers of a request have at most {MOST_HEAD_BYTES:,} bytes"
        f" and {MOST_FIELDS} fields."
    )


def _fault_of_host(hosts: list[bytes], http_version: str) -> str | None:
    """Return what is wrong with the Host header, or None (RFC 9112 section 3.2)."""
    if len(hosts) > 1:
        return f"The request has {len(hosts)} Host headers."
    if not hosts:
        return "The request has no Host header." if http_version == "1.1" else None
    return None if HOST.fullmatch(hosts[0]) else "The Host header is not a host and a port."


async def _busy(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer 503, because the limit of connections is reached."""
    content = to_json(problem_body("unavailable", "Too many connections at once. Try again later."))
    headers = {
        **PROBLEM_TYPES["unavailable"].headers,
        "Content-Type": MEDIA_TYPE,
        "Content-Length": str(len(content)),
        "Connection": "close",
    }

    async def answer(_scope: Scope, _receive: Receive, send: Send) -> None:
        raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": 503, "headers": raw})
        await send({"type": "http.response.body", "body": content})

    await StandingHeadersMiddleware(answer)(scope, receive, send)


class Config(uvicorn.Config):
    """The configuration of uvicorn; with several processes, each creates its own application."""

    app: Any
    proxies: TrustedHosts

    def __init__(
        self,
        app: FastAPI | Callable[[], FastAPI] | ASGIApp,
        settings: Settings,
        *,
        logged: bool = True,
    ) -> None:
        self.settings = settings
        # The number of open connections of each address.
        self.connections = Held()
        self.cuts_off_floods = True
        super().__init__(
            app,
            host=settings.host,
            port=settings.port,
            workers=settings.workers,
            http=Impatient,
            ws="none",
            log_config=logs(settings) if logged else None,
            access_log=False,
            server_header=False,
            forwarded_allow_ips=settings.trusted_proxies,
            limit_concurrency=settings.limit_concurrency,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=SHUTDOWN_SECONDS,
            timeout_worker_healthcheck=WORKER_SECONDS,
        )

    def _load(self) -> None:
        # It cannot be handed to another process, so each makes its own.
        self.proxies = TrustedHosts(self.settings.trusted_proxies)
        super().load()

    def count_problem(self, code: str) -> None:
        """Count an answer with an error that the application does not give."""
        if (metrics := self.app.state.metrics) is not None:
            metrics.count_problem(code)

    def stop_work(self) -> None:
        """End what a stop does not wait for, such as streams, which never end by themselves."""
        self.app.state.streams.close()
        self.app.state.files.stop()
        self.app.state.readers.stop()

    def is_crowded(self, address: str) -> bool:
        """Return whether an address has more than half of all connections that may be open."""
        return self.connections[address] > max(1, self.settings.limit_concurrency // 2)

    def is_flooded(self, address: str) -> bool:
        """Return whether an address has more than three quarters of them, so that others would
        soon find no place.
        """
        most = max(2, self.settings.limit_concurrency * 3 // 4)
        return self.cuts_off_floods and self.connections[address] > most

    def load(self) -> None:
        """Create the application if it does not exist yet, and load the configuration."""
        if not isinstance(self.app, FastAPI):
            self.app = self.app()
        self.connections = self.app.state.connections
        self._load()
        # These objects live as long as the process. If the garbage collector scanned them again and
        # again, that would take a tenth of the time of a read.
        gc.freeze()
        sys.setswitchinterval(SWITCH_SECONDS)


def bind(host: str, port: int) -> list[socket.socket]:
    """Take a port at each address of a host, without listening yet. Raises OSError if it cannot."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    addresses = dict.fromkeys((family, address) for family, *_, address in found)
    bound: list[socket.socket] = []
    faults: list[OSError] = []
    # Port 0 is any that is free, so that it would be another one at each address.
    for family, address in list(addresses)[: None if port else 1]:
        try:
            bound.append(_bound(family, address))
        except OSError as error:
            faults.append(error)
    # A name may have an address that the machine does not have, such as ::1.
    faults = [error for error in faults if error.errno not in NO_SUCH_ADDRESS or not bound]
    if faults:
        for each in bound:
            each.close()
        raise faults[0]
    return bound


def _bound(family: int, address: Any) -> socket.socket:
    taken = socket.socket(family)
    try:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            # Otherwise it would take the port of all IPv4 addresses, too.
            taken.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        taken.bind(address)
    except OSError:
        taken.close()
        raise
    # Worker processes take it over.
    taken.set_inheritable(True)
    return taken


def run(
    app: FastAPI | Callable[[], FastAPI],
    settings: Settings,
    listening: list[socket.socket] | None = None,
) -> bool:
    """Serve until a signal stops the server, and return whether it could start.

    With several processes, `app` is a function that returns the application. `listening` are
    sockets of `bind`; without them it binds what the settings say.
    """
    config = Config(app, settings)
    listening = listening or bind(settings.host, settings.port)
    if settings.metrics_port is None:
        return _run(config, listening)
    try:
        scraped = _listen(settings.metrics_host, settings.metrics_port)
    except OSError as error:
        place = f"{settings.metrics_host}:{settings.metrics_port}"
        log.error(  # noqa: TRY400 - The reason says it all.
            f"The metrics cannot be served at {place}: {error.strerror or error}."
            " Set CLAIMBASE_METRICS_PORT and CLAIMBASE_METRICS_HOST."
        )
        return False
    with scraped, _metrics_served(config, scraped):
        return _run(config, listening)


def _tell_where(listening: Iterable[socket.socket]) -> None:
    """Log where the server listens, as uvicorn does where it has bound the address itself."""
    for each in listening:
        host, port, *_ = each.getsockname()
        host = f"[{host}]" if ":" in host else host
        log_of_uvicorn.info(f"Uvicorn running on http://{host}:{port} (Press CTRL+C to quit)")


class Server(uvicorn.Server):
    """The server, which says where it listens also if the socket was bound before."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and say where it listens."""
        await super().startup(sockets)
        _tell_where(sockets or [])


def _run(config: Config, listening: list[socket.socket]) -> bool:
    if config.workers > 1:
        _tell_where(listening)
        Multiprocess(config, listening).run()
        return True
    server = Server(config)
    # uvicorn raises the signal again after an orderly stop.
    with suppress(KeyboardInterrupt):
        server.run(listening)
    return server.started


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family)


class ExporterConfig(Config):
    """The configuration of the server of the metrics, which has the same limits on clients."""

    def __init__(self, exporter: ASGIApp, settings: Settings) -> None:
        own = {"workers": 1, "trusted_proxies": [], "limit_concurrency": MOST_SCRAPES}
        super().__init__(exporter, settings.model_copy(update=own), logged=False)
        self.lifespan = "off"
        # Who asks for the metrics is told why there is no place.
        self.cuts_off_floods = False
        self.timeout_graceful_shutdown = EXPORTER_SHUTDOWN_SECONDS

    def load(self) -> None:
        """Load the configuration, of which the application is a part already."""
        self._load()

    def count_problem(self, code: str) -> None:
        """Count nothing, since only what clients of the API meet counts."""

    def stop_work(self) -> None:
        """Do nothing, since there are none."""


@contextmanager
def _metrics_served(config: Config, listening: socket.socket) -> Iterator[None]:
    """Answer with the metrics in a thread while the context lasts.

    It has an event loop of its own, so that it answers while that of the API is busy.
    """
    # Imported here, since most run without.
    from api.http import metrics

    with ExitStack() as stack:
        if config.workers > 1:
            registry = stack.enter_context(metrics.shared_by_workers())
        else:
            config.load()
            registry = config.app.state.metrics.registry
        exporter = uvicorn.Server(ExporterConfig(metrics.exporter(registry), config.settings))
        thread = Thread(target=exporter.run, args=([listening],), name="metrics", daemon=True)
        thread.start()
        host, port, *_ = listening.getsockname()
        log.info("metrics are served", extra={"host": host, "port": port})
        try:
            yield
        finally:
            exporter.should_exit = True
            thread.join(2 * EXPORTER_SHUTDOWN_SECONDS)


class Redacting(JsonFormatter):
    """Formats a log record as one JSON object, and redacts API keys in it."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as JSON, with API keys redacted."""
        return redact_keys(super().format(record))


def logs(settings: Settings) -> dict[str, Any]:
    """Return the logging configuration: each record is one JSON object on standard error."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "json": {
                "()": Redacting,
                "format": "%(levelname)s %(name)s %(message)s",
                "rename_fields": {"levelname": "level", "name": "logger"},
                "timestamp": "at",
                # Uvicorn's copy of the message with terminal colours; the rest is the default.
                "reserved_attrs": [*RESERVED_ATTRS, "color_message"],
            }
        },
        "handlers": {"standard_error": {"class": "logging.StreamHandler", "formatter": "json"}},
        # It tells of every message of an agent, which the request's own record does.
        "loggers": {"mcp": {"level": "WARNING"}},
        "root": {"level": settings.log_level.upper(), "handlers": ["standard_error"]},
    }
