"""Who is trained on and tested on: against lists that were written down independently."""

import pytest

from aucli.datasets.open import subjects_of_part
from aucli.datasets.protocols import all_subjects, fold_subjects, held_out, hybrid_subjects, published_frames
from aucli.errors import UsageError
from tests.datasets.recipes import BP4D_PEOPLE, DISFA_PEOPLE

# From MDHR's list files, which are sorted otherwise than ME-GraphAU's scripts.
TESTED = {
    ("bp4d", 1): "F004 F006 F007 F012 F014 F015 F017 F019 F021 M003 M006 M009 M015",
    ("bp4d", 2): "F003 F005 F011 F013 F020 F022 M002 M005 M010 M011 M013 M016 M017 M018",
    ("bp4d", 3): "F001 F002 F008 F009 F010 F016 F018 F023 M001 M004 M007 M008 M012 M014",
    ("disfa", 1): "SN003 SN004 SN005 SN007 SN008 SN017 SN023 SN025 SN029",
    ("disfa", 2): "SN006 SN011 SN012 SN013 SN018 SN021 SN024 SN028 SN031",
    ("disfa", 3): "SN001 SN002 SN009 SN010 SN016 SN026 SN027 SN030 SN032",
}
PEOPLE = {"bp4d": BP4D_PEOPLE, "disfa": DISFA_PEOPLE}


@pytest.mark.parametrize(("dataset", "fold"), TESTED)
def test_folds_are_the_published_ones(dataset, fold):
    test, train = fold_subjects(dataset, "test", fold), fold_subjects(dataset, "train", fold)
    assert sorted(test) == TESTED[dataset, fold].split()
    assert sorted({*test, *train}) == sorted(PEOPLE[dataset])
    assert len(test) + len(train) == len(PEOPLE[dataset])
    assert subjects_of_part(dataset.upper(), "test", fold) == set(test)


@pytest.mark.parametrize(
    ("dataset", "fold", "kept_back"),
    [
        # 28 // 6 = 4 of part 2, 27 // 6 = 4 of part 3, 18 // 6 = 3.
        ("bp4d", 1, "F020 F011 M013 M005"),
        ("bp4d", 2, "F021 F017 M015 F014"),
        ("disfa", 1, "SN031 SN021 SN024"),
        ("disfa", 3, "SN007 SN017 SN004"),
    ],
)
def test_val_is_the_last_sixth_of_train_and_disjoint_when_held_out(dataset, fold, kept_back):
    val = fold_subjects(dataset, "val", fold)
    assert list(val) == kept_back.split()
    held = fold_subjects(dataset, "train", fold, hold_out=True)
    assert not set(held) & set(val)
    assert set(held) | set(val) == set(fold_subjects(dataset, "train", fold))
    assert not set(val) & set(fold_subjects(dataset, "test", fold))


@pytest.mark.parametrize("fold", [None, 0, 4, -1])
def test_another_fold_is_refused(fold):
    with pytest.raises(UsageError, match="folds 1 to 3"):
        fold_subjects("disfa", "train", fold)


def test_the_last_sixth_of_few_people_is_one():
    assert held_out(["a", "b"]) == ("b",)
    assert held_out(list("abcdefghijklm")) == ("l", "m")
    with pytest.raises(UsageError, match="at least 2"):
        held_out(["a"])


def test_published_counts_add_up():
    for dataset, total in (("bp4d", 146_847), ("disfa", 130_814)):
        for fold in (1, 2, 3):
            assert published_frames(dataset, "train", fold) + published_frames(dataset, "test", fold) == total
        assert sum(published_frames(dataset, "test", fold) for fold in (1, 2, 3)) == total
    assert published_frames("bp4d", "val", 1) is None


def test_hybrid_splits_divide_the_same_people():
    for source, counts in (("BP4D", (22, 6, 13)), ("DISFA", (14, 4, 9)), ("CK+", (77, 14, 32))):
        parts = [hybrid_subjects(source, part) for part in ("train", "val", "test")]
        assert tuple(map(len, parts)) == counts
        assert len(frozenset.union(*parts)) == sum(counts)
    assert frozenset.union(*(hybrid_subjects("BP4D", p) for p in ("train", "val", "test"))) == set(
        all_subjects("bp4d")
    )
    assert "sub07" in hybrid_subjects("CASME2", "test")  # because of the authors' "sub7"
    assert hybrid_subjects("AFFW-2", "train") is None


def test_only_protocols_with_lists_know_their_people():
    for name in ("table", "synthfaces", "me-lists", "hybrid"):
        assert subjects_of_part(name, "train", None) is None
    with pytest.raises(UsageError, match="choose one of bp4d"):
        subjects_of_part("CIFAR", "train", None)
