"""JSON schemas for kubeconform from what an API server publishes of its kinds, custom ones too.

usage: kubectl get --raw /openapi/v2 | schemas.py FOLDER
then:  kubeconform -strict -schema-location 'FOLDER/{{.ResourceKind}}{{.KindSuffix}}.json' FILE...
"""

import json
import pathlib
import sys

REF = "#/definitions/"
QUANTITY = "io.k8s.apimachinery.pkg.api.resource.Quantity"


def strict(node):
    """The same schema for a validator that knows nothing of Kubernetes: no further fields, and numbers where text may be one."""
    if isinstance(node, list):
        return [strict(item) for item in node]
    if not isinstance(node, dict):
        return node
    # Compared exactly: in the schema of schemas these are names of properties, and their values are schemas.
    if node.get("x-kubernetes-int-or-string") is True or node.get("format") == "int-or-string":
        return {"type": ["string", "integer"]}
    result = {key: strict(value) for key, value in node.items() if not (key in ("format", "description") and isinstance(value, str))}
    if isinstance(node.get("properties"), dict) and "x-kubernetes-preserve-unknown-fields" not in node:
        result.setdefault("additionalProperties", False)
    return result


def references(node):
    """Names of the definitions that a schema points to."""
    if isinstance(node, list):
        return {name for item in node for name in references(item)}
    if not isinstance(node, dict):
        return set()
    found = {name for value in node.values() for name in references(value)}
    ref = node.get("$ref")
    return found | {ref.removeprefix(REF)} if isinstance(ref, str) else found


def closure(definitions, name):
    """A definition and all that it stands on."""
    seen, todo = {}, [name]
    while todo:
        name = todo.pop()
        if name not in seen:
            seen[name] = definitions[name]
            todo.extend(references(definitions[name]))
    return seen


def main():
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    published = json.load(sys.stdin)["definitions"]
    definitions = {name: strict(definition) for name, definition in published.items()}
    definitions[QUANTITY] = {"type": ["string", "number"]}
    for name, definition in published.items():
        for kind in definition.get("x-kubernetes-group-version-kind", []):
            group = kind["group"].split(".")[0]
            file = "-".join(filter(None, [kind["kind"], group, kind["version"]])).lower() + ".json"
            schema = definitions[name] | {"definitions": closure(definitions, name)}
            (folder / file).write_text(json.dumps(schema))


main()
