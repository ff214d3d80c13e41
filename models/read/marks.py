"""Reads that show nothing older than what the client has seen, whichever server answers.

The mark is a serial: serials run in the order of the commits, so a state of the database with a
higher one holds all that one with a lower one held.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import NamedTuple, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from models.core.errors import ClaimbaseError
from models.database.connections import Database
from models.database.readiness import is_standby
from models.database.replicas import Server
from models.records.revision import current_serial

Result = TypeVar("Result")
Connect = Callable[[Server | None], AbstractContextManager[Connection]]


class Mark(NamedTuple):
    """The serial that a client has seen, and the one that it requires, which is not higher.

    What it has seen may be of another database, such as one that was restored; so the primary is
    believed if it has no such serial.
    """

    seen: int = 0
    required: int = 0


NO_MARK = Mark()


class Behind(ClaimbaseError):
    """No server has reached a serial. `is_final` says that waiting would not help."""

    code = "behind"

    def __init__(self, mark: Mark, reached: int, *, is_final: bool) -> None:
        wanted = mark.required if mark.required > reached else mark.seen
        super().__init__(f"The newest change here is {reached}, and {wanted} was asked for.")
        self.is_final = is_final


class _Look(NamedTuple):
    """What a connection shows: its serial, whether that will do, and whether more cannot come."""

    serial: int
    will_do: bool
    is_final: bool


def read_at(
    database: Database,
    connect: Connect,
    work: Callable[[Connection], Result],
    mark: Mark | None = NO_MARK,
    note: Callable[[int], None] = lambda _serial: None,
    *,
    newest: bool = False,
    patient: bool = False,
) -> Result:
    """Return the result of work that only reads, on the first server that has reached a mark, or
    on the first one that answers without a mark.

    `note` is called with the serial that the work sees. Where a server is lost meanwhile, the work
    begins anew on the next one. With `newest` the primary comes first. Raises Behind if none has
    reached the mark; with `patient` also where the primary has no such serial yet, since a replica
    may show a change a moment before its primary.
    """
    looks: list[_Look] = []
    lost: DBAPIError | None = None
    for server in database.reading_order(newest=newest):
        try:
            with connect(server) as connection:
                if mark is None:
                    return work(connection)
                looks.append(look := _look(database, server, connection, mark, patient=patient))
                if look.will_do:
                    note(look.serial)
                    return work(connection)
        except DBAPIError as error:
            if not database.is_lost(server, error):
                raise
            lost = error
    raise _nothing(mark or NO_MARK, looks, lost)


@contextmanager
def connection_at(
    database: Database,
    connect: Connect,
    mark: Mark = NO_MARK,
    note: Callable[[int], None] = lambda _serial: None,
    *,
    newest: bool = False,
) -> Iterator[Connection]:
    """Yield a connection to the first server that has reached a mark; see `read_at`.

    If that is lost meanwhile, so is the work.
    """
    looks: list[_Look] = []
    lost: DBAPIError | None = None
    for server in database.reading_order(newest=newest):
        with ExitStack() as stack:
            try:
                connection = stack.enter_context(connect(server))
                looks.append(look := _look(database, server, connection, mark, patient=False))
            except DBAPIError as error:
                if not database.is_lost(server, error):
                    raise
                lost = error
                continue
            if look.will_do:
                note(look.serial)
                yield connection
                return
    raise _nothing(mark, looks, lost)


def _look(
    database: Database, server: Server | None, connection: Connection, mark: Mark, *, patient: bool
) -> _Look:
    serial = current_serial(connection)
    database.note_serial(server, serial)
    if serial >= mark.seen:
        return _Look(serial, will_do=True, is_final=True)
    is_main = server is None or server.is_main
    is_primary = is_main and not is_standby(connection)
    # Nothing but the primary alone can be sure that there is no such serial.
    is_final = is_primary and database.replicas is None
    is_believed = is_primary and (is_final or not patient)
    return _Look(serial, will_do=is_believed and serial >= mark.required, is_final=is_final)


def _nothing(mark: Mark, looks: Sequence[_Look], lost: DBAPIError | None) -> Exception:
    """Return the error of a read that no server could answer."""
    if lost is not None and not looks:
        return lost
    reached = max(look.serial for look in looks)
    return Behind(mark, reached, is_final=looks[-1].is_final)
