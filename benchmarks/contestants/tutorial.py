"""The tutorial way: FastAPI and SQLModel as their tutorials combine them, with `selectinload`
against N+1 and with indexes.

It follows https://sqlmodel.tiangolo.com/tutorial/fastapi/, except that a page begins after the last
slug, which is faster than the offset there.
"""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

from fastapi import Depends, FastAPI, HTTPException, Query
from sqlalchemy import JSON, Index
from sqlalchemy.orm import registry, selectinload
from sqlmodel import Field, Relationship, Session, SQLModel, create_engine, insert, select


class Own(SQLModel, registry=registry()):
    """Its tables are its own: they have the names of ours."""


class SourceBase(Own):
    """The fields of a source, for the table and for the answer."""

    slug: str = Field(index=True, unique=True)
    type: str
    title: str
    authors: list[dict[str, Any]] = Field(sa_type=JSON)
    authors_complete: bool
    identifiers: list[dict[str, Any]] = Field(sa_type=JSON)
    container_title: str | None
    container_title_short: str | None
    publisher: str | None
    volume: str | None
    issue: str | None
    page: str | None
    number: str | None
    issued: str | None
    issued_inferred: bool
    epub_date: str | None
    accessed: str | None
    url: str | None
    language: str | None
    study_design: str
    sample_size: int | None
    sample: str | None
    integrity: str
    integrity_note: str | None
    integrity_date: str | None
    note: str | None
    citation: str
    year: int | None
    published: str
    created: str
    updated: str


class Source(SourceBase, table=True):
    """The row of a source."""

    id: int | None = Field(default=None, primary_key=True)


class EvidenceBase(Own):
    """The fields of a line of evidence."""

    key: str
    direction: str
    level: str
    question: str | None
    directness: str
    study_design: str
    sample_size: int | None
    sample: str | None
    finding: str
    quote: str | None
    locator: str | None
    independence_group: str
    searched_found_none: bool
    extraction: str
    note: str | None
    created: str
    updated: str


class Evidence(EvidenceBase, table=True):
    """The row of a line, tied to its claim and its source."""

    id: int | None = Field(default=None, primary_key=True)
    claim_id: int = Field(foreign_key="claim.id", index=True)
    source_id: int = Field(foreign_key="source.id", index=True)
    claim: "Claim" = Relationship(back_populates="evidence")
    source: Source = Relationship()


class ClaimBase(Own):
    """The fields of a claim, with its derived status."""

    slug: str = Field(index=True, unique=True)
    statement: str
    kind: str
    note: str | None
    topics: list[str] = Field(sa_type=JSON)
    asserted_by: list[str] = Field(sa_type=JSON)
    status: str
    status_rule: str
    status_since: str
    certainty: str | None
    certainty_basis: str
    evidence_level: str | None
    evidence_until: str | None
    has_conflict: bool
    searched_found_none: bool
    counts: dict[str, int] = Field(sa_type=JSON)
    notices: dict[str, int] = Field(sa_type=JSON)
    revision: int
    created: str
    updated: str


class Claim(ClaimBase, table=True):
    """The row of a claim."""

    __table_args__ = (Index(None, "status", "slug"),)

    id: int | None = Field(default=None, primary_key=True)
    evidence: list[Evidence] = Relationship(back_populates="claim")


class EvidencePublicWithSource(EvidenceBase):
    """A line of evidence in an answer."""

    source: SourceBase


class ClaimPublicWithEvidence(ClaimBase):
    """A claim in an answer."""

    evidence: list[EvidencePublicWithSource]


EVIDENCE: Any = Claim.evidence
SOURCE: Any = Evidence.source
WITH_EVIDENCE = selectinload(EVIDENCE).selectinload(SOURCE)


def app(file: Path) -> FastAPI:
    """Return the application on its own file, which `build` fills."""
    engine = create_engine(f"sqlite:///{file}", connect_args={"check_same_thread": False})
    application = FastAPI()

    def get_session() -> Iterator[Session]:
        with Session(engine) as session:
            yield session

    SessionDep = Annotated[Session, Depends(get_session)]  # noqa: N806

    @application.get("/claims/", response_model=list[ClaimPublicWithEvidence])
    def read_claims(
        session: SessionDep,
        status: str,
        after: str = "",
        limit: Annotated[int, Query(le=100)] = 100,
    ) -> Any:
        page = select(Claim).where(Claim.status == status, Claim.slug > after)
        page = page.order_by(Claim.slug).limit(limit).options(WITH_EVIDENCE)
        return session.exec(page).all()

    @application.get("/claims/{slug}", response_model=ClaimPublicWithEvidence)
    def read_claim(session: SessionDep, slug: str) -> Any:
        one = select(Claim).where(Claim.slug == slug).options(WITH_EVIDENCE)
        claim = session.exec(one).first()
        if not claim:
            raise HTTPException(status_code=404, detail="Claim not found")
        return claim

    return application


MODELS: tuple[type[SQLModel], ...] = (Source, Claim, Evidence)
BATCH = 1000

Row = dict[str, Any]


def build(file: Path, claims: Iterable[Mapping[str, Any]]) -> None:
    """Fill a file with the same claims, evidence and sources, taken from Claimbase's documents."""
    engine = create_engine(f"sqlite:///{file}")
    Own.metadata.create_all(engine)
    source_ids: dict[str, int] = {}
    rows: dict[type[SQLModel], list[Row]] = {model: [] for model in MODELS}
    with Session(engine) as session:
        for claim_id, claim in enumerate(claims, start=1):
            _add_rows(rows, claim, claim_id, source_ids)
            if claim_id % BATCH == 0:
                _insert(session, rows)
        _insert(session, rows)
        session.connection().exec_driver_sql("ANALYZE")
        session.commit()
    engine.dispose()


def _add_rows(
    rows: dict[type[SQLModel], list[Row]],
    claim: Mapping[str, Any],
    claim_id: int,
    source_ids: dict[str, int],
) -> None:
    """Add the rows of a claim, its evidence, and its sources that have no row yet."""
    for source in claim["sources"]:
        if source["id"] not in source_ids:
            source_ids[source["id"]] = len(source_ids) + 1
            rows[Source].append(_row(SourceBase, source, id=source_ids[source["id"]]))
    rows[Claim].append(_row(ClaimBase, claim, id=claim_id))
    for evidence in claim["evidence"]:
        source_id = source_ids[evidence["source"]]
        row = _row(EvidenceBase, evidence, claim_id=claim_id, source_id=source_id)
        rows[Evidence].append(row)


def _row(base: type[SQLModel], record: Mapping[str, Any], **ids: int) -> Row:
    # The id of a record of ours is a slug.
    row = {name: record["id" if name == "slug" else name] for name in base.model_fields}
    return row | ids


def _insert(session: Session, rows: dict[type[SQLModel], list[Row]]) -> None:
    for model, batch in rows.items():
        if batch:
            session.connection().execute(insert(model), batch)
            batch.clear()
