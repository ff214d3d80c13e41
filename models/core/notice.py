"""What every reader of a claim must be told."""

# The short form, for pictures.
SHORT_NOTICE = "This is a record of published evidence, not medical advice."
NOTICE = (
    f"{SHORT_NOTICE} A status sums up what is recorded here and may be incomplete."
    " Do not begin, change or stop a treatment because of it; speak with your doctor."
)
# For the descriptions of fields.
GENERAL, WITH_OWN = "The general notice.", "The general notice, and after it that of the claim."


def with_general(own: str | None, general: str = NOTICE) -> str:
    """Return the general notice, and after it that of a claim if it has one of its own."""
    return f"{general} {own}" if own else general


def without_general(notice: str) -> str | None:
    """Return the part of a notice that is the claim's own, None if there is none.

    So an answer may be sent back as a record.
    """
    return notice.removeprefix(NOTICE).strip() or None
