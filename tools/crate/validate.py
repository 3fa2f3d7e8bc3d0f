"""Validates a crate that `quorate crate` wrote, with software of others: `pip install roc-validator rocrate`.

    python tools/crate/validate.py FOLDER

Prints what the RO-Crate 1.1 profile finds, required and recommended, and what the bag's manifests say; ends with 1 if
anything required is wrong. It works without a network: the one context that the crate names is taken from the `rocrate`
package. The Five Safes profile itself has no rules in that validator; its own terms are checked in `sdk`.
"""

import hashlib
import io
import json
import sys
import urllib.request
from pathlib import Path

import rocrate
import urllib3
from requests.adapters import HTTPAdapter
from rocrate_validator import models, services

CONTEXT = "https://w3id.org/ro/crate/1.1/context"
SHOWN = Path(rocrate.__file__).parent / "data" / "ro-crate.jsonld"


class Local(io.BytesIO):
    """A reply that came from the disk."""

    def __init__(self, url):
        super().__init__(SHOWN.read_bytes())
        self.url, self.status, self.code = url, 200, 200
        self.headers = {"Content-Type": "application/ld+json"}

    def geturl(self):
        return self.url

    def info(self):
        return self.headers


def offline():
    """Whoever asks for the context gets it from the disk."""
    asked = urllib.request.urlopen

    def urlopen(request, *more, **options):
        url = request if isinstance(request, str) else request.full_url
        return Local(url) if url.startswith(CONTEXT) else asked(request, *more, **options)

    send = HTTPAdapter.send

    def local_send(adapter, request, **options):
        if not request.url.startswith(CONTEXT):
            return send(adapter, request, **options)
        raw = urllib3.HTTPResponse(
            io.BytesIO(SHOWN.read_bytes()), {"Content-Type": "application/ld+json"}, 200, preload_content=False
        )
        return adapter.build_response(request, raw)

    urllib.request.urlopen, HTTPAdapter.send = urlopen, local_send
    import rdflib.parser
    import rdflib.plugins.shared.jsonld.util as util

    for module in (rdflib.parser, util):
        for name in ("urlopen", "_urlopen"):
            if hasattr(module, name):
                setattr(module, name, urlopen)


def bag(folder):
    """Mistakes in the manifests of a bag (RFC 8493)."""
    wrong = []
    for manifest in ("manifest-sha512.txt", "tagmanifest-sha512.txt"):
        for line in (folder / manifest).read_text().splitlines():
            digest, name = line.split(maxsplit=1)
            if hashlib.sha512((folder / name).read_bytes()).hexdigest() != digest:
                wrong.append(f"{manifest}: {name}")
    return wrong


def main(folder):
    offline()
    wrong = bag(folder)
    settings = services.ValidationSettings(
        rocrate_uri=str(folder / "data"),
        profile_identifier="ro-crate-1.1",
        requirement_severity=models.Severity.RECOMMENDED,
    )
    result = services.validate(settings)
    for issue in result.get_issues(models.Severity.RECOMMENDED):
        required = issue.severity == models.Severity.REQUIRED
        word = "required" if required else "recommended"
        print(f"{word}: {issue.message}")
        if required:
            wrong.append(issue.message)
    graph = json.loads((folder / "data" / "ro-crate-metadata.json").read_text())["@graph"]
    print(f"{len(graph)} entities, {len(wrong)} mistakes")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
