"""Notes and findings as pages show them: what they call by its slug is linked by its name."""

import re
from collections.abc import Iterable, Mapping

from markupsafe import Markup, escape
from sqlalchemy import Connection, select

from api.site.words import segment
from models.read import listings
from models.records.serializers import sources_by_id, table
from models.records.source import Source

# A slug of several words, not a part of an address or an identifier. Others look like any word.
SLUG = re.compile(r"(?<![\w/.:#-])[a-z][a-z0-9]*(?:-[a-z0-9]+)+(?![\w/-])")


def names_in(connection: Connection, texts: Iterable[str | None]) -> dict[str, Markup]:
    """Return a link for each source and claim that the texts call by its slug."""
    slugs = sorted({slug for text in texts if text for slug in SLUG.findall(text)})
    if not slugs:
        return {}
    source = table(Source)
    chosen = select(source.c.id).where(source.c.id.in_(slugs), source.c.state == "accepted")
    sources = sources_by_id(connection, connection.scalars(chosen))
    return {
        **{
            slug: _link(f"/claims/{segment(slug)}", f"“{brief['statement']}”")
            for slug, brief in listings.claim_briefs(connection, slugs).items()
        },
        **{
            slug: _link(f"/sources/{segment(slug)}", found["citation"])
            for slug, found in sources.items()
        },
    }


def _link(address: str, text: str) -> Markup:
    return Markup('<a href="{}">{}</a>').format(address, text)


def linked(text: str | None, names: Mapping[str, Markup]) -> Markup:
    """Return a text with links in the place of the slugs that `names` has."""
    parts: list[Markup] = []
    end = 0
    for found in SLUG.finditer(text or ""):
        if found[0] in names:
            parts += [escape((text or "")[end : found.start()]), names[found[0]]]
            end = found.end()
    return Markup("").join([*parts, escape((text or "")[end:])])
