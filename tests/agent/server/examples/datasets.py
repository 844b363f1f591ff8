"""Dataset versions: parents, changes, copies, squashing, renaming, moving, deleting."""

from pathlib import Path

from clearml import Dataset


def write(path: str, text: str) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(text)


where = {"dataset_name": "animals", "dataset_project": "examples/data"}
write("first/a.txt", "a")
write("first/below/b.txt", "b")
first = Dataset.create(**where, dataset_version="1.0.0", dataset_tags=["begun"], description="d")
first.add_files("first")
first.set_metadata({"source": "made"}, metadata_name="about")
first.upload()
first.finalize()
assert first.is_final()
assert first.get_metadata("about") == {"source": "made"}

write("first/a.txt", "changed")
write("second/c.txt", "c")
second = Dataset.create(**where, parent_datasets=[first.id])
second.add_files("second")
second.add_files("first/a.txt")
second.remove_files("below/b.txt")
second.finalize(auto_upload=True)
assert second.version == "1.0.1"
assert sorted(second.list_files()) == ["a.txt", "c.txt"]
assert second.list_added_files() == ["c.txt"]
assert second.list_removed_files() == ["below/b.txt"]
assert second.list_modified_files() == ["a.txt"]
assert second.get_dependency_graph() == {second.id: [first.id]}
copy = Path(second.get_local_copy())
assert (copy / "a.txt").read_text() == "changed"
mutable = second.get_mutable_local_copy("mutable", overwrite=True)
assert second.verify_dataset_hash(mutable) == []

assert Dataset.get(**where).id == second.id
assert Dataset.get(**where, dataset_version="1.0.0").id == first.id
assert Dataset.get(**where, dataset_tags=["begun"]).id == first.id
squashed = Dataset.squash("squashed", dataset_ids=[first.id, second.id])
assert {"a.txt", "c.txt"} <= set(squashed.list_files())


def listed(project: str) -> list[tuple[str, str]]:
    return sorted((d["name"], d["version"]) for d in Dataset.list_datasets(project))


assert listed("examples/data") == [
    ("animals", "1.0.0"), ("animals", "1.0.1"), ("squashed", "1.0.0"),
]  # fmt: skip
second.publish()
assert Dataset.get(dataset_id=second.id, only_published=True).id == second.id

Dataset.rename("beasts", dataset_project="examples/data", dataset_name="animals")
renamed = {"dataset_name": "beasts", "dataset_project": "examples/data"}
assert Dataset.get(**renamed).id == second.id
Dataset.move_to_project("examples/moved data", **{
    "dataset_project": "examples/data", "dataset_name": "beasts"})  # fmt: skip
assert listed("examples/moved data") == [("beasts", "1.0.0"), ("beasts", "1.0.1")]
assert Dataset.get(dataset_name="beasts", dataset_project="examples/moved data").id == second.id

linked = Dataset.create(dataset_name="links", dataset_project="examples/data")
linked.add_external_files(Path("first/a.txt").resolve().as_uri(), dataset_path="/linked")
linked.finalize(auto_upload=True)
assert linked.list_files() == ["linked/a.txt"]
assert Path(linked.get_local_copy(), "linked/a.txt").read_text() == "changed"
Dataset.delete(dataset_id=linked.id, force=True)
assert "links" not in [name for name, _ in listed("examples/data")]
