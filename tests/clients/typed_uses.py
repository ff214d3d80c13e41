"""What type checkers know of the client's records.

A line that says `ignore` is one in which they must find an error: with none it is one itself.
`make check-clients` holds it against the installed client.
"""

from typing import assert_type

from claimbase_client import AsyncClaimbase, Claimbase, Problem
from claimbase_client.types import EvidenceLevel, ProblemCode, Status


def refuted(base: Claimbase) -> list[str]:
    found = []
    for claim in base.claims(status="refuted", best_level__lte="2", include=["evidence"]):
        assert_type(claim["status"], Status)
        assert_type(claim.get("evidence", [])[0]["level"], EvidenceLevel)
        found.append(claim["statsu"])  # type: ignore[misc]
    base.claims(status="refutd")  # type: ignore[arg-type]
    base.claims(statsu="refuted")  # type: ignore[call-arg]
    base.evidence(level=["1", "2"], year=[2018, 2019], retracted="any")
    return found


async def refuted_awaited(base: AsyncClaimbase) -> list[str]:
    found = []
    async for claim in base.claims(status="refuted", best_level__lte="2"):
        assert_type(claim["status"], Status)
        found.append(claim["statsu"])  # type: ignore[misc]
    assert_type((await base.claim("ccsvi-causes-ms"))["status"], Status)
    assert_type(await base.cite("doepp-2010", format="ris"), str)
    base.claims(status="refutd")  # type: ignore[arg-type]
    base.claims(statsu="refuted")  # type: ignore[call-arg]
    return found


def code_of(problem: Problem) -> ProblemCode | None:
    return problem.code
