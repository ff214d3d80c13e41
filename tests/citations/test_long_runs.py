"""A long run of one character is read in the time that it takes to pass over it, not in its
square.
"""

import time

import pytest

from api.citations import detect

LONG = 60_000


@pytest.mark.parametrize(
    "run", [" ", "\n", "\t", "~", "-", ",", ";", "(", "{", "\\", "$", " - ", "a, ", " and"]
)
@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("bibtex", "@article{a, title = {T}}%s\n@article{b, title = {T}}"),
        ("bibtex", "@article{a, title = {T}, author = {A%sx}, pages = {1%sx}, note = {x%sx}}"),
        (
            "ris",
            "TY  - JOUR\nTI  - x%sx\nAU  - A%sx\nSP  - 1%sx\nDO  - 10.1000/%sx\nSN  - 1%sx\nN1 "
            " - x%sx",
        ),
        (
            "nbib",
            "PMID- 1\nTI  - x%sx\nFAU - A%sx\nPG  - 1%sx\nLID - 10.1000/%sx [doi]\nDP  - 2009%sx",
        ),
        (
            "csl_json",
            '[{"title": "x%sx", "page": "1%sx", "DOI": "10.1000/%sx", "PMCID": "1%sx", "ISBN":'
            ' "1%sx"}]',
        ),
    ],
)
def test_no_run_takes_its_square(name: str, file: str, run: str) -> None:
    if name == "csl_json":
        run = run.replace("\\", "\\\\")
    content = file.replace("%s", run * (LONG // len(run))).encode()
    began = time.process_time()
    detect.read(content, name)
    # It takes some tenths of a second; with a pattern that gives blanks back one by one, minutes.
    assert time.process_time() - began < 10
