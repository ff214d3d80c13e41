"""Where the command begins: everything is imported without the collector, which would go through all of it again and again."""

from api.cli.garbage_collection import without_garbage_collection


def main() -> None:
    """Run the command line, `claimbase`."""
    with without_garbage_collection():
        from api.cli.app import app
    app()


if __name__ == "__main__":
    main()
