"""Every command by its name: its function, and its line in the list of commands."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import workflows
from workflows.shared.errors import DeclarationError

WORKFLOWS = sorted(
    path.parent.name
    for folder in workflows.__path__
    for path in Path(folder).glob("*/workflow.py")
    if path.parent.name != "shared"  # what a Workflow is, no workflow
)
"""The name of every workflow, by its folder, so that nothing is imported to list commands."""


class Command(NamedTuple):
    """A command: `module:function` under app/cli, and the first line of its docstring."""

    place: str
    help: str


class Group(NamedTuple):
    """Commands under one name."""

    help: str
    commands: Mapping[str, "Command | Group"]


RULES = Group(
    "The rules by which payments are judged.",
    {
        "ls": Command("fraud:list_rules", "List the current rules, lists and snoozes."),
        "put": Command(
            "fraud:put_rule",
            "Propose the rule in FILE: as a draft or on trial at once, else by `rules approve`.",
        ),
        "approve": Command(
            "fraud:approve_rule",
            "Make a proposed rule active; another person must have proposed it.",
        ),
        "pause": Command("fraud:pause_rule", "Pause a rule until it is approved again."),
        "snooze": Command(
            "fraud:snooze_rule", "Snooze a rule for ENTITY (such as customer:c1) for some hours."
        ),
        "list": Command(
            "fraud:put_list",
            "Set the whole list NAME; `blocked.card` and `allowed.customer` exist already.",
        ),
    },
)
_OWN: dict[str, Command | Group] = {
    "chaos": Command(
        "chaos:chaos",
        "Place orders in a separate instance while faults are injected into every part of it.",
    ),
    "reconcile": Command(
        "reconcile:reconcile_books",
        "Compare the provider's charges, refunds, fees and payouts with payments and the ledger.",
    ),
    "settle": Command(
        "settle:settle",
        "Read the provider's balance transactions and payouts now, and post fees and payouts.",
    ),
    "trial-balance": Command(
        "trial_balance:trial_balance",
        "Show the balance of every account of the ledger, by currency.",
    ),
    "replay": Command(
        "replay:replay",
        "Rebuild the rows of SERVICE from topics, without effects; compare with the live ones.",
    ),
    "trace": Command(
        "trace:trace",
        "Show one transaction: its status, next steps, waiting and working times, and causes.",
    ),
    "watch": Command(
        "watch:watch",
        "Show the live figures, and the lag and workers of each service, until Ctrl-C.",
    ),
    "up": Command(
        "start:up",
        "Start the broker, external systems and one process for each service; Ctrl-C stops all.",
    ),
    "demo": Command(
        "start:demo",
        "Start everything on a fresh folder, play real orders, and go on with ones like them.",
    ),
    "worker": Command(
        "start:worker",
        "Run one worker of SERVICE in the foreground; more of them share its partitions.",
    ),
    "adopt": Command(
        "adopt:adopt_logs",
        "Let SERVICE go on with logs that are not those it has applied; Payflow must be stopped.",
    ),
    "verify": Command(
        "verify:verify",
        "Check that every order has one end and that money, ledger and stock agree.",
    ),
    "orders": Group(
        "Play orders from a file.",
        {
            "load": Command(
                "orders:load",
                "Play FILE through the API of the running instance, stock included.",
            )
        },
    ),
    "tables": Group(
        "Show the tables of every service.",
        {
            "ls": Command(
                "tables:ls", "List all tables and the workers that hold their partitions."
            ),
            "show": Command("tables:show", "Show one row of table NAME, or a page of them."),
        },
    ),
    "faults": Group(
        "Faults of the external systems.",
        {
            "show": Command("faults:show", "Show the faults that are set now."),
            "set": Command(
                "faults:set_faults",
                "Set faults of SYSTEM (provider or carrier): rates from 0 to 1.",
            ),
            "clock": Command(
                "faults:clock",
                "Move the clocks of the external systems ahead, such as +25h; Payflow's own stay.",
            ),
        },
    ),
    "dead": Group(
        "Dead letters: list, redrive, edit, discard.",
        {
            "ls": Command(
                "dead_letters:ls",
                "List dead letters by service, cause and stack, with the status of each.",
            ),
            "show": Command(
                "dead_letter:show",
                "Show one dead letter, masked: headers, cause, history, state, its transaction.",
            ),
            "redrive": Command(
                "dead_letters:redrive",
                "Send dead letters back to the agents that failed: a canary first, then the "
                "rest at a rate.",
            ),
            "edit": Command(
                "dead_letters:edit",
                "Send one dead letter back with other bytes, under a new event id; the old "
                "one is kept.",
            ),
            "discard": Command(
                "dead_letters:discard",
                "Discard dead letters, with a reason; they stay on their topic.",
            ),
        },
    ),
    "fraud": Group(
        "Cases, labels and rules of fraud.",
        {
            "train": Command(
                "fraud_training:train",
                "Train a model on days of FILE, and calibrate it on the second week after them.",
            ),
            "evaluate": Command(
                "fraud_training:evaluate",
                "Train and test week by week on FILE, as the Fraud Detection Handbook does.",
            ),
            "rescore": Command(
                "fraud_training:rescore",
                "Score a snapshot again with the model in FILE: the same bits as when it was "
                "emitted.",
            ),
            "rescore-all": Command(
                "fraud_rescore:rescore_all",
                "Score all verdicts again by the models they name: the same bits, or exit code 1.",
            ),
            "trial": Command(
                "fraud_trial:trial",
                "Show what models and rules on trial would have done, beside those in force.",
            ),
            "cases": Command("fraud:cases", "List the open cases, the highest score first."),
            "decide": Command(
                "fraud:decide",
                "Label the payment of ORDER_ID as `fraud` or `legit`; closes its case.",
            ),
            "chargeback": Command(
                "fraud:chargeback",
                "Note that the bank has charged back the payment of ORDER_ID as fraud.",
            ),
            "backtest": Command(
                "fraud:try_rule",
                "Show what the rule in FILE would have done to all payments so far.",
            ),
            "rules": RULES,
        },
    ),
    "topics": Group(
        "Topics: records, searches, consumer groups.",
        {
            "ls": Command(
                "topics:ls", "List topics with their partitions, records, bytes and retention."
            ),
            "show": Command(
                "topics:show",
                "Show the partitions of topic NAME and its newest records, or those from "
                "--from on.",
            ),
            "tail": Command(
                "topics:tail",
                "Show new records of topic NAME, for ever; one JSON object a line with --json.",
            ),
            "find": Command(
                "topics:find",
                "Find records of topic NAME, and show what was read; Ctrl-C stops with a cursor.",
            ),
            "lag": Command(
                "topics:lag", "Show the lag of consumer groups, in events and in seconds."
            ),
        },
    ),
    "audit": Group(
        "The audit of operators' actions, and its verification.",
        {
            "ls": Command(
                "audit:ls", "List actions in the order of their time: who, why, on what."
            ),
            "verify": Command(
                "audit:verify",
                "Check that no action was changed, removed or inserted; exit code 1 and place "
                "otherwise.",
            ),
        },
    ),
    "clients": Group(
        "Which back ends may use the API, and for what.",
        {
            "ls": Command("clients:ls", "List every client with its scopes and its keys."),
            "add": Command(
                "clients:add",
                "Add client NAME with SCOPES, such as orders:write orders:read, and show its key.",
            ),
            "rotate": Command(
                "clients:rotate",
                "Give client NAME another key, and show it; the one before ends after a while.",
            ),
            "revoke": Command(
                "clients:revoke",
                "End every key of client NAME at once; nobody else can have its name.",
            ),
        },
    ),
    "operators": Group(
        "Who may act through the console.",
        {
            "ls": Command("operators:ls", "List everybody and their role."),
            "add": Command(
                "operators:add", "Add NAME as viewer, operator or approver, and show their token."
            ),
            "remove": Command("operators:remove", "Remove NAME; their sessions end."),
            "token": Command(
                "operators:token_of", "Give NAME another token, and show it; their sessions end."
            ),
        },
    ),
}
PAYFLOW = Group(
    "Event-driven payments on Kafka.",
    {
        **_OWN,
        **{
            name: Group(
                f"The {name} workflow: which transactions there are, the status of one.",
                {
                    "ls": Command(
                        "transactions:ls",
                        "List the latest, or those of one status: what each is about, what it "
                        "waits for.",
                    ),
                    "show": Command(
                        "transactions:show", "Show its status: each step, and its deadlines."
                    ),
                },
            )
            for name in WORKFLOWS
        },
    },
)


def check_names() -> None:
    """Raise DeclarationError when a workflow has the name of a command."""
    for name in WORKFLOWS:
        if name in _OWN:
            raise DeclarationError(f"workflow {name} has the name of the command `payflow {name}`")
