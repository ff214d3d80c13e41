"""Optional parts of the program: libraries that only an extra installs."""

from importlib.util import find_spec

from models.core.errors import ClaimbaseError

# The extra that installs each of these libraries.
EXTRAS = {"pyarrow": "tables", "rdflib": "rdf", "nanopub": "nanopub"}


class MissingExtra(ClaimbaseError):
    """What was asked for needs a library that is not installed."""

    code = "missing_extra"


def require_library(name: str) -> None:
    """Raise `MissingExtra` if a library is not installed; it says what to install."""
    if find_spec(name) is None:
        raise MissingExtra(
            f"This needs {name}, which is not installed: pip install 'claimbase[{EXTRAS[name]}]'."
        )
