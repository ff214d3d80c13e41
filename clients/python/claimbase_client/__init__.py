"""A client of Claimbase, for scripts that wait and for those that await.

Lists are iterators over all pages. An answer that was read before is asked for by its ETag, and not
sent again while it holds. What is refused for a while is tried again, as `Retry-After` says.
Filters are named as in the API, with two underscores for a dot. Records are dictionaries, whose
types are in `claimbase_client.types`.
"""

from claimbase_client.manners import Problem
from claimbase_client.questions import Questions, Record
from claimbase_client.senders import AsyncSender, Sender

__all__ = ["AsyncClaimbase", "Claimbase", "Problem", "Record"]


class Claimbase(Questions, Sender):
    """A client that waits for each answer."""


class AsyncClaimbase(Questions, AsyncSender):
    """The same for scripts that await."""
