"""A collection on the Hub that holds a model and the network from scratch it is compared with."""

from collections.abc import Sequence

from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError

LONGEST = 60  # letters of a title


def hold(api: HfApi, repositories: Sequence[str], slug: str | None, private: bool) -> str:
    """The slug of the collection with these models: the one that is remembered, else one of this title, else new."""
    namespace, _, name = repositories[0].partition("/")
    found = None
    if slug is not None:
        try:
            found = api.get_collection(slug)
        except HfHubHTTPError as error:
            if error.response.status_code != 404:  # somebody removed it
                raise
    if found is None:
        found = api.create_collection(
            name[:LONGEST],
            namespace=namespace,
            description="A fine-tuned speech recogniser and the same task learned from scratch.",
            private=private,
            exists_ok=True,
        )
    there = {item.item_id for item in found.items}
    for repository in repositories:
        if repository not in there:
            api.add_collection_item(found.slug, repository, "model", exists_ok=True)
    return found.slug
