#!/usr/bin/env python3
# schema.py - is this JSON of the shape that docs/schema promises?
# SPDX-License-Identifier: Apache-2.0
"""usage: schema.py SCHEMA [--lines] <OUTPUT

Knows what our schemas use of JSON Schema: type, const, enum, properties,
required, additionalProperties, items, minItems, anyOf, pattern, $ref to
#/$defs. A word that it does not know is an error, not passed over. --lines:
every line is one element of the array that the schema is about. The output
must be strict JSON.
"""
import json
import re
import sys

TYPES = {
    "object": dict, "array": list, "string": str, "boolean": bool,
    "null": type(None), "number": (int, float), "integer": int,
}
NOTES = {"$schema", "title", "description", "$defs"}


def is_type(value, name):
    if isinstance(value, bool) and name in ("number", "integer"):
        return False
    return isinstance(value, TYPES[name])


def validate(value, schema, root, at):
    if "$ref" in schema:
        schema = root["$defs"][schema["$ref"].rsplit("/", 1)[1]]
    for word, want in schema.items():
        if word in NOTES:
            continue
        if word == "type":
            names = want if isinstance(want, list) else [want]
            if not any(is_type(value, n) for n in names):
                yield "%s is %r, not %s" % (at, value, want)
        elif word == "const":
            if value != want:
                yield "%s is %r, not %r" % (at, value, want)
        elif word == "enum":
            if value not in want:
                yield "%s is %r, none of %r" % (at, value, want)
        elif word == "pattern":
            if isinstance(value, str) and not re.search(want, value):
                yield "%s is %r, not like %s" % (at, value, want)
        elif word == "properties":
            for k, s in want.items():
                if isinstance(value, dict) and k in value:
                    yield from validate(value[k], s, root, at + "." + k)
        elif word == "required":
            for k in want:
                if isinstance(value, dict) and k not in value:
                    yield "%s has no %s" % (at, k)
        elif word == "additionalProperties":
            extra = set(value) - set(schema.get("properties", {})) if isinstance(value, dict) else ()
            for k in sorted(extra):
                if want is False:
                    yield "%s has %s, which is not promised" % (at, k)
                elif want is not True:
                    yield from validate(value[k], want, root, at + "." + k)
        elif word == "items":
            for i, v in enumerate(value if isinstance(value, list) else []):
                yield from validate(v, want, root, "%s[%d]" % (at, i))
        elif word == "minItems":
            if isinstance(value, list) and len(value) < want:
                yield "%s has %d elements, not %d" % (at, len(value), want)
        elif word == "anyOf":
            if all(list(validate(value, s, root, at)) for s in want):
                yield "%s is %r: none of the forms" % (at, value)
        else:
            raise SystemExit("schema.py does not know %s (at %s)" % (word, at))


def no_constant(word):
    raise ValueError(word + " is not JSON")


def read(text):
    return json.loads(text, parse_constant=no_constant)


def main():
    schema = json.load(open(sys.argv[1]))
    text = sys.stdin.read()
    try:
        if "--lines" in sys.argv:
            value = [read(line) for line in text.splitlines()]
        else:
            value = read(text)
    except ValueError as e:
        raise SystemExit("not strict JSON: %s\n%s" % (e, text[:2000]))
    wrong = list(validate(value, schema, schema, "$"))
    for line in wrong:
        print(line)
    if not value:
        wrong.append("nothing")
        print("an empty list shows nothing")
    return 1 if wrong else 0


sys.exit(main())
