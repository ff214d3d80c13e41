"""All table classes. Importing this module completes the metadata."""

from models.access.api_keys import ApiKey
from models.access.webhooks import Webhook
from models.projection.tables import (
    ClaimDocument,
    ClaimTerm,
    EvidenceDocument,
    EvidenceTerm,
    StatusPeriod,
)
from models.records.assessment import Assessment
from models.records.claim import Claim, ClaimTopic, Occurrence, Topic
from models.records.collection import Collection
from models.records.discussion import Comment, Suggestion
from models.records.evidence import Evidence, PooledSource
from models.records.relation import Relation
from models.records.revision import Revision, Serial
from models.records.source import (
    Source,
    SourceAuthor,
    SourceCitation,
    SourceIdentifier,
    SourceVersion,
)
from models.records.source_text import SourceText
from models.search.index import (
    Beginning,
    ClaimSearch,
    ClaimWord,
    EvidenceSearch,
    SourceSearch,
    SourceWord,
)
from models.search.vectors import ClaimVector
from models.write.idempotency import Idempotency

tables = (
    Collection,
    Topic,
    Source,
    SourceAuthor,
    SourceIdentifier,
    SourceVersion,
    SourceCitation,
    SourceText,
    Claim,
    ClaimTopic,
    Occurrence,
    Evidence,
    PooledSource,
    Relation,
    Assessment,
    Suggestion,
    Comment,
    Revision,
    Serial,
    Idempotency,
    ApiKey,
    Webhook,
    ClaimDocument,
    ClaimTerm,
    StatusPeriod,
    EvidenceDocument,
    EvidenceTerm,
    ClaimSearch,
    EvidenceSearch,
    SourceSearch,
    ClaimWord,
    SourceWord,
    Beginning,
    ClaimVector,
)
