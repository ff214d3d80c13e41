"""Collections: where records come from that were taken over from elsewhere."""

from sqlmodel import Field

from models.core import vocabularies as v
from models.core.addresses import Licence, WebAddress
from models.core.dates import PartialDate
from models.core.types import REPLACED_BY_DESCRIPTION, Slug, Strict, Text, VisibleText
from models.core.vocabulary import vocabulary_check

# Of what Claimbase ships and people write here: of records that are in no collection.
OWN_LICENCE = "CC0-1.0"


class CollectionIn(Strict):
    """Where records come from that were taken over from elsewhere, in the version that was read."""

    id: Slug = Field(primary_key=True)
    name: VisibleText = Field(min_length=1, max_length=200)
    url: WebAddress | None = None
    licence: Licence | None = Field(
        default=None,
        description="Of its records: an SPDX expression such as CC-BY-4.0, or the address of the "
        "licence; null where it is not known.",
    )
    version: VisibleText | None = Field(
        default=None, min_length=1, max_length=200, description="As the collection calls it."
    )
    retrieved: PartialDate | None = Field(default=None, description="When it was fetched.")
    description: VisibleText | None = Field(default=None, min_length=1, max_length=2000)
    state: v.ReviewState = "accepted"
    replaced_by: Text | None = Field(
        default=None, max_length=300, description=REPLACED_BY_DESCRIPTION
    )


class Collection(CollectionIn, table=True):
    """The row."""

    __table_args__ = (vocabulary_check("state", v.REVIEW_STATES),)

    revision: int
    created: str
    updated: str


class CollectionOut(CollectionIn):
    """A collection as the API gives it."""

    revision: int
