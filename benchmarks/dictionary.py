"""Makes the dictionary of `models.database.compressed`: python -m benchmarks.dictionary FILE.

It is trained with what a database with the seed content stores, so that it holds the names of
fields, the terms of vocabularies and the language of medicine. It was run once, for
`zstd_dictionary_1`: what is stored can be read with that one alone.
"""

import sys
import tempfile
from pathlib import Path

from sqlalchemy import LargeBinary, cast, select
from zstandard import train_dictionary

from api.settings import ROOT
from models import migrations
from models.database.compressed import Packed, unpack
from models.database.connections import connect, file_url
from models.migrations.tables import tables
from models.records.serializers import table
from models.transfer.seed import seed

SIZE = 112 * 1024


def samples(folder: Path) -> list[bytes | bytearray | memoryview]:
    """Return all values of packed columns in a database with the seed content, unpacked."""
    database = connect(file_url(folder / "seed.db"))
    migrations.migrate(database)
    seed(database, ROOT / "seed_data")
    columns = [
        column
        for model in tables
        for column in table(model).columns
        if isinstance(column.type, Packed)
    ]
    with database.read() as connection:
        stored = [
            value
            for column in columns
            for value in connection.scalars(select(cast(column, LargeBinary)))
        ]
    database.close()
    return [unpack(value) for value in stored]


def main() -> None:
    """Write the dictionary to the file that the command line names."""
    with tempfile.TemporaryDirectory() as folder:
        trained = train_dictionary(SIZE, samples(Path(folder)))
    Path(sys.argv[1]).write_bytes(trained.as_bytes())


if __name__ == "__main__":
    main()
