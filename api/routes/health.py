"""Whether this process lives, and whether it can answer."""

from typing import Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel
from pydantic_core import to_json

from api.http.errors import PLAIN_ERRORS, Unavailable
from api.http.read_connection import ThreadReader
from api.http.read_route import ReadRoute
from models.database import schema_version

router = APIRouter(tags=["health"], route_class=ReadRoute)


class Health(BaseModel):
    """All is well; anything else is not a 200."""

    status: Literal["ok"] = "ok"


def _ok() -> Response:
    return Response(to_json(Health()), media_type="application/json")


@router.get("/healthz", response_model=Health, responses=PLAIN_ERRORS)
def healthz() -> Response:
    """Say that the process lives. Touches no database."""
    return _ok()


@router.get("/readyz", response_model=Health, responses=PLAIN_ERRORS)
def readyz(connection: ThreadReader) -> Response:
    """Say that the database is reachable and migrated; else 503."""
    at = schema_version.current(connection)
    if at != schema_version.HEAD:
        raise Unavailable(
            f"The database is at migration {at}, this program at {schema_version.HEAD}: run"
            " claimbase migrate."
        )
    return _ok()
