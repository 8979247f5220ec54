"""Credential helpers: programs that keep passwords (docker-credential-helpers, "Development")."""

from __future__ import annotations

import subprocess

from rootgen.errors import ImageError
from rootgen.image.document import parse_document

# Some unlock a keyring, for which a person types a password.
_SECONDS = 60
# What helpers print where they have none (credentials/error.go).
_NOT_FOUND = "credentials not found"


def ask_helper(name: str, server: str, *, seconds: float = _SECONDS) -> tuple[str, str] | None:
    """Return the user and the secret that ``docker-credential-NAME`` has for ``server``, or None.

    The user ``<token>`` says that the secret is an identity token. Raises
    ImageError where the helper is not there, fails, or does not end.
    """
    program = f"docker-credential-{name}"
    if "/" in name or "\0" in name:
        raise ImageError(f"'{name[:100]}' is no name of a credential helper")
    try:
        # Whatever it writes to standard error is for the person.
        done = subprocess.run(
            [program, "get"],
            input=server.encode(),
            stdout=subprocess.PIPE,
            timeout=seconds,
            check=False,
        )
    except FileNotFoundError as error:
        hint = "install it, or take it out of the file that `docker login` wrote"
        raise ImageError(f"the credential helper {program} is not there", hint=hint) from error
    except subprocess.TimeoutExpired as error:
        raise ImageError(f"{program} did not answer within {seconds:.0f} s") from error
    except OSError as error:
        raise ImageError(f"cannot run {program}: {error.strerror}") from error
    if done.returncode != 0:
        if _NOT_FOUND in done.stdout.decode(errors="replace").lower():
            return None
        # What it printed may hold a secret.
        raise ImageError(f"{program} failed for {server} (exit status {done.returncode})")
    answer = parse_document(done.stdout, f"the answer of {program}")
    return answer.text("Username"), answer.text("Secret")
