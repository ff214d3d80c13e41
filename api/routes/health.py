"""Whether this process lives, and whether it can answer."""

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel

from api.http.auth import Reader
from api.http.errors import PLAIN_ERRORS, Unavailable
from models.database import schema_version

router = APIRouter(tags=["health"])


class Health(BaseModel):
    """All is well; anything else is not a 200."""

    status: Literal["ok"] = "ok"


@router.get("/healthz", responses=PLAIN_ERRORS)
async def healthz() -> Health:
    """Say that the process lives. Touches no database."""
    return Health()


@router.get("/readyz", responses=PLAIN_ERRORS)
def readyz(connection: Reader) -> Health:
    """Say that the database is reachable and migrated; else 503."""
    at = schema_version.current(connection)
    if at != schema_version.HEAD:
        raise Unavailable(
            f"The database is at migration {at}, this program at {schema_version.HEAD}: run"
            " claimbase migrate."
        )
    return Health()
