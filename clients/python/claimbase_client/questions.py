"""What there is to ask: one table of methods, for both halves of the client.

A method returns what to send. Who asks through `Claimbase` gets the answer, who asks through
`AsyncClaimbase` awaits it; lists are iterators over all pages.
"""

import io
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from dataclasses import replace
from functools import wraps
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, TypeVar, Unpack, overload

import httpx

from claimbase_client.manners import path_of
from claimbase_client.senders import AsyncSender, Pages, Query, Request, Sender
from claimbase_client.types import (
    By,
    ChangesQuery,
    CitationFormat,
    CitationQuery,
    Claim,
    ClaimFilters,
    ClaimQuery,
    ClaimsQuery,
    EvidenceFilters,
    EvidenceQuery,
    Explanation,
    ExplanationQuery,
    FacetName,
    Facets,
    FoundEvidence,
    FoundSource,
    IdsIn,
    LookedUpClaims,
    LookedUpEvidence,
    Lookup,
    LookupIn,
    MatchedSentence,
    MatchIn,
    MatrixQuery,
    MatrixRow,
    RevisionWhole,
    SourcesQuery,
    SourceWithPage,
    Suggestion,
    SuggestionKind,
    Timeline,
)

if TYPE_CHECKING:
    from pandas import DataFrame  # type: ignore[import-not-found,import-untyped,unused-ignore]

P = ParamSpec("P")
T = TypeVar("T")
Record = dict[str, Any]


class Question(Generic[P, T]):
    """A method that is answered once."""

    def __init__(self, method: Callable[Concatenate[Any, P], Request[T]]) -> None:
        self._method = method

    @overload
    def __get__(self, half: None, _: type) -> Callable[Concatenate[Any, P], Request[T]]: ...
    @overload
    def __get__(self, half: Sender, _: type) -> Callable[P, T]: ...
    @overload
    def __get__(self, half: AsyncSender, _: type) -> Callable[P, Coroutine[Any, Any, T]]: ...
    def __get__(self, half: Any, _: type) -> Any:
        return _bound(self._method, half, "_ask")


class Listing(Generic[P, T]):
    """A method whose answer is an iterator over the records of all pages."""

    def __init__(self, method: Callable[Concatenate[Any, P], Pages[T]]) -> None:
        self._method = method

    @overload
    def __get__(self, half: None, _: type) -> Callable[Concatenate[Any, P], Pages[T]]: ...
    @overload
    def __get__(self, half: Sender, _: type) -> Callable[P, Iterator[T]]: ...
    @overload
    def __get__(self, half: AsyncSender, _: type) -> Callable[P, AsyncIterator[T]]: ...
    def __get__(self, half: Any, _: type) -> Any:
        return _bound(self._method, half, "_walk")


def _bound(method: Callable[..., Any], half: Any, send: str) -> Callable[..., Any]:
    if half is None:
        return method

    @wraps(method)
    def asked(*args: Any, **given: Any) -> Any:
        return getattr(half, send)(method(half, *args, **given))

    return asked


def _json(path: str, query: Query, part: str | None = None) -> Request[Any]:
    def read(answer: httpx.Response) -> Any:
        return answer.json()[part] if part else answer.json()

    return Request(path, query, read)


def _post(path: str, body: object, part: str | None = None) -> Request[Any]:
    return replace(_json(path, {}, part), method="POST", body=body)


def _pages(path: str, query: Query) -> Pages[Any]:
    def after(query: Query, page: Any) -> tuple[Query, float] | None:
        return ({**query, "cursor": page["next"]}, 0.0) if page["next"] else None

    return Pages(path, query, after)


class Questions:
    """The methods of both halves."""

    @Question
    def get(self, /, path: str, **given: Any) -> Request[Any]:
        """Return the JSON at a path. Raises Problem."""
        return _json(path, given)

    @Listing
    def pages(self, /, path: str, **given: Any) -> Pages[Record]:
        """Yield the records of all pages of a list."""
        return _pages(path, given)

    @Listing
    def claims(self, **filters: Unpack[ClaimsQuery]) -> Pages[Claim]:
        """Yield the claims that meet the filters."""
        return _pages("/v1/claims", filters)

    @Question
    def claim(self, claim: str, **given: Unpack[ClaimQuery]) -> Request[Claim]:
        """Return a claim with all its parts; with `as_of`, as it stood on that day."""
        return _json(path_of("claims", claim), given)

    @Question
    def claim_facets(
        self, by: FacetName | list[FacetName] | None = None, **filters: Unpack[ClaimFilters]
    ) -> Request[Facets]:
        """Return how many of the claims that meet the filters have which term."""
        return _json("/v1/claims/facets", {"by": by, **filters})

    @Question
    def lookup_claims(self, ids: list[str]) -> Request[LookedUpClaims]:
        """Return the claims that up to 1,000 ids name, and the ids that name none."""
        body: IdsIn = {"ids": ids}
        return _post("/v1/claims:lookup", body)

    @Question
    def match(
        self,
        text: str,
        *,
        as_of: str | None = None,
        limit: int = 3,
        min_score: float | None = None,
    ) -> Request[list[MatchedSentence]]:
        """Return the sentences of a text with the claims that they may state.

        Each has at most `limit` claims, none with a lower score than `min_score` (0 to 1).
        """
        body: MatchIn = {"text": text, "as_of": as_of, "limit": limit, "min_score": min_score}
        return _post("/v1/claims:match", body, "data")

    @Question
    def explanation(self, claim: str, **given: Unpack[ExplanationQuery]) -> Request[Explanation]:
        """Return why a claim has its status, or what it would have without some evidence."""
        return _json(f"{path_of('claims', claim)}/explanation", given)

    @Question
    def timeline(self, claim: str) -> Request[Timeline]:
        """Return how a claim's status ran over the years."""
        return _json(f"{path_of('claims', claim)}/timeline", {})

    @Listing
    def matrix(self, **filters: Unpack[MatrixQuery]) -> Pages[MatrixRow]:
        """Yield the claims that meet the filters, each with a cell for each line on it."""
        return _pages("/v1/matrix", filters)

    @Listing
    def evidence(self, **filters: Unpack[EvidenceQuery]) -> Pages[FoundEvidence]:
        """Yield the lines of evidence that meet the filters."""
        return _pages("/v1/evidence", filters)

    @Question
    def evidence_facets(
        self, by: By | list[By] | None = None, **filters: Unpack[EvidenceFilters]
    ) -> Request[Facets]:
        """Return how many of the lines that meet the filters have which term."""
        return _json("/v1/evidence/facets", {"by": by, **filters})

    @Question
    def lookup_evidence(self, ids: list[str]) -> Request[LookedUpEvidence]:
        """Return the lines that up to 1,000 ids name, and the ids that name none."""
        body: IdsIn = {"ids": ids}
        return _post("/v1/evidence:lookup", body)

    @Listing
    def sources(self, **filters: Unpack[SourcesQuery]) -> Pages[FoundSource]:
        """Yield the sources that meet the filters."""
        return _pages("/v1/sources", filters)

    @Question
    def source(self, source: str) -> Request[SourceWithPage]:
        """Return a source, by its slug or an identifier such as `doi:10.…`."""
        return _json(path_of("sources", source), {})

    @Question
    def lookup_sources(self, identifiers: list[str]) -> Request[Lookup]:
        """Return the sources that up to 1,000 identifiers name, and what became of the others."""
        body: LookupIn = {"identifiers": identifiers}
        return _post("/v1/sources:lookup", body)

    @Question
    def cite(
        self, source: str, format: CitationFormat = "bibtex", **given: Unpack[CitationQuery]
    ) -> Request[str]:
        """Return a source as a citation: `bibtex`, `ris`, or `bibliography` with a `style`."""
        return Request(path_of("sources", source), {"format": format, **given}, _text)

    @Question
    def suggest(
        self, q: str, kind: SuggestionKind | list[SuggestionKind] | None = None
    ) -> Request[list[Suggestion]]:
        """Return topics, claims and sources whose label has words that begin so."""
        return _json("/v1/suggest", {"q": q, "kind": kind}, "data")

    @Listing
    def changes(
        self, since: int = 0, follow: float | None = None, **filters: Unpack[ChangesQuery]
    ) -> Pages[RevisionWhole]:
        """Yield the changes after a serial, each with the whole record after it.

        With `follow` it never ends: it asks for new ones each time so many seconds have passed.
        """

        def after(query: Query, page: Any) -> tuple[Query, float] | None:
            goes_on = {**query, "since": page["next"]}
            if page["next"] < page["last"]:
                return goes_on, 0.0
            return None if follow is None else (goes_on, follow)

        return Pages("/v1/changes", {"since": since, "include": "body", **filters}, after)

    @Question
    def to_pandas(self, /, path: str = "/v1/evidence", **filters: Any) -> Request["DataFrame"]:
        """Return a list as a data frame of its table; needs the extra `pandas`."""
        return Request(path, {"format": "csv", **filters}, _frame)


def _text(answer: httpx.Response) -> str:
    return answer.text


def _frame(answer: httpx.Response) -> "DataFrame":
    import pandas  # type: ignore[import-not-found,import-untyped,unused-ignore]

    return pandas.read_csv(io.StringIO(answer.text))
