"""Signs in and removes photos with Microsoft's own SDKs, used as Microsoft documents them.

Reads a list of removals as JSON from standard input and writes to standard output, in JSON, what became of each: null, or
the text of the exception. Where Microsoft is, and whom to trust, is said by HTTPS_PROXY, REQUESTS_CA_BUNDLE (azure-identity)
and SSL_CERT_FILE (msgraph-sdk).
"""

import asyncio
import json
import sys
import time

import msal
from azure.core.credentials import AccessToken
from azure.identity import CertificateCredential, ClientAssertionCredential, ClientSecretCredential
from msgraph import GraphServiceClient


class RefreshTokenCredential:
    """azure-identity has no credential that starts from a refresh token, so this asks MSAL, on which it is built."""

    def __init__(self, tenant, client, refresh_token):
        self._app = msal.PublicClientApplication(client, authority=f"https://login.microsoftonline.com/{tenant}")
        self._refresh_token = refresh_token

    def get_token(self, *scopes, **_):
        answer = self._app.acquire_token_by_refresh_token(self._refresh_token, scopes=list(scopes))
        if "error" in answer:
            raise RuntimeError(answer["error_description"])
        return AccessToken(answer["access_token"], int(time.time()) + answer["expires_in"])


def credential(removal):
    tenant, client = removal["tenant"], removal["client"]
    [(kind, value)] = removal["proof"].items()
    match kind:
        case "clientSecret":
            return ClientSecretCredential(tenant, client, value)
        case "certificate":
            return CertificateCredential(tenant, client, certificate_data=value.encode())
        case "assertion":
            return ClientAssertionCredential(tenant, client, func=lambda: value)
        case "refreshToken":
            return RefreshTokenCredential(tenant, client, value)
        case _:
            raise ValueError(kind)


def photo(graph, target):
    match target:
        case {"user": name}:
            return graph.users.by_user_id(name).photo.content
        case {"group": group}:
            return graph.groups.by_group_id(group).photo.content
        case {"me": _}:
            return graph.me.photo.content
        case _:
            raise ValueError(target)


async def remove(removal):
    try:
        await photo(GraphServiceClient(credential(removal)), removal["target"]).delete()
    except Exception as error:  # pylint: disable=broad-exception-caught
        return f"{type(error).__name__}: {error}"
    return None


async def main():
    outcomes = {removal["name"]: await remove(removal) for removal in json.load(sys.stdin)}
    json.dump(outcomes, sys.stdout)


asyncio.run(main())
