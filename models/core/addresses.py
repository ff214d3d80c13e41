"""Addresses of the web, and licences, which are named by a short expression or an address."""

import re
from typing import Annotated

from pydantic import AfterValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from models.core.types import Text

_WEB_ADDRESS = re.compile(r"https?://\S+")
_WEB_ADDRESS_LENGTH = 2000


def check_web_address(value: str) -> str:
    """Refuse what is not an address of the web."""
    if len(value) > _WEB_ADDRESS_LENGTH or not _WEB_ADDRESS.fullmatch(value):
        raise PydanticCustomError(
            "malformed_url",
            "An address begins with http:// or https://, has no blanks, and at most {length} "
            "characters.",
            {"length": _WEB_ADDRESS_LENGTH},
        )
    return value


# SQLModel drops the pattern that a field is given, so it stands in the type.
WebAddress = Annotated[
    Text,
    AfterValidator(check_web_address),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": f"^{_WEB_ADDRESS.pattern}$",
            "maxLength": _WEB_ADDRESS_LENGTH,
        }
    ),
]

_LICENCE_LENGTH = 2000
_NAME = r"\(*[A-Za-z0-9][A-Za-z0-9.+:-]*\)*"
_SPDX = re.compile(rf"{_NAME}(?: (?:AND|OR|WITH) {_NAME})*")


def check_licence(value: str) -> str:
    """Refuse what is neither an SPDX expression nor an address."""
    if value.startswith(("http://", "https://")):
        return check_web_address(value)
    if len(value) > _LICENCE_LENGTH or not _SPDX.fullmatch(value):
        raise PydanticCustomError(
            "malformed_licence",
            "A licence is an SPDX expression such as CC-BY-4.0, or the address of its text.",
        )
    return value


Licence = Annotated[
    Text,
    AfterValidator(check_licence),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": rf"^({_SPDX.pattern}|https?://\S+)$",
            "maxLength": _LICENCE_LENGTH,
        }
    ),
]
