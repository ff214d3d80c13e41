"""Loading seed files by the input classes and changes of the API.

The faults of all files are reported together; then nothing is stored.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import ValidationError
from pydantic_core import PydanticCustomError
from sqlmodel import SQLModel

from models.core.errors import (
    ClaimbaseError,
    Conflict,
    Fault,
    InvalidRecord,
    describe_fault,
    join_path,
    record_faults,
)
from models.database.connections import Database
from models.records import source_text
from models.records.assessment import AssessmentIn
from models.records.claim import ClaimIn, OccurrenceIn, TopicIn
from models.records.collection import CollectionIn
from models.records.evidence import EvidenceIn
from models.records.record_types import PART_TYPES, RECORD_TYPES, RecordType, read_record
from models.records.relation import RelationIn
from models.records.serializers import Row
from models.records.source import SourceIn
from models.records.works import in_order_of_ties
from models.transfer.changed_here import (
    SEED_ACTOR,
    ChangedHere,
    StoredAlone,
    changed_here,
    stored_alone,
)
from models.transfer.missing_records import HeldRecords, MissingRecords
from models.write import changes

In = TypeVar("In", bound=SQLModel)
FileFault = tuple[Path, Fault]
Report = Callable[[Path, Fault], None]
BROKEN = object()  # Stands for the content of a file that could not be read.


class BadSeed(ClaimbaseError):
    """Some files cannot be loaded. `problems` has every fault of every file."""

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
    """A claim's file: the claim with its parts."""

    occurrences: list[OccurrenceIn] = []
    evidence: list[EvidenceIn] = []
    relations: list[RelationIn] = []
    assessments: list[AssessmentIn] = []


# Both bases make only text, lists and dicts, never objects; libyaml's is several times as fast.
class _Loader(getattr(yaml, "CBaseLoader", yaml.BaseLoader)):  # type: ignore[misc]
    """Reads every scalar as text, so that `no`, `1e3` and `2009-12` stay as they are written.

    An unquoted `~` or `null`, or no value, means that the field is left out. A repeated key is an
    error.
    """

    def construct_scalar(self, node: yaml.ScalarNode) -> Any:
        text = super().construct_scalar(node)
        # The style of what stands without quotes is None, or "" from libyaml.
        return None if not node.style and text in ("", "~", "null") else text

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys: list[str] = []
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise _yaml_error("a field's name is one word", key)
            keys.append(key.value)
        for key, times in Counter(keys).items():
            if times > 1:
                raise _yaml_error(f"the key '{key}' is given twice", node)
        mapping = super().construct_mapping(node, deep=deep)
        return {name: value for name, value in mapping.items() if value is not None}


def _yaml_error(problem: str, node: yaml.Node) -> yaml.MarkedYAMLError:
    return yaml.constructor.ConstructorError(None, None, problem, node.start_mark)


@dataclass
class SeedFiles:
    """The valid records of a folder of seed files, each with its file."""

    collections: list[tuple[Path, CollectionIn]]
    topics: list[tuple[Path, TopicIn]]
    sources: list[tuple[Path, SourceIn]]
    claims: list[tuple[Path, ClaimFile]]

    @property
    def is_empty(self) -> bool:
        return not (self.collections or self.topics or self.sources or self.claims)


# What is worth a sentence: records that were left alone, and stored ones that the files lack.
Note = ChangedHere | StoredAlone | MissingRecords


def _is_empty(folder: Path) -> bool:
    """Return whether a folder is there and nobody put a file into it."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return folder.is_dir() and all(path.name.startswith(".") for path in files)


def seed(
    database: Database,
    root: Path,
    tell: Callable[[Note], None] = lambda _note: None,
    *,
    overwrite: bool = False,
) -> Counter[tuple[str, str]]:
    """Load a folder of seed files. Return the number of records by type and outcome.

    A record is stored, unchanged, or left alone because people changed it here since, which
    `overwrite` does not heed. Loading the same files again alters nothing, and stored records
    without a file are left alone. `tell` is given what was left alone, and what the files lack.
    An empty folder has no records. Raises `BadSeed` with every fault of every file; then nothing is
    stored.
    """
    problems: list[FileFault] = []

    def report(path: Path, fault: Fault) -> None:
        problems.append((path, fault))

    files = SeedFiles(
        collections=list(_read_vocabulary(root, "collections", CollectionIn, report)),
        topics=list(_read_vocabulary(root, "topics", TopicIn, report)),
        sources=list(read_sources(root, report)),
        claims=list(_read_claims(root, report)),
    )
    texts = list(_read_texts(root, files.sources, report))
    if not problems and files.is_empty and not _is_empty(root):
        raise ClaimbaseError(f"There are no seed files under {root}.", code="bad_seed")
    with changes.begin(database, actor=SEED_ACTOR, comment="Loaded from seed files.") as change:
        run = SeedRun(change, problems, None if overwrite else tell)
        for slug, text in texts:
            source_text.store_text(change.connection, slug, text)
        for located in _records(files):
            run.store(*located)
        if problems:
            raise BadSeed(problems, root)
        for missing in run.held.missing(change.connection):
            tell(missing)
        if alone := stored_alone(change.connection, SEED_ACTOR, run.loaded):
            tell(StoredAlone(alone))
    return run.tally


class SeedRun:
    """Seed files on their way into the database.

    `loaded` names their records by type and id, `tally` counts them by type and outcome. What
    people changed here goes to `leave`, or is overwritten if that is None.
    """

    def __init__(
        self,
        change: changes.Change,
        problems: list[FileFault],
        leave: Callable[[Note], None] | None,
    ) -> None:
        self.change = change
        self.problems = problems
        self.leave = leave
        self.held = HeldRecords()
        self.loaded: set[str] = set()
        self.tally: Counter[tuple[str, str]] = Counter()
        self.bad_ids: set[str | None] = {path.stem for path, _ in problems}

    def store(self, path: Path, pointer: str, kind: RecordType, body: Row) -> None:
        """Store a record of a file, or note why not."""
        self.held.add(self.change.connection, kind, body)
        self.loaded.add(f"{kind.name}/{kind.id_of(body)}")
        try:
            self.tally[kind.name, self._outcome(kind, body)] += 1
        except (InvalidRecord, Conflict) as error:
            self.bad_ids.add(kind.id_of(body))
            # A reference to a bad record is not a fault of the file that refers to it.
            self.problems += [
                (path, _located(fault, pointer))
                for fault in error.faults
                if fault.given not in self.bad_ids
            ]

    def _outcome(self, kind: RecordType, body: Row) -> str:
        decided = self._changed_here(kind, body) if self.leave else None
        if self.leave and decided:
            self.leave(decided)
            return "left as it was changed here"
        return "stored" if changes.put(self.change, kind, body) else "unchanged"

    def _changed_here(self, kind: RecordType, body: Row) -> ChangedHere | None:
        """Return who changed a record last, if that was no seed and it differs from the file."""
        connection, record_id = self.change.connection, kind.id_of(body)
        found = changed_here(connection, kind, [record_id], {SEED_ACTOR}).get(record_id)
        return found if found and read_record(connection, kind, record_id) != body else None


def _records(files: SeedFiles) -> Iterator[tuple[Path, str, RecordType, Row]]:
    """Yield the file, the path in it, the type and the body of each record.

    Everything that a record refers to comes before it.
    """
    for path, collection in files.collections:
        yield path, collection.id, RECORD_TYPES["collection"], collection.model_dump()
    for path, topic in files.topics:
        yield path, topic.id, RECORD_TYPES["topic"], topic.model_dump()
    for path, claim in files.claims:
        fields = {name: getattr(claim, name) for name in ClaimIn.model_fields}
        yield path, "", RECORD_TYPES["claim"], fields
    sources = {source.id: (path, source.model_dump()) for path, source in files.sources}
    for slug in in_order_of_ties([body for _, body in sources.values()]):
        path, body = sources[slug]
        yield path, "", RECORD_TYPES["source"], body
    for path, claim in files.claims:
        for kind in PART_TYPES:
            for number, part in enumerate(getattr(claim, kind.plural)):
                body = {"claim": claim.id, **part.model_dump()}
                yield path, f"{kind.plural}/{number}", kind, body


def _read_vocabulary(
    root: Path, name: str, model: type[In], report: Report
) -> Iterator[tuple[Path, In]]:
    """Yield the valid records of a file that is a list of them, such as `topics`."""
    path = root / "vocabularies" / f"{name}.yaml"
    if not path.exists():
        return
    content = _read_yaml(path, report)
    if content is BROKEN:
        return
    if not isinstance(content, list):
        detail = f"This file is a list of {name}."
        report(path, Fault(at="", code="not_a_list", detail=detail))
        return
    for number, fields in enumerate(content):
        record = _validate(path, model, fields, report, str(number))
        if record is not None:
            yield path, record


def read_sources(root: Path, report: Report) -> Iterator[tuple[Path, SourceIn]]:
    """Yield the valid sources in a folder of seed files, each with its file."""
    return _read_folder(root / "sources", SourceIn, report, partial(_with_its_text, root, report))


def _text_of(root: Path, source: str) -> Path:
    return root / "texts" / f"{source}.txt"


def _with_its_text(root: Path, report: Report, path: Path, content: Row) -> Row:
    """Return a source with the SHA-256 and the length of its text, where that is in a file.

    The source's own file says under which licence.
    """
    said, file = content.get("text"), _text_of(root, path.stem)
    if not isinstance(said, dict) or not file.exists():
        return content
    text = _read_text(file, report)
    if text is BROKEN:
        return content
    derived = {"sha256": source_text.sha256_of(text), "length": len(text)}
    return {**content, "text": {**derived, **said}}


def _read_texts(
    root: Path, sources: Iterable[tuple[Path, SourceIn]], report: Report
) -> Iterator[tuple[str, str]]:
    """Yield the valid whole texts in a folder of seed files, each with the source that it is of."""
    with_text = {source.id for _, source in sources if source.text is not None}
    for path in sorted((root / "texts").glob("[!.]*")):
        if path != _text_of(root, path.stem) or path.stem not in with_text:
            detail = (
                "A text has the name of its source and ends in .txt, and the source's file says"
                " under which licence it stands."
            )
            report(path, Fault(at="", code="text_without_source", detail=detail))
            continue
        text = _read_text(path, report)
        if text is BROKEN:
            continue
        try:
            yield path.stem, source_text.check_whole_text(text)
        except PydanticCustomError as error:
            report(path, Fault(at="", code=error.type, detail=error.message()))


def _read_claims(root: Path, report: Report) -> Iterator[tuple[Path, ClaimFile]]:
    for path, claim in _read_folder(root / "claims", ClaimFile, report):
        for fault in _repeated_keys(claim):
            report(path, fault)
        yield path, claim


def _read_folder(
    folder: Path,
    model: type[In],
    report: Report,
    completed: Callable[[Path, Row], Row] = lambda _path, content: content,
) -> Iterator[tuple[Path, In]]:
    """Yield the records in the files of a folder. The name of each file is the id of its record.

    `completed` adds to the content of a file what is in another one.
    """
    for path in sorted(folder.glob("*")):
        if path.name.startswith("."):
            continue
        if path.suffix != ".yaml":
            detail = "A seed file's name ends in .yaml."
            report(path, Fault(at="", code="not_yaml", detail=detail))
            continue
        content = _read_yaml(path, report)
        if content is BROKEN:
            continue
        fault = _check_file(path, content)
        if fault is not None:
            report(path, fault)
            continue
        record = _validate(path, model, {**completed(path, content), "id": path.stem}, report)
        if record is not None:
            yield path, record


def _check_file(path: Path, content: Any) -> Fault | None:
    """Return what is wrong with a file of one record as a whole, or None."""
    if not isinstance(content, dict):
        detail = "This file is one record of field: value."
        return Fault(at="", code="not_a_record", detail=detail)
    if content.get("id", path.stem) != path.stem:
        detail = f"The id is the file's name, '{path.stem}'; leave it out."
        return Fault(at="id", code="id_not_filename", detail=detail, suggestion=path.stem)
    return None


def _read_yaml(path: Path, report: Report) -> Any:
    """Return the content of a file, or `BROKEN` after reporting why it cannot be read."""
    text = _read_text(path, report)
    if text is BROKEN:
        return BROKEN
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        # The end of a file that ends within a line counts as another line for libyaml.
        where = f"line {min(mark.line, text.count(chr(10))) + 1}" if mark else ""
        fault = Fault(at=where, code="not_yaml", detail=str(error.problem))
    except yaml.YAMLError as error:
        fault = Fault(at="", code="not_yaml", detail=str(error))
    report(path, fault)
    return BROKEN


def _read_text(path: Path, report: Report) -> Any:
    """Return the text of a file as it is, or `BROKEN` after reporting why it cannot be read."""
    try:
        return path.read_bytes().decode()
    except OSError as error:
        fault = Fault(at="", code="not_readable", detail=f"{error.strerror}.")
    except UnicodeDecodeError as error:
        fault = Fault(at="", code="not_utf8", detail=f"Not UTF-8 at byte {error.start}.")
    report(path, fault)
    return BROKEN


def _validate(
    path: Path, model: type[In], content: Any, report: Report, pointer: str = ""
) -> In | None:
    """Return a record, or None after reporting every fault in it."""
    try:
        return model.model_validate(content)
    except ValidationError as error:
        for fault in record_faults(error, model.model_fields):
            report(path, _located(fault, pointer))
        return None


def _located(fault: Fault, pointer: str) -> Fault:
    """Return a fault of the record at a path in a file as a fault of the file."""
    return fault.model_copy(update={"at": join_path(pointer, fault.at)})


def _repeated_keys(claim: ClaimFile) -> Iterator[Fault]:
    """Yield a fault for each key that two parts of a claim have in common."""
    keys = {
        "occurrences": [part.key for part in claim.occurrences],
        "evidence": [part.key for part in claim.evidence],
        "assessments": [part.key for part in claim.assessments],
        "relations": [f"{part.type} {part.target}" for part in claim.relations],
    }
    for name, values in keys.items():
        for value, times in Counter(values).items():
            if times > 1:
                detail = f"'{value}' is given {times} times."
                yield Fault(at=name, code="repeated_key", detail=detail)
