"""What the pages of curating offer, and that they know nothing of who asks."""

import re
from html import unescape

import pytest
from fastapi.testclient import TestClient

from api.site import curating
from api.site.curating import Form, Input
from models.core.types import Strict
from models.records.claim import ClaimIn, OccurrenceIn
from models.records.evidence import EvidenceIn
from models.records.record_types import CONTENT_TYPES, RecordType
from models.records.source import SourceIn

HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
PAGES = ("", "/queue", "/source", "/evidence", "/claim", "/suggest?record=claim/ccsvi-causes-ms")


def inputs(form: Form) -> list[Input]:
    """Return all fields of a form."""
    return [each for _, fields in form for each in fields]


@pytest.mark.parametrize("address", PAGES)
def test_a_page_says_what_to_do_without_script_and_depends_on_nobody(
    client: TestClient, address: str
) -> None:
    page = client.get(f"/curate{address}", headers=HTML)
    assert page.status_code == 200
    assert "connect-src 'self'" in page.headers["content-security-policy"]
    assert "<noscript>" in page.text
    assert "Authorization: Bearer" in page.text
    assert len(page.content) < 100_000
    assert "set-cookie" not in page.headers
    keyed = client.get(f"/curate{address}", headers={**HTML, "Authorization": "Bearer claimbase_x"})
    assert keyed.text == page.text
    # Whatever needs a key is not shown before the script knows whose it is.
    assert re.search(r'data-needs="c[a-z]+"( data-only)? hidden', page.text)


def test_a_form_begins_with_what_the_address_says(client: TestClient) -> None:
    line = client.get("/curate/evidence?claim=ccsvi-causes-ms&source=doepp-2010", headers=HTML)
    for name, value in (("claim", "ccsvi-causes-ms"), ("source", "doepp-2010")):
        assert re.search(rf'<input id="f-{name}"[^>]* value="{value}">', line.text)
    claim = client.get("/curate/claim?document=article-ccsvi-explained", headers=HTML)
    assert re.search(r'<input id="f-source"[^>]* value="article-ccsvi-explained">', claim.text)
    source = client.get("/curate/source?identifier=%3Cb%3E10.1/x", headers=HTML)
    assert "&lt;b&gt;10.1/x</textarea>" in source.text
    wrong = client.get("/curate/evidence?clam=ccsvi-causes-ms", headers=HTML)
    assert (wrong.status_code, "claim" in wrong.text) == (400, True)


@pytest.mark.parametrize(
    ("form", "models", "besides"),
    [
        (curating.SOURCE, (SourceIn,), {"more"}),
        (curating.EVIDENCE, (EvidenceIn,), {"claim"}),
        (curating.CLAIM, (ClaimIn, OccurrenceIn), set()),
    ],
)
def test_a_form_has_fields_of_its_record_and_all_that_are_needed(
    form: Form, models: tuple[type[Strict], ...], besides: set[str]
) -> None:
    known = {name for model in models for name in model.model_fields}
    names = {each.name for each in inputs(form)}
    assert names - known == besides
    needed = {
        name
        for model in models
        for name, declared in model.model_fields.items()
        if declared.is_required()
    }
    assert needed <= {each.name for each in inputs(form) if each.required}


@pytest.mark.parametrize("kind", CONTENT_TYPES, ids=lambda kind: kind.name)
def test_each_field_of_a_record_may_be_suggested_but_for_its_key(
    client: TestClient, kind: RecordType
) -> None:
    names = [each.name for each in inputs(curating.SUGGESTED[kind.name])]
    assert len(names) == len(set(names))
    # What has no field of its own is changed as JSON.
    assert set(names) - {"more"} <= set(kind.fields.model_fields) - set(kind.columns)
    assert "more" in names
    page = client.get(f"/curate/suggest?record={kind.name}/x", headers=HTML)
    for name in (*names, "reason", "flag", "borne_by"):
        assert page.text.count(f'data-field="{name}"') == 1


@pytest.mark.parametrize(
    ("record", "status"),
    [("comment/x", 404), ("nothing/x", 400), ("claim", 400), ("evidence/<b>", 400), (None, 400)],
)
def test_a_suggestion_is_about_a_record(
    client: TestClient, record: str | None, status: int
) -> None:
    query = {} if record is None else {"record": record}
    assert client.get("/curate/suggest", params=query, headers=HTML).status_code == status


@pytest.mark.parametrize(
    ("address", "form"),
    [
        ("/curate/source", curating.SOURCE),
        ("/curate/evidence", curating.EVIDENCE),
        ("/curate/claim", curating.CLAIM),
    ],
)
def test_each_term_is_offered_with_its_definition(
    client: TestClient, address: str, form: Form
) -> None:
    page = unescape(client.get(address, headers=HTML).text)
    for each in inputs(form):
        for term in each.terms.terms if each.terms else ():
            assert term.definition in page
            assert f'="{term.id}"' in page
