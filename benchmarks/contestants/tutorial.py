"""The tutorial way: FastAPI and SQLModel as their tutorials put them together, with `selectinload` against N+1 and with indexes.

https://sqlmodel.tiangolo.com/tutorial/fastapi/ is followed where it shows how; where it pages by offset, a page here goes on
after the last slug, which is faster.
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
    """What a source is, for the table and for the answer."""

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
    """What a line of evidence is."""

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
    """What a claim is, with the status that was derived for it."""

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


WHOLE: Any = selectinload(Claim.evidence).selectinload(Evidence.source)  # type: ignore[arg-type]


def app(file: Path) -> FastAPI:
    """Return the application on its own file, which `build` made."""
    engine = create_engine(f"sqlite:///{file}", connect_args={"check_same_thread": False})
    made = FastAPI()

    def get_session() -> Iterator[Session]:
        with Session(engine) as session:
            yield session

    SessionDep = Annotated[Session, Depends(get_session)]  # noqa: N806

    @made.get("/claims/", response_model=list[ClaimPublicWithEvidence])
    def read_claims(
        session: SessionDep,
        status: str,
        after: str = "",
        limit: Annotated[int, Query(le=100)] = 100,
    ) -> Any:
        wanted = select(Claim).where(Claim.status == status, Claim.slug > after)
        return session.exec(wanted.order_by(Claim.slug).limit(limit).options(WHOLE)).all()

    @made.get("/claims/{slug}", response_model=ClaimPublicWithEvidence)
    def read_claim(session: SessionDep, slug: str) -> Any:
        claim = session.exec(select(Claim).where(Claim.slug == slug).options(WHOLE)).first()
        if not claim:
            raise HTTPException(status_code=404, detail="Claim not found")
        return claim

    return made


def build(file: Path, claims: Iterable[Mapping[str, Any]]) -> None:
    """Fill a file with the same claims, evidence and sources, given as Claimbase's documents."""
    engine = create_engine(f"sqlite:///{file}")
    Own.metadata.create_all(engine)
    sources: dict[str, int] = {}
    with Session(engine) as session:
        rows: dict[type[SQLModel], list[dict[str, Any]]] = {model: [] for model in MODELS}
        for number, claim in enumerate(claims, start=1):
            for source in claim["sources"]:
                if source["id"] not in sources:
                    sources[source["id"]] = len(sources) + 1
                    rows[Source].append(_row(SourceBase, source, id=sources[source["id"]]))
            rows[Claim].append(_row(ClaimBase, claim, id=number))
            rows[Evidence] += [
                _row(EvidenceBase, line, claim_id=number, source_id=sources[line["source"]])
                for line in claim["evidence"]
            ]
            if number % 1000 == 0:
                _flush(session, rows)
        _flush(session, rows)
        session.connection().exec_driver_sql("ANALYZE")
        session.commit()
    engine.dispose()


MODELS: tuple[type[SQLModel], ...] = (Source, Claim, Evidence)


def _row(base: type[SQLModel], record: Mapping[str, Any], **more: int) -> dict[str, Any]:
    return {name: record["id" if name == "slug" else name] for name in base.model_fields} | more


def _flush(session: Session, rows: dict[type[SQLModel], list[dict[str, Any]]]) -> None:
    for model, found in rows.items():
        if found:
            session.connection().execute(insert(model), found)
            found.clear()
