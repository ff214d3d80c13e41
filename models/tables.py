"""Every table class, so that the metadata is whole wherever it is asked for."""

from models.assessment import Assessment
from models.claim import Claim, ClaimTopic, Occurrence, Topic
from models.document import ClaimDocument, ClaimTerm, StatusPeriod
from models.evidence import Evidence
from models.idempotency import Idempotency
from models.keys import ApiKey
from models.relation import Relation
from models.revision import Revision, Serial
from models.search import Beginning, ClaimSearch, SourceSearch
from models.source import Source, SourceAuthor, SourceIdentifier

tables = (
    Topic,
    Source,
    SourceAuthor,
    SourceIdentifier,
    Claim,
    ClaimTopic,
    Occurrence,
    Evidence,
    Relation,
    Assessment,
    Revision,
    Serial,
    Idempotency,
    ApiKey,
    ClaimDocument,
    ClaimTerm,
    StatusPeriod,
    ClaimSearch,
    SourceSearch,
    Beginning,
)
