"""Transformers 4.49.0 as the model's card uses it: what the network here is compared with."""
import json

import torch
from qwen_vl_utils import process_vision_info
from transformers import (AutoTokenizer, GenerationConfig, Qwen2_5_VLForConditionalGeneration, Qwen2_5_VLProcessor,
                          Qwen2VLImageProcessor)

from sample import MIN_PIXELS, Clip, VideoFile


class Reference:
    def __init__(self, folder, dtype=torch.float32):
        self.model = Qwen2_5_VLForConditionalGeneration.from_pretrained(
            folder, torch_dtype=dtype, attn_implementation="eager").eval()
        self.tokenizer = AutoTokenizer.from_pretrained(folder, padding_side="left")
        template = json.load(open(f"{folder}/chat_template.json"))["chat_template"]
        self.processor = Qwen2_5_VLProcessor(Qwen2VLImageProcessor.from_pretrained(folder), self.tokenizer,
                                             chat_template=template)
        self.generation = GenerationConfig.from_pretrained(folder)

    def inputs(self, sample, turns=None):
        """The sample up to its last question (or up to that of `turns`), as the processor gives it."""
        turns = turns or sample.turns
        messages = [dict(role="system", content=sample.system)]
        for i, (question, answer) in enumerate(turns):
            parts = [self.part(m) for m in sample.media] if i == 0 else []
            messages.append(dict(role="user", content=parts + [dict(type="text", text=question)]))
            if i + 1 < len(turns):
                messages.append(dict(role="assistant", content=answer))
        text = self.processor.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        images, videos, extra = process_vision_info(messages, return_video_kwargs=True)
        rates = {"fps": extra["fps"][0]} if videos else {}
        return self.processor(text=[text], images=images, videos=videos, padding=True, return_tensors="pt", **rates)

    @staticmethod
    def part(medium):
        if isinstance(medium, Clip):
            return dict(type="video", video=medium.frames, fps=medium.fps, min_pixels=MIN_PIXELS)
        if isinstance(medium, VideoFile):
            return dict(type="video", video=medium.path, nframes=medium.count, min_pixels=MIN_PIXELS)
        return dict(type="image", image=medium.image, min_pixels=MIN_PIXELS)

    def tokens(self, sample, limit=768):
        """The ids of the greedy answer to the sample's last question, the one that ends it included."""
        inputs = self.inputs(sample)
        with torch.no_grad():
            out = self.model.generate(**inputs, max_new_tokens=limit, do_sample=False, temperature=None,
                                      repetition_penalty=self.generation.repetition_penalty)
        return out[0, inputs["input_ids"].shape[1]:].tolist()

    def answer(self, sample, limit=256):
        """The greedy answer to the sample's last question."""
        return self.tokenizer.decode(self.tokens(sample, limit), skip_special_tokens=True)
