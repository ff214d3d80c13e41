"""The floor of the framework: FastAPI parses the same parameters and returns bytes from memory."""

from pathlib import Path
from typing import Annotated

from fastapi import FastAPI, Query, Response

from api.routes.claims import ClaimParameters, ClaimSlug, OneClaimParameters


def app(folder: Path) -> FastAPI:
    """Return the application; no database, no thread, no middleware."""
    page, claim_json = ((folder / name).read_bytes() for name in ("page.json", "claim.json"))
    application = FastAPI()

    @application.get("/v1/claims")
    async def list_claims(query: Annotated[ClaimParameters, Query()]) -> Response:
        assert query
        return Response(page, media_type="application/json")

    @application.get("/v1/claims/{claim}")
    async def get_claim(
        claim: ClaimSlug, query: Annotated[OneClaimParameters, Query()]
    ) -> Response:
        assert claim
        assert query
        return Response(claim_json, media_type="application/json")

    return application
