"""The functions that ask more than one shard of Citus, each with the reason."""

from collections.abc import Mapping, Sequence

from tests.shards import Statement, Verdict, judge

# Whatever these functions ask, they may ask it of all shards, or of those of several claims.
CROSSING: Mapping[str, Sequence[str]] = {
    "a list, a count or a facet is of all claims": (
        *("api.http.pagination._read", "api.site.topics._claims_of"),
        *("models.read.listings.read_all", "models.read.facets._counts"),
        *("models.read.facets._counts_by_line", "models.read.facets._having_any"),
        *("models.read.facets._having_by_line", "models.read.facets.count"),
        *("models.read.facets.evidence_facets", "models.read.facets.status_history"),
        *("models.read.facets.years_of_evidence", "models.read.addresses.ids_of"),
        "models.read.addresses._last_of_part",
    ),
    "words may stand in any claim": (
        *("models.read.search_results._finds", "models.read.search_results.candidates"),
        *("models.read.search_results._matching_ids", "models.read.matching._rows_with"),
        *("models.search.word_counts._count_words", "models.search.word_counts._current_counts"),
        "models.records.near_matches._neighbours",
    ),
    "what was found in several claims is read of those": (
        *("models.read.search_results._labels", "models.read.search_results._rows_of"),
        *("models.read.matching._read_claims", "models.read.matching._read_texts"),
        *("models.read.listings.claim_briefs", "models.records.record_types.read_states"),
    ),
    "a relation leads to another claim, which has its own shard": (
        *("models.read.relation_graph._relations_at", "models.read.relation_graph._with_status"),
        *("models.read.relation_graph.describe_claims", "models.read.predictions._standing"),
        *("models.projection.claim_loader.first_days", "models.read.as_recorded._last"),
        "models.read.as_recorded._first_made",
    ),
    "any claim may cite a source": (
        *("api.site.sources._lines", "api.site.sources._positions"),
        "models.read.stated_in.statements_in",
    ),
    "several sources, each of which has revisions of its own": (
        "models.read.as_recorded._sources",
    ),
    "the changes of all records in their order": (
        *("models.read.change_feed.changes_after", "models.read.change_feed.changes_before"),
        *("models.read.change_feed._of_actors", "models.read.change_feed.require_known"),
        "models.read.change_feed._complete_until",
    ),
    "a change is asked for by its serial, not by what it changed": (
        *("models.read.listings.read_revision", "models.write.undo._steps_of_change"),
        "models.write.review.describe_purged",
    ),
    "what somebody proposed may be of any record": ("api.http.pending_proposals.proposals",),
    "the name of a suggestion or a comment does not say which claim it is about": (
        *("models.access.proposal_ownership._origin", "models.records.revision.latest_revision"),
        "models.write.suggestions.ever_about",
    ),
    "a source, a topic or a collection changes, and what refers to it": (
        *("models.write.changes._referring", "models.write.changes._listing"),
        *("models.write.merge._refuse_to_split_groups", "models.write.purge._merged_into"),
    ),
    "a change touches several claims, and each is derived anew": (
        *("models.projection.claim_loader.load", "models.projection.claim_loader.claim_rows"),
        *("models.projection.store.refresh", "models.search.index._update_words"),
        *("models.search.index.update_search_rows", "models.records.record_types._records_found"),
        "models.records.record_types.topics_by_claim",
    ),
    "an export is of everything": (
        *("models.transfer.export._batches", "models.transfer.export.export_header"),
        *("models.transfer.licences._any", "models.transfer.licences.licences_of"),
        "models.transfer.collection_part._own",
    ),
    "vectors are made and searched of all claims, beside the requests": (
        *("models.search.vectors._store", "models.search.vectors._stored_keys"),
        *("models.search.vectors._wordings", "models.search.vectors.accepted_claims"),
        *("models.search.nearest._last_position", "models.search.nearest._read_vectors"),
        *("models.search.nearest._add_new", "models.search.nearest.read_new"),
    ),
}
ASKERS = {asker for askers in CROSSING.values() for asker in askers}


def verdicts(statements: Sequence[Statement]) -> list[tuple[Statement, Verdict]]:
    """Return each statement that needs a distributed table, with where it goes."""
    found = {}
    # Others may still be noting theirs.
    for statement in list(statements):
        verdict = judge(statement)
        if verdict.shards != "none":
            found[statement.text, verdict.shards] = (statement, verdict)
    return list(found.values())


def unlisted(statements: Sequence[Statement]) -> list[str]:
    """Return the statements that ask more than one shard and are not listed, or that Citus would
    refuse, each with who asked.
    """
    return [
        f"{statement.asker} asks {verdict.shards} shards of {sorted(verdict.tables)}"
        f" {verdict.refusals}: {statement.text}"
        for statement, verdict in verdicts(statements)
        if verdict.refusals or (verdict.shards != "one" and statement.asker not in ASKERS)
    ]
