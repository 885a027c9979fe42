"""The folder listing is the architecture: few boxes, few arrows, and every box has a layer."""

from tests.support import boxes as page
from tests.support.boxes import arrows, box_of, boxes, contracts, layer_arrows, layers, reduced
from tests.support.source import ROOT

BOXES_MAX, ARROWS_MAX = 25, 130
MODULES_BESIDE_FOLDERS_MAX = 5
DRAWN_MAX = 40


def test_there_are_few_boxes():
    """A reader holds them in mind at once."""
    assert len(boxes()) <= BOXES_MAX, sorted(boxes())


def test_few_boxes_import_each_other():
    """A new arrow is worth more than an old one: take one away first."""
    assert len(arrows()) <= ARROWS_MAX, sorted(arrows())


def test_arrows_are_seen():
    """The measure would be met by a test that sees nothing."""
    assert {("app.console", "app.operations"), ("app.registry", "agents")} <= arrows()


def test_few_modules_lie_beside_the_folders_of_app():
    """What has a subject has a folder."""
    beside = {path.stem for path in (ROOT / "app").glob("*.py")} - {"__init__"}

    assert len(beside) <= MODULES_BESIDE_FOLDERS_MAX, sorted(beside)


def test_every_box_has_a_layer():
    """A folder that the contract does not name could import whatever it likes."""
    boxes_in_order = {box_of(name) for layer in layers() for name in layer}

    assert boxes() - {"bench"} == boxes_in_order - {"app.entrypoints"} | (
        boxes() & {"app.entrypoints"}
    )


def test_the_page_of_the_architecture_is_drawn_from_the_imports():
    """docs/architecture.md is drawn anew with `python -m tests.support.boxes`."""
    assert page.ARCHITECTURE.read_text(encoding="utf-8") == page.draw()


def test_a_picture_leaves_out_the_arrows_that_a_detour_replaces():
    """What a folder imports by way of another needs no second line."""
    assert {("a", "b"), ("b", "c")} == reduced({("a", "b"), ("b", "c"), ("a", "c")})


def test_the_picture_has_no_more_arrows_than_a_reader_follows():
    """Each drawn arrow is an import; the others follow from the drawn ones."""
    drawn_arrows = reduced(layer_arrows())

    assert drawn_arrows < layer_arrows()
    assert len(drawn_arrows) <= DRAWN_MAX, sorted(drawn_arrows)


def test_no_contract_has_an_exception():
    """An exception is a debt that nobody pays."""
    exceptions = [each["name"] for each in contracts() if "ignore_imports" in each]

    assert [] == exceptions


def test_the_contracts_about_libraries_leave_out_only_who_may_import_them():
    """What is not listed as a source is allowed: a new folder must be listed."""
    allowed = {
        ("faust", "mode"): {"app.composition", "app.main", "app.worker"},
        ("aiokafka",): {"app.kafka", "app.worker"},
    }
    left_out = {
        tuple(each["forbidden_modules"]): boxes() - {"bench"} - set(each["source_modules"])
        for each in contracts()
        if each["type"] == "forbidden" and each.get("allow_indirect_imports")
    }

    assert allowed == left_out
