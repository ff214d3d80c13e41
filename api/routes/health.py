"""Whether this process lives, and whether it can answer."""

from typing import Literal

from fastapi import APIRouter, Request, Response
from pydantic_core import to_json

from api.http.errors import PLAIN_ERRORS, ProblemError, problem
from api.http.read_route import ReadRoute
from api.http.readiness import Check
from models.core.types import Shape

router = APIRouter(tags=["health"], route_class=ReadRoute)


class Health(Shape):
    """All is well; anything else is not a 200."""

    status: Literal["ok"] = "ok"


class Readiness(Health):
    """The process can answer, and what was checked to know that."""

    checks: list[Check]


@router.get("/healthz", response_model=Health, responses=PLAIN_ERRORS)
def healthz() -> Response:
    """Say that the process lives. Touches no database."""
    return Response(to_json(Health()), media_type="application/json")


@router.get("/readyz", response_model=Readiness, responses=PLAIN_ERRORS)
async def readyz(request: Request) -> Response:
    """Say whether the process can answer: database, migrations, damage, disk and replica.

    Each check is given up after two seconds. If one fails, the answer is a 503 that names it.
    """
    checks = await request.app.state.checks.run()
    failed = [check for check in checks if not check.ok]
    if not failed:
        return Response(to_json(Readiness(checks=checks)), media_type="application/json")
    code = "damaged" if "damage" in (check.name for check in failed) else "unavailable"
    errors = [
        ProblemError(parameter=check.name, code=code, detail=check.detail) for check in failed
    ]
    return problem(request, code, f"Not ready: {failed[0].name}: {failed[0].detail}", errors)
