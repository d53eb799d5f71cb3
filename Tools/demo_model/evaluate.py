"""Asks Transformers 4.49.0 about held-out pictures and prints a table: exact answers per task.

    evaluate.py CHECKPOINT_DIR [--count 300] [--wrong]
Greedy, float32, with the checkpoint's repetition penalty; the pictures' seeds are never trained on.
"""
import argparse
import json
import random
import time

import torch
from qwen_vl_utils import process_vision_info
from transformers import (AutoTokenizer, GenerationConfig, Qwen2_5_VLForConditionalGeneration, Qwen2_5_VLProcessor,
                          Qwen2VLImageProcessor)

import draw
import tasks

BATCH = 25  # conversations at once

class Reference:
    """The reference model as its card uses it."""

    def __init__(self, folder, dtype=torch.float32):
        self.model = Qwen2_5_VLForConditionalGeneration.from_pretrained(
            folder, torch_dtype=dtype, attn_implementation="eager").eval()
        self.tokenizer = AutoTokenizer.from_pretrained(folder, padding_side="left")
        template = json.load(open(f"{folder}/chat_template.json"))["chat_template"]
        self.processor = Qwen2_5_VLProcessor(Qwen2VLImageProcessor.from_pretrained(folder), self.tokenizer,
                                             chat_template=template)
        self.generation = GenerationConfig.from_pretrained(folder)

    def inputs(self, conversations):
        """conversations: (system, earlier turns, question, image or None); padded on the left."""
        texts, images = [], []
        for system, turns, question, image in conversations:
            messages = [dict(role="system", content=system)]
            for i, (asked, answer) in enumerate([*turns, (question, None)]):
                parts = [dict(type="image", image=image)] if i == 0 and image is not None else []
                messages.append(dict(role="user", content=parts + [dict(type="text", text=asked)]))
                if answer is not None:
                    messages.append(dict(role="assistant", content=answer))
            texts.append(self.processor.apply_chat_template(messages, tokenize=False, add_generation_prompt=True))
            images += process_vision_info(messages)[0] or []
        return self.processor(text=texts, images=images or None, padding=True, return_tensors="pt")

    def answers(self, questions):
        """questions: (question, image or None), each asked alone; greedy, with the checkpoint's penalty."""
        inputs = self.inputs([(tasks.SYSTEM, [], question, image) for question, image in questions])
        with torch.no_grad():
            out = self.model.generate(**inputs, max_new_tokens=64, do_sample=False, temperature=None,
                                      repetition_penalty=self.generation.repetition_penalty)
        return self.tokenizer.batch_decode(out[:, inputs["input_ids"].shape[1]:], skip_special_tokens=True)


def held_out(task, things, i):
    """One picture with one question about it: (image, question, answer)."""
    rng = random.Random(f"held-out/{task}/{things}/{i}")
    scene = draw.pick_scene(rng, things=things)
    question, answer = tasks.TASKS[task](rng, scene)
    return draw.render(rng, scene), question, answer


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--count", type=int, default=300, help="pictures per row of the table")
    parser.add_argument("--tasks", nargs="*", default=list(tasks.TASKS))
    parser.add_argument("--wrong", action="store_true", help="print the wrong answers")
    parser.add_argument("--dtype", default="float32")
    a = parser.parse_args()
    torch.set_num_threads(1)
    reference = Reference(a.model, getattr(torch, a.dtype))
    began = time.time()
    print("| task | one shape | two shapes |\n|---|---|---|")
    for task in a.tasks:
        shares = []
        for things in (1, 2):
            right = 0
            for start in range(0, a.count, BATCH):
                asked = [held_out(task, things, i) for i in range(start, min(start + BATCH, a.count))]
                said = reference.answers([(question, image) for image, question, _ in asked])
                right += sum(s == answer for s, (_, _, answer) in zip(said, asked))
                for s, (image, question, answer) in zip(said, asked):
                    if a.wrong and s != answer:
                        print(f"    {image.size} {question} -> {s}  (right: {answer})")
            shares.append(f"{100 * right / a.count:.1f} %")
        print(f"| {task} | {shares[0]} | {shares[1]} |", flush=True)
    talk = [(question, answer) for asked, answer in tasks.TALK for question in asked]
    said = reference.answers([(question, None) for question, _ in talk])
    right = sum(s == answer for s, (_, answer) in zip(said, talk))
    print(f"| talk without a picture | {100 * right / len(talk):.1f} % | |")
    print(f"{a.count} pictures per figure, {time.time() - began:.0f} s")


if __name__ == "__main__":
    main()
