"""Sends the messages of webhooks: signed, to public addresses alone, and only where they were meant
to go.

The form is that of Standard Webhooks (https://www.standardwebhooks.com): the headers `webhook-id`,
`webhook-timestamp` and `webhook-signature`. The name in the address is looked up, every address
that it has is checked, and the connection goes to one that was checked: a name that means something
else a moment later (DNS rebinding) leads nowhere else.
"""

import asyncio
import base64
import hashlib
import hmac
import ipaddress
import socket
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from anyio import CapacityLimiter, to_thread

from api.settings import installed_version
from models.access.webhooks import SECRET_PREFIX
from models.core.errors import Fault, InvalidRecord

if TYPE_CHECKING:
    import httpx2

# How long one attempt may take, with the look-up of the name and the answer's headers.
SEND_SECONDS = 10.0
CONNECT_SECONDS = 4.0
# How many names are looked up at once; the others wait, within their time.
LOOK_UPS = 4
# These networks hold an IPv4 address in their last four bytes, which is where packets go.
_TRANSLATED = (ipaddress.IPv6Network("64:ff9b::/96"), ipaddress.IPv6Network("::/96"))


class Unsendable(Exception):
    """A message cannot be sent; the text says why."""


@dataclass(frozen=True)
class Outcome:
    """What came of an attempt: the status of the answer, or why there is none."""

    status: int | None
    error: str | None

    @property
    def is_delivered(self) -> bool:
        """Return whether the receiver took the message."""
        return self.error is None


def sign(secret: str, message: str, timestamp: int, body: bytes) -> str:
    """Return the signature of a message, as `webhook-signature` has it."""
    key = base64.b64decode(secret.removeprefix(SECRET_PREFIX))
    signed = f"{message}.{timestamp}.".encode() + body
    return f"v1,{base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()}"


def is_public(address: str) -> bool:
    """Return whether an IP address is one of the public internet."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:  # One with a zone, such as `fe80::1%2`, may be none.
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is not None:
            return is_public(str(ip.ipv4_mapped))
        if ip.sixtofour is not None:
            return is_public(str(ip.sixtofour))
        if any(ip in network for network in _TRANSLATED):
            return is_public(str(ipaddress.IPv4Address(ip.packed[-4:])))
        if ip.is_site_local or ip.teredo is not None:
            return False
    return ip.is_global and not (
        ip.is_private or ip.is_multicast or ip.is_reserved or ip.is_loopback or ip.is_link_local
    )


def _look_up(host: str, port: int) -> list[str]:
    """Return the IP addresses of a host, the best first. Raises Unsendable."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise Unsendable(f"{host} has no address.") from None
    return list(dict.fromkeys(str(each[4][0]) for each in found))


class Sender:
    """Posts messages, with one client for all of them; `private` lets them go anywhere."""

    def __init__(self, *, private: bool) -> None:
        self.private = private
        self._client: httpx2.AsyncClient | None = None
        self._look_ups = CapacityLimiter(LOOK_UPS)

    async def require_sendable(self, url: str) -> None:
        """Refuse an address to which nothing will be sent. Raises InvalidRecord."""
        if self.private:
            return
        try:
            async with asyncio.timeout(SEND_SECONDS):
                await self._target(url)
        except Unsendable as error:
            detail = str(error)
        except TimeoutError:
            detail = "The name in the address could not be looked up in time."
        else:
            return
        raise InvalidRecord(detail, [Fault(at="/url", code="bad_url", detail=detail, given=url)])

    async def _target(self, url: str) -> "tuple[httpx2.URL, list[str]]":
        """Return an address in parts, and the IP addresses to which it may go. Raises
        Unsendable.
        """
        # Imported here, since most installations have no webhook.
        import httpx2

        try:
            target = httpx2.URL(url)
        except httpx2.InvalidURL:
            raise Unsendable("This is not a web address.") from None
        if target.scheme != "https" and not self.private:
            raise Unsendable("The address must begin with https://.")
        host = target.raw_host.decode()
        port = target.port or {"http": 80, "https": 443}[target.scheme]
        # Abandoned when the time is over: nothing can interrupt a look-up.
        addresses = await to_thread.run_sync(
            _look_up, host, port, limiter=self._look_ups, abandon_on_cancel=True
        )
        if not self.private and not all(map(is_public, addresses)):
            # Which address it is would tell strangers of the network here.
            raise Unsendable(f"{host} is not a public address, and messages go to no other.")
        return target, addresses

    async def send(self, url: str, secret: str, message: str, body: bytes) -> Outcome:
        """Post a message once, and return what came of it. No redirect is followed, and of the
        answer only the status is read.
        """
        import httpx2

        timestamp = int(time.time())
        headers = {
            "Content-Type": "application/json",
            "User-Agent": f"claimbase/{installed_version()}",
            "webhook-id": message,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": sign(secret, message, timestamp, body),
        }
        try:
            async with asyncio.timeout(SEND_SECONDS):
                status = await self._post(url, headers, body)
        except TimeoutError:
            return Outcome(None, f"No answer within {SEND_SECONDS:g} seconds.")
        except Unsendable as error:
            return Outcome(None, str(error))
        except (httpx2.TransportError, OSError, ValueError) as error:
            return Outcome(None, f"The connection failed ({type(error).__name__}).")
        if 200 <= status < 300:
            return Outcome(status, None)
        redirected = " Redirects are not followed." if 300 <= status < 400 else ""
        return Outcome(status, f"The answer was {status}.{redirected}")

    async def _post(self, url: str, headers: dict[str, str], body: bytes) -> int:
        import httpx2

        target, addresses = await self._target(url)
        if self._client is None:
            # In a thread, since it reads all certificates of the system.
            self._client = await to_thread.run_sync(_new_client)
        host = target.raw_host.decode()
        headers = {**headers, "Host": target.netloc.decode()}
        for place, address in enumerate(addresses, 1):
            asked = self._client.stream(
                "POST",
                target.copy_with(host=address),
                headers=headers,
                content=body,
                extensions={"sni_hostname": host},
            )
            try:
                async with asked as answer:
                    return answer.status_code
            except (httpx2.ConnectError, httpx2.ConnectTimeout):
                if place == len(addresses):
                    raise
        raise Unsendable(f"{host} has no address.")

    async def close(self) -> None:
        """Close what is open."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None


def _new_client() -> "httpx2.AsyncClient":
    import httpx2

    return httpx2.AsyncClient(
        # No proxy of the environment: it would look the name up by itself.
        trust_env=False,
        follow_redirects=False,
        timeout=httpx2.Timeout(SEND_SECONDS, connect=CONNECT_SECONDS),
        limits=httpx2.Limits(max_keepalive_connections=0),
    )
