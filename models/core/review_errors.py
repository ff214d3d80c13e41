"""What stands against a change, and what became of a record."""

from models.core.errors import ClaimbaseError


class Conflict(ClaimbaseError):
    """What is stored stands against it; the faults name the records."""

    code = "conflict"


class Gone(ClaimbaseError):
    """It was there and was taken back; the detail says why, a fault what stands in its place."""

    code = "gone"
