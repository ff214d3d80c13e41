"""The command line, in this process or in one of its own."""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType

from typer.testing import CliRunner

from api.cli.app import app
from api.settings import ROOT

COMMAND = [sys.executable, "-c", "from api.cli.app import app; app()"]


def run(
    *arguments: str, url: str | None = None, given: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command in this process, which takes a tenth of the time that a new one does.

    An exception that would end the process with a traceback comes through.
    """
    done = CliRunner().invoke(
        app,
        arguments,
        input=given,
        env={"CLAIMBASE_DATABASE_URL": url} if url else None,
        catch_exceptions=False,
    )
    return subprocess.CompletedProcess(arguments, done.exit_code, done.stdout, done.stderr)


def run_alone(
    *arguments: str, url: str | None = None, given: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command in a process of its own, as a person does."""
    environment = {**os.environ, "CLAIMBASE_DATABASE_URL": url} if url else dict(os.environ)
    return subprocess.run(
        [*COMMAND, *arguments],
        cwd=ROOT,
        env=environment,
        input=given,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def get(port: int, path: str) -> bytes:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
        return bytes(answer.read())


@contextmanager
def serving(
    url: str, constants: Mapping[str, float] = MappingProxyType({})
) -> Iterator[tuple[int, subprocess.Popen[str], float]]:
    """Yield the port and the process of a server that is ready, and the seconds that it took.

    `constants` replaces constants of `api.http` in that process, such as `server.SHUTDOWN_SECONDS`.
    """
    port = free_port()
    begun = time.monotonic()
    changed = "; ".join(f"api.http.{name} = {value}" for name, value in constants.items())
    program = f"import api.http.server, api.http.event_stream; {changed or 'pass'}; {COMMAND[-1]}"
    arguments = [*COMMAND[:-1], program, "serve", "--port", str(port), "--database-url", url]
    with subprocess.Popen(
        arguments, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            while True:
                try:
                    get(port, "/readyz")
                    break
                except OSError:
                    assert process.poll() is None, process.communicate()
                    assert time.monotonic() - begun < 120
                    time.sleep(0.02)
            yield port, process, time.monotonic() - begun
        finally:
            process.kill()
