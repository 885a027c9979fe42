"""One place decides how records are read: committed ones, in workers, tools and tests."""

import ast

from tests.support.source import modules, nodes

CONSUMER, OPTIONS = "AIOKafkaConsumer", "consumer_options"


def test_every_consumer_is_made_with_the_options_of_all():
    """`read_uncommitted` is aiokafka's default: an aborted order would be charged."""
    consumers = {
        f"{module.path}:{node.lineno}": ast.unparse(node)
        for module in modules("app", "tests", "bench")
        if CONSUMER in module.text
        for node in nodes(module)
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(CONSUMER)
    }

    assert consumers
    assert {} == {place: call for place, call in consumers.items() if OPTIONS not in call}
