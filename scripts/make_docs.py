"""Writes docs/recipes.md and docs/recipe.schema.json from the schema in hf_asr/recipe/."""

import json
from pathlib import Path

from hf_asr.recipe.reference import json_schema, reference

DOCS = Path(__file__).parents[1] / "docs"


def contents() -> dict[str, str]:
    """File name to what must stand in it."""
    return {
        "recipes.md": reference(),
        "recipe.schema.json": json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n",
    }


if __name__ == "__main__":
    for name, text in contents().items():
        (DOCS / name).write_text(text, encoding="utf-8")
        print(f"wrote docs/{name}")
