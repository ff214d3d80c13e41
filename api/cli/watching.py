"""The run of `sources watch`: looks notices up, stores them, and prints what became of each."""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import typer

from api.citations import registries, retraction_watch, watch
from api.citations.retraction_watch import Reinstatement
from api.cli.progress import count_bar
from api.cli.watch_progress import WatchProgress, open_progress
from models.core.errors import ClaimbaseError
from models.database.connections import Database
from models.transfer import notice_matching
from models.transfer.notice_matching import ClaimEffect, Finding, Identifier, Notice
from models.write import changes
from models.write.notices import NOTICE_KINDS

# What a run ends with if it could be carried out: 0 where there is nothing new.
EXIT_NEW = 3
EXIT_INCOMPLETE = 4
# Sources that are looked up, and their notices stored, before the progress is noted.
SOURCES_AT_ONCE = 40
# Rows of a file that are held against what is stored at once.
ROWS_AT_ONCE = 500


@dataclass
class Run:
    """One run: what it does with a new notice, and what it found so far."""

    database: Database
    accept: bool
    dry_run: bool
    tally: Counter[str] = field(default_factory=Counter)
    unknown: int = 0
    unanswered: int = 0

    @property
    def exit_code(self) -> int:
        """The code for whoever started the run: a new notice is told before all else."""
        if self.tally["new"] + self.tally["untied"] + self.tally["reinstated"]:
            return EXIT_NEW
        return EXIT_INCOMPLETE if self.unanswered else 0

    def take(self, notices: Sequence[Notice]) -> None:
        """Hold notices against what is recorded, store what is new, and print each."""
        with self.database.read(unlimited=True) as connection:
            findings = notice_matching.find(connection, notices)
        for finding in findings:
            self.tally[finding.outcome] += 1
            became, effects = _WHAT_BECAME[finding.outcome](finding), list[ClaimEffect]()
            if finding.is_new:
                try:
                    became, effects = self._store(finding)
                except ClaimbaseError as error:
                    self.unanswered += 1
                    became = f"cannot be stored: {error.detail}"
            self._print(finding, became, effects)

    def _store(self, finding: Finding) -> tuple[str, list[ClaimEffect]]:
        """Store a new notice, and return what became of it and of the claims."""
        if self.dry_run:
            return "new", notice_matching.effects(self.database, finding)
        comment = " ".join(finding.notice.said)
        if self.accept:
            with changes.begin(
                self.database, actor=notice_matching.ACTOR, comment=comment
            ) as change:
                slug, effects = notice_matching.accept(change, finding)
            return f"accepted as {slug}", effects
        effects = notice_matching.effects(self.database, finding)
        if finding.outcome == "untied":
            return _untied(finding), effects
        with changes.begin(self.database, actor=notice_matching.ACTOR, comment=comment) as change:
            slug = notice_matching.propose(change, finding)
        return f"proposed as {slug}", effects

    def _print(self, finding: Finding, became: str, effects: Sequence[ClaimEffect]) -> None:
        notice = finding.notice
        when = f" of {notice.announced}" if notice.announced else ", undated"
        noun = NOTICE_KINDS[notice.tie].noun
        typer.echo(f"{finding.source}: {noun}{when}, {became}. {' '.join(notice.said)}")
        for effect in effects:
            changed = f" → {effect.after}" if effect.after != effect.before else ", as before"
            accepted = "" if self.accept and not self.dry_run else ", once accepted"
            typer.echo(f"  claim {effect.claim}: {effect.before}{changed}{accepted}")

    def tell_reinstated(self, reinstatement: Reinstatement) -> None:
        """Print how the stored source is marked whose retraction was taken back, if there is one.

        Nothing is stored: what that means is for a curator to judge.
        """
        with self.database.read(unlimited=True) as connection:
            found = notice_matching.integrity_of(connection, reinstatement.about)
        when = f" of {reinstatement.date}" if reinstatement.date else ", undated"
        for slug, integrity in found.items():
            is_marked = integrity == "retracted"
            self.tally["reinstated"] += is_marked
            became = _STILL_MARKED if is_marked else "not marked as retracted here"
            typer.echo(f"{slug}: reinstatement{when}, {became}. {reinstatement.said}")

    def print_summary(self, looked_up: str) -> None:
        """Print how many of what there were."""
        counts = [("New", self.tally["new"] + self.tally["untied"])]
        counts += [(name, self.tally[name]) for name in _KNOWN]
        typer.echo(
            f"{looked_up}. {', '.join(f'{name}: {number}' for name, number in counts)}."
            f" Not known there: {self.unknown}, unanswered: {self.unanswered}."
        )


_KNOWN = ("recorded", "waiting", "refused")
_STILL_MARKED = "but marked as retracted here: a curator must judge"


def _untied(finding: Finding) -> str:
    tie = json.dumps({"type": finding.notice.tie, "source": finding.source})
    return f"stored as {finding.record}, which is not tied to it: add {tie} to its versions"


def _recorded(finding: Finding) -> str:
    return f"recorded as {finding.record}" if finding.record else "recorded"


_WHAT_BECAME: dict[str, Callable[[Finding], str]] = {
    "new": lambda _: "new",
    "untied": _untied,
    "recorded": _recorded,
    "waiting": lambda finding: f"waiting for review as {finding.record}",
    "refused": lambda finding: f"refused earlier as {finding.record}",
}


def ask_registries(run: Run, mailto: str, progress_file: Path) -> int:
    """Look all accepted sources up, go on where the last run stopped, and return the exit code."""
    with (
        open_progress(None if run.dry_run else progress_file, run.database.display_url) as progress,
        registries.asking(mailto) as client,
    ):
        asked = watch.Registries.at(registries.CROSSREF, registries.PUBMED, client, mailto)
        if progress.after:
            typer.echo(f"Going on after {progress.after}, where a run stopped.", err=True)
        sources = identifiers = 0
        try:
            for batch in _batches(run, progress):
                answers = watch.ask(asked, batch.values())
                run.take(answers.notices)
                for (scheme, value), detail in sorted(answers.unanswered.items()):
                    typer.echo(f"{scheme}:{value}: unanswered. {detail}", err=True)
                run.unknown += len(answers.unknown)
                run.unanswered += len(answers.unanswered)
                sources += len(batch)
                identifiers += sum(map(len, batch.values()))
        except registries.Unavailable as error:
            run.unanswered += 1
            typer.echo(f"{error}. The next run goes on from here.", err=True)
    run.print_summary(f"Sources looked up: {sources}, identifiers: {identifiers}")
    return run.exit_code


def _batches(run: Run, progress: WatchProgress) -> Iterator[dict[str, list[tuple[str, str]]]]:
    """Yield the sources that are left, so many at a time; note each batch when it is done."""
    with run.database.read() as connection:
        total = watch.count_watched(connection, progress.after)
    with count_bar("Asking about sources", total) as advance:
        after = progress.after
        while True:
            with run.database.read() as connection:
                batch = watch.watched(connection, after, SOURCES_AT_ONCE)
            if not batch:
                break
            yield batch
            after = list(batch)[-1]
            progress.note(after)
            advance(len(batch))
    progress.finish()


def read_retraction_watch(run: Run, file: Path) -> int:
    """Hold the rows of a file of Retraction Watch against the stored sources; return the code."""
    try:
        # Some bytes of the file, in names that are not read, are no UTF-8.
        with file.open(encoding="utf-8-sig", errors="replace", newline="") as lines:
            # All of it first: a retraction may stand before the row that takes it back.
            rows = list(retraction_watch.read(lines))
    except OSError as error:
        raise ClaimbaseError(f"{file}: {error.strerror}.") from None
    except retraction_watch.NotRetractionWatch as error:
        raise ClaimbaseError(f"{file}: no file of Retraction Watch: {error}.") from None
    reinstated = [row for row in rows if isinstance(row, Reinstatement)]
    by_work = {work: row for row in reinstated for work in row.about}
    notices = [row for row in rows if isinstance(row, Notice)]
    valid = [notice for notice in notices if not _is_lifted(notice, by_work)]
    with count_bar("Comparing notices", len(valid)) as advance:
        for start in range(0, len(valid), ROWS_AT_ONCE):
            batch = valid[start : start + ROWS_AT_ONCE]
            run.take(batch)
            advance(len(batch))
    for reinstatement in reinstated:
        run.tell_reinstated(reinstatement)
    run.print_summary(
        f"Rows read: {len(rows)}, about no registered work: {rows.count(None)},"
        f" reinstatements: {len(reinstated)},"
        f" retractions taken back by them: {len(notices) - len(valid)}"
    )
    return run.exit_code


def _is_lifted(notice: Notice, by_work: Mapping[Identifier, Reinstatement]) -> bool:
    """Return whether a notice is a retraction that was taken back later."""
    return any(by_work[work].lifts(notice) for work in notice.about if work in by_work)
