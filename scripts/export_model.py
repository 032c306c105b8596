#!/usr/bin/env python3
"""Export Phi-3 to OpenVINO: from the Hugging Face hub or a local folder to a folder that Phibot runs.

Without arguments it makes models/phi-3-mini-4k-instruct, which the bot then uses by itself. It installs what it needs,
checks disk and memory, and puts the new folder in place only once it has generated text. Running it again does no harm.
"""

# This file is read by whichever Python is there, however old: what needs a newer one stands in exporting/.

import argparse
import os
import sys

import bootstrap

DEFAULT_MODEL = "microsoft/Phi-3-mini-4k-instruct"
# The hub's newest commit at the time of writing: nobody can change afterwards what it stands for.
DEFAULT_REVISION = "f39ac1d28e925b323eae81227eaba4464caced4e"
READY_MADE = "OpenVINO/Phi-3-mini-4k-instruct-int4-ov"
DEFAULT_OUTPUT = os.path.join("models", "phi-3-mini-4k-instruct")  # where PHIBOT_MODEL_DIR points by default


def parse(argv: list) -> argparse.Namespace:
    """Read the command line and fill in the defaults that depend on each other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    source = parser.add_argument_group("what to export")
    add = source.add_argument
    add("--model", default=DEFAULT_MODEL, help="hub id or local folder (default: %(default)s)")
    add("--revision", help="commit, tag or branch on the hub (default: a fixed commit of the default model, else main)")
    add("--ready-made", nargs="?", const=READY_MADE, metavar="ID", help="download a folder that is exported already "
        "instead: 2.2 GB, no torch needed (" + READY_MADE + ")")  # fmt: skip
    add("--trust-remote-code", action="store_true", help="run Python code of the model's repository; Phi-3 needs none")
    how = parser.add_argument_group("how")
    add = how.add_argument
    add("--weight-format", choices=("int4", "int8", "fp16", "fp32"), help="(default: int4)")
    add("--group-size", type=int, metavar="N", help="int4: weights that share a scale; -1 for a channel (default: 128)")
    add("--ratio", type=float, metavar="R", help="int4: share of the layers in int4, the rest in int8 (default: 0.6)")
    add("--sym", action="store_true", default=None, help="int4, int8: without zero points (default)")
    add("--no-sym", dest="sym", action="store_false", help="int4, int8: with zero points")
    add("--task", default="text-generation-with-past", help="(default: %(default)s)")
    where = parser.add_argument_group("where")
    add = where.add_argument
    add("--output", metavar="DIR", help="(default: models/ and a name; " + DEFAULT_OUTPUT + " for the defaults)")
    add("--force", action="store_true", help="replace another exported model that is there")
    arguments = parser.parse_args(argv)
    fault = _fault(arguments)
    if fault:
        parser.error(fault)
    _fill_in(arguments)
    return arguments


def is_local(model: str) -> bool:
    """Tell a folder on this disk from an id on the hub: it is there, or is written as only a path is."""
    return os.path.exists(model) or model.startswith((".", "/", "~")) or "\\" in model or model.count("/") > 1


def _fault(arguments: argparse.Namespace) -> str:
    how = (arguments.weight_format, arguments.group_size, arguments.ratio, arguments.sym)
    if arguments.ready_made is not None and (arguments.model != DEFAULT_MODEL or how != (None,) * 4):
        return "--ready-made takes a model as it is: leave out --model and how to export"
    mixed = arguments.ratio is not None or arguments.group_size is not None
    if mixed and arguments.weight_format in ("int8", "fp16", "fp32"):
        return "--ratio and --group-size belong to --weight-format int4"
    if arguments.weight_format in ("fp16", "fp32") and arguments.sym is not None:
        return "--sym and --no-sym belong to --weight-format int4 and int8"
    if arguments.ratio is not None and not 0 <= arguments.ratio <= 1:
        return "--ratio must be between 0 and 1"
    if arguments.group_size is not None and arguments.group_size != -1 and arguments.group_size < 1:
        return "--group-size must be -1 or at least 1"
    if arguments.ready_made is None and arguments.revision and is_local(arguments.model):
        return "--revision belongs to models on the hub; " + arguments.model + " is a local folder"
    return ""


def _fill_in(arguments: argparse.Namespace) -> None:
    if arguments.weight_format is None:
        arguments.weight_format = "int4"
    if arguments.weight_format == "int4":
        arguments.ratio = 0.6 if arguments.ratio is None else arguments.ratio
        arguments.group_size = 128 if arguments.group_size is None else arguments.group_size
    if not arguments.weight_format.startswith("fp"):
        arguments.sym = arguments.sym is not False
    if arguments.output is None:
        arguments.output = os.path.join(bootstrap.ROOT, _default_output(arguments))
    if arguments.revision is None:
        is_default = arguments.ready_made is None and arguments.model == DEFAULT_MODEL
        arguments.revision = DEFAULT_REVISION if is_default else "main"


def _default_output(arguments: argparse.Namespace) -> str:
    if arguments.ready_made == READY_MADE:
        return DEFAULT_OUTPUT
    if arguments.ready_made is not None:
        return os.path.join("models", arguments.ready_made.split("/")[-1])
    if arguments.model == DEFAULT_MODEL and arguments.weight_format == "int4":
        return DEFAULT_OUTPUT
    name = os.path.basename(os.path.realpath(arguments.model)) if is_local(arguments.model) else arguments.model
    return os.path.join("models", name.split("/")[-1] + "-" + arguments.weight_format + "-ov")


def main() -> None:
    """Install what is needed and go on there. Ends with 0, 1 after a sentence, 2 for wrong arguments, 130 on Ctrl-C."""
    arguments = parse(sys.argv[1:])
    if arguments.ready_made is None and is_local(arguments.model):
        arguments.model = os.path.expanduser(arguments.model)
        if not os.path.isdir(arguments.model):  # said before anything is installed for it
            what = "is a file, not a folder" if os.path.exists(arguments.model) else "does not exist"
            sys.exit("The model folder " + arguments.model + " " + what + ".")
    bootstrap.reexec("optimum" if arguments.ready_made is None else "")
    from exporting.run import run

    sys.exit(run(arguments))


if __name__ == "__main__":
    main()
