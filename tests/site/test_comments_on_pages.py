"""What is said of records, as everybody reads it on their pages."""

import re

from fastapi.testclient import TestClient

from tests.api.curating import CLAIM, NOW, Desk, at_desk
from tests.site.test_claim_page import HTML, text_of

LINE = f"evidence/{CLAIM}:doepp-2010"
# Each record with the page on which comments on it stand.
PLACES = {
    f"claim/{CLAIM}": f"/claims/{CLAIM}",
    LINE: f"/claims/{CLAIM}",
    f"occurrence/{CLAIM}:c06": f"/claims/{CLAIM}",
    "source/doepp-2010": "/sources/doepp-2010",
}


def comment(desk: Desk, about: str) -> str:
    """Comment on a record and return the comment's id."""
    body = {"about": about, "text": f"Of <{about}>.", "flag": "misquoted"}
    return str(desk.must(201, "anna", "POST", "/v1/comments", body)["id"])


def shown(client: TestClient, address: str) -> list[str]:
    """Return what each comment of a page says, with its flag, who said it, and where it stands."""
    page = client.get(address, headers=HTML).text
    lists = re.findall(r'<details class="comments">(.*?)</details>', page, flags=re.DOTALL)
    return [text_of(each).strip() for part in lists for each in re.findall(r"<li>.*?</li>", part)]


def test_a_comment_is_on_the_page_of_its_record_once_it_is_accepted(desk: Desk) -> None:
    made = {about: comment(desk, about) for about in PLACES}
    # Its id begins as that of the claim does, but it is another one's.
    other = desk.accepted("claim", f"{CLAIM}-not")
    desk.decide("accept", "comment", comment(desk, f"claim/{other}"))
    for address in PLACES.values():
        assert shown(desk.client, address) == []
    before = desk.must(200, None, "GET", "/v1/changes?limit=1")["page"]["last"]
    for each in made.values():
        desk.decide("accept", "comment", each)
    told = {about: next(iter(shown(desk.client, address))) for about, address in PLACES.items()}
    assert told["source/doepp-2010"].startswith("misquoted Of <source/doepp-2010>. anna, ")
    of_claim = shown(desk.client, f"/claims/{CLAIM}")
    assert [text.partition(".")[0] for text in of_claim] == [
        f"misquoted Of <{about}>" for about in (LINE, f"claim/{CLAIM}", f"occurrence/{CLAIM}:c06")
    ]
    assert [text.endswith(f"· on occurrence {CLAIM}:c06") for text in of_claim] == [
        False,
        False,
        True,
    ]
    page = desk.client.get(f"/claims/{CLAIM}", headers=HTML).text
    line = page.partition('id="doepp-2010"')[2].partition("</li>\n</ol>")[0]
    assert f"Of &lt;{LINE}&gt;." in line
    at = desk.must(200, None, "GET", f"/v1/revisions/{before}")["at"]
    assert shown(desk.client, f"/claims/{CLAIM}?known_at={at}") == []
    desk.must(200, "ben", "DELETE", f"/v1/comments/{made[LINE]}?comment=Wrong.", If_Match=NOW)
    assert len(shown(desk.client, f"/claims/{CLAIM}")) == 2


def test_what_waits_in_public_is_marked_so(desk: Desk) -> None:
    with at_desk(desk.store, discussion="public") as public:
        made = comment(public, LINE)
        (told,) = shown(public.client, f"/claims/{CLAIM}")
        assert told.endswith(" · waits for review")
        public.decide("reject", "comment", made, comment="No.")
        assert shown(public.client, f"/claims/{CLAIM}") == []
