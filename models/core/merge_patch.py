"""JSON merge patch (RFC 7396)."""

from typing import Any


def merged(old: Any, patch: Any) -> Any:
    """Return a JSON value with a merge patch applied: null removes a field."""
    if not isinstance(patch, dict):
        return patch
    base = dict(old) if isinstance(old, dict) else {}
    for name, value in patch.items():
        if value is None:
            base.pop(name, None)
        else:
            base[name] = merged(base.get(name), value)
    return base
