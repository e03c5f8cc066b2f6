"""Mail: a notice as plain text, handed to the operator's mail server.

Not here: which server (`settings`), what is written (`notices`), when it is tried again (`outbox`).
"""

import ipaddress
import smtplib
import ssl
from collections.abc import Sequence
from email.message import EmailMessage
from email.utils import formatdate
from typing import Final

from budget.engine.channels.outcomes import Outcome
from budget.engine.channels.settings import MailServer

SECONDS: Final = 10.0
MAX_SUBJECT_CHARS: Final = 150


def message_of(
    server: MailServer, to: Sequence[str], message_id: str, at_s: int, title: str, text: str
) -> EmailMessage:
    """The mail. Its Message-ID is the same however often it is tried.

    `to` are plain addresses (`settings.is_address`). The title becomes one line, whatever is in it.
    """
    message = EmailMessage()
    message["From"] = server.sender
    message["To"] = ", ".join(to)
    message["Subject"] = one_line(title)
    message["Date"] = formatdate(at_s)
    message["Message-ID"] = f"<{message_id}@{server.sender.partition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(text)
    return message


def one_line(title: str) -> str:
    """A title without line breaks or other control characters."""
    plain = "".join(char if char.isprintable() else " " for char in title)
    line = " ".join(plain.split())
    return line if len(line) <= MAX_SUBJECT_CHARS else f"{line[: MAX_SUBJECT_CHARS - 1]}…"


def send(
    server: MailServer | None, to: Sequence[str], message_id: str, at_s: int, title: str, text: str
) -> Outcome:
    """Hand a notice in; what came of it, in words that repeat nothing of what the server said."""
    if not to:
        return Outcome("skipped", "The budget's owner is no e-mail address.")
    if server is None:
        return Outcome("failed", "BUDGET_SMTP_URL is not set.", unreachable=True)
    message = message_of(server, to, message_id, at_s, title, text)
    try:
        with _connected(server) as smtp:
            if server.user is not None:
                if not _private(smtp, server):
                    return Outcome(
                        "failed", "The mail server offers no TLS, so no password was sent to it.",
                        unreachable=True,
                    )  # fmt: skip
                smtp.login(server.user, server.password or "")
            refused = smtp.send_message(message, server.sender, list(to))
    except smtplib.SMTPRecipientsRefused:
        return Outcome("failed", "The mail server refused every recipient.")
    except smtplib.SMTPResponseException as error:
        return Outcome("failed", f"The mail server answered {error.smtp_code}.")
    except (smtplib.SMTPException, OSError, UnicodeError) as error:
        told = f"The mail server could not be spoken to ({type(error).__name__})."
        return Outcome("failed", told, unreachable=True)
    told = f"refused for {len(refused)} of {len(to)}" if refused else "accepted"
    return Outcome("delivered", told)


def _connected(server: MailServer) -> smtplib.SMTP:
    if server.scheme == "smtps":
        return smtplib.SMTP_SSL(
            server.host, server.port, timeout=SECONDS, context=ssl.create_default_context()
        )
    smtp = smtplib.SMTP(server.host, server.port, timeout=SECONDS)
    try:
        smtp.ehlo_or_helo_if_needed()
        if server.scheme == "smtp+starttls" or (
            smtp.has_extn("starttls") and not _is_this_machine(server.host)
        ):
            smtp.starttls(context=ssl.create_default_context())
    except BaseException:
        smtp.close()
        raise
    return smtp


def _private(smtp: smtplib.SMTP, server: MailServer) -> bool:
    """Whether nobody else can read what is said."""
    return isinstance(smtp.sock, ssl.SSLSocket) or _is_this_machine(server.host)


def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"
