"""The floor of the framework: FastAPI reads the same parameters into the same classes and returns bytes which it holds."""

from pathlib import Path
from typing import Annotated

from fastapi import FastAPI, Query, Response

from api.routes.claims import ClaimParameters, ClaimSlug, OneClaimParameters


def app(folder: Path) -> FastAPI:
    """Return the application; no database, no thread, no middleware."""
    page, claim_whole = ((folder / name).read_bytes() for name in ("page.json", "claim.json"))
    made = FastAPI()

    @made.get("/v1/claims")
    async def list_claims(query: Annotated[ClaimParameters, Query()]) -> Response:
        assert query
        return Response(page, media_type="application/json")

    @made.get("/v1/claims/{claim}")
    async def get_claim(
        claim: ClaimSlug, query: Annotated[OneClaimParameters, Query()]
    ) -> Response:
        assert claim
        assert query
        return Response(claim_whole, media_type="application/json")

    return made
