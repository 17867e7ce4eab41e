"""The inputs that Cog checks against those that the edge sends."""

import schema

from fovea.contract import CONTRACT

BOUNDS = ("type", "enum", "minimum", "maximum", "minLength", "maxLength", "pattern")
LARGEST = 2**53 - 1
"""A whole number in JavaScript is no larger: no bound of an input."""


def bounds(field):
    return {name: field[name] for name in BOUNDS if field.get(name, LARGEST) != LARGEST}


def test_the_inputs_are_those_of_the_contract():
    declared = schema.build()["components"]["schemas"]["Input"]
    agreed = CONTRACT["definitions"]["ShardInput"]
    for inputs in (declared, agreed):
        assert inputs["additionalProperties"] is False
    assert {name: bounds(field) for name, field in declared["properties"].items()} == {
        name: bounds(field) for name, field in agreed["properties"].items()
    }
