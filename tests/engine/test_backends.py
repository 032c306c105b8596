"""What both engines must do alike, on a real model; transformers is the judge of what it says."""

import json
import os
import shutil
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path

import pytest

from bot.core.engine import EngineInfo, GenerationRequest
from bot.core.messages import Finish, Sampling
from bot.core.phi3 import Phi3Tokenizer
from bot.engine.executor import ThreadedEngine
from bot.engine.model_folder import find_model
from bot.errors import EngineFailed, ModelUnusable, PromptTooLong
from dequantized import dequantized_phi3

DEMO_MODEL = Path(__file__).parents[2] / "bot" / "demo_model"
WINDOW_TOKENS = 4096
INFO = EngineInfo("test", "tiny", "CPU", WINDOW_TOKENS, 1)
F32 = {"INFERENCE_PRECISION_HINT": "f32", "KV_CACHE_PRECISION": "f32"}
QUESTIONS = ("What is my name?", "Sing!", "1 2 3 4", "The quick brown fox jumps over the lazy dog. " * 20)

both = pytest.mark.parametrize("name", ["genai", "optimum"])


@pytest.fixture
def ask(tiny_tokenizer):
    """Return what makes a request of a question."""

    def ask(question, max_new_tokens=40, **fields):
        prompt_ids = tiny_tokenizer.prompt(tiny_tokenizer.encode("Be kind."), [], tiny_tokenizer.encode(question))
        return GenerationRequest(prompt_ids, max_new_tokens, **{"stop_ids": tiny_tokenizer.stop_ids, **fields})

    return ask


def transformers_answerer(model):
    """Return what the model's own implementation generates, greedily."""
    import torch

    def transformers_answer(request):
        prompt = torch.tensor([request.prompt_ids])
        with torch.no_grad():
            ids = model.generate(
                input_ids=prompt,
                attention_mask=torch.ones_like(prompt),
                max_new_tokens=request.max_new_tokens,
                do_sample=False,
                eos_token_id=sorted(request.stop_ids),
                pad_token_id=min(request.stop_ids),
            )
        return tuple(ids[0, prompt.shape[1] :].tolist())

    return transformers_answer


@pytest.fixture(scope="session")
def transformers_answer(tiny_source_dir):
    import torch
    from transformers import Phi3ForCausalLM

    return transformers_answerer(Phi3ForCausalLM.from_pretrained(tiny_source_dir, dtype=torch.float32).eval())


@both
def test_the_answer_is_the_one_of_transformers_token_for_token(name, backends, answer, ask, transformers_answer):
    for question in QUESTIONS:
        [heard] = answer(backends[name], ask(question, 70))
        assert heard.ids == transformers_answer(ask(question, 70))
        assert len(heard.ids) == 70
        assert heard.finish is Finish.LENGTH


def test_both_answer_with_the_demo_model_as_transformers_does_with_its_weights(load, answer):
    tokenizer, window_tokens = Phi3Tokenizer.load(DEMO_MODEL), find_model(DEMO_MODEL, may_use_demo=True).context_tokens
    system_ids = tokenizer.encode("You are a helpful AI assistant.")
    greeted = (tokenizer.encode("Hello, my name is Zorbina."), tokenizer.encode("Hello Zorbina, nice to meet you."))
    requests = [
        GenerationRequest(tokenizer.prompt(system_ids, [greeted], tokenizer.encode(question)), 60, tokenizer.stop_ids)
        for question in ("What is my name?", "Who are you?", "/help", "Say: the sea is green")
    ]
    said = {}
    for name in ("genai", "optimum"):
        backend = load(name, DEMO_MODEL, window_tokens=window_tokens)
        said[name] = [answer(backend, request)[0] for request in requests]
        backend.close()
    judge = transformers_answerer(dequantized_phi3(DEMO_MODEL))
    for request, heard in zip(requests, said["genai"], strict=True):
        *ids, stop = judge(request)
        assert stop in request.stop_ids
        assert heard.ids == tuple(ids)
    assert said["genai"] == said["optimum"]
    assert [heard.finish for heard in said["genai"]] == [Finish.STOP] * len(requests)
    assert all(heard.ids for heard in said["genai"])


@both
def test_every_stop_id_ends_the_answer_and_is_no_part_of_it(name, backends, answer, ask):
    [whole] = answer(backends[name], ask(QUESTIONS[0], max_new_tokens=12))
    assert len(set(whole.ids)) > 6
    for stop in set(whole.ids):
        [heard] = answer(backends[name], ask(QUESTIONS[0], max_new_tokens=12, stop_ids=frozenset({stop})))
        assert heard.ids == whole.ids[: whole.ids.index(stop)]
        assert heard.finish is Finish.STOP
    last_three = frozenset(whole.ids[-3:]) - set(whole.ids[:-3])
    [heard] = answer(backends[name], ask(QUESTIONS[0], max_new_tokens=12, stop_ids=last_three))
    assert not last_three & set(heard.ids)


@both
@pytest.mark.parametrize("has_stop_ids", [True, False])
def test_no_other_id_ends_it_whatever_the_model_folder_says(
    name, has_stop_ids, load, tiny_f32_dir, tmp_path, ask, answer
):
    request = ask(QUESTIONS[0], max_new_tokens=12, **({} if has_stop_ids else {"stop_ids": frozenset()}))
    backend = load(name, tiny_f32_dir)
    [whole] = answer(backend, request)
    backend.close()
    folder = tmp_path / "eager"
    shutil.copytree(tiny_f32_dir, folder)
    for file in ("config.json", "generation_config.json"):
        content = json.loads((folder / file).read_text())
        (folder / file).write_text(json.dumps({**content, "eos_token_id": whole.ids[5]}))
    backend = load(name, folder)
    assert answer(backend, request) == [whole]
    backend.close()


@both
def test_a_prompt_that_leaves_room_for_one_token_gets_one(name, backends, answer, ask):
    prompt_ids = ask("x").prompt_ids
    almost_full = (prompt_ids * WINDOW_TOKENS)[: WINDOW_TOKENS - 1]
    [heard] = answer(backends[name], replace(ask("x"), prompt_ids=almost_full))
    assert (len(heard.ids), heard.finish) == (1, Finish.LENGTH)


@both
def test_a_prompt_that_fills_the_window_is_refused_and_harms_nothing(name, backends, answer, ask):
    with pytest.raises(PromptTooLong):
        answer(backends[name], replace(ask("x"), prompt_ids=(20,) * WINDOW_TOKENS))
    with pytest.raises(EngineFailed):
        answer(backends[name], replace(ask("x"), prompt_ids=()))
    assert answer(backends[name], ask("x", max_new_tokens=3))[0].finish is Finish.LENGTH


@both
def test_the_same_seed_gives_the_same_answer_and_another_or_none_another(name, backends, answer, ask):
    def say(seed):
        sampling = Sampling(do_sample=True, temperature=1.5, top_p=0.95, seed=seed)
        return answer(backends[name], ask("Tell me more!", sampling=sampling))[0].ids

    seven, one_without, seven_again, another_without = say(7), say(None), say(7), say(None)
    assert seven == seven_again
    assert len({seven, say(8), one_without, another_without}) == 4


@both
def test_sampling_from_next_to_nothing_is_greedy(name, backends, answer, ask):
    sampling = Sampling(do_sample=True, temperature=1.0, top_p=1e-6, seed=1)
    assert answer(backends[name], ask("Sing!", sampling=sampling)) == answer(backends[name], ask("Sing!"))


@both
def test_what_the_library_refuses_fails_that_request_alone(name, backends, answer, ask):
    nonsense = Sampling(do_sample=True, temperature=-1.0)
    try:
        error = answer(backends[name], ask("x", sampling=nonsense))[0].error
    except EngineFailed as exc:
        error = exc
    assert isinstance(error, EngineFailed)
    assert "temperature" in error.detail
    assert answer(backends[name], ask("x"))[0].finish is Finish.LENGTH


@both
def test_a_cancelled_request_is_not_heard_of_again(name, backends, answer, ask):
    heard = []
    backends[name].start(10_001, ask("x"))
    backends[name].cancel(10_001)
    backends[name].cancel(10_001)
    backends[name].step(lambda event: heard.append(event) or True)
    assert heard == []
    assert answer(backends[name], ask("x"))[0].finish is Finish.LENGTH


class Counting:
    """A backend that counts the ids another one has generated."""

    def __init__(self, backend):
        self.backend = backend
        self.info = replace(backend.info, slots=1)
        self.start, self.cancel, self.close = backend.start, backend.cancel, backend.close
        self.count = 0

    def step(self, emit):
        def count(event):
            self.count += len(event.ids)
            return emit(event)

        self.backend.step(count)


@both
async def test_a_reader_who_leaves_frees_the_only_slot_for_the_next(name, load, tiny_f32_dir, ask, transformers_answer):
    made = []
    engine = ThreadedEngine(lambda _report: made.append(Counting(load(name, tiny_f32_dir))) or made[0], INFO)
    engine.start()
    await engine.ready()
    async with aclosing(engine.generate(ask("Talk!", max_new_tokens=4000))) as chunks:
        while not (await anext(chunks)).ids:
            pass
    served = [chunk async for chunk in engine.generate(ask("Sing!", max_new_tokens=5))]
    await engine.aclose()
    assert tuple(token for chunk in served for token in chunk.ids) == transformers_answer(ask("Sing!", 5))
    assert made[0].count < 1000


@both
def test_loading_tells_its_stages_in_order(name, load, tiny_f32_dir):
    stages = []
    load(name, tiny_f32_dir, report=stages.append).close()
    assert stages == ["loading.compiling", "loading.warming"]


@both
@pytest.mark.parametrize(
    "wrong",
    [{"NOT_ONE": "x"}, {"PERFORMANCE_HINT": "FASTEST"}, {"NUM_STREAMS": "many"}, {"CACHE_DIR": os.devnull + "/x"}],
)
def test_a_wrong_property_is_one_sentence_that_names_its_setting(name, wrong, load, tiny_f32_dir):
    with pytest.raises(ModelUnusable) as caught:
        load(name, tiny_f32_dir, properties={**F32, **wrong})
    assert "PHIBOT_OV_CONFIG" in str(caught.value)
    assert "\n" not in str(caught.value)


@both
@pytest.mark.parametrize("file", ["openvino_model.bin", "openvino_model.xml", "config.json"])
def test_half_a_file_is_one_sentence(name, file, load, tiny_f32_dir, tmp_path):
    folder = tmp_path / "half"
    shutil.copytree(tiny_f32_dir, folder)
    content = (folder / file).read_bytes()
    (folder / file).write_bytes(content[: len(content) // 2])
    with pytest.raises(ModelUnusable) as caught:
        load(name, folder)
    assert str(folder) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "PHIBOT_OV_CONFIG" not in str(caught.value)


@both
def test_a_device_that_is_not_there_is_one_sentence(name, load, tiny_f32_dir):
    with pytest.raises(ModelUnusable) as caught:
        load(name, tiny_f32_dir, device="GPU.7")
    assert "GPU.7" in str(caught.value)
    assert "\n" not in str(caught.value)


@both
def test_a_window_that_not_even_the_first_try_fits_in_stops_the_start(name, load, tiny_f32_dir):
    with pytest.raises(ModelUnusable, match="does not generate"):
        load(name, tiny_f32_dir, window_tokens=2)
