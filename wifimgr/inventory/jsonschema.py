"""JSON Schema (draft 2020-12) of the files of a network, for editors: made from the models that read the files.

What the reader takes, the schema takes. The other way round it knows less: what has to be right across files, and what
a pattern cannot say, is left to ``wifimgr check``.
"""

from __future__ import annotations

from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from wifimgr.yamlfile import Strict


def json_schema(model: type[Strict], title: str) -> dict[str, Any]:
    """The JSON Schema of a file model; ``title`` is what editors call it."""
    made = model.model_json_schema(schema_generator=_Generator)
    return {"$schema": _Generator.schema_dialect, "title": title, **made}


class _Generator(GenerateJsonSchema):
    """Pydantic's generator, without what only a program wants to know."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        """Never: a title that is the key once more tells nobody anything."""
        return False

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        """Without the name of the class, and with its docstring as text."""
        made = super().model_schema(schema)
        made.pop("title", None)
        return made | {"description": made["description"].replace("``", "")}

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        """A key that may be missing; when it is there, it has a value."""
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        """With the default where it is what people would write."""
        made = super().default_schema(schema)
        if not isinstance(made.get("default"), str | int):
            made.pop("default", None)
        return made

    def dict_schema(self, schema: core_schema.DictSchema) -> JsonSchemaValue:
        """All keys have to be right; pydantic's ``patternProperties`` takes any other key without a word."""
        values = self.generate_inner(schema["values_schema"])
        made = {"type": "object", "propertyNames": self.generate_inner(schema["keys_schema"])}
        self.update_with_validations(made, schema, self.ValidationsMapping.object)
        return made | {"additionalProperties": values}
