# Copyright: (c) 2026, the frontdesk.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pins images: a tag becomes the digest that the registry has for it, so that all nodes run the same.

A tag that is in the live service already is not looked up again: what runs stays what it is until the reference changes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ansible_collections.frontdesk.platform.plugins.module_utils.docker_engine import DockerEngine, EngineError, Json
from ansible_collections.frontdesk.platform.plugins.module_utils.stack_model import IMAGE_LABEL, labels_of
from ansible_collections.frontdesk.platform.plugins.module_utils.stack_values import Image, ValueProblem, parse_image

# Seconds; the engine asks a registry over the network, and gives up by itself.
_LOOKUP_TIMEOUT = 60.0
_PARALLEL = 8

# Digest and platforms of a tag, or the problem.
Lookup = Callable[[Image], "Pin | str"]


class Pin:
    """What a registry has for a tag.

    platforms: those that the image was built for; the scheduler then chooses among nodes that can run it.
    """

    def __init__(self, digest: str, platforms: list[Json]) -> None:
        """digest: with its algorithm."""
        self.digest = digest
        self.platforms = platforms


def pinned_images(
    services: Iterable[Mapping[str, Any]],
    live: Callable[[str], Json | None],
    policy: str,
    lookup: Lookup,
) -> tuple[dict[str, Json], list[str]]:
    """By service: the options `image` and `platforms` that it is to have; and what is wrong.

    live: the live service of a name. policy: the option resolve_images.
    """
    chosen: dict[str, Json] = {}
    asked: dict[str, Image] = {}
    problems = []
    for service in services:
        name = service["name"]
        try:
            image = parse_image(service["image"])
        except ValueProblem as problem:
            problems.append(f"services[{name}].image: {problem}.")
            continue
        known = _as_live(image, live(name), policy)
        if known:
            chosen[name] = known
        elif image.digest or policy == "never":
            chosen[name] = {"image": str(image), "platforms": []}
        else:
            asked[name] = image
    pins = _look_up(set(asked.values()), lookup)
    for name, image in asked.items():
        pin = pins[image]
        if isinstance(pin, Pin):
            chosen[name] = {"image": str(image.pinned(pin.digest)), "platforms": pin.platforms}
        else:
            problems.append(f"services[{name}].image: {pin}")
    return chosen, problems


def _as_live(image: Image, live: Json | None, policy: str) -> Json | None:
    """The live service's own image, when the user's reference is the one that it was made of."""
    if live is None or (policy == "always" and not image.digest):
        return None
    template = live["Spec"]["TaskTemplate"]
    running = str(template["ContainerSpec"]["Image"])
    try:
        former = parse_image(labels_of(live).get(IMAGE_LABEL) or parse_image(running).tagged)
        same = former == image and parse_image(running).name == image.name
    except ValueProblem:
        return None
    if image.digest:
        # Somebody may have put another image under the label.
        same = same and parse_image(running).digest == image.digest
    else:
        same = same and parse_image(running).tag in (image.tag, "")
    platforms = (template.get("Placement") or {}).get("Platforms") or []
    return {"image": running, "platforms": platforms} if same else None


def _look_up(images: Iterable[Image], lookup: Lookup) -> dict[Image, Pin | str]:
    ordered = sorted(images, key=str)
    if not ordered:
        return {}
    with ThreadPoolExecutor(max_workers=min(_PARALLEL, len(ordered))) as pool:
        return dict(zip(ordered, pool.map(lookup, ordered)))


def registry_lookup(engine: DockerEngine) -> Lookup:
    """Ask the registry, through the engine: its mirrors and its trust are those of the tasks."""

    def lookup(image: Image) -> Pin | str:
        try:
            answer = engine.get(f"/distribution/{image}/json", timeout=_LOOKUP_TIMEOUT)
        except EngineError as error:
            return (
                f"the registry does not tell the digest of {image} ({error}); check the name and the registry, or deploy the "
                "tag as it is with resolve_images=never."
            )
        return Pin(answer["Descriptor"]["digest"], _platforms(answer.get("Platforms") or []))

    return lookup


def _platforms(platforms: Iterable[Json]) -> list[Json]:
    """As the docker command does: nodes with ARM do not tell the variant in the way that images do."""
    known: list[Json] = []
    for item in platforms:
        system, architecture = item.get("os"), str(item.get("architecture") or "")
        # Attestations are listed as platforms of their own.
        if system in (None, "", "unknown"):
            continue
        arm = architecture.lower() == "arm"
        platform = {"OS": system} if arm or not architecture else {"Architecture": architecture, "OS": system}
        if platform not in known:
            known.append(platform)
    return known
