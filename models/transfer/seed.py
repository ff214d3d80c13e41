"""Files → the same input classes → the same changes. Every bad file is reported at once, and then nothing is stored."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import ValidationError
from sqlmodel import SQLModel

from models.core import errors
from models.core.errors import (
    ClaimbaseError,
    Fault,
    InvalidRecord,
    describe_fault,
    validation_faults,
)
from models.core.errors import join_path as place_in
from models.database.connections import Database
from models.records.assessment import AssessmentIn
from models.records.claim import ClaimIn, OccurrenceIn, TopicIn
from models.records.evidence import EvidenceIn
from models.records.record_types import PART_TYPES, RECORD_TYPES, RecordType, read_record
from models.records.relation import RelationIn
from models.records.serializers import Row
from models.records.source import SourceIn
from models.write import changes

In = TypeVar("In", bound=SQLModel)
FileFault = tuple[Path, Fault]
SEED_ACTOR = "seed"
BROKEN = object()  # Stands for the content of a file that could not be read.


class BadSeed(ClaimbaseError):
    """Some files cannot be loaded; `problems` holds every fault of every file."""

    code = "bad_seed"

    def __init__(self, problems: list[FileFault], root: Path) -> None:
        files = len({path for path, _ in problems})
        lines = [
            describe_fault(str(path.relative_to(root.parent)), fault) for path, fault in problems
        ]
        super().__init__(
            f"{len(problems)} faults in {files} files; nothing was stored.\n" + "\n".join(lines)
        )
        self.problems = problems


class ClaimFile(ClaimIn):
    """A claim's file: the claim with everything that hangs on it."""

    occurrences: list[OccurrenceIn] = []
    evidence: list[EvidenceIn] = []
    relations: list[RelationIn] = []
    assessments: list[AssessmentIn] = []


class _Loader(yaml.BaseLoader):  # A BaseLoader makes text, lists and dicts only, never objects.
    """Reads every scalar as text, so that `no`, `1e3` and `2009-12` mean what they say; refuses a key given twice.

    Nothing, `~` and `null` without quotes mean that the field is left out.
    """

    def construct_scalar(self, node: yaml.ScalarNode) -> Any:
        text = super().construct_scalar(node)
        return None if node.style is None and text in ("", "~", "null") else text

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        if odd := [key for key, _ in node.value if not isinstance(key, yaml.ScalarNode)]:
            raise yaml.constructor.ConstructorError(
                None, None, "a field's name is one word", odd[0].start_mark
            )
        keys = [key.value for key, _ in node.value]
        if twice := [key for key, times in Counter(keys).items() if times > 1]:
            raise yaml.constructor.ConstructorError(
                None, None, f"the key '{twice[0]}' is given twice", node.start_mark
            )
        return {
            name: value
            for name, value in super().construct_mapping(node, deep=deep).items()
            if value is not None
        }


def seed(database: Database, root: Path) -> Counter[tuple[str, str]]:
    """Load a folder of seed files; return how many records of each kind were stored, unchanged, or left as people made them.

    Loading the same files again alters nothing. Raises `BadSeed` with every fault of every file; then nothing is stored.
    Records that are stored and in no file are left alone.
    """
    problems: list[FileFault] = []
    topics, sources, claims = (
        list(_topics(root, problems)),
        list(_sources(root, problems)),
        list(_claims(root, problems)),
    )
    broken = {path.stem for path, _ in problems}
    if not problems and not (topics or sources or claims):
        raise ClaimbaseError(f"There are no seed files under {root}.", code="bad_seed")
    tally: Counter[tuple[str, str]] = Counter()
    with changes.begin(database, actor=SEED_ACTOR, comment="Loaded from seed files.") as change:
        for path, place, kind, body in _steps(topics, sources, claims):
            try:
                tally[kind.name, _put(change, kind, body)] += 1
            except (InvalidRecord, errors.Conflict) as error:
                # What refers to a broken file is not at fault itself.
                faults = (fault for fault in error.faults if fault.given not in broken)
                problems += [
                    (path, fault.model_copy(update={"at": place_in(place, fault.at)}))
                    for fault in faults
                ]
        if problems:
            raise BadSeed(problems, root)
    return tally


Read = tuple[Path, In]
Step = tuple[
    Path, str, RecordType, Row
]  # File, place in it, kind of record, the record as it is stored.


def _steps(
    topics: list[Read[TopicIn]], sources: list[Read[SourceIn]], claims: list[Read[ClaimFile]]
) -> Iterator[Step]:
    """Yield what to store in an order in which everything that is referred to comes first."""
    for path, topic in topics:
        yield path, topic.id, RECORD_TYPES["topic"], topic.model_dump()
    for path, source in sources:
        yield path, "", RECORD_TYPES["source"], source.model_dump()
    for path, file in claims:
        yield (
            path,
            "",
            RECORD_TYPES["claim"],
            {name: getattr(file, name) for name in ClaimIn.model_fields},
        )
    for path, file in claims:
        for kind in PART_TYPES:
            for place, part in enumerate(getattr(file, kind.plural)):
                yield path, f"{kind.plural}/{place}", kind, {"claim": file.id, **part.model_dump()}


def _put(change: changes.Change, kind: RecordType, body: Row) -> str:
    """Store a record and say what became of it. What people have changed or taken back here since is left as it is."""
    last = changes.last_actor(change.connection, kind, kind.id_of(body))
    if (
        last is not None
        and last != SEED_ACTOR
        and read_record(change.connection, kind, kind.id_of(body)) != body
    ):
        return "left as it was changed here"
    return "stored" if changes.put(change, kind, body) else "unchanged"


def _topics(root: Path, problems: list[FileFault]) -> Iterator[Read[TopicIn]]:
    path = root / "vocabularies" / "topics.yaml"
    if path.exists():
        content = _load(path, problems)
        if content is BROKEN:
            return
        if not isinstance(content, list):
            problems.append(
                (path, Fault(at="", code="not_a_list", detail="This file is a list of topics."))
            )
            return
        for place, record in enumerate(content):
            if topic := _validate(path, TopicIn, record, problems, str(place)):
                yield path, topic


def _sources(root: Path, problems: list[FileFault]) -> Iterator[Read[SourceIn]]:
    yield from _files(root / "sources", SourceIn, problems)


def _claims(root: Path, problems: list[FileFault]) -> Iterator[Read[ClaimFile]]:
    for path, file in _files(root / "claims", ClaimFile, problems):
        problems += [(path, fault) for fault in _repeated(file)]
        yield path, file


def _files(folder: Path, model: type[In], problems: list[FileFault]) -> Iterator[Read[In]]:
    """Read one record a file; the file's name is its id."""
    paths = sorted(path for path in folder.glob("*") if not path.name.startswith("."))
    for path in paths:
        if path.suffix != ".yaml":
            problems.append(
                (path, Fault(at="", code="not_yaml", detail="A seed file's name ends in .yaml."))
            )
            continue
        content = _load(path, problems)
        if content is BROKEN:
            continue
        if not isinstance(content, dict):
            problems.append(
                (
                    path,
                    Fault(
                        at="",
                        code="not_a_record",
                        detail="This file is one record of field: value.",
                    ),
                )
            )
            continue
        if content.get("id", path.stem) != path.stem:
            detail = f"The id is the file's name, '{path.stem}'; leave it out."
            problems.append(
                (path, Fault(at="id", code="id_not_filename", detail=detail, suggestion=path.stem))
            )
            continue
        if record := _validate(path, model, {**content, "id": path.stem}, problems):
            yield path, record


def _load(path: Path, problems: list[FileFault]) -> Any:
    try:
        return yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)  # noqa: S506
    except OSError as error:
        problems.append((path, Fault(at="", code="not_readable", detail=f"{error.strerror}.")))
    except UnicodeDecodeError as error:
        problems.append(
            (path, Fault(at="", code="not_utf8", detail=f"Not UTF-8 at byte {error.start}."))
        )
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f"line {mark.line + 1}" if mark else ""
        problems.append((path, Fault(at=place, code="not_yaml", detail=str(error.problem))))
    except yaml.YAMLError as error:
        problems.append((path, Fault(at="", code="not_yaml", detail=str(error))))
    return BROKEN


def _validate(
    path: Path, model: type[In], content: Any, problems: list[FileFault], place: str = ""
) -> In | None:
    try:
        return model.model_validate(content)
    except ValidationError as error:
        for fault in validation_faults(error.errors(), model.model_fields):
            problems.append((path, fault.model_copy(update={"at": place_in(place, fault.at)})))
        return None


def _repeated(file: ClaimFile) -> Iterator[Fault]:
    keys = {
        "occurrences": [part.key for part in file.occurrences],
        "evidence": [part.key for part in file.evidence],
        "assessments": [part.key for part in file.assessments],
        "relations": [f"{part.type} {part.target}" for part in file.relations],
    }
    for name, values in keys.items():
        for value, times in Counter(values).items():
            if times > 1:
                yield Fault(
                    at=name, code="repeated_key", detail=f"'{value}' is given {times} times."
                )
