"""The whole text of a source: kept as it is written, with its licence, in every way in and out."""
