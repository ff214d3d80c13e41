"""The entry point of the command `claimbase`."""

from api.cli.garbage_collection import without_garbage_collection


def main() -> None:
    """Run the command line."""
    with without_garbage_collection():
        from api.cli.app import app
    app()


if __name__ == "__main__":
    main()
