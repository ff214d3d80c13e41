"""Run a notebook by a kernel, in its own folder, and write what it gives into it.

Usage: `python run_notebook.py NOTEBOOK`, by a Python with nbclient and ipykernel.
"""

import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from traitlets.config import Config

SECONDS = 120

path = Path(sys.argv[1])
notebook = nbformat.read(path, as_version=4)
with tempfile.TemporaryDirectory(prefix="claimbase-kernel-") as folder:
    # By sockets in a folder, which nobody else can open; else a kernel listens on ports.
    sockets = Config(KernelManager={"transport": "ipc", "ip": f"{folder}/kernel"})
    NotebookClient(
        notebook,
        config=sockets,
        timeout=SECONDS,
        record_timing=False,
        resources={"metadata": {"path": path.parent}},
    ).execute()
# What it gave does not depend on which Python it was.
notebook.metadata["language_info"] = {"name": "python"}
nbformat.write(notebook, path)
