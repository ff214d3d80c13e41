"""The three uses of the README, by the client that openapi-python-client writes."""

import sys

from generated_client import Client
from generated_client.api.claims import list_claims
from generated_client.api.evidence import list_evidence
from generated_client.api.sources import get_source
from generated_client.models.claim_page import ClaimPage
from generated_client.models.claim_part_or_submitted import ClaimPartOrSubmitted
from generated_client.models.count_mode import CountMode
from generated_client.models.evidence_level import EvidenceLevel
from generated_client.models.evidence_page import EvidencePage
from generated_client.models.evidence_sort import EvidenceSort
from generated_client.models.record_format import RecordFormat
from generated_client.models.status import Status

client = Client(sys.argv[1], raise_on_unexpected_status=True)

page = list_claims.sync(
    client=client,
    status=[Status.REFUTED],
    topic=["causation"],
    include=[ClaimPartOrSubmitted.EVIDENCE],
)
assert isinstance(page, ClaimPage), page
for claim in page.data:
    print(f"{claim.statement} {claim.status} since {claim.status_since}")
    for line in claim.evidence:
        if line.level in (EvidenceLevel.VALUE_0, EvidenceLevel.VALUE_1):
            print(f"  {line.direction}: {line.source}, level {line.level}, {line.sample}")

best = list_evidence.sync(
    client=client,
    level_lte=EvidenceLevel.VALUE_1,
    sort=[EvidenceSort.LEVEL, EvidenceSort.VALUE_5],
    count=CountMode.EXACT,
)
assert isinstance(best, EvidencePage), best
print(best.data[0].id, best.page.count)

# This generator reads every answer as JSON, so that only the request is its own here.
request = get_source._get_kwargs(
    "doi:10.1038/472410a", format_=RecordFormat.BIBLIOGRAPHY, style="vancouver"
)
print(client.get_httpx_client().request(**request).text.strip())
