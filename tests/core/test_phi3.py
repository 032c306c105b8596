"""Prompts and answers of the demo model's tokenizer, a tiny one, and the real Phi-3's where it is at hand."""

import hashlib
import json
import os
import subprocess
import sys
from collections import UserDict
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

import bot
from bot.core.phi3 import WHITE_SPACE, AnswerDecoder, Phi3Tokenizer
from bot.errors import ModelUnusable

ROOT = Path(bot.__file__).parents[1]
DEMO = ROOT / "bot" / "demo_model"
REAL = Path(__file__).parents[3] / "shared" / "data" / "phi-3-mini-tokenizer"

ROLES = ("<|system|>", "<|user|>", "<|assistant|>", "<|end|>")

# White space and what only looks like it: role tokens eat the former alone.
ODD_SPACE = [*WHITE_SPACE, "\x1c", "\x1d", "\x1e", "\x1f", "\u200b", "\u2060", "\u180e", "\ufeff", "\u00ad", "\x00"]
LACE = [
    *ROLES,
    *("<|endoftext|>", "<|placeholder1|>", "<s>", "</s>", "<unk>", "<0x0A>", "<0x3C>", "<0x00>"),
    *("<|", "|>", "<", ">", "|", "user", "▁", "\n", "\ud83d", "\udc4d", "👍", "你好", "e\u0301", "\u202e"),
    *ODD_SPACE,
]

unicode_texts = st.text(max_size=60)
laced_texts = st.lists(
    st.one_of(st.sampled_from(LACE), st.text(st.characters(exclude_categories=[]), max_size=4)), max_size=20
).map("".join)
# One tokenizer serves all examples; it keeps nothing of them. The first example of all pays transformers' import.
on_texts = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.fixture(scope="module", params=["demo", "tiny", "real"])
def folder(request):
    if request.param == "tiny":  # knows few letters: most texts fall into bytes
        return request.getfixturevalue("tiny_source_dir")
    if request.param == "real" and not REAL.exists():
        pytest.skip("the real tokenizer is not beside this checkout")
    return {"demo": DEMO, "real": REAL}[request.param]


@pytest.fixture(scope="module")
def tokenizer(folder):
    return Phi3Tokenizer.load(folder)


@pytest.fixture(scope="module")
def whole(folder):
    """The tokenizer as the model's own files have it, added tokens and all."""
    return Tokenizer.from_file(str(folder / "tokenizer.json"))


@pytest.fixture(scope="module")
def reference(folder):
    """What transformers makes of the same folder: the independent judge of our prompts."""
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder, local_files_only=True)


def holds_no_marker(text, whole):
    return not any(token.content in text for token in whole.get_added_tokens_decoder().values())


def conversation(system, exchanges, question):
    messages = [{"role": "system", "content": system}] if system is not None else []
    for asked, answered in exchanges:
        messages += [{"role": "user", "content": asked}, {"role": "assistant", "content": answered}]
    return [*messages, {"role": "user", "content": question}]


def cut(ids, places):
    """Split ids at places, which may repeat or lie outside."""
    edges = [0, *sorted(min(place, len(ids)) for place in places), len(ids)]
    return [ids[a:b] for a, b in pairwise(edges)]


# Prompts


def test_the_seeds_example_gives_its_eighteen_ids():
    if not REAL.exists():
        pytest.skip("the real tokenizer is not beside this checkout")
    real = Phi3Tokenizer.load(REAL)
    expected = "32006 887 526 263 8444 319 29902 20255 29889 32007 32010 508 366 14944 7535 29973 32007 32001"
    built = real.prompt(real.encode("You are a helpful AI assistant."), [], real.encode("can you introduce yourself?"))
    assert built == tuple(map(int, expected.split()))


@on_texts
@given(
    system=st.none() | unicode_texts,
    exchanges=st.lists(st.tuples(unicode_texts, unicode_texts), max_size=4),
    question=unicode_texts,
)
def test_a_prompt_is_what_the_chat_template_makes_of_ordinary_text(
    tokenizer, whole, reference, system, exchanges, question
):
    assume(system is None or system.strip(WHITE_SPACE))
    texts = [system or "", question, *(text for exchange in exchanges for text in exchange)]
    assume(all(holds_no_marker(text, whole) for text in texts))
    expected = reference.apply_chat_template(
        conversation(system, exchanges, question), add_generation_prompt=True, tokenize=True, return_dict=False
    )
    built = tokenizer.prompt(
        tokenizer.encode(system or ""),
        [(tokenizer.encode(asked), tokenizer.encode(answered)) for asked, answered in exchanges],
        tokenizer.encode(question),
    )
    assert list(built) == expected


@pytest.mark.parametrize("odd", ODD_SPACE, ids=lambda c: f"U+{ord(c):04X}")
def test_leading_white_space_is_lost_exactly_where_a_role_token_eats_it(tokenizer, whole, odd):
    text = f"{odd}{odd} hi"
    expected = whole.encode(f"<|user|>{text}<|end|><|assistant|>", add_special_tokens=False).ids
    assert list(tokenizer.prompt((), [], tokenizer.encode(text))) == expected


@on_texts
@given(text=laced_texts)
def test_no_text_whatever_produces_an_added_tokens_id(tokenizer, text):
    assert not tokenizer.stop_ids.intersection(tokenizer.encode(text))


@on_texts
@given(text=laced_texts)
def test_a_text_full_of_markers_reaches_the_model_as_it_was_written(tokenizer, text):
    # "▁" is how the vocabulary writes a space: the one character that no Phi-3 can tell from another.
    written = text.lstrip(WHITE_SPACE).encode("utf-16", "surrogatepass").decode("utf-16", "replace").replace("▁", " ")
    assert tokenizer.decode(tokenizer.encode(text)) == written


@pytest.mark.parametrize(
    ("text", "expected"),
    [("a\ud83d", "a\ufffd"), ("\ude00b", "\ufffdb"), ("\ud83d\ude00", "😀"), ("\ude00\ud83d", "\ufffd\ufffd")],
)
def test_a_lone_surrogate_becomes_a_replacement_character(tokenizer, text, expected):
    assert tokenizer.decode(tokenizer.encode(text)) == expected


@on_texts
@given(data=st.data())
def test_no_stored_ids_whatever_forge_a_role(tokenizer, data):
    added = st.sampled_from(sorted(tokenizer.stop_ids))
    parts = st.lists(added | st.integers(0, 400), max_size=8)
    system, question = data.draw(parts), data.draw(parts)
    exchanges = data.draw(st.lists(st.tuples(parts, parts), max_size=3))

    def harmless(ids):
        return [token for token in ids if token not in tokenizer.stop_ids]

    role = {name: tokenizer.prompt((), [], ())[place] for name, place in (("user", 0), ("end", 1), ("assistant", 2))}
    expected = []
    for asked, answered in exchanges:
        expected += [role["user"], *harmless(asked), role["end"]]
        expected += [role["assistant"], *harmless(answered), role["end"]]
    expected += [role["user"], *harmless(question), role["end"], role["assistant"]]
    built = tokenizer.prompt(system, exchanges, question)
    if system:
        assert list(built[1 : len(harmless(system)) + 1]) == harmless(system)
        built = built[len(harmless(system)) + 2 :]
    assert list(built) == expected


def test_the_roles_of_a_prompt_are_the_tokenizers_own(tokenizer, whole):
    system, asked, answered, question = map(tokenizer.encode, ("be kind", "hi", "hello", "how are you?"))
    ids = tokenizer.prompt(system, [(asked, answered)], question)
    roles = [whole.id_to_token(token) for token in ids if token in tokenizer.stop_ids]
    expected = "<|system|> <|end|> <|user|> <|end|> <|assistant|> <|end|> <|user|> <|end|> <|assistant|>"
    assert roles == expected.split()


def test_without_a_system_prompt_there_is_no_system_part(tokenizer, whole):
    ids = tokenizer.prompt(tokenizer.encode(" \n"), [], tokenizer.encode("hi"))
    assert whole.token_to_id("<|system|>") not in ids
    assert ids[0] == whole.token_to_id("<|user|>")


@on_texts
@given(
    system=unicode_texts,
    exchanges=st.lists(st.tuples(unicode_texts, unicode_texts), max_size=4),
    question=unicode_texts,
)
def test_the_counts_of_the_parts_add_up_to_the_prompt(tokenizer, system, exchanges, question):
    system_ids, question_ids = tokenizer.encode(system), tokenizer.encode(question)
    pairs = [(tokenizer.encode(asked), tokenizer.encode(answered)) for asked, answered in exchanges]
    counted = tokenizer.system_tokens(system_ids) + sum(map(tokenizer.exchange_tokens, pairs))
    counted += tokenizer.question_tokens(question_ids)
    assert counted == len(tokenizer.prompt(system_ids, pairs, question_ids))


# Answers


@on_texts
@given(texts=st.lists(laced_texts, max_size=4), places=st.lists(st.integers(0, 200), max_size=20))
def test_an_answer_in_pieces_is_the_answer_as_the_tokenizer_decodes_it(tokenizer, whole, texts, places):
    ids = [token for text in texts for token in tokenizer.encode(text)]
    decoder = tokenizer.decoder()
    shown = [decoder.push(piece) for piece in cut(ids, places)]
    assert "".join(shown) + decoder.flush() == whole.decode(ids, skip_special_tokens=True)


@on_texts
@given(data=st.data())
def test_any_ids_in_any_pieces_decode_as_they_do_at_once(tokenizer, whole, data):
    # Bytes above all: half a character, two halves that do not belong together, a first byte without a second.
    bytes_ = st.integers(0, 255).map(lambda byte: whole.token_to_id(f"<0x{byte:02X}>"))
    ids = data.draw(st.lists(bytes_ | st.integers(0, whole.get_vocab_size() + 60), max_size=40))
    decoder = tokenizer.decoder()
    shown = "".join(decoder.push(piece) for piece in cut(ids, data.draw(st.lists(st.integers(0, 40), max_size=20))))
    assert shown + decoder.flush() == tokenizer.decode(ids)


@on_texts
@given(text=laced_texts.filter(lambda text: "\ufffd" not in text))
def test_half_a_character_is_never_shown(tokenizer, text):
    assume(not any("\ud800" <= character <= "\udfff" for character in text))
    decoder = tokenizer.decoder()
    for token in tokenizer.encode(text):
        assert "\ufffd" not in decoder.push((token,))
    assert decoder.flush() == ""


def test_a_character_appears_with_its_last_byte(tokenizer, whole):
    smile = [whole.token_to_id(f"<0x{byte:02X}>") for byte in "🙂".encode()]
    decoder = tokenizer.decoder()
    assert [decoder.push((token,)) for token in smile] == ["", "", "", "🙂"]


def test_a_character_that_never_ends_is_shown_as_replaced_when_text_goes_on_or_the_answer_ends(tokenizer, whole):
    half = [whole.token_to_id(f"<0x{byte:02X}>") for byte in "🙂".encode()[:2]]
    decoder = tokenizer.decoder()
    assert decoder.push(half) == ""
    assert decoder.push(tokenizer.encode("so")) == "\ufffd so"
    assert decoder.push(half) == ""
    assert decoder.flush() == "\ufffd"


@on_texts
@given(texts=st.lists(laced_texts, max_size=3), place=st.integers(0, 60))
def test_an_answer_taken_up_again_goes_on_where_it_was(tokenizer, texts, place):
    ids = [token for text in texts for token in tokenizer.encode(text)]
    before, after = ids[:place], ids[place:]
    shown = tokenizer.decoder().push(before)
    resumed = tokenizer.decoder(before)
    assert shown + resumed.push(after) + resumed.flush() == tokenizer.decode(ids)


def test_added_tokens_are_no_part_of_an_answers_text(tokenizer):
    ids = tokenizer.encode("yes")
    assert tokenizer.decode([*sorted(tokenizer.stop_ids), *ids, *sorted(tokenizer.stop_ids)]) == "yes"


def test_a_growing_answer_is_not_decoded_again_and_again(tokenizer):
    class Looks(UserDict):
        count = 0

        def get(self, key, default=None):
            self.count += 1
            return super().get(key, default)

    pieces = Looks(tokenizer._pieces)
    decoder = AnswerDecoder(pieces)
    ids = tokenizer.encode("a word " * 500)
    for token in ids:
        decoder.push((token,))
    assert pieces.count == len(ids)


# Tokenizers


def test_every_added_token_ends_an_answer(tokenizer, folder):
    added = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))["added_tokens"]
    assert tokenizer.stop_ids == {token["id"] for token in added}
    assert {"</s>", *ROLES} <= {token["content"] for token in added}


def test_a_tokenizer_is_told_by_the_hash_of_its_file(tokenizer, folder):
    assert tokenizer.sha256 == hashlib.sha256((folder / "tokenizer.json").read_bytes()).hexdigest()


@pytest.fixture
def altered(tmp_path):
    """Load the demo model's tokenizer with something changed."""

    def load(change):
        definition = json.loads((DEMO / "tokenizer.json").read_text(encoding="utf-8"))
        change(definition)
        (tmp_path / "tokenizer.json").write_text(json.dumps(definition), encoding="utf-8")
        return Phi3Tokenizer.load(tmp_path)

    return load


def test_a_length_that_a_tokenizer_was_saved_with_does_not_cut_or_pad_our_texts(altered):
    def limit(definition):
        definition["truncation"] = {"direction": "Right", "max_length": 2, "strategy": "LongestFirst", "stride": 0}
        definition["padding"] = {
            **{"strategy": {"Fixed": 64}, "direction": "Left", "pad_to_multiple_of": None},
            **{"pad_id": 0, "pad_type_id": 0, "pad_token": "<unk>"},
        }

    assert altered(limit).encode("a few words") == Phi3Tokenizer.load(DEMO).encode("a few words")


def test_a_byte_that_the_vocabulary_lacks_is_left_out_instead_of_becoming_an_added_token(altered):
    def rename(definition):
        vocabulary = definition["model"]["vocab"]
        vocabulary["never seen"] = vocabulary.pop("<0xE1>")

    tokenizer = altered(rename)
    assert tokenizer.decode(tokenizer.encode("a ሀ b")) == "a  b"
    assert not tokenizer.stop_ids.intersection(tokenizer.encode("a ሀ b"))


def test_a_tokenizer_without_role_tokens_is_refused_with_their_names(altered):
    def rename(definition):
        for token in definition["added_tokens"]:
            if token["content"] in {"<|user|>", "<|end|>"}:
                token["content"] = token["content"].replace("<|", "<|im_")

    with pytest.raises(ModelUnusable, match=r"not the tokenizer of a Phi-3 model: it lacks <\|user\|>, <\|end\|>"):
        altered(rename)


def test_a_tokenizer_whose_role_tokens_leave_the_line_feed_is_refused(altered):
    def keep(definition):
        for token in definition["added_tokens"]:
            token["rstrip"] = False

    with pytest.raises(ModelUnusable, match="turns the chat template into other ids"):
        altered(keep)


def test_a_tokenizer_that_writes_spaces_another_way_is_refused(altered):
    with pytest.raises(ModelUnusable, match="decodes answers in another way"):
        altered(lambda definition: definition["decoder"]["decoders"].pop())


def test_a_tokenizer_without_byte_fallback_is_refused(altered):
    with pytest.raises(ModelUnusable, match="no byte-pair encoding with byte fallback"):
        altered(lambda definition: definition["model"].update(byte_fallback=False))


def test_a_tokenizer_that_the_library_cannot_read_is_refused(altered):
    with pytest.raises(ModelUnusable, match="cannot be read"):
        altered(lambda definition: definition["model"].update(merges=[["no", "such"]]))


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"7", b"{}", b'{"added_tokens": 3}', b"\xff\xfe", b'{"a":"\xff"}']
)
def test_a_file_that_is_no_tokenizer_is_refused(tmp_path, content):
    (tmp_path / "tokenizer.json").write_bytes(content)
    with pytest.raises(ModelUnusable, match=r"tokenizer\.json is not"):
        Phi3Tokenizer.load(tmp_path)


def test_a_folder_without_a_tokenizer_is_named(tmp_path):
    with pytest.raises(ModelUnusable, match=r"has no readable tokenizer.json \(No such file"):
        Phi3Tokenizer.load(tmp_path / "nowhere")


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_no_memory_is_kept_of_what_people_wrote():
    code = f"""
from pathlib import Path
from benching.machine import rss_mb
from bot.core.phi3 import Phi3Tokenizer

tokenizer = Phi3Tokenizer.load(Path({str(DEMO)!r}))
tokenizer.encode("once, for what is made once")
before_mb = rss_mb()
for number in range(3000):
    tokenizer.encode(f"question {{number}} " + "of which nobody will ever ask again " * 4)
print(rss_mb() - before_mb)
"""
    paths = {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'scripts'}"}
    done = subprocess.run([sys.executable, "-c", code], env=os.environ | paths, capture_output=True, text=True)
    assert float(done.stdout) < 3, done.stderr
