"""Office packages: parts, their relations, and XML without entities (ECMA-376, part 2)."""

import posixpath
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import unquote

import lxml.etree

from fovea.errors import DocumentError
from fovea.pages.convert.container import Container
from fovea.pages.links import safe_url

Element = lxml.etree._Element


@dataclass(frozen=True, slots=True)
class Relation:
    kind: str
    """The last part of its type, such as `hyperlink`."""
    target: str
    """The name of a part, or an address."""
    is_external: bool

    @property
    def url(self) -> str | None:
        """The address of a link, if it may be shown."""
        return safe_url(self.target) if self.is_external else None


def parser() -> lxml.etree.XMLParser:
    return lxml.etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)


def xml(data: bytes) -> Element:
    return lxml.etree.fromstring(data, parser())


def name(element: Element) -> str:
    """The name without its namespace, because strict documents have others; empty for comments."""
    tag = element.tag
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


def attribute(element: Element | None, wanted: str) -> str | None:
    """An attribute by its name without namespace."""
    if element is None:
        return None
    for key, value in element.attrib.items():
        if key.rpartition("}")[2] == wanted:
            return value
    return None


def child(element: Element | None, *path: str) -> Element | None:
    """The first child of a name, and so on."""
    for wanted in path:
        element = next((one for one in element if name(one) == wanted), None) if element is not None else None
    return element


def children(element: Element | None, *path: str) -> list[Element]:
    """The children of a descendant; none if it is missing."""
    found = child(element, *path)
    return [] if found is None else list(found)


def value(element: Element | None, *path: str) -> str | None:
    """The attribute `val` of a descendant."""
    return attribute(child(element, *path), "val")


def is_on(element: Element | None, *path: str) -> bool:
    """Whether a switch is there and not turned off."""
    found = child(element, *path)
    return found is not None and (attribute(found, "val") or "1").lower() not in ("0", "false", "off", "none")


class Package:
    def __init__(self, container: Container):
        self._container = container
        self._relations: dict[str, dict[str, Relation]] = {}

    def main(self) -> str:
        """The name of the main part. Raises `DocumentError`."""
        for relation in self.relations("").values():
            if relation.kind == "officeDocument" and not relation.is_external:
                return relation.target
        raise DocumentError("document_broken", "The document is broken and cannot be opened.")

    def part(self, wanted: str) -> Element | None:
        """A part; `None` if there is none. Raises `DocumentError` or an error of lxml."""
        data = self.data(wanted)
        return None if data is None else xml(data)

    def data(self, wanted: str) -> bytes | None:
        actual = self._names.get(wanted.lower())
        return None if actual is None else self._container.read(actual)

    @cached_property
    def _names(self) -> dict[str, str]:
        """Names of parts differ in their case only by mistake."""
        return {name.lower(): name for name in self._container.names}

    def relations(self, part: str) -> dict[str, Relation]:
        """The relations of a part by their ids; of the package, if the name is empty."""
        if part not in self._relations:
            folder, file = posixpath.split(part)
            root = self.part(posixpath.join(folder, "_rels", f"{file}.rels"))
            self._relations[part] = {
                one.get("Id", ""): _relation(one, folder) for one in (root if root is not None else ())
            }
        return self._relations[part]

    def related(self, part: str, kind: str) -> list[str]:
        """The names of the parts to which a part has a relation of this kind."""
        return [
            one.target for one in self.relations(part).values() if one.kind == kind and not one.is_external
        ]


def _relation(element: Element, folder: str) -> Relation:
    kind = (element.get("Type") or "").rpartition("/")[2]
    target = element.get("Target") or ""
    if (element.get("TargetMode") or "").lower() == "external":
        return Relation(kind, target, True)
    path = posixpath.normpath(posixpath.join("/", folder, unquote(target.partition("#")[0])))
    return Relation(kind, path.lstrip("/"), False)
