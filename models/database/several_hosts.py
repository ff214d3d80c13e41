"""URLs of PostgreSQL that name several hosts, in the form of libpq or in that of SQLAlchemy."""

import re
from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import unquote

from sqlalchemy.engine import URL, make_url

from models.core.errors import ClaimbaseError

SEVERAL = "target_session_attrs"
WRITING = ("read-write", "primary")
DEFAULT_PORT = 5432
# The part of a URL that names the hosts, where a comma separates them.
_HOSTS = re.compile(r"^([a-z0-9+]+://(?:[^@/?]*@)?)([^@/?]*,[^@/?]*)([/?].*)?$", re.DOTALL)
_HOST = re.compile(r"(\[[^\]]+\]|[^:\[\]]+)(?::([0-9]{1,5}))?")


class BadDatabaseUrl(ClaimbaseError):
    """The address of the database cannot be used."""

    code = "bad_database_url"


class Host(NamedTuple):
    """One host of a URL: a name, an address, or the folder of a socket."""

    name: str
    port: int

    def __str__(self) -> str:
        return f"[{self.name}]:{self.port}" if ":" in self.name else f"{self.name}:{self.port}"


def split_hosts(address: str) -> tuple[str, list[Host]]:
    """Return a URL without its hosts, and these, if a comma separates several; else it as it is.

    Raises BadDatabaseUrl.
    """
    found = _HOSTS.match(address)
    if found is None:
        return address, []
    before, hosts, rest = found.groups()
    return f"{before}{rest or ''}", [_host(each) for each in hosts.split(",")]


def hosts_of_query(url: URL) -> tuple[URL, list[Host]]:
    """Return a URL without the hosts that its query names, and these.

    `?host=a:1&host=b:2` is the form of SQLAlchemy, `?host=a,b&port=1,2` that of libpq. Raises
    BadDatabaseUrl.
    """
    named = _values(url, "host")
    if len(named) < 2:
        return url, []
    ports = _values(url, "port") or [str(url.port or DEFAULT_PORT)]
    if len(ports) not in (1, len(named)):
        raise BadDatabaseUrl(
            f"The database URL has {len(named)} hosts and {len(ports)} ports; give one port, or one"
            " for each host."
        )
    each_port = ports * len(named) if len(ports) == 1 else ports
    hosts = [_host(name, port) for name, port in zip(named, each_port, strict=True)]
    return url.difference_update_query(["host", "port"]), hosts


def _values(url: URL, name: str) -> list[str]:
    given = url.query.get(name, ())
    texts = (given,) if isinstance(given, str) else given
    return [each for text in texts for each in text.split(",")]


def _host(text: str, port: str = str(DEFAULT_PORT)) -> Host:
    if text.startswith("/"):
        # The folder of a socket.
        found, name, given = True, text, None
    else:
        match = _HOST.fullmatch(text)
        found = match is not None
        name, given = match.groups() if match else ("", None)
    if not found or not (given or port).isdecimal() or not 0 < int(given or port) < 65536:
        raise BadDatabaseUrl(
            f"'{text}' is no host of a database URL; write host:port, with commas between several."
        )
    return Host(unquote(name).strip("[]"), int(given or port))


def url_of_host(url: URL, host: Host) -> URL:
    """Return the URL of one of several hosts."""
    alone = url.set(host=None, port=None).difference_update_query([SEVERAL])
    return alone.update_query_dict({"host": host.name, "port": str(host.port)})


def url_of_primary(url: URL, hosts: Sequence[Host]) -> URL:
    """Return the URL by which the driver finds the one of several hosts that takes writes.

    Raises BadDatabaseUrl if the URL asks for another one.
    """
    wanted = url.query.get(SEVERAL, WRITING[0])
    if wanted not in WRITING:
        raise BadDatabaseUrl(
            f"With several hosts CLAIMBASE_DATABASE_URL needs {SEVERAL}={WRITING[0]}, not"
            f" '{wanted}', since writes go to the one that takes them."
        )
    names = ",".join(host.name for host in hosts)
    ports = ",".join(str(host.port) for host in hosts)
    return url.set(host=None, port=None).update_query_dict(
        {"host": names, "port": ports, SEVERAL: str(wanted)}
    )


def parse(address: str) -> tuple[URL, list[Host]]:
    """Return the URL of an address, and its hosts if it names several.

    Raises BadDatabaseUrl, or ArgumentError if it is no URL.
    """
    rest, hosts = split_hosts(address)
    url = make_url(rest)
    return (url, hosts) if hosts else hosts_of_query(url)
